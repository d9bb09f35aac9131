//! `simulate STEPS [SEED]`: plays runs from this seed on until that many steps have been taken; stops at the first that fails, and shows it
//! as small as it gets.

use sandpiper_tests::memory::Counted;
use sandpiper_tests::simulation::counts::Counts;
use sandpiper_tests::simulation::shrink::{Failing, shrink};
use sandpiper_tests::simulation::{play, setup::Setup};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const STEPS: usize = 1_000_000;

fn number(argument: Option<String>, name: &str) -> Result<Option<u64>, String> {
    let Some(text) = argument else { return Ok(None) };
    let digits = text.replace(['_', ','], "");
    digits.parse().map(Some).map_err(|error| format!("simulate [STEPS [SEED]]: {name} is {text}: {error}"))
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let steps = number(arguments.next(), "STEPS");
    let seed = number(arguments.next(), "SEED");
    match (steps, seed) {
        (Ok(steps), Ok(seed)) => {
            let steps = steps.map_or(STEPS, |steps| usize::try_from(steps).unwrap_or(usize::MAX));
            simulate(steps, seed.unwrap_or(0))
        }
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn simulate(steps: usize, first_seed: u64) -> ExitCode {
    let began = Instant::now();
    let mut told = began;
    let mut counts = Counts::default();
    let mut seed = first_seed;
    println!("simulating {steps} steps from seed {first_seed} on");
    while counts.steps < steps || counts.runs == 0 {
        if let Err(failing) = play(seed, &mut counts) {
            show(seed, *failing);
            println!("before it:\n{counts}");
            return ExitCode::FAILURE;
        }
        seed += 1;
        if std::io::stderr().is_terminal() && told.elapsed() > Duration::from_millis(200) {
            told = Instant::now();
            eprint!("\r{} of {steps} steps, seed {seed} ", counts.steps);
        }
    }
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    println!("{counts}");
    println!("{:>12.1} seconds, {:.0} steps a second: all held", began.elapsed().as_secs_f64(), {
        counts.steps as f64 / began.elapsed().as_secs_f64()
    });
    ExitCode::SUCCESS
}

fn show(seed: u64, failing: Failing) {
    let steps = failing.steps.len();
    println!("\nseed {seed} fails after {steps} steps: {}\n    {}", failing.violation.message, failing.violation.place);
    println!("play it again:  ./dev simulate 1 {seed}\n");
    let small = shrink(failing);
    println!("the smallest run that fails so has {} steps of {steps}:\n", small.steps.len());
    if small.setup != Setup::default() {
        println!("      {:?}", small.setup);
    }
    for (number, step) in small.steps.iter().enumerate() {
        println!("{:>4}  {step}", number + 1);
    }
    println!("      the end\n{}\n    {}\n", small.violation.message, small.violation.place);
}
