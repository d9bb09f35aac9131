//! The acts of the caller.

use super::Scene;
use sandpiper_guest::types::{FieldLine, Request};

impl Scene {
    /// Sends a request, which is accepted.
    #[track_caller]
    pub fn send(&mut self, token: u64, request: Request) {
        self.send_all(token, vec![request]);
    }

    /// Sends requests in one step, which are all accepted.
    #[track_caller]
    pub fn send_all(&mut self, first_token: u64, requests: Vec<Request>) {
        let count = requests.len() as u64;
        for result in self.world().send_all(first_token, requests) {
            if let Err(failure) = result {
                panic!("refused: {failure}");
            }
        }
        self.untold.extend((first_token..first_token + count).map(|token| (token, ())));
        self.world.settle();
    }

    /// Sends a request that is refused.
    #[track_caller]
    pub fn refuses(&mut self, request: Request, expected: &str) {
        let refusal = self.world().send_all(1 << 63, vec![request]).remove(0).expect_err("refused");
        assert_eq!(format!("{} {}", refusal.error, refusal.delivery), format!("{expected} not-sent"));
        self.tell(&format!("refused: {refusal}"));
        self.world.settle();
    }

    /// Writes content, all of which is accepted.
    #[track_caller]
    pub fn write(&mut self, token: u64, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        assert_eq!(self.world.write(token, content), Ok(content.len() as u64));
        self.world.settle();
    }

    /// Writes content, as much as is accepted.
    #[track_caller]
    pub fn write_some(&mut self, token: u64, content: impl AsRef<[u8]>) -> usize {
        let accepted = self.world.write(token, content.as_ref()).expect("not refused");
        self.world.settle();
        usize::try_from(accepted).expect("no more than was given")
    }

    /// Writes content, which is refused.
    #[track_caller]
    pub fn write_fails(&mut self, token: u64, content: impl AsRef<[u8]>, expected: &str) {
        let failure = self.world.write(token, content.as_ref()).expect_err("refused");
        assert_eq!(failure.error, expected);
        self.tell(&format!("{token}: write fails: {failure}"));
        self.world.settle();
    }

    /// Ends the content.
    #[track_caller]
    pub fn finish(&mut self, token: u64) {
        self.finish_with(token, &[]);
    }

    /// Ends the content with trailers.
    #[track_caller]
    pub fn finish_with(&mut self, token: u64, trailers: &[(&str, &str)]) {
        assert_eq!(self.world.finish(token, lines(trailers)), Ok(()));
        self.world.settle();
    }

    /// Ends the content, which is refused.
    #[track_caller]
    pub fn finish_fails(&mut self, token: u64, trailers: &[(&str, &str)], expected: &str) {
        let failure = self.world.finish(token, lines(trailers)).expect_err("refused");
        assert_eq!(failure.error, expected);
        self.tell(&format!("{token}: finish fails: {failure}"));
        self.world.settle();
    }

    /// Cancels exchanges in one step.
    pub fn cancel(&mut self, tokens: &[u64]) {
        for token in tokens {
            self.world.cancel(*token);
        }
        self.world.settle();
    }

    /// Drops the handle of an exchange.
    pub fn drop_exchange(&mut self, token: u64) {
        self.world.drop_exchange(token);
        self.untold.remove(&token);
        self.world.settle();
    }

    /// Drops the handle of the connection.
    pub fn drop_conn(&mut self) {
        self.world().drop_conn();
        self.conn_dropped = true;
        self.world.settle();
    }

    /// Accepts no more requests.
    pub fn shutdown(&mut self) {
        self.world().shutdown();
        self.world.settle();
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.world().close();
        self.world.settle();
    }
}

fn lines(lines: &[(&str, &str)]) -> Vec<FieldLine> {
    lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}
