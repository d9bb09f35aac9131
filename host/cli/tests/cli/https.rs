//! `https://` URLs, with TLS inside the component and with the host's.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::program::{Run, run, scratch};
use super::tls::{ALWAYS, Authority, Identity, Settings, TlsServer};

const NAME: &str = "server.example";

/// A server at `https://server.example`, and the options to reach and to trust it.
struct Site {
    server: TlsServer,
    url: String,
    resolve: String,
    cacert: String,
}

impl Site {
    fn new(directory: &Path, authority: &Authority, identity: &Identity, settings: &Settings<'_>) -> Self {
        let server = TlsServer::start(identity, settings);
        let port = server.address.port();
        let cacert = directory.join(format!("roots-{port}"));
        fs::write(&cacert, authority.pem()).unwrap();
        Self {
            server,
            url: format!("https://{NAME}:{port}/here"),
            resolve: format!("{NAME}:{port}:127.0.0.1"),
            cacert: cacert.to_str().unwrap().to_owned(),
        }
    }

    fn fetch(&self, arguments: &[&str]) -> Run {
        let own = ["fetch", &self.url, "--resolve", &self.resolve, "--cacert", &self.cacert, "--max-time", "20"];
        run(&[&own, arguments].concat())
    }
}

fn pin(identity: &Identity) -> String {
    format!("sha256//{}", STANDARD.encode(&identity.pin))
}

const BUILDS: [&[&str]; 2] = [&[], &["--component", "host-tls"]];

#[test]
fn a_trusted_server_is_fetched_from() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let site = Site::new(&directory, &authority, &authority.issue(&[NAME], ALWAYS), &Settings::default());
    for build in BUILDS {
        assert_eq!(site.fetch(build).ended_with(0).text(), "/here", "{build:?}");
    }
    let seen = site.server.seen(2);
    assert!(seen.iter().all(|seen| seen.error.is_none() && seen.server_name.as_deref() == Some(NAME)), "{seen:?}");
}

#[test]
fn many_requests_of_one_origin_share_one_handshake() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let site = Site::new(&directory, &authority, &authority.issue(&[NAME], ALWAYS), &Settings::default());
    for build in BUILDS {
        let others = [site.url.as_str(); 20];
        assert_eq!(site.fetch(&[build, &others].concat()).ended_with(0).text(), "/here".repeat(21), "{build:?}");
    }
    assert_eq!(site.server.seen(2).len(), 2);
}

#[test]
fn a_refused_certificate_is_explained() {
    let (_keep, directory) = scratch();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let expired = authority.issue(&[NAME], (2000, 2001));
    let early = authority.issue(&[NAME], (3999, 4000));
    let elsewhere = authority.issue(&["a.example", "b.example"], ALWAYS);
    let strange = stranger.issue(&[NAME], ALWAYS);
    let cases: [(&Identity, &[&str]); 4] = [
        (&expired, &["tls(certificate-expired)", "2001-01-01 00:00:00 UTC"]),
        (&early, &["tls(certificate-not-yet-valid)", "3999-01-01 00:00:00 UTC"]),
        (&elsewhere, &["tls(certificate-name)", "a.example", "b.example"]),
        (&strange, &["tls(certificate-issuer)", "--cacert"]),
    ];
    for (identity, words) in cases {
        let site = Site::new(&directory, &authority, identity, &Settings::default());
        let run = site.fetch(&[]).ended_with(1).complains_of(words);
        run.complains_of(&["[0] https://server.example", "name:     server.example", "delivery: not-sent"]);
        // The host's words come through the component as they are, and name the same check.
        site.fetch(&["--component", "host-tls"]).ended_with(1).complains_of(&[words[0], "delivery: not-sent"]);
    }
}

/// As `openssl req -x509` makes them.
#[test]
fn a_certificate_that_signed_itself_may_be_trusted_as_it_is() {
    let (_keep, directory) = scratch();
    let (own, identity) = Authority::of_its_own(&[NAME], ALWAYS);
    let site = Site::new(&directory, &own, &identity, &Settings::default());
    let distrusted = Site::new(&directory, &Authority::new(), &identity, &Settings::default());
    for build in BUILDS {
        assert_eq!(site.fetch(build).ended_with(0).text(), "/here", "{build:?}");
        distrusted.fetch(build).ended_with(1).complains_of(&["tls(certificate-"]);
    }
    distrusted.fetch(&[]).ended_with(1).complains_of(&["tls(certificate-self-signed)", "--cacert"]);
}

#[test]
fn v_and_json_show_what_was_agreed_upon() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], ALWAYS);
    let site = Site::new(&directory, &authority, &identity, &Settings { alpn: &["http/1.1"], ..Settings::default() });
    let words =
        ["* TLS with server.example: TLS 1.3, TLS_", "ALPN http/1.1", "certificate 0: ", " for server.example", &pin(&identity)];
    site.fetch(&["-v"]).ended_with(0).complains_of(&words);
    let line = site.fetch(&["--json"]).ended_with(0).json().remove(0);
    let tls = &line["tls"];
    assert_eq!((&tls["version"], &tls["protocol"], &tls["resumed"]), (&"TLS 1.3".into(), &"http/1.1".into(), &false.into()));
    assert_eq!(tls["certificates"][0]["pin"], pin(&identity).as_str());
    assert_eq!(tls["certificates"][0]["names"][0], NAME);
    assert!(tls["duration_ns"].is_u64(), "{tls}");
    let refused = Site::new(&directory, &authority, &authority.issue(&[NAME], (2000, 2001)), &Settings::default());
    let line = refused.fetch(&["--json"]).ended_with(1).json().remove(0);
    assert!(line["tls"]["refusal"].as_str().unwrap().contains("2001-01-01"), "{line}");
}

