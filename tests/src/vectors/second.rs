//! The response behind the one of the case: it must be answered intact, or its request must fail for the reason that ended the connection.

use super::play::{End, Outcome, Seen, error_of};
use super::script::Script;
use crate::message;
use std::fmt;

/// The response that stands behind the first.
const SECOND: &[u8] = b"HTTP/1.1 200 Second\r\nContent-Length: 6\r\nX-Second: yes\r\n\r\nsecond";

/// What must become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is answered.
    Answered,
    /// Its request fails with this.
    Fails(String),
    /// It is content of the one before, which lasts until the connection ends; its request fails.
    IsContent,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Answered => f.write_str("answered"),
            Expected::Fails(error) => write!(f, "refused {error}"),
            Expected::IsContent => f.write_str("content of the first"),
        }
    }
}

/// The script with a second response behind what the case has, and what must become of it. `None`: there is no end of the first to put it
/// behind, or the case has octets of its own there: then it is over without its last octet too.
pub fn behind(script: &Script, outcome: &Outcome, shorter: &Outcome) -> Option<(Script, Expected)> {
    let last = outcome.seen.last()?;
    let closed_by = outcome.closed_by.as_str();
    let failed = outcome.seen.iter().find_map(|seen| error_of(&seen.end));
    let expected = match (&last.end, &last.last_end) {
        // No other request stands beside one that may end HTTP on the connection.
        _ if script.may_switch() => return None,
        (End::Complete(_), _) if is_over(shorter) => return None,
        _ if failed.is_some() => Expected::Fails(closed_by.to_owned()),
        (End::Complete(_), _) if closed_by.is_empty() => Expected::Answered,
        (End::Complete(_), _) if closed_by.starts_with("closed") => Expected::Fails(closed_by.to_owned()),
        (End::Open, End::Complete(_)) => Expected::IsContent,
        _ => return None,
    };
    let mut longer = script.clone();
    longer.requests.push(message::get("/second"));
    longer.octets.extend_from_slice(SECOND);
    Some((longer, expected))
}

/// What is wrong with the outcome of the longer script.
pub fn fault(expected: &Expected, first: &Outcome, longer: &Outcome) -> Option<String> {
    let (second, before) = longer.seen.split_last()?;
    let error = error_of(&second.end).unwrap_or_default();
    let unanswered = second.head.is_none() && second.content.is_empty() && !error.is_empty();
    let right = match expected {
        Expected::Answered => before == first.seen && is_answered(second),
        Expected::Fails(reason) => before == first.seen && unanswered && error == reason,
        Expected::IsContent => before.last().zip(first.seen.last()).is_some_and(|(before, first)| {
            let content = [&first.content, SECOND].concat();
            unanswered && error.starts_with("closed") && before.content == content && before.last_end == first.last_end
        }),
    };
    (!right).then(|| format!("the second response is to be {expected}: {longer}"))
}

fn is_over(outcome: &Outcome) -> bool {
    outcome.seen.iter().all(|seen| matches!(seen.end, End::Complete(_)))
}

fn is_answered(seen: &Seen) -> bool {
    let fields = [("Content-Length", "6"), ("X-Second", "yes")];
    let same = |head: &crate::scenario::story::Head| {
        head.status == 200
            && head.reason == b"Second"
            && head
                .fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice()))
                .eq(fields.map(|(name, value)| (name, value.as_bytes())))
    };
    seen.head.as_ref().is_some_and(same) && seen.content == b"second" && seen.end == End::Complete(Vec::new())
}
