//! Every function that the component imports fails at its first call, its second, and so on to its last, in each of the errands.
//!
//! Whatever fails: the instance lives, nobody waits in vain, an error is of the class that fits, a response is the right one, and what is said
//! about the delivery of a request is what its octets did.

use rustls::ServerConfig;
use sandpiper_host::faults::{ErrorCode, Fault, Import};
use sandpiper_host::types::TlsOptions;
use sandpiper_host::{Build, Client, ClientConn, ConnOptions, Endpoint, Request, Sandbox};
use sandpiper_tests::errands::{ERRANDS, Errand, NAME, Told};
use sandpiper_tests::peer::server::Server;
use sandpiper_tests::scenario::sandboxed::runtime;
use sandpiper_tests::tls::authority::authority;
use sandpiper_tests::tls::server::Settings;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// An errand makes fewer calls of one function than this.
const CALLS_MAX: usize = 500;
/// How long a call may take: more than any deadline in an errand, which nothing should run into.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a peer may be silent where it waits for octets that will not come.
const SILENCE: Duration = Duration::from_millis(100);

/// What each function answers in the place of doing its work, and the errors that a caller may be told then. No error: what is answered is no
/// failure, and everything goes on as it would have.
const FAULTS: &[(Import, Fault, &[&str])] = &[
    (Import::CreateTcpSocket, Fault::Code(ErrorCode::NewSocketLimit), &["connect(exhausted)"]),
    (Import::CreateTcpSocket, Fault::Code(ErrorCode::AccessDenied), &["denied(connect)"]),
    (Import::StartConnect, Fault::Code(ErrorCode::RemoteUnreachable), &["connect(unreachable)"]),
    (Import::StartConnect, Fault::Code(ErrorCode::AccessDenied), &["denied(connect)"]),
    (Import::FinishConnect, Fault::Code(ErrorCode::ConnectionRefused), &["connect(refused)"]),
    (Import::FinishConnect, Fault::Code(ErrorCode::Timeout), &["connect(timed-out)"]),
    (Import::FinishConnect, Fault::Code(ErrorCode::ConnectionReset), &["connect(reset)"]),
    (Import::FinishConnect, Fault::Failed, &["connect(other)"]),
    (Import::FinishConnect, Fault::Nothing, &[]),
    (Import::LocalAddress, Fault::Failed, &[]),
    (Import::RemoteAddress, Fault::Failed, &[]),
    // The peer does not see the end of a tunnel.
    (Import::Shutdown, Fault::Failed, &["timed-out(total)"]),
    (Import::ResolveAddresses, Fault::Code(ErrorCode::NameUnresolvable), &["dns(not-found)"]),
    (Import::ResolveAddresses, Fault::Code(ErrorCode::AccessDenied), &["denied(name-lookup)"]),
    (Import::ResolveNextAddress, Fault::Code(ErrorCode::TemporaryResolverFailure), &["dns(temporary-failure)"]),
    (Import::ResolveNextAddress, Fault::Code(ErrorCode::PermanentResolverFailure), &["dns(permanent-failure)"]),
    (Import::ResolveNextAddress, Fault::Nothing, &[]),
    (Import::Read, Fault::Failed, &["incomplete(reset)", "closed(peer-ended)"]),
    (Import::Read, Fault::Closed, &["incomplete(ended)", "closed(peer-ended)"]),
    (Import::Read, Fault::Nothing, &[]),
    (Import::Read, Fault::One, &[]),
    // What the peer has to say is heard; a peer that waits for the rest says nothing.
    (Import::CheckWrite, Fault::Failed, &["incomplete(reset)", "timed-out(between-octets)"]),
    (Import::CheckWrite, Fault::Closed, &["incomplete(ended)", "timed-out(between-octets)"]),
    (Import::CheckWrite, Fault::Nothing, &[]),
    (Import::CheckWrite, Fault::One, &[]),
    (Import::Write, Fault::Failed, &["incomplete(reset)", "timed-out(between-octets)"]),
    (Import::Write, Fault::Closed, &["incomplete(ended)", "timed-out(between-octets)"]),
    (Import::Poll, Fault::Nothing, &[]),
];

