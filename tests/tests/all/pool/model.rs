//! Everything in any order, for the pool on the core alone: see `sandpiper_tests::pool`.
//!
//! `SANDPIPER_POOL_STEPS` sets how many steps are taken, `SANDPIPER_POOL_SEED` with which seed they begin; `just model-pool STEPS [SEED]`.

use sandpiper_tests::memory;
use sandpiper_tests::pool::Episode;
use std::collections::BTreeMap;

const STEPS: u64 = 200_000;
const STEPS_PER_EPISODE: u64 = 200;
/// What an episode may leave behind: what the test prints and counts.
const LEFT_OCTETS_MAX: isize = 65_536;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

struct OnPanic(u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {0}: play it again with `just model-pool {STEPS_PER_EPISODE} {0}`", self.0);
        }
    }
}

#[test]
fn whatever_happens_in_a_pool_every_request_has_one_true_end() {
    let steps = number("SANDPIPER_POOL_STEPS").unwrap_or(STEPS);
    let first = number("SANDPIPER_POOL_SEED").unwrap_or(0);
    let episodes = steps.div_ceil(STEPS_PER_EPISODE);
    let mut outcomes = BTreeMap::new();
    for seed in first..first + episodes {
        let _seed = OnPanic(seed);
        let before = memory::held();
        let mut episode = Episode::new(seed);
        for _ in 0..STEPS_PER_EPISODE {
            episode.step();
        }
        for (outcome, times) in episode.finish() {
            *outcomes.entry(outcome).or_insert(0) += times;
        }
        let held = memory::held() - before;
        assert!(held < LEFT_OCTETS_MAX, "an episode left {held} octets behind");
    }
    println!("{outcomes:?}");
    if steps >= STEPS {
        let kinds: Vec<&str> = outcomes.keys().map(String::as_str).collect();
        assert_eq!(kinds.len(), 5, "an answer, and every delivery: {outcomes:?}");
        assert!(outcomes.values().all(|times| *times > steps / 100_000), "{outcomes:?}");
    }
}
