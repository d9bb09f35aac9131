//! A connection with TLS inside and a server, in one thread, and between them a network of memory that cuts octets and stops where a test
//! says so. As in the component, nothing is looked at unless something has become ready.

use super::authority::{NAME, authority};
use super::server::Settings as Server;
use crate::net::{Cuts, Network, Wire};
use rustls::ServerConnection;
use rustls::time_provider::DefaultTimeProvider;
use sandpiper_guest::conn::{ClientConn, ExchangeId};
use sandpiper_guest::dial::{Broken, Progress};
use sandpiper_guest::driver::{Driver, Interest, Shared};
use sandpiper_guest::link::Link;
use sandpiper_guest::settings::Settings;
use sandpiper_guest::stream::{End, Read, Stream};
use sandpiper_guest::timer::Instant;
use sandpiper_guest::tls::session::Shaken;
use sandpiper_guest::tls::{Config, KeyLines, Session, TlsInfo, config};
use sandpiper_guest::types::{ConnOptions, Endpoint, Request, TlsOptions};
use std::cell::{RefCell, RefMut};
use std::io::{ErrorKind, Read as _, Write as _};
use std::rc::Rc;
use std::sync::Arc;

/// Looks at what is ready, before a run is taken for one without an end.
const LOOKS_MAX: usize = 2_000_000;

/// The key lines of all configurations made here.
pub static KEY_LINES: KeyLines = KeyLines::new();

/// TLS as the transport of a connection, as the component has it.
pub struct Secured {
    session: Session<Wire>,
    done: bool,
    closed: bool,
    /// While it is not done: there is no room for what is to leave.
    output_full: bool,
    broken: Broken,
    /// What was told of the handshake, and then of its failure.
    pub told: Vec<TlsInfo>,
}

impl Secured {
    fn moved<T>(&mut self, within: impl FnOnce(&mut Session<Wire>) -> T) -> T {
        let moved = within(&mut self.session);
        self.told.extend(self.session.take_complaint());
        moved
    }
}

impl Link for Secured {
    fn dial(&mut self, now: Instant, progress: &mut Vec<Progress>) {
        match self.session.handshake(|| now) {
            Ok(Shaken::Done(protocol)) => progress.extend([Progress::Secured, Progress::Established(protocol)]),
            Ok(shaken) => {
                self.output_full = shaken == Shaken::AwaitsRoom;
                return;
            }
            Err(error) => progress.push(Progress::Failed(error)),
        }
        self.done = true;
        self.told.push(self.session.take_info());
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn close(&mut self) {
        assert!(!std::mem::replace(&mut self.closed, true), "closed twice");
        self.session.close();
    }

    fn broken(&self) -> &Broken {
        &self.broken
    }
}

impl Stream for Secured {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        self.moved(|session| session.read(octets_max))
    }

    fn has_ended(&self) -> bool {
        self.session.has_ended()
    }

    fn was_answered(&mut self) -> bool {
        self.session.was_answered()
    }

    fn room(&mut self) -> Result<usize, End> {
        self.session.room()
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        self.moved(|session| session.write(octets))
    }

    fn flush(&mut self) -> Result<bool, End> {
        self.session.flush()
    }

    fn half_close(&mut self) {
        self.session.half_close();
    }
}

/// A server's side of TLS.
pub struct Peer {
    /// The library that does it.
    pub tls: ServerConnection,
    /// What it has decrypted.
    pub heard: Vec<u8>,
    /// The client has said that it is done.
    pub saw_close_notify: bool,
    /// What it complained of.
    pub wrong: Option<rustls::Error>,
    /// What has come, as it came.
    taken: Vec<u8>,
}

impl Peer {
    fn take(&mut self, mut octets: &[u8]) {
        self.taken.extend_from_slice(octets);
        while !octets.is_empty() && self.wrong.is_none() {
            self.tls.read_tls(&mut octets).expect("memory");
            self.wrong = self.tls.process_new_packets().err();
            match self.tls.reader().read_to_end(&mut self.heard) {
                Ok(_) => self.saw_close_notify = true,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
    }

    /// What it has to send.
    pub fn records(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut octets).expect("memory");
        }
        octets
    }

    /// Encrypts.
    pub fn say(&mut self, content: &[u8]) {
        for part in content.chunks(16_384) {
            self.tls.writer().write_all(part).expect("memory");
        }
    }
}

/// A connection, a network and a server; without a server, the test says what comes.
pub struct Between {
    /// The connection with its transport.
    pub client: Shared<Secured>,
    /// The server.
    pub peer: Option<Peer>,
    network: Rc<RefCell<Network>>,
    /// How many octets there is room for, each time that the client looks.
    pub room: usize,
    /// What the server sends goes here in place of the network.
    pub hold: bool,
    /// What is held.
    pub held: Vec<u8>,
    now: Instant,
}

/// Options that trust the certificates of the tests.
pub fn tls_options() -> TlsOptions {
    TlsOptions {
        server_name: None,
        roots_pem: Some(authority().root.pem().into_bytes()),
        with_builtin_roots: None,
        identity_pem: None,
        alpn: None,
        version_min: None,
        spki_pins: None,
        resumption: None,
        key_log: None,
        accept_any_certificate: None,
    }
}

