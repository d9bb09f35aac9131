//! What a scenario acts on: a connection with its caller's calls, and a scripted peer at its other end.

use crate::scenario::story::{Answer, Chunk, Failed, Head, Info};
use sandpiper_guest::types::{ConnOptions, FieldLine, Request};

/// Where a scenario takes place. The calls are those of `wit/client.wit`; exchanges are named by their tokens.
pub trait World {
    /// `connect`. The peer accepts.
    fn connect(&mut self, options: ConnOptions);
    /// `send-all`.
    fn send_all(&mut self, first_token: u64, requests: Vec<Request>) -> Vec<Result<(), Failed>>;
    /// `write`.
    fn write(&mut self, token: u64, content: &[u8]) -> Result<u64, Failed>;
    /// `finish`.
    fn finish(&mut self, token: u64, trailers: Vec<FieldLine>) -> Result<(), Failed>;
    /// `interim`.
    fn interim(&mut self, token: u64) -> Vec<Head>;
    /// `head`.
    fn head(&mut self, token: u64) -> Result<Option<Head>, Failed>;
    /// `read`.
    fn read(&mut self, token: u64, octets_max: u64) -> Result<Chunk, Failed>;
    /// `collect`.
    fn collect(&mut self, token: u64, octets_max: u64) -> Result<Answer, Failed>;
    /// Method, target and content of what `take-request` gives.
    fn take_request(&mut self, token: u64) -> Option<String>;
    /// `cancel`.
    fn cancel(&mut self, token: u64);
    /// Drops the handle of the exchange.
    fn drop_exchange(&mut self, token: u64);
    /// Drops the handle of the connection.
    fn drop_conn(&mut self);
    /// `shutdown`.
    fn shutdown(&mut self);
    /// `close`.
    fn close(&mut self);
    /// `info`.
    fn info(&mut self) -> Info;
    /// `length`, `is-ready` and `is-closed`.
    fn standing(&mut self) -> (u32, bool, bool);
    /// What is reported of each exchange that is ready, by token.
    fn ready(&mut self) -> Vec<(u64, String)>;

    /// The peer sends octets.
    fn peer_sends(&mut self, octets: &[u8]);
    /// The peer sends FIN, and goes on reading.
    fn peer_ends(&mut self);
    /// The peer resets the connection.
    fn peer_resets(&mut self);
    /// The peer reads, or lets the octets stand in the network.
    fn peer_reads(&mut self, reads: bool);
    /// All that the peer has read.
    fn peer_octets(&self) -> &[u8];
    /// The peer has seen the end of the connection, or of the sending direction.
    fn peer_saw_end(&self) -> bool;

    /// Lets time pass.
    fn advance(&mut self, milliseconds: u64);
    /// Lets everything happen that needs no time.
    fn settle(&mut self);
    /// In how many writes all octets have left so far, where that can be told.
    fn writes(&self) -> Option<usize>;
    /// The port in the peer's authority.
    fn port(&self) -> u16;
}