#[test]
fn a_pinned_key_is_looked_for() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let (identity, other) = (authority.issue(&[NAME], ALWAYS), authority.issue(&[NAME], ALWAYS));
    let site = Site::new(&directory, &authority, &identity, &Settings::default());
    site.fetch(&["--pinnedpubkey", &pin(&identity)]).ended_with(0);
    site.fetch(&["--pinnedpubkey", &format!("{};{}", pin(&other), pin(&identity))]).ended_with(0);
    site.fetch(&["--pinnedpubkey", &pin(&other)]).ended_with(1).complains_of(&[
        "tls(pin)",
        &pin(&identity),
        "delivery: not-sent",
    ]);
}

#[test]
fn any_certificate_is_accepted_where_that_is_allowed() {
    let (_keep, directory) = scratch();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let site = Site::new(&directory, &authority, &stranger.issue(&["elsewhere"], (2000, 2001)), &Settings::default());
    site.fetch(&["--allow-any-certificate"]).ended_with(1).complains_of(&["tls(certificate-"]);
    assert_eq!(site.fetch(&["-k", "--allow-any-certificate"]).ended_with(0).text(), "/here");
}

#[test]
fn the_client_shows_its_certificate() {
    let (_keep, directory) = scratch();
    let (authority, clients) = (Authority::new(), Authority::new());
    let settings = Settings { clients: Some(&clients), ..Settings::default() };
    let site = Site::new(&directory, &authority, &authority.issue(&[NAME], ALWAYS), &settings);
    let own = clients.issue(&["client"], ALWAYS);
    let both = directory.join("both");
    fs::write(&both, own.chain_pem + &own.key_pem).unwrap();
    for build in BUILDS {
        site.fetch(&[build, &["-E", both.to_str().unwrap()]].concat()).ended_with(0);
    }
    assert!(site.server.seen(2).iter().all(|seen| seen.client_certificates == 1));
    site.fetch(&[]).ended_with(1).complains_of(&["tls(alert)", "check what the server asks for, such as a client certificate"]);
}

#[test]
fn an_alert_is_named() {
    let (_keep, directory) = scratch();
    let (authority, clients) = (Authority::new(), Authority::new());
    let settings = Settings { clients: Some(&clients), ..Settings::default() };
    let site = Site::new(&directory, &authority, &authority.issue(&[NAME], ALWAYS), &settings);
    site.fetch(&[]).ended_with(1).complains_of(&["tls(alert)", "certificate_required (number 116)"]);
}

#[test]
fn the_least_version_and_the_protocols_are_what_was_asked_for() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], ALWAYS);
    let old = Settings { versions: &[&rustls::version::TLS12], alpn: &["h2", "http/1.1"], ..Settings::default() };
    let site = Site::new(&directory, &authority, &identity, &old);
    for build in BUILDS {
        site.fetch(&[build, &["--tls-min", "1.2"]].concat()).ended_with(0);
        site.fetch(&[build, &["--tls-min", "1.3"]].concat()).ended_with(1).complains_of(&["tls("]);
        site.fetch(&[build, &["--no-alpn"]].concat()).ended_with(0);
        site.fetch(&[build, &["--alpn", "h2,http/1.1"]].concat()).ended_with(1).complains_of(&["tls(protocol-not-spoken)"]);
    }
    let first = site.server.seen(1).remove(0);
    assert_eq!((first.version.as_deref(), first.protocol), (Some("TLSv1_2"), Some(b"http/1.1".to_vec())));
}

#[test]
fn secrets_are_noted_on_demand() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let site = Site::new(&directory, &authority, &authority.issue(&[NAME], ALWAYS), &Settings::default());
    let file = directory.join("keys");
    site.fetch(&["--key-log", file.to_str().unwrap()]).ended_with(0);
    let lines = fs::read_to_string(&file).unwrap();
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_TRAFFIC_SECRET_0 "] {
        assert!(lines.lines().any(|line| line.starts_with(label)), "{label} is not in:\n{lines}");
    }
}

#[test]
fn a_recorded_fetch_is_replayed_without_a_server() {
    let (_keep, directory) = scratch();
    let authority = Authority::new();
    let site = Site::new(&directory, &authority, &authority.issue(&[NAME], ALWAYS), &Settings::default());
    let file = directory.join("recording");
    let file = file.to_str().unwrap();
    assert_eq!(site.fetch(&["--record", file, &site.url]).ended_with(0).text(), "/here/here");
    assert_eq!(site.fetch(&["--replay", file, &site.url]).ended_with(0).text(), "/here/here");
    assert_eq!(site.server.seen(1).len(), 1);
    let refusal = ["cannot be recorded or replayed"];
    site.fetch(&["--component", "host-tls", "--record", file]).ended_with(2).complains_of(&refusal);
}
