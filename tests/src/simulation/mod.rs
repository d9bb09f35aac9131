//! Deterministic simulation: connections of the native core, each with a caller, a network and a server, under one virtual clock. A seed
//! gives a whole run, and after every step it is looked at whether each request was answered by its own response or failed with the truth.
//!
//! | module | holds |
//! |---|---|
//! | [`setup`], [`step`], [`draw`] | what a run begins with; its steps, as values; what may happen next |
//! | `client`, `truth` | a connection with its caller; what must be true of it |
//! | [`run`] | the connections of a run and its clock |
//! | [`shrink`] | makes a failing run small |
//! | [`counts`] | runs in numbers |
//!
//! Its choices are [`crate::choices`], its network is [`crate::net`], its server is [`crate::peer::scripted`]. The network and the server know nothing of the client but its
//! octets.

pub mod counts;
pub mod draw;
pub mod run;
pub mod setup;
pub mod shrink;
pub mod step;

mod client;
mod truth;

use crate::choices::Choices;
use crate::memory;
use counts::Counts;
use run::Run;
use setup::Setup;
use shrink::Failing;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use step::Step;

/// Steps of most runs.
const STEPS_MOST: [usize; 4] = [60, 150, 150, 600];
/// Steps of a run in which every connection is closed.
const STEPS_WHEN_CLOSED: usize = 10;
/// What a run may leave behind in memory.
const LEAK_OCTETS_MAX: isize = 65_536;

/// How a run failed: what was not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// In words.
    pub message: String,
    /// Where that was found, by file and line.
    pub place: String,
}

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<Violation>> = const { RefCell::new(None) };
}

/// Does something that may panic, and gives the panic as a value.
fn caught(act: impl FnOnce()) -> Option<Violation> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                return usual(panic);
            }
            let message = panic.payload_as_str().unwrap_or("a panic without words").to_owned();
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            CAUGHT.set(Some(Violation { message, place }));
        }));
    });
    IS_CAUGHT.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    IS_CAUGHT.set(false);
    match result {
        Ok(()) => None,
        Err(_) => CAUGHT.take(),
    }
}

/// Plays a run that choices draw, of at most `steps_max` steps.
///
/// # Errors
/// How it failed.
pub fn explore(choices: &mut Choices, steps_max: usize, counts: &mut Counts) -> Result<(), Box<Failing>> {
    let setup = Setup::draw(choices);
    let mut steps: Vec<Step> = Vec::with_capacity(steps_max.min(4_096));
    let held = memory::held();
    let violation = caught(|| {
        let mut run = Run::new(&setup);
        let mut last_token = 0;
        let mut closed = 0;
        while steps.len() < steps_max && !choices.is_spent() && closed < STEPS_WHEN_CLOSED {
            closed += usize::from(run.is_closed());
            let step = draw::draw(&run, &mut last_token, choices);
            steps.push(step.clone());
            run.take(&step);
        }
        run.finish();
        counts.add(&run, steps.len());
        drop(run);
        assert!(memory::held() - held < LEAK_OCTETS_MAX, "the run left {} octets behind", memory::held() - held);
    });
    match violation {
        Some(violation) => Err(Box::new(Failing { setup, steps, violation })),
        None => Ok(()),
    }
}

/// Plays the run of a seed.
///
/// # Errors
/// How it failed.
pub fn play(seed: u64, counts: &mut Counts) -> Result<(), Box<Failing>> {
    let mut choices = Choices::seeded(seed);
    let steps = *choices.pick(&STEPS_MOST);
    explore(&mut choices, steps, counts)
}

/// Plays these steps; gives how they fail.
pub fn replay(setup: &Setup, steps: &[Step]) -> Option<Violation> {
    caught(|| {
        let mut run = Run::new(setup);
        for step in steps {
            run.take(step);
        }
        run.finish();
    })
}
