//! Plays a scenario in every world.

pub mod native;
pub mod pace;
#[cfg(feature = "sandboxed")]
pub mod sandboxed;
pub mod scene;
pub mod script;
pub mod story;
pub mod world;

use crate::net::Cuts;
use crate::random::Random;
use crate::scenario::native::Native;
use crate::scenario::scene::{Reading, Scene};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A scenario acts on a scene.
pub type Scenario = fn(&mut Scene);

/// Up to this many octets from the peer, they are cut at every position, else at this many.
const POSITIONS_MAX: usize = 2_048;
/// How often octets are cut at random.
const RANDOM_RUNS: u64 = 24;

/// Declares scenarios: each is a sentence that is tested on the core and through the component.
#[macro_export]
macro_rules! scenarios {
    ($($(#[$meta:meta])* fn $name:ident($scene:ident: &mut Scene) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every scenario uses them")]
            use super::*;

            fn scenario($scene: &mut $crate::scenario::scene::Scene) $body

            #[test]
            fn native() {
                $crate::scenario::native(scenario);
            }

            #[cfg(feature = "sandboxed")]
            #[test]
            fn sandboxed() {
                $crate::scenario::sandboxed(scenario);
            }
        }
    )+};
}

/// Plays the scenario on the core: with whole octets in both ways of reading, one octet at a time, cut at every position, and at random. The
/// transcript is the same each time.
pub fn native(scenario: Scenario) {
    let (transcript, octets) = play("whole, streamed", scenario, Cuts::Nowhere, Cuts::Nowhere, Reading::Streamed(u64::MAX));
    let agree = |how: &str, inbound: Cuts, outbound: Cuts, reading: Reading| {
        let (other, _) = play(how, scenario, inbound, outbound, reading);
        assert!(other == transcript, "{how} gives\n{other}\nand not\n{transcript}");
    };
    agree("whole, collected", Cuts::Nowhere, Cuts::Nowhere, Reading::Collected);
    agree("octet by octet, streamed", Cuts::Everywhere, Cuts::Everywhere, Reading::Streamed(1));
    agree("octet by octet, collected", Cuts::Everywhere, Cuts::Nowhere, Reading::Collected);
    for position in positions(octets) {
        let reading = if position % 2 == 0 { Reading::Collected } else { Reading::Streamed(1_000) };
        agree(&format!("cut at {position}"), Cuts::At(position), Cuts::Nowhere, reading);
    }
    for seed in 0..RANDOM_RUNS {
        let cuts = |seed| Cuts::Random(Random::new(seed));
        agree(&format!("cut at random, seed {seed}"), cuts(seed), cuts(seed + 1_000), Reading::Streamed(1 + seed * seed));
    }
}

/// Where to cut that many octets.
fn positions(octets: usize) -> impl Iterator<Item = usize> {
    let step = octets.div_ceil(POSITIONS_MAX).max(1);
    (1..octets).step_by(step)
}

fn play(how: &str, scenario: Scenario, inbound: Cuts, outbound: Cuts, reading: Reading) -> (String, usize) {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut scene = Scene::new(Box::new(Native::new(inbound, outbound)), reading);
        scenario(&mut scene);
        scene.end()
    }));
    played.unwrap_or_else(|panic| {
        eprintln!("in the run: {how}");
        resume_unwind(panic)
    })
}

/// Plays the scenario through the component, over a real socket. The transcript is that of the core.
#[cfg(feature = "sandboxed")]
pub fn sandboxed(scenario: Scenario) {
    let (native, octets) = play("native", scenario, Cuts::Nowhere, Cuts::Nowhere, Reading::Streamed(u64::MAX));
    let _ = octets;
    for reading in [Reading::Streamed(u64::MAX), Reading::Collected] {
        in_real_time(|| {
            let mut scene = Scene::new(Box::new(sandboxed::Sandboxed::new()), reading);
            scenario(&mut scene);
            let (transcript, _) = scene.end();
            assert!(transcript == native, "{reading:?} through the component gives\n{transcript}\nand not\n{native}");
        });
    }
}

/// Plays something that waits for spans. Where the machine was too slow for them, it is played again, also with longer ones: what fails is
/// wrong on every machine.
#[cfg(feature = "sandboxed")]
pub fn in_real_time(play: impl Fn()) {
    let (last, before) = pace::STRETCHES.split_last().expect("tries");
    for stretch in before {
        let tried = pace::Try::begin(*stretch);
        match catch_unwind(AssertUnwindSafe(&play)) {
            Ok(()) => return,
            Err(_) if tried.was_late() => eprintln!("too slow a machine for its spans: played again"),
            Err(panic) => resume_unwind(panic),
        }
    }
    let _tried = pace::Try::begin(*last);
    play();
}
