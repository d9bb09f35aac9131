//! What the caller takes of responses.

use super::words::{end_text, outcome_text};
use super::{Reading, Scene};
use crate::scenario::story::{self, Answer, Chunk, Failed};

impl Scene {
    /// Reads what has come of the content, no more than that, and finds `expected`.
    #[track_caller]
    pub fn reads(&mut self, token: u64, expected: impl AsRef<[u8]>) {
        let (content, end) = self.read_all(token);
        assert_eq!(story::octets(&content), story::octets(expected.as_ref()));
        assert_eq!(end, Ok(Chunk::WouldBlock));
    }

    /// Reads the rest of the content, and finds `expected` and the end.
    #[track_caller]
    pub fn reads_to_end(&mut self, token: u64, expected: impl AsRef<[u8]>) {
        let (content, end) = self.read_all(token);
        assert_eq!(story::octets(&content), story::octets(expected.as_ref()));
        assert!(matches!(end, Ok(Chunk::End(_))), "{end:?}");
    }

    /// Reads what had come of the content before it failed, and finds `content` and the failure.
    #[track_caller]
    pub fn reads_until_failure(&mut self, token: u64, content: &str, failure: &str) {
        let (read, end) = self.read_all(token);
        assert_eq!(story::octets(&read), content);
        assert_eq!(end.map_err(|failed| failed.to_string()), Err(failure.to_owned()));
    }

    /// Reads at most this many octets, once.
    #[track_caller]
    pub fn read_once(&mut self, token: u64, octets_max: u64) -> Vec<u8> {
        let read = self.world.read(token, octets_max);
        self.world.settle();
        match read {
            Ok(Chunk::Data(octets)) => octets,
            other => panic!("no content: {other:?}"),
        }
    }

    /// Fails to read at once.
    #[track_caller]
    pub fn read_fails(&mut self, token: u64, expected: &str) {
        let failure = self.world.read(token, 1).expect_err("fails");
        assert_eq!(failure.error, expected);
    }

    /// Reads the rest of the content, however it comes, and the end. Gives how many octets it was; the transcript does not tell.
    #[track_caller]
    pub fn reads_rest(&mut self, token: u64) -> usize {
        let mut octets = 0;
        loop {
            let read = self.world.read(token, u64::MAX);
            self.world.settle();
            match read {
                Ok(Chunk::Data(piece)) => octets += piece.len(),
                Ok(Chunk::End(_)) => break,
                other => panic!("no end: {other:?}"),
            }
        }
        self.untold.remove(&token);
        octets
    }

    fn read_all(&mut self, token: u64) -> (Vec<u8>, Result<Chunk, Failed>) {
        let mut content = Vec::new();
        let octets_max = if let Reading::Streamed(octets_max) = self.reading { octets_max } else { u64::MAX };
        loop {
            let read = self.world.read(token, octets_max);
            self.world.settle();
            let Ok(Chunk::Data(octets)) = read else {
                self.tell(&format!("{token}: read {}, {}", story::octets(&content), end_text(&read, self.stood)));
                return (content, read);
            };
            content.extend_from_slice(&octets);
        }
    }

    /// Takes the response, and finds it whole: see [`Answer`] for the text.
    #[track_caller]
    pub fn answered(&mut self, token: u64, expected: &str) {
        match self.outcome(token) {
            Some(Ok(answer)) => assert_eq!(answer.to_string(), expected, "of {token}"),
            other => panic!("{token} is not answered: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Takes the response as it is.
    #[track_caller]
    pub fn answer(&mut self, token: u64) -> Answer {
        match self.outcome(token) {
            Some(Ok(answer)) => answer,
            other => panic!("{token} is not answered: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Takes the failure: error, delivery and phase.
    #[track_caller]
    pub fn failed(&mut self, token: u64, expected: &str) {
        match self.outcome(token) {
            Some(Err(failure)) => assert_eq!(failure.to_string(), expected, "of {token}"),
            other => panic!("{token} has not failed: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Takes the failure as it is.
    #[track_caller]
    pub fn failure(&mut self, token: u64) -> Failed {
        match self.outcome(token) {
            Some(Err(failure)) => failure,
            other => panic!("{token} has not failed: {}", outcome_text(&other, self.stood)),
        }
    }

    /// Collects the response within this many octets of content.
    pub fn collect(&mut self, token: u64, octets_max: u64) -> Result<Answer, Failed> {
        self.untold.remove(&token);
        let collected = self.world.collect(token, octets_max);
        self.world.settle();
        self.tell(&format!("{token}: collect {}", outcome_text(&Some(collected.clone()), self.stood)));
        collected
    }

    /// Has no final head yet, and has not failed.
    #[track_caller]
    pub fn pending(&mut self, token: u64) {
        assert_eq!(self.world.head(token), Ok(None));
        self.tell(&format!("{token}: pending"));
    }

    /// The final head has come: its status.
    #[track_caller]
    pub fn head(&mut self, token: u64) -> u16 {
        let head = self.world.head(token).expect("not failed").expect("a head");
        self.tell(&format!("{token}: head {head}"));
        head.status
    }

    /// The statuses of the interim responses that have come since the last time.
    pub fn interim(&mut self, token: u64) -> Vec<u16> {
        let interim = self.world.interim(token);
        for head in &interim {
            self.tell(&format!("{token}: interim {head}"));
        }
        interim.iter().map(|head| head.status).collect()
    }

    /// What the caller gets back of a request that was not sent.
    pub fn take_request(&mut self, token: u64) -> Option<String> {
        self.world.take_request(token)
    }

    /// What is reported of the exchange.
    pub fn ready(&mut self, token: u64) -> String {
        let ready = self.world.ready();
        ready.into_iter().find(|(given, _)| *given == token).map(|(_, flags)| flags).unwrap_or_default()
    }

    fn outcome(&mut self, token: u64) -> Option<Result<Answer, Failed>> {
        self.untold.remove(&token);
        let outcome = match self.reading {
            Reading::Collected => {
                let collected = self.world.collect(token, u64::MAX);
                self.world.settle();
                Some(collected)
            }
            Reading::Streamed(octets_max) => self.stream(token, octets_max),
        };
        self.tell(&format!("{token}: {}", outcome_text(&outcome, self.stood)));
        outcome
    }

    pub(super) fn stream(&mut self, token: u64, octets_max: u64) -> Option<Result<Answer, Failed>> {
        let interim = self.world.interim(token);
        let head = match self.world.head(token) {
            Ok(head) => head?,
            Err(failure) => return Some(Err(failure)),
        };
        let mut content = Vec::new();
        loop {
            let read = self.world.read(token, octets_max);
            self.world.settle();
            match read {
                Ok(Chunk::Data(octets)) => content.extend_from_slice(&octets),
                Ok(Chunk::WouldBlock) => return None,
                Ok(Chunk::End(trailers)) => return Some(Ok(Answer { interim, head, content, trailers })),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}
