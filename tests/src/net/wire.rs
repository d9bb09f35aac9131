//! The connection's end of a network.

use super::Network;
use sandpiper_guest::dial::{Broken, Progress};
use sandpiper_guest::link::Link;
use sandpiper_guest::stream::{End, Read, Stream};
use sandpiper_guest::timer::Instant;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

/// The connection's end of a network. It is connected as soon as it is dialled.
#[derive(Debug)]
pub struct Wire {
    network: Rc<RefCell<Network>>,
    broken: Broken,
}

impl Wire {
    /// The end of this network.
    pub fn new(network: &Rc<RefCell<Network>>) -> Wire {
        Wire { network: Rc::clone(network), broken: Broken::new() }
    }
}

impl Link for Wire {
    fn dial(&mut self, _: Instant, progress: &mut Vec<Progress>) {
        let remote = Some(SocketAddr::from(([127, 0, 0, 1], 80)));
        progress.extend([Progress::Connected { remote, local: None }, Progress::ESTABLISHED]);
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn close(&mut self) {
        let network = &mut *self.network.borrow_mut();
        assert!(!network.closed, "closed twice");
        network.close();
    }

    fn broken(&self) -> &Broken {
        &self.broken
    }
}

impl Stream for Wire {
    fn read(&mut self, octets_max: usize) -> Result<Read, End> {
        let network = &mut *self.network.borrow_mut();
        assert!(!network.closed, "read after the end");
        network.read(octets_max)
    }

    fn room(&mut self) -> Result<usize, End> {
        self.network.borrow_mut().room()
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        self.network.borrow_mut().write(octets)
    }

    fn half_close(&mut self) {
        self.network.borrow_mut().half_closed = true;
    }
}
