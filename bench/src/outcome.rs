//! What was measured.

use crate::clients::REFERENCE;
use serde::Serialize;

/// One whole run of the benchmark.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub machine: Machine,
    pub rounds: u32,
    pub slice_ms: u64,
    pub clients: Vec<Described>,
    pub works: Vec<WorkOutcome>,
    pub facts: Option<Facts>,
}

/// Where it ran.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub cores_differ: bool,
    pub system: String,
    pub nginx: Option<String>,
    pub rust: String,
    pub component_octets: usize,
}

#[derive(Debug, Serialize)]
pub struct Described {
    pub name: String,
    pub about: String,
}

/// What the clients made of one workload.
#[derive(Debug, Serialize)]
pub struct WorkOutcome {
    pub name: String,
    pub about: String,
    /// What grows, and how large it is here.
    pub grows: Option<(String, u64)>,
    pub clients: Vec<ClientOutcome>,
}

/// What one client made of one workload.
#[derive(Debug, Serialize)]
pub struct ClientOutcome {
    pub client: String,
    /// Exchanges per second, by round.
    pub rates: Vec<f64>,
    pub median: f64,
    /// Microseconds of the processor for each exchange, of the client's process: the least of the rounds, which others on the
    /// machine disturb least.
    pub cpu_us: Option<f64>,
    /// The median over the rounds of the ratio to the reference in the same round.
    pub ratio: Option<f64>,
    /// Nanoseconds, at one request at a time.
    pub p50_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    /// Why there is nothing.
    pub failed: Option<String>,
}

/// What is no workload.
#[derive(Debug, Default, Serialize)]
pub struct Facts {
    pub instantiate_ms: f64,
    pub instantiate_pooled_ms: f64,
    pub cold_start_ms: Vec<(String, f64)>,
    /// Octets of the process, for each idle connection.
    pub connection_octets: Vec<(String, f64)>,
    /// Octets of the component's memory, for each idle connection.
    pub connection_octets_inside: f64,
    pub memory: Vec<MemoryOutcome>,
}

/// What the memory grew by while a content was taken.
#[derive(Debug, Serialize)]
pub struct MemoryOutcome {
    pub what: String,
    pub content_octets: u64,
    /// The component's memory at its end.
    pub inside_octets: usize,
    /// What the process grew by.
    pub grown_octets: u64,
}

impl Outcome {
    pub fn work(&self, name: &str) -> Option<&WorkOutcome> {
        self.works.iter().find(|work| work.name == name)
    }

    /// How many times as fast `client` is as `than`, in this workload.
    pub fn ratio(&self, work: &str, client: &str, than: &str) -> Option<f64> {
        let work = self.work(work)?;
        ratio(&work.client(client)?.rates, &work.client(than)?.rates)
    }
}

impl WorkOutcome {
    pub fn client(&self, name: &str) -> Option<&ClientOutcome> {
        self.clients.iter().find(|client| client.client == name)
    }

    /// Fills in the ratios, when all rounds are over.
    pub fn compare(&mut self) {
        let Some(reference) = self.client(REFERENCE).map(|client| client.rates.clone()) else { return };
        for client in &mut self.clients {
            client.ratio = ratio(&client.rates, &reference);
        }
    }
}

impl ClientOutcome {
    /// How far the rounds are from the median, as a part of it.
    pub fn spread(&self) -> f64 {
        let far = self.rates.iter().map(|rate| (rate / self.median - 1.0).abs());
        far.fold(0.0, f64::max)
    }
}

/// The median of the ratios of rounds: what disturbs a round disturbs both.
fn ratio(rates: &[f64], than: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = rates.iter().zip(than).map(|(rate, than)| rate / than).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// The value that this part of all is not above.
pub fn quantile(values: &mut [u64], part: f64) -> Option<u64> {
    values.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length is a place in it")]
    let place = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(place).copied()
}
