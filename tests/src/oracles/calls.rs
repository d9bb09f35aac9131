//! Any calls in any order, by a network and a server that do what they like.

use crate::choices::Choices;
use crate::simulation::counts::Counts;
use crate::simulation::explore;
use crate::simulation::shrink::{Failing, shrink};

const STEPS_MAX: usize = 2_000;

/// Plays the run that these octets choose.
///
/// # Panics
/// When something does not hold, with the smallest run in which it does not.
pub fn check(octets: &[u8]) {
    let mut counts = Counts::default();
    if let Err(failing) = explore(&mut Choices::given(octets), STEPS_MAX, &mut counts) {
        let Failing { setup, steps, violation } = shrink(*failing);
        let steps: Vec<String> = steps.iter().map(|step| format!("  {step}")).collect();
        panic!("{setup:?}\n{}\n{}\n{}", steps.join("\n"), violation.message, violation.place);
    }
}