/// Beside these, of a handshake within TLS that does not come to its end, and of what follows it.
const TLS_ERRORS: &[&str] = &[
    "connect(reset)",
    "tls(handshake-ended)",
    "incomplete(truncated)",
    "incomplete(reset)",
    "closed(peer-ended)",
    "timed-out(connect)",
    // The end of a tunnel is a record too, and may be what cannot leave.
    "timed-out(total)",
];

/// For how long a function fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Once,
    FromThenOn,
}

/// Which call of which function fails, and what has been called.
#[derive(Default)]
struct Plan {
    fault: Option<(Import, usize, Span, Fault)>,
    fired: bool,
    calls: BTreeMap<Import, usize>,
    /// What was handed to the transport, of all connections.
    written: Vec<u8>,
}

impl Plan {
    fn call(&mut self, import: Import, octets: &[u8]) -> Option<Fault> {
        let calls = self.calls.entry(import).or_default();
        let number = *calls;
        *calls += 1;
        let fails = |(failing, call, span, _): &(Import, usize, Span, Fault)| {
            *failing == import && (*call == number || (*span == Span::FromThenOn && *call < number))
        };
        let fault = self.fault.filter(fails).map(|(.., fault)| fault);
        self.fired |= fault.is_some();
        if fault.is_none() {
            self.written.extend_from_slice(octets);
        }
        fault
    }
}

/// An errand that is run over and over, with one fault each time.
struct Torture {
    errand: &'static Errand,
    /// How the errand is done; `None`: over plain TCP.
    tls: Option<TlsOptions>,
    sandbox: Sandbox,
    plan: Arc<Mutex<Plan>>,
    server: Server,
    expected: Vec<Told>,
    runs: usize,
}

