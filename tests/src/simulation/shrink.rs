//! Makes a failing run as small as it gets, without losing its failure.

use super::setup::Setup;
use super::step::Step;
use super::{Violation, replay};

/// How often a run is played at most while it is made smaller.
const REPLAYS_MAX: usize = 20_000;

/// A run that fails.
#[derive(Clone, Debug)]
pub struct Failing {
    /// What it begins with.
    pub setup: Setup,
    /// Its steps.
    pub steps: Vec<Step>,
    /// How it fails.
    pub violation: Violation,
}

struct Shrinker<P> {
    best: Failing,
    play: P,
    replays: usize,
}

/// The smallest run that was found to fail at the same place.
pub fn shrink(failing: Failing) -> Failing {
    shrink_by(failing, replay)
}

/// The same for any way to play a run.
pub fn shrink_by(failing: Failing, play: impl Fn(&Setup, &[Step]) -> Option<Violation>) -> Failing {
    let mut shrinker = Shrinker { best: failing, play, replays: 0 };
    loop {
        let before = (shrinker.best.setup.clone(), shrinker.best.steps.clone());
        shrinker.remove();
        shrinker.simplify_setup();
        shrinker.simplify_steps();
        if (shrinker.best.setup.clone(), shrinker.best.steps.clone()) == before || shrinker.replays >= REPLAYS_MAX {
            return shrinker.best;
        }
    }
}

impl<P: Fn(&Setup, &[Step]) -> Option<Violation>> Shrinker<P> {
    /// Keeps a smaller run if it fails at the same place.
    fn try_smaller(&mut self, setup: &Setup, steps: &[Step]) -> bool {
        if self.replays >= REPLAYS_MAX {
            return false;
        }
        self.replays += 1;
        match (self.play)(setup, steps) {
            Some(violation) if violation.place == self.best.violation.place => {
                self.best = Failing { setup: setup.clone(), steps: steps.to_vec(), violation };
                true
            }
            _ => false,
        }
    }

    /// Leaves steps out: first halves, at last single ones.
    fn remove(&mut self) {
        let mut span = self.best.steps.len().div_ceil(2);
        while span > 0 {
            let mut from = 0;
            while from < self.best.steps.len() {
                let mut steps = self.best.steps.clone();
                steps.drain(from..(from + span).min(steps.len()));
                if !self.try_smaller(&self.best.setup.clone(), &steps) {
                    from += span;
                }
            }
            span /= 2;
        }
    }

    fn simplify_setup(&mut self) {
        for simpler in self.best.setup.simpler() {
            let steps = self.best.steps.clone();
            if self.try_smaller(&simpler, &steps) {
                return self.simplify_setup();
            }
        }
    }

    fn simplify_steps(&mut self) {
        let mut at = 0;
        while at < self.best.steps.len() {
            let simpler = self.best.steps[at].action.simpler();
            let simplified = simpler.into_iter().any(|action| {
                let mut steps = self.best.steps.clone();
                steps[at].action = action;
                self.try_smaller(&self.best.setup.clone(), &steps)
            });
            if !simplified {
                at += 1;
            }
        }
    }
}
