//! TLS through the library: what it tells, what the policy allows, what an instance with it takes.

use std::time::Duration;

use sandpiper_host::types::{Denial, Error, TlsProblem, TlsVersion};
use sandpiper_host::{
    Build, CallError, Client, ClientConn, ConnOptions, Endpoint, Failure, HostTls, Recorder, Replay, Request, Sandbox,
    SandboxBuilder, TlsOptions,
};
use tokio::time::timeout;

use crate::server::PATIENCE;
use crate::tls::{ALWAYS, Authority, Settings, TlsServer};

const NAME: &str = "server.example";

/// A server, and what reaches and trusts it.
struct Site {
    server: TlsServer,
    authority: Authority,
}

impl Site {
    fn new(years: (i32, i32)) -> Self {
        let authority = Authority::new();
        Self { server: TlsServer::start(&authority.issue(&[NAME], years), &Settings::default()), authority }
    }

    fn trusting(&self) -> TlsOptions {
        TlsOptions {
            server_name: Some(NAME.to_owned()),
            roots_pem: Some(self.authority.pem().into_bytes()),
            ..TlsOptions::default()
        }
    }

    fn endpoint(&self, tls: TlsOptions) -> Endpoint {
        Endpoint { tls: Some(tls), ..Endpoint::plain("127.0.0.1", self.server.address.port()) }
    }

    fn sandbox(&self) -> SandboxBuilder {
        Sandbox::builder().component(Build::Tls).allow(&self.server.address.to_string()).unwrap()
    }
}