impl Torture {
    async fn new(errand: &'static Errand, build: Build) -> Torture {
        let plan: Arc<Mutex<Plan>> = Arc::default();
        let asked = Arc::clone(&plan);
        let roots = TlsOptions { roots_pem: Some(authority().root.pem().into_bytes()), ..TlsOptions::default() };
        let (server, tls) = match build {
            Build::Plain => (Server::start().await, None),
            Build::Tls | Build::HostTls => (Server::start_tls(server_config()).await, Some(roots)),
        };
        let builder = Sandbox::builder().component(build).dangerous_allow_any_address().call_time_max(CALL_TIME_MAX);
        let sandbox = builder
            .resolver(|_| async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
            .faults(move |import, octets| asked.lock().unwrap_or_else(PoisonError::into_inner).call(import, octets))
            .build()
            .expect("a component that runs");
        let mut torture = Torture { errand, tls, sandbox, plan, server, expected: Vec::new(), runs: 0 };
        let mut client = torture.sandbox.instantiate().await.expect("an instance");
        let told = errand.run_over(torture.tls.clone(), &mut client, torture.server.address, None).await;
        torture.expected = told.expect("an instance that lives");
        torture
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the errand with a fault. Gives whether there was such a call.
    async fn run(&mut self, import: Import, call: usize, span: Span, fault: Fault, errors: &[&str]) -> bool {
        let what = format!("{:?} with {fault:?} at call {call} of {import:?}, {span:?}", self.errand);
        *self.plan() = Plan { fault: Some((import, call, span, fault)), ..Plan::default() };
        if self.tls.is_some() {
            // One that has read nothing yet, nor will read what an earlier run has sent.
            self.server = Server::start_tls(server_config()).await;
        }
        let mut client = self.sandbox.instantiate().await.expect("an instance");
        let silent = errors.iter().any(|error| error.starts_with("timed-out")).then_some(SILENCE);
        let ran = self.errand.run_over(self.tls.clone(), &mut client, self.server.address, silent).await;
        let told = ran.unwrap_or_else(|death| panic!("{what}: {death}"));
        let plan = std::mem::take(&mut *self.plan());
        self.check(&what, &told, &plan, errors);
        if plan.fired {
            self.check_instance(&what, &mut client).await;
            self.runs += 1;
        }
        plan.fired
    }

    fn check(&self, what: &str, told: &[Told], plan: &Plan, errors: &[&str]) {
        let wrong = self.server.take_wrong();
        assert!(wrong.is_empty(), "{what}: the server got {wrong:?}");
        let read = self.server.take_requests();
        let gave_up = told.last().is_some_and(|told| told.outcome.is_err());
        assert!(told.len() == self.expected.len() || gave_up, "{what}: {told:?}");
        for (told, expected) in told.iter().zip(&self.expected) {
            assert_eq!(told.request, expected.request, "{what}");
            if told.outcome == expected.outcome {
                continue;
            }
            let Err(failure) = &told.outcome else {
                // The end of a tunnel is what its peer makes it (RFC 9110 §9.3.6), and so is its end in order.
                let cut = matches!((&told.outcome, &expected.outcome), (Ok(told), Ok(whole)) if whole.starts_with(told.as_str()));
                assert!(cut && told.request == "GET /upgrade" && !errors.is_empty(), "{what}: {told:?} and not {expected:?}");
                continue;
            };
            let same = matches!(&expected.outcome, Err(expected) if expected.error == failure.error);
            let error = failure.error.as_str();
            let of_tls = self.tls.is_some() && !errors.is_empty() && TLS_ERRORS.contains(&error);
            assert!(same || of_tls || errors.contains(&error), "{what}: {told:?}");
            if self.tls.is_some() {
                // What left is encrypted; what arrived is known.
                assert!(failure.delivery != "not-sent" || !read.contains(&told.request), "{what}: {told:?}");
                continue;
            }
            let handed = holds(&plan.written, format!("{} HTTP/1.1\r\n", told.request).as_bytes());
            assert_eq!(failure.delivery != "not-sent", handed, "{what}: {told:?}");
        }
    }

    /// The instance goes on, and holds nothing.
    async fn check_instance(&self, what: &str, client: &mut Client) {
        assert_eq!(client.sockets_open(), 0, "{what}: a socket outlives its handles");
        let conn = self.connect(client).await;
        let exchange = conn.send(client, Request::get("/after"), 1).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let response = exchange.collect(client, 100).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(response.content, b"/after", "{what}");
    }

    async fn connect(&self, client: &mut Client) -> ClientConn {
        let addresses = vec!["127.0.0.1".to_owned()];
        let endpoint = Endpoint { host: NAME.to_owned(), port: self.server.address.port(), addresses, tls: self.tls.clone() };
        client.connect(endpoint, ConnOptions::default()).await.expect("a connection")
    }
}

fn server_config() -> ServerConfig {
    static MADE: OnceLock<ServerConfig> = OnceLock::new();
    MADE.get_or_init(|| Settings::new(authority().good()).config()).clone()
}

fn holds(octets: &[u8], wanted: &[u8]) -> bool {
    octets.windows(wanted.len()).any(|window| window == wanted)
}

fn torture(name: &str, build: Build) {
    let errand = ERRANDS.iter().find(|errand| errand.name == name).expect("an errand");
    runtime().block_on(async {
        let mut torture = Torture::new(errand, build).await;
        for (import, fault, errors) in FAULTS {
            // What is no failure would be one if it never ended.
            let spans: &[Span] = if errors.is_empty() { &[Span::Once] } else { &[Span::Once, Span::FromThenOn] };
            for span in spans {
                let mut call = 0;
                while torture.run(*import, call, *span, *fault, errors).await {
                    call += 1;
                    assert!(call < CALLS_MAX, "{name} goes on calling {import:?}");
                }
            }
        }
        println!("{name}: {} faults", torture.runs);
        assert!(torture.runs > 20, "only {} faults", torture.runs);
    });
}

macro_rules! tortured {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            torture(stringify!($name), Build::Plain);
        })+
    };
}

sandpiper_tests::every_errand!(tortured);

/// The same with TLS inside: what there is to it is the handshake, what is encrypted before it leaves, and the two ends.
macro_rules! tortured_over_tls {
    ($($name:ident: $errand:literal)+) => {
        $(#[test]
        fn $name() {
            torture($errand, Build::Tls);
        })+
    };
}

tortured_over_tls! {
    get_over_tls: "get"
    upgrade_over_tls: "upgrade"
    half_close_over_tls: "half_close"
}
