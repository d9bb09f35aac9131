//! What happened in many runs, in numbers.

use super::client::Outcome;
use super::run::Run;
use crate::scenario::story::wit_name;
use std::collections::BTreeMap;
use std::fmt;

/// Numbers of runs.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Runs.
    pub runs: usize,
    /// Steps.
    pub steps: usize,
    /// Connections.
    pub connections: usize,
    /// Requests that were accepted, and that were not.
    pub exchanges: usize,
    /// Requests that were not accepted.
    pub refused: usize,
    /// Exchanges that were answered.
    pub answered: usize,
    /// Exchanges whose handle was dropped before they ended.
    pub dropped: usize,
    /// Exchanges that failed, by delivery.
    pub deliveries: BTreeMap<String, usize>,
    /// Exchanges that failed, by error.
    pub errors: BTreeMap<String, usize>,
    /// The most requests that were outstanding on one connection.
    pub deepest: u32,
    /// Octets that clients sent, and received.
    pub octets_sent: u64,
    /// Octets that clients received.
    pub octets_received: u64,
    /// Virtual time, in seconds.
    pub seconds: f64,
    /// The most memory that one connection held.
    pub held_most: isize,
}

impl Counts {
    /// Adds a run that has ended.
    pub fn add(&mut self, run: &Run, steps: usize) {
        self.runs += 1;
        self.steps += steps;
        self.seconds += run.now.0 as f64 / 1e9 - 1.0;
        for line in &run.lines {
            let client = &line.client;
            self.connections += 1;
            self.exchanges += client.asked.len();
            self.refused += client.refused;
            self.deepest = self.deepest.max(line.deepest());
            self.octets_sent += client.sent.len();
            self.octets_received += client.received;
            self.held_most = self.held_most.max(client.held_most);
            self.dropped += client.asked.values().filter(|asked| asked.outcome.is_none()).count();
            for outcome in line.outcomes() {
                match outcome {
                    Outcome::Answered => self.answered += 1,
                    Outcome::Failed(failure) => {
                        *self.deliveries.entry(wit_name(&failure.delivery)).or_default() += 1;
                        *self.errors.entry(wit_name(&failure.error)).or_default() += 1;
                    }
                }
            }
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: usize = self.deliveries.values().sum();
        writeln!(f, "{:>12} runs with {} connections, {} steps", self.runs, self.connections, self.steps)?;
        writeln!(f, "{:>12} exchanges, and {} requests that were not accepted", self.exchanges, self.refused)?;
        writeln!(f, "{:>12} answered", self.answered)?;
        writeln!(f, "{:>12} dropped before their end", self.dropped)?;
        writeln!(f, "{failed:>12} failed")?;
        for (delivery, count) in &self.deliveries {
            writeln!(f, "{count:>16} {delivery}")?;
        }
        for (error, count) in &self.errors {
            writeln!(f, "{count:>16} {error}")?;
        }
        writeln!(f, "{:>12} requests in the deepest pipeline", self.deepest)?;
        writeln!(f, "{:>12} octets sent, {} received", self.octets_sent, self.octets_received)?;
        writeln!(f, "{:>12} octets of memory in the largest connection", self.held_most)?;
        write!(f, "{:>12.0} seconds on the virtual clock", self.seconds)
    }
}
