//! What may happen next in a run, drawn from choices.

use super::client::Asked;
use super::run::Run;
use super::step::{Action, Ask, AskContent, Step};
use crate::choices::Choices;
use crate::peer::answer::Answer;

/// Octets of contents, and interim responses of answers that have some.
const CONTENTS: [usize; 9] = [0, 1, 10, 10, 100, 100, 1_000, 3_000, 100_000];
const INTERIM: [usize; 8] = [1, 1, 1, 2, 2, 2, 16, 17];

/// Draws the next step. `last_token`: the last number that was given to a request.
pub fn draw(run: &Run, last_token: &mut u64, choices: &mut Choices) -> Step {
    let connection = choices.below(run.lines.len());
    let action = draw_action(run, connection, last_token, choices);
    Step { connection, action }
}

fn draw_action(run: &Run, connection: usize, last_token: &mut u64, choices: &mut Choices) -> Action {
    let line = &run.lines[connection];
    let any = |choices: &mut Choices, fits: fn(&Asked) -> bool| {
        let asked = line.client.asked.values();
        let tokens: Vec<u64> = asked.filter(|asked| !asked.dropped && fits(asked)).map(|asked| asked.ask.token).collect();
        if tokens.is_empty() { 0 } else { *choices.pick(&tokens) }
    };
    if !line.client.conn.is_established() && choices.chance(1, 4) {
        return Action::Establish;
    }
    match choices.below(256) {
        0..28 => {
            *last_token += 1;
            Action::Send(Ask::draw(choices, *last_token))
        }
        28..46 => {
            let token = any(choices, |asked| asked.ask.is_streamed() && !asked.finished);
            draw_write(line.client.asked.get(&token), token, choices)
        }
        46..76 => {
            Action::Read { token: any(choices, Asked::is_read), octets_max: *choices.pick(&[u64::MAX, 0, 1, 100, 100_000]) }
        }
        76..80 => Action::Collect { token: any(choices, |asked| asked.is_read() && asked.read == 0) },
        80..82 => Action::Cancel { token: any(choices, |_| true) },
        82..84 => Action::Drop { token: any(choices, |_| true) },
        84..86 => Action::TakeRequest { token: any(choices, |asked| asked.outcome.is_some()) },
        86..90 => Action::Report { events_max: *choices.pick(&[usize::MAX, 0, 1, 3]) },
        90..92 => Action::Establish,
        92..140 => Action::Transmit { octets: draw_octets(choices) },
        140..196 => Action::Receive { octets: draw_octets(choices) },
        196..236 => Action::Answer(Answer::draw(choices, &CONTENTS, &INTERIM)),
        236..242 => Action::Continue,
        242..248 => Action::Pass { ms: *choices.pick(&[1, 1, 20, 20, 100, 100, 500, 6_000]) },
        248..252 => Action::Heal,
        252 => Action::Reads(true),
        253 => Action::Delay { ms: *choices.pick(&[0, 0, 1, 20, 2_000]) },
        _ => draw_rare(choices),
    }
}

fn draw_write(asked: Option<&Asked>, token: u64, choices: &mut Choices) -> Action {
    let length = match asked.map(|asked| asked.ask.content) {
        Some(AskContent::Length(octets)) => octets,
        _ => 2_000,
    };
    let left = length.saturating_sub(asked.map_or(0, |asked| asked.written));
    if left == 0 || choices.chance(1, 20) {
        return Action::Finish { token, trailers: choices.chance(1, 3) };
    }
    let more = if choices.chance(1, 30) { 1 } else { 0 };
    Action::Write { token, octets: 1 + choices.below(left) + more }
}

fn draw_octets(choices: &mut Choices) -> usize {
    match choices.below(4) {
        0 | 1 => usize::MAX,
        2 => 1 + choices.below(16),
        _ => 1 + choices.below(4_000),
    }
}

/// What ends a connection, or nearly does.
fn draw_rare(choices: &mut Choices) -> Action {
    match choices.below(16) {
        0 => Action::Shutdown,
        1 => Action::Close,
        2 => Action::Split,
        3 => Action::Reset { loses: choices.chance(1, 2) },
        4 => Action::Reads(false),
        5 => Action::Swallow,
        6 | 7 => Action::Inject { what: choices.below(5) },
        8 | 9 => Action::End,
        10..13 => Action::PassToDeadline,
        _ => Action::AnswerEarly(Answer::draw(choices, &CONTENTS, &INTERIM)),
    }
}
