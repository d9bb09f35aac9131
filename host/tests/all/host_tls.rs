//! TLS of the host, as a component that imports `wasi:tls` gets it.

use sandpiper_host::types::TlsVersion;
use sandpiper_host::{HostTls, HostTlsError, TlsOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wasmtime_wasi_tls::TlsProvider;

use crate::tls::{ALWAYS, Authority, Identity, Settings, TlsServer};

const NAME: &str = "server.example";

/// What a request for `/here` over it is answered with, or why there is no TLS.
async fn fetch(server: &TlsServer, name: &str, options: TlsOptions) -> Result<String, String> {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let connecting = HostTls::new(&options).unwrap().connect(name.to_owned(), Box::new(socket));
    let mut stream = connecting.await.map_err(|error| error.to_string())?;
    let mut answer = [0; 43];
    stream.write_all(b"GET /here HTTP/1.1\r\n\r\n").await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    stream.read_exact(&mut answer).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(answer.to_vec()).unwrap())
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n/here";

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions { roots_pem: Some(authority.pem().into_bytes()), ..TlsOptions::default() }
}

fn plain(identity: &Identity) -> TlsServer {
    TlsServer::start(identity, &Settings::default())
}

#[tokio::test]
async fn a_server_that_is_trusted_is_talked_to() {
    let authority = Authority::new();
    let server = plain(&authority.issue(&[NAME, "127.0.0.1"], ALWAYS));
    assert_eq!(fetch(&server, NAME, trusting(&authority)).await.unwrap(), ANSWER);
    assert_eq!(fetch(&server, "127.0.0.1", trusting(&authority)).await.unwrap(), ANSWER);
    let seen = server.seen(2);
    assert!(seen.iter().all(|seen| seen.error.is_none()), "{seen:?}");
    assert_eq!((seen[0].server_name.as_deref(), &seen[1].server_name), (Some(NAME), &None));
    assert_eq!(seen[0].version.as_deref(), Some("TLSv1_3"));
    let with_builtin = TlsOptions { with_builtin_roots: Some(true), ..trusting(&authority) };
    assert_eq!(fetch(&server, NAME, with_builtin).await.unwrap(), ANSWER);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let authority = Authority::new();
    let of = |names: &[&str], years| plain(&authority.issue(names, years));
    let cases = [
        (of(&[NAME], ALWAYS), TlsOptions::default(), "[tls(certificate-issuer)]", ""),
        (of(&[NAME], ALWAYS), trusting(&Authority::new()), "[tls(certificate-issuer)]", ""),
        (
            of(&[NAME], (2000, 2001)),
            trusting(&authority),
            "[tls(certificate-expired)]",
            "it was valid until 2001-01-01 00:00:00 UTC",
        ),
        (
            of(&[NAME], (3999, 4000)),
            trusting(&authority),
            "[tls(certificate-not-yet-valid)]",
            "it is valid from 3999-01-01 00:00:00",
        ),
        (of(&["a.example", "b.example"], ALWAYS), trusting(&authority), "[tls(certificate-name)]", "a.example"),
    ];
    for (server, options, problem, particulars) in cases {
        let refusal = fetch(&server, NAME, options).await.unwrap_err();
        assert!(refusal.contains(problem) && refusal.contains(particulars), "{problem} {particulars}: {refusal}");
    }
}

/// As `openssl req -x509` makes them: its form is an issuer's.
#[tokio::test]
async fn a_certificate_that_signed_itself_may_be_trusted_as_it_is() {
    let (own, identity) = Authority::of_its_own(&[NAME], ALWAYS);
    let server = plain(&identity);
    assert_eq!(fetch(&server, NAME, trusting(&own)).await.unwrap(), ANSWER);
    let refusal = fetch(&server, "b.example", trusting(&own)).await.unwrap_err();
    assert!(refusal.contains("[tls(certificate-name)]") && refusal.contains(NAME), "{refusal}");
    let (other, _) = Authority::of_its_own(&[NAME], ALWAYS);
    assert!(fetch(&server, NAME, trusting(&other)).await.is_err());
    assert!(fetch(&server, NAME, TlsOptions::default()).await.is_err());
    let (old, identity) = Authority::of_its_own(&[NAME], (2000, 2001));
    let refusal = fetch(&plain(&identity), NAME, trusting(&old)).await.unwrap_err();
    assert!(refusal.contains("[tls(certificate-expired)]"), "{refusal}");
}

