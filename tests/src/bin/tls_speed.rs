//! `just tls-speed`: handshakes and contents by TLS inside the sandbox, of the host, and natively, in turns in one run. Writes the table of
//! `docs/evidence/tls-matrix.md`.

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use sandpiper_host::types::{Limit, TlsOptions};
use sandpiper_host::{Build, Client, ConnOptions, Endpoint, HostTls, Request, Sandbox};
use sandpiper_tests::scenario::sandboxed::runtime;
use sandpiper_tests::tls::authority::{NAME, authority};
use sandpiper_tests::tls::component::pem;
use sandpiper_tests::tls::matrix::insert_between;
use sandpiper_tests::tls::server::{Settings, Step};
use sandpiper_tests::tls::serving::Serving;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence/tls-matrix.md");
const MARKS: [&str; 2] = ["<!-- the speed: written by `just tls-speed` -->", "<!-- the end of the speed -->"];
/// Turns of each client at each workload, and how long a turn takes.
const ROUNDS: usize = 7;
const TURN: Duration = Duration::from_millis(400);
const CONTENT_OCTETS: usize = 16 << 20;
/// For a content that is collected as a whole.
const MEMORY_OCTETS: usize = 256 << 20;
/// What the server encrypts at once.
const BLOCK_OCTETS: usize = 1 << 15;

/// A client that requests `/` on a connection of its own and gives the octets of the content.
trait Speed {
    fn name(&self) -> &'static str;
    fn fetch(&mut self, address: SocketAddr) -> usize;
}

struct Native(Arc<ClientConfig>);

impl Native {
    fn new(resumes: bool) -> Native {
        let mut roots = RootCertStore::empty();
        roots.add(authority().root.certificate.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Native(Arc::new(config))
    }
}

impl Speed for Native {
    fn name(&self) -> &'static str {
        "rustls and ring, natively"
    }

    fn fetch(&mut self, address: SocketAddr) -> usize {
        let mut socket = TcpStream::connect(address).expect("a server");
        socket.set_nodelay(true).expect("an option");
        let name = ServerName::try_from(NAME).expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(&self.0), name).expect("a client");
        let mut stream = Stream::new(&mut tls, &mut socket);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n").expect("room");
        let (mut octets, mut block) = (0, vec![0; 1 << 16]);
        loop {
            match stream.read(&mut block) {
                Ok(0) => return octets,
                Ok(count) => octets += count,
                Err(_) if octets > 0 => return octets,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

struct Component {
    build: Build,
    resumes: bool,
    runtime: Runtime,
    client: Client,
}

impl Component {
    fn new(build: Build, resumes: bool) -> Component {
        let runtime = runtime();
        let builder = Sandbox::builder().component(build).allow("127.0.0.1").expect("a rule").memory_octets_max(MEMORY_OCTETS);
        let host_tls = HostTls::new(&options(resumes)).expect("options");
        let sandbox = builder.host_tls(host_tls).build().expect("a component");
        let client = runtime.block_on(sandbox.instantiate()).expect("an instance");
        Component { build, resumes, runtime, client }
    }
}

fn options(resumes: bool) -> TlsOptions {
    let root = pem("CERTIFICATE", [authority().root.certificate.as_ref()]);
    TlsOptions { roots_pem: Some(root), resumption: Some(resumes), ..TlsOptions::default() }
}

impl Speed for Component {
    fn name(&self) -> &'static str {
        match self.build {
            Build::HostTls => "the component, TLS of the host",
            Build::Plain | Build::Tls => "the component, TLS inside",
        }
    }

    fn fetch(&mut self, address: SocketAddr) -> usize {
        let tls = if self.build == Build::Tls { options(self.resumes) } else { TlsOptions::default() };
        let addresses = vec![address.ip().to_string()];
        let endpoint = Endpoint { host: NAME.to_owned(), port: address.port(), addresses, tls: Some(tls) };
        let options = ConnOptions::default().limit(Limit::ReceiveBufferOctets, 1 << 20);
        let Component { runtime, client, .. } = self;
        runtime.block_on(async {
            let conn = client.connect(&endpoint, options).await.expect("a connection");
            let exchange = conn.send(client, Request::get("/").with_field("connection", "close"), 0).await.expect("room");
            let response = exchange.collect(client, 1 << 26).await.expect("a response");
            conn.release(client).await.expect("alive");
            response.content.len()
        })
    }
}

struct Workload {
    name: &'static str,
    resumes: bool,
    server: Serving,
    /// What one fetch counts for.
    unit: f64,
}

fn workloads() -> Vec<Workload> {
    let good = || Settings::new(authority().good());
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: {CONTENT_OCTETS}\r\n\r\n").into_bytes();
    let block = vec![b'x'; BLOCK_OCTETS];
    let mut steps = vec![Step::Write(large)];
    steps.extend((0..CONTENT_OCTETS / BLOCK_OCTETS).map(|_| Step::Write(block.clone())));
    steps.push(Step::CloseNotify);
    let megabytes = CONTENT_OCTETS as f64 / 1e6;
    vec![
        Workload { name: "whole handshakes a second", resumes: false, server: good().start(), unit: 1.0 },
        Workload { name: "resumed handshakes a second", resumes: true, server: good().start(), unit: 1.0 },
        Workload {
            name: "MB a second, 16 MiB down",
            resumes: true,
            server: Settings { steps, ..good() }.start(),
            unit: megabytes,
        },
    ]
}

fn main() {
    let mut table = String::from("\n| | natively | TLS inside | of it | TLS of the host | of it |\n|---|---|---|---|---|---|\n");
    for Workload { name, resumes, server, unit } in workloads() {
        let mut clients: Vec<Box<dyn Speed>> = vec![
            Box::new(Native::new(resumes)),
            Box::new(Component::new(Build::Tls, resumes)),
            Box::new(Component::new(Build::HostTls, resumes)),
        ];
        let mut rates = vec![Vec::new(); clients.len()];
        for round in 0..=ROUNDS {
            for (client, rates) in clients.iter_mut().zip(&mut rates) {
                let (began, mut fetches) = (Instant::now(), 0);
                while began.elapsed() < TURN {
                    assert!(client.fetch(server.address) > 0, "{}", client.name());
                    fetches += 1;
                }
                // The first turn warms up.
                if round > 0 {
                    rates.push(f64::from(fetches) * unit / began.elapsed().as_secs_f64());
                }
            }
        }
        let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
        for (client, median) in clients.iter().zip(&medians) {
            println!("{name}: {}: {median:.0}", client.name());
        }
        let [native, inside, by_host] = medians[..] else { unreachable!("three clients") };
        table += &format!(
            "| {name} | {native:.0} | {inside:.0} | {:.2} | {by_host:.0} | {:.2} |\n",
            inside / native,
            by_host / native
        );
    }
    let page = std::fs::read_to_string(DOCUMENT).expect("docs/evidence/tls-matrix.md");
    std::fs::write(DOCUMENT, insert_between(&page, MARKS, &(table + "\n"))).expect("docs/evidence/tls-matrix.md");
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