/// What the options give.
pub fn config_of(options: &TlsOptions) -> Arc<Config> {
    Arc::new(Config::new(options, Arc::new(DefaultTimeProvider), &KEY_LINES).expect("options"))
}

/// A good server, as far as the caller does not change it.
pub fn server(change: impl FnOnce(&mut Server)) -> ServerConnection {
    let mut settings = Server::new(authority().good());
    change(&mut settings);
    ServerConnection::new(Arc::new(settings.config())).expect("a server")
}

impl Between {
    /// A connection that begins, to this server.
    pub fn new(config: Arc<Config>, server: Option<ServerConnection>, options: ConnOptions, cuts: Cuts) -> Between {
        let now = Instant(1);
        let network = Rc::new(RefCell::new(Network::new(cuts, Cuts::Nowhere)));
        let endpoint = Endpoint { host: NAME.to_owned(), port: 443, addresses: Vec::new(), tls: None };
        let name = config::server_name(&endpoint, &tls_options()).expect("a name");
        let session = Session::new(Wire::new(&network), config, name, 1, now).expect("a session");
        let settings = Settings::checked(Some(&options)).expect("options");
        let mut conn = ClientConn::new(1, NAME.to_owned(), settings, now);
        conn.progress(Progress::Connected { remote: None, local: None }, now);
        let link = Secured { session, done: false, closed: false, output_full: false, broken: Broken::new(), told: Vec::new() };
        let peer = server.map(|mut tls| {
            tls.set_buffer_limit(None);
            Peer { tls, heard: Vec::new(), saw_close_notify: false, wrong: None, taken: Vec::new() }
        });
        let client = Driver::new(conn, link);
        let between = Between { client, peer, network, room: usize::MAX, hold: false, held: Vec::new(), now };
        between.look();
        between
    }

    /// One over an open network, to a good server.
    pub fn good(cuts: Cuts) -> Between {
        Between::new(config_of(&tls_options()), Some(server(|_| {})), crate::message::options(), cuts)
    }

    /// The same, once the handshake is done.
    ///
    /// # Panics
    /// When it is not.
    pub fn shaken(cuts: Cuts) -> Between {
        let mut between = Between::good(cuts);
        between.settle();
        assert!(between.client.borrow().conn.is_established(), "{:?}", between.told());
        between
    }

    /// The connection.
    pub fn conn(&self) -> RefMut<'_, ClientConn> {
        RefMut::map(self.client.borrow_mut(), |driver| &mut driver.conn)
    }

    /// The network.
    pub fn network(&self) -> RefMut<'_, Network> {
        self.network.borrow_mut()
    }

    /// All that the client has sent.
    pub fn left(&self) -> Vec<u8> {
        let taken = self.peer.as_ref().map(|peer| peer.taken.clone()).unwrap_or_default();
        [taken, self.network.borrow().arrived()].concat()
    }

    /// The server.
    ///
    /// # Panics
    /// When there is none.
    pub fn peer(&mut self) -> &mut Peer {
        self.peer.as_mut().expect("a server")
    }

    /// What was told of the handshake.
    pub fn told(&self) -> Vec<TlsInfo> {
        self.client.borrow().link.told.clone()
    }

    /// Hands a request in.
    ///
    /// # Panics
    /// When it is refused.
    pub fn send(&self, request: Request) -> ExchangeId {
        let now = self.now;
        self.conn().send(request, 1, now).expect("accepted")
    }

    /// The time, which stands still.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets the connection look.
    pub fn look(&self) {
        self.network().room = self.room;
        self.client.borrow_mut().advance(self.now);
    }

    /// The server takes what has come, and sends what it has to.
    pub fn turn_peer(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        peer.take(&self.network.borrow_mut().take_arrived());
        let records = peer.records();
        if self.hold {
            self.held.extend(records);
        } else {
            self.network.borrow_mut().say(records);
        }
    }

    /// Whether a socket would tell that it is ready, where the connection waits for that.
    fn is_ready(&self) -> bool {
        let driver = self.client.borrow();
        let link = &driver.link;
        if link.closed {
            return false;
        }
        let network = self.network.borrow();
        let shaking = Interest { input: true, output: link.output_full };
        let interest = if link.done { driver.interest() } else { shaking };
        let (readable, writable) = (network.is_readable(), self.room > 0 || network.is_broken());
        (interest.input && readable) || (interest.output && writable)
    }

    /// Goes on for as long as there is anything to do.
    ///
    /// # Panics
    /// When that never ends.
    pub fn settle(&mut self) {
        for _ in 0..LOOKS_MAX {
            self.turn_peer();
            self.network().room = self.room;
            self.client.borrow_mut().catch_up(self.now);
            let ready = self.is_ready();
            if ready {
                self.look();
            }
            self.client.borrow_mut().heed_wish();
            if !ready && self.peer.as_ref().is_none_or(|_| self.network.borrow().arrived().is_empty()) {
                return;
            }
        }
        panic!("it never ends");
    }
}