#[tokio::test]
async fn the_least_version_holds() {
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], ALWAYS);
    let old = TlsServer::start(&identity, &Settings { versions: &[&rustls::version::TLS12], ..Settings::default() });
    assert_eq!(fetch(&old, NAME, trusting(&authority)).await.unwrap(), ANSWER);
    let new_only = TlsOptions { version_min: Some(TlsVersion::Tls13), ..trusting(&authority) };
    let refusal = fetch(&old, NAME, new_only.clone()).await.unwrap_err();
    assert!(refusal.contains("[tls(no-agreement)]"), "{refusal}");
    assert_eq!(fetch(&plain(&identity), NAME, new_only).await.unwrap(), ANSWER);
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let settings = Settings { clients: Some(&clients), ..Settings::default() };
    let server = TlsServer::start(&authority.issue(&[NAME], ALWAYS), &settings);
    let own = clients.issue(&["client"], ALWAYS);
    let identity_pem = Some((own.chain_pem.into_bytes(), own.key_pem.into_bytes()));
    assert_eq!(fetch(&server, NAME, TlsOptions { identity_pem, ..trusting(&authority) }).await.unwrap(), ANSWER);
    assert_eq!(server.seen(1)[0].client_certificates, 1);
    let refusal = fetch(&server, NAME, trusting(&authority)).await.unwrap_err();
    assert!(refusal.contains("CertificateRequired"), "{refusal}");
}

#[tokio::test]
async fn only_http_1_1_is_agreed_upon() {
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], ALWAYS);
    let server = TlsServer::start(&identity, &Settings { alpn: &["h2", "http/1.1"], ..Settings::default() });
    let offering = |protocols: &[&str]| TlsOptions {
        alpn: Some(protocols.iter().map(|protocol| (*protocol).to_owned()).collect()),
        ..trusting(&authority)
    };
    assert_eq!(fetch(&server, NAME, trusting(&authority)).await.unwrap(), ANSWER);
    assert_eq!(fetch(&server, NAME, offering(&[])).await.unwrap(), ANSWER);
    let refusal = fetch(&server, NAME, offering(&["h2", "http/1.1"])).await.unwrap_err();
    assert!(refusal.contains("[tls(protocol-not-spoken)]: it chose `h2`"), "{refusal}");
    let chosen: Vec<_> = server.seen(3).into_iter().map(|seen| seen.protocol).collect();
    assert_eq!(chosen, [Some(b"http/1.1".to_vec()), None, Some(b"h2".to_vec())]);
}

#[tokio::test]
async fn what_is_no_tls_is_said_to_be_none() {
    let clear = crate::server::Server::answering(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let mut socket = TcpStream::connect(clear.address).await.unwrap();
    // The server answers heads alone, and a ClientHello holds none.
    socket.write_all(b"\r\n\r\n").await.unwrap();
    let connecting = HostTls::default().connect(NAME.to_owned(), Box::new(socket));
    let refusal = connecting.await.map(drop).unwrap_err().to_string();
    assert!(refusal.contains("[tls(not-tls)]"), "{refusal}");
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let clients = Authority::new();
    let (own, other) = (clients.issue(&["client"], ALWAYS), clients.issue(&["client"], ALWAYS));
    let identity = |chain: &str, key: &str| TlsOptions {
        identity_pem: Some((chain.as_bytes().to_vec(), key.as_bytes().to_vec())),
        ..TlsOptions::default()
    };
    let roots = |pem: &str| TlsOptions { roots_pem: Some(pem.as_bytes().to_vec()), ..TlsOptions::default() };
    let malformed = "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let refuse = |options: &TlsOptions| HostTls::new(options).map(drop).unwrap_err();
    for (options, words) in [
        (roots(""), "the trust anchors: it holds no certificate"),
        (roots(malformed), "the trust anchors: it is malformed PEM"),
        (roots(no_certificate), "the trust anchors: certificate 1 cannot be read"),
        (identity("", &own.key_pem), "the client certificate: it holds no certificate"),
        (identity(&own.chain_pem, ""), "private key: it holds no private key"),
        (identity(&own.chain_pem, encrypted), "an encrypted one cannot be used"),
        (identity(&own.chain_pem, &other.key_pem), "it is not the key of the certificate"),
        (TlsOptions { alpn: Some(vec![String::new()]), ..TlsOptions::default() }, "1 to 255 octets"),
    ] {
        let refusal = refuse(&options).to_string();
        assert!(refusal.contains(words), "{words}: {refusal}");
    }
    for (options, name) in [
        (TlsOptions { spki_pins: Some(vec![own.pin.clone()]), ..TlsOptions::default() }, "spki-pins"),
        (TlsOptions { key_log: Some(true), ..TlsOptions::default() }, "key-log"),
        (TlsOptions { accept_any_certificate: Some(true), ..TlsOptions::default() }, "accept-any-certificate"),
    ] {
        assert_eq!(refuse(&options), HostTlsError::Unsupported(name));
    }
}
