//! Runs that seeds give, and runs that once failed. `./dev simulate` plays more of them.

use sandpiper_guest::types::Persistence;
use sandpiper_tests::choices::Choices;
use sandpiper_tests::memory;
use sandpiper_tests::peer::answer::{Answer, AnswerKind};
use sandpiper_tests::simulation::counts::Counts;
use sandpiper_tests::simulation::setup::Setup;
use sandpiper_tests::simulation::shrink::{Failing, shrink, shrink_by};
use sandpiper_tests::simulation::step::{Action, Ask, AskContent, Step};
use sandpiper_tests::simulation::{Violation, play, replay};

const STEPS: usize = 300_000;

#[test]
fn whatever_happens_every_request_has_one_true_outcome() {
    let mut counts = Counts::default();
    for seed in 0.. {
        if let Err(failing) = play(seed, &mut counts) {
            let small = shrink(*failing);
            let steps: Vec<String> = small.steps.iter().map(ToString::to_string).collect();
            let Violation { message, place } = small.violation;
            panic!("./dev simulate 1 {seed}\n{:?}\n{}\n{message}\n{place}", small.setup, steps.join("\n"));
        }
        if counts.steps >= STEPS {
            break;
        }
    }
    assert!(counts.answered > 1_000 && counts.deepest > 8, "{counts}");
    assert_eq!(counts.deliveries.len(), 4, "every delivery occurs:\n{counts}");
    assert!(counts.errors.len() > 15, "many errors occur:\n{counts}");
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    let numbers = |seed| {
        let mut counts = Counts::default();
        assert!(play(seed, &mut counts).is_ok(), "seed {seed}");
        counts.to_string()
    };
    for seed in 0..50 {
        assert_eq!(numbers(seed), numbers(seed), "seed {seed}");
    }
    assert_ne!(numbers(0), numbers(1));
}

#[test]
fn memory_is_counted_where_the_simulation_looks_at_it() {
    let before = memory::held();
    let octets = vec![0_u8; 10_000];
    assert_eq!(memory::held() - before, 10_000);
    drop(octets);
    assert_eq!(memory::held(), before);
}

#[test]
fn choices_of_octets_end_and_those_of_a_seed_do_not() {
    let mut given = Choices::given(&[3, 200, 1, 4]);
    assert_eq!((given.below(5), given.below(100), given.below(1_000)), (3, 0, 260));
    assert!(given.is_spent());
    assert_eq!(given.below(7), 0);
    assert!(!Choices::seeded(1).is_spent());
}

/// The first connection.
fn first(actions: impl IntoIterator<Item = Action>) -> Vec<Step> {
    actions.into_iter().map(|action| Step { connection: 0, action }).collect()
}

fn ask(token: u64) -> Ask {
    Ask {
        token,
        method: "GET",
        content: AskContent::None,
        expects: false,
        gathered: false,
        idempotent: None,
        content_octets_max: None,
        total_ms: None,
    }
}

fn send(token: u64) -> Action {
    Action::Send(ask(token))
}

fn answer(octets: usize) -> Action {
    Action::Answer(Answer { kind: AnswerKind::Length, octets, interim: 0 })
}

fn pipelining() -> Setup {
    Setup { persistence: Persistence::Assume, ..Setup::default() }
}

const TRANSMIT: Action = Action::Transmit { octets: usize::MAX };
const RECEIVE: Action = Action::Receive { octets: usize::MAX };

#[test]
fn a_run_is_shrunk_to_what_makes_it_fail() {
    let noise = || (2..60).flat_map(|token| [send(token), TRANSMIT, RECEIVE]);
    let big = Ask { gathered: true, total_ms: Some(2_000), ..ask(1) };
    let steps = first(noise().chain([Action::Send(big)]).chain(noise()).chain([Action::Cancel { token: 1 }]).chain(noise()));
    let fails = |_: &Setup, steps: &[Step]| {
        let sent = steps.iter().position(|step| matches!(&step.action, Action::Send(ask) if ask.token == 1))?;
        let cancelled = steps.iter().position(|step| step.action == Action::Cancel { token: 1 })?;
        (sent < cancelled).then(|| Violation { message: String::new(), place: "here".to_owned() })
    };
    let setup = Setup { connections: 2, half_close: true, ..Setup::default() };
    let violation = fails(&setup, &steps).expect("it fails");
    let small = shrink_by(Failing { setup, steps, violation }, fails);
    assert_eq!(small.steps, first([send(1), Action::Cancel { token: 1 }]));
    assert_eq!(small.setup, Setup::default());
}

#[test]
fn what_came_before_a_request_left_is_not_its_response_however_late_it_is_read() {
    let setup = Setup { receive_octets_max: 1_024, orderly: true, ..pipelining() };
    let steps = [Action::Establish, send(1), RECEIVE, TRANSMIT, answer(3_000), Action::Inject { what: 0 }];
    let behind = [RECEIVE, send(2), TRANSMIT, Action::Read { token: 1, octets_max: u64::MAX }];
    assert_eq!(replay(&setup, &first(steps.into_iter().chain(behind))), None);
}

#[test]
fn all_that_are_too_late_at_one_moment_are_given_up_at_it() {
    let steps = [send(1), send(2), Action::Establish, RECEIVE, Action::PassToDeadline];
    assert_eq!(replay(&pipelining(), &first(steps)), None);
}

#[test]
fn a_look_before_an_earlier_request_is_none_for_a_later_one() {
    let upload = Ask { method: "PUT", content: AskContent::Length(3_000), ..ask(2) };
    let steps = [Action::Establish, send(1), RECEIVE, Action::Send(upload), Action::PassToDeadline, TRANSMIT];
    assert_eq!(replay(&Setup::default(), &first(steps)), None);
}

#[test]
fn a_connection_that_is_closed_holds_no_block_of_octets() {
    let steps = [send(1), Action::Establish, RECEIVE, TRANSMIT, answer(100_000), RECEIVE];
    assert_eq!(replay(&Setup::default(), &first(steps)), None);
}

#[test]
fn content_that_a_refused_collect_held_back_is_not_lost() {
    let setup = Setup { receive_octets_max: 4_096, ..pipelining() };
    let last = Action::Answer(Answer { kind: AnswerKind::UntilClose, octets: 3_000, interim: 0 });
    let answered = [send(1), send(2), Action::Establish, RECEIVE, TRANSMIT, answer(3_000), last, RECEIVE];
    let ended = [Action::Collect { token: 1 }, Action::End, RECEIVE];
    assert_eq!(replay(&setup, &first(answered.into_iter().chain(ended))), None);
}