/// What comes of a request, and the connection that it was made on.
async fn fetch(client: &mut Client, endpoint: Endpoint) -> (Result<Vec<u8>, Failure>, ClientConn) {
    let conn = client.connect(endpoint, ConnOptions::default()).await.unwrap();
    let outcome = match conn.send(client, Request::get("/here"), 0).await {
        Ok(exchange) => exchange.collect(client, 1 << 20).await.map(|response| response.content),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(content) => (Ok(content), conn),
        Err(CallError::Http(failure)) => (Err(failure), conn),
        Err(CallError::Host(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_handshake_is_told() {
    let site = Site::new(ALWAYS);
    let mut client = site.sandbox().build().unwrap().instantiate().await.unwrap();
    let (content, conn) = fetch(&mut client, site.endpoint(site.trusting())).await;
    assert_eq!(content.unwrap(), b"/here");
    let id = conn.info(&mut client).await.unwrap().id;
    let info = client.tls_info(id).await.unwrap().unwrap();
    assert_eq!((info.connection, info.server_name.as_str(), info.version), (id, NAME, Some(TlsVersion::Tls13)));
    let leaf = sandpiper_host::Certificate::read(&info.certificates[0]).unwrap();
    assert_eq!(leaf.names, [NAME]);
    assert!(client.tls_info(id + 1).await.unwrap().is_none());
    assert!(client.take_key_log(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told() {
    let site = Site::new((2000, 2001));
    let mut client = site.sandbox().build().unwrap().instantiate().await.unwrap();
    let (outcome, _conn) = fetch(&mut client, site.endpoint(site.trusting())).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.error, Error::Tls(TlsProblem::CertificateExpired));
    let info = client.tls_info(failure.connection).await.unwrap().unwrap();
    assert_eq!(info.refusal.unwrap().not_after, Some(978_307_200));
}

#[tokio::test]
async fn an_agent_tells_of_its_connections() {
    let site = Site::new(ALWAYS);
    let agent = site.sandbox().build().unwrap().agent(None).await.unwrap();
    let origin = agent.origin(site.endpoint(site.trusting()), None).await.unwrap();
    let completion = agent.fetch_all(&origin, vec![Request::get("/here")], 1 << 20).await.unwrap().remove(0);
    assert_eq!(completion.outcome.unwrap().content, b"/here");
    assert_eq!(agent.tls_info(completion.connection).await.unwrap().unwrap().server_name, NAME);
    assert!(agent.take_key_log(10).await.unwrap().is_empty());
    agent.close(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn what_is_dangerous_is_denied_unless_the_policy_allows_it() {
    let site = Site::new((2000, 2001));
    let any = TlsOptions { accept_any_certificate: Some(true), ..site.trusting() };
    let noted = TlsOptions { key_log: Some(true), ..any.clone() };
    let mut strict = site.sandbox().build().unwrap().instantiate().await.unwrap();
    for (options, denial) in [(&any, Denial::AnyCertificate), (&noted, Denial::AnyCertificate)] {
        let error = match strict.connect(site.endpoint(options.clone()), None).await {
            Err(CallError::Http(error)) => error,
            Err(CallError::Host(error)) => panic!("{error}"),
            Ok(conn) => match conn.wait_connected(&mut strict).await {
                Err(CallError::Http(error)) => error,
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(error, Error::Denied(denial));
    }
    let lax = site.sandbox().dangerous_allow_any_certificate().allow_key_log().build().unwrap();
    let mut client = lax.instantiate().await.unwrap();
    assert_eq!(fetch(&mut client, site.endpoint(noted)).await.0.unwrap(), b"/here");
    let lines = client.take_key_log(100).await.unwrap();
    assert!(lines.iter().any(|line| line.starts_with("SERVER_TRAFFIC_SECRET_0 ")), "{lines:?}");
}

/// The default limits, and pooled instances, have room for TLS.
#[tokio::test]
async fn pooled_instances_have_room_for_it() {
    let site = Site::new(ALWAYS);
    let sandbox = site.sandbox().pooled_clients(2).build().unwrap();
    let (mut one, mut other) = (sandbox.instantiate().await.unwrap(), sandbox.instantiate().await.unwrap());
    for client in [&mut one, &mut other] {
        assert_eq!(fetch(client, site.endpoint(site.trusting())).await.0.unwrap(), b"/here");
        println!("{} octets of memory", client.memory_octets());
    }
}

#[tokio::test]
async fn a_handshake_is_replayed() {
    let site = Site::new(ALWAYS);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording");
    let recorder = Recorder::create(&path).unwrap();
    let sandbox = site.sandbox().record(&recorder).build().unwrap();
    for _ in 0..2 {
        let mut client = sandbox.instantiate().await.unwrap();
        let (content, _conn) = fetch(&mut client, site.endpoint(site.trusting())).await;
        assert_eq!(content.unwrap(), b"/here");
    }
    recorder.check().unwrap();
    drop((recorder, sandbox));
    let handshakes = site.server.seen(2).len();
    let replay = Replay::open(&path).unwrap();
    let sandbox = site.sandbox().replay(&replay).build().unwrap();
    for _ in 0..2 {
        let mut client = sandbox.instantiate().await.unwrap();
        let (content, _conn) = fetch(&mut client, site.endpoint(site.trusting())).await;
        assert_eq!(content.unwrap(), b"/here");
    }
    replay.finish().unwrap();
    assert_eq!(site.server.seen(2).len(), handshakes);
}

#[tokio::test]
async fn the_hosts_tls_carries_a_connection() {
    let site = Site::new(ALWAYS);
    let host_tls = HostTls::new(&TlsOptions { server_name: None, ..site.trusting() }).unwrap();
    let sandbox = site.sandbox().component(Build::HostTls).host_tls(host_tls).build().unwrap();
    let mut client = sandbox.instantiate().await.unwrap();
    let only_the_name = TlsOptions { server_name: Some(NAME.to_owned()), ..TlsOptions::default() };
    for _ in 0..3 {
        let (content, conn) = fetch(&mut client, site.endpoint(only_the_name.clone())).await;
        assert_eq!(content.unwrap(), b"/here");
        conn.release(&mut client).await.unwrap();
    }
    assert_eq!(client.sockets_open(), 0);
    let mut distrusting = site.sandbox().component(Build::HostTls).build().unwrap().instantiate().await.unwrap();
    let (outcome, _conn) = fetch(&mut distrusting, site.endpoint(only_the_name)).await;
    let failure = outcome.unwrap_err();
    assert!(matches!(failure.error, Error::Tls(_)), "{failure:?}");
    let words = distrusting.tls_info(failure.connection).await.unwrap().unwrap().detail.unwrap();
    assert!(words.contains("tls(certificate-issuer)"), "{words}");
}

/// What was written to a server that does not read is given up behind the component's back: dropping its connection takes no time, and the
/// others go on.
#[tokio::test]
async fn a_server_that_does_not_read_holds_nothing_up() {
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], ALWAYS);
    let deaf = TlsServer::start(&identity, &Settings { deaf: true, ..Settings::default() });
    let roots_pem = Some(authority.pem().into_bytes());
    let site = Site { server: TlsServer::start(&identity, &Settings::default()), authority };
    for build in [Build::Tls, Build::HostTls] {
        let host_tls = HostTls::new(&TlsOptions { roots_pem: roots_pem.clone(), ..TlsOptions::default() }).unwrap();
        let sandbox =
            site.sandbox().allow(&deaf.address.to_string()).unwrap().component(build).host_tls(host_tls).build().unwrap();
        let mut client = sandbox.instantiate().await.unwrap();
        let tls = match build {
            Build::HostTls => TlsOptions { server_name: Some(NAME.to_owned()), ..TlsOptions::default() },
            _ => site.trusting(),
        };
        let to_deaf = Endpoint { tls: Some(tls.clone()), ..Endpoint::plain("127.0.0.1", deaf.address.port()) };
        let conn = client.connect(to_deaf, ConnOptions::default()).await.unwrap();
        conn.wait_connected(&mut client).await.unwrap();
        let exchange = conn.send(&mut client, Request::new("POST", "/").with_streamed_content(), 0).await.unwrap();
        let poll = client.poll(None).await.unwrap();
        poll.insert(&mut client, &conn, 1).await.unwrap();
        let mut written = 0;
        let stalls = async {
            // Until the kernel has taken more than any connection holds by itself, and then nothing more for a while.
            let mut silent = false;
            while !silent || written <= 1 << 16 {
                let events = poll.wait(&mut client, Some(Duration::from_millis(200)), 10).await.unwrap();
                let octets = exchange.write(&mut client, &[0; 1 << 16]).await.unwrap();
                silent = octets == 0 && events.is_empty();
                written += octets;
            }
        };
        timeout(PATIENCE, stalls).await.unwrap_or_else(|_| panic!("{build}: {written}"));
        // A release that waited for the server would never end.
        timeout(PATIENCE, conn.release(&mut client)).await.unwrap_or_else(|_| panic!("{build}: it waits")).unwrap();
        assert_eq!(fetch(&mut client, site.endpoint(tls)).await.0.unwrap(), b"/here", "{build}");
    }
}

#[test]
fn the_hosts_tls_is_not_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(directory.path().join("recording")).unwrap();
    let refusal = Sandbox::builder().component(Build::HostTls).record(&recorder).build().unwrap_err();
    assert!(refusal.to_string().contains("cannot be recorded or replayed"), "{refusal}");
}
