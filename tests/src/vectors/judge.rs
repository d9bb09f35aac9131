//! What was seen, held against what the source says.
//!
//! | the source says | what must be seen |
//! |---|---|
//! | accept | no failure before the connection ends; the head, content and the rest as far as they are stated; the end where it says |
//! | refuse | a failure; before the connection ends, where the case is about a head or a line, or says that it stays open |
//! | partial | no failure, and not the end; when the connection ends, `incomplete` |
//! | nothing | nothing: only the same thing in every run |

use super::case::{Case, Stated, StatedLine};
use super::play::{End, Outcome, Seen, error_of};
use super::script::{Added, Script};
use crate::scenario::story::{self, Head};
use std::fmt;

/// What a client makes of the octets of a case, in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes them.
    Accepted,
    /// It refuses them, with this error.
    Refused(String),
    /// It asks for more.
    Waits,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Accepted => f.write_str("accepted"),
            Verdict::Refused(error) => write!(f, "refused {error}"),
            Verdict::Waits => f.write_str("waits"),
        }
    }
}

/// One thing that is not as the source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What, as a stance names it.
    pub what: String,
    /// What was seen, and what is stated.
    pub detail: String,
}

fn difference(what: impl Into<String>, detail: impl Into<String>) -> Difference {
    Difference { what: what.into(), detail: detail.into() }
}

/// What became of the octets.
pub fn verdict(case: &Case, outcome: &Outcome) -> Verdict {
    if let Some(error) = outcome.seen.iter().find_map(|seen| error_of(&seen.end)) {
        return Verdict::Refused(error.to_owned());
    }
    // Octets behind the last response that was asked for: a refusal for a source that takes them for part of the case.
    if case.accept == Some(false) && outcome.closed_by.starts_with("peer-") {
        return Verdict::Refused(outcome.closed_by.clone());
    }
    let Some(seen) = outcome.seen.first() else { return Verdict::Waits };
    let last_error = outcome.seen.iter().find_map(|seen| error_of(&seen.last_end));
    match (&seen.end, &seen.last_end) {
        _ if is_tunnel(case, seen) || is_interim(case, seen) || (case.head_only && seen.head.is_some()) => Verdict::Accepted,
        _ if case.is_refused_at_end() && last_error.is_some() => Verdict::Refused(last_error.unwrap_or_default().to_owned()),
        (End::Complete(_), _) | (_, End::Complete(_)) => Verdict::Accepted,
        _ => Verdict::Waits,
    }
}

/// The connection belongs to another protocol.
fn is_tunnel(case: &Case, seen: &Seen) -> bool {
    let connected = |status| case.method == "CONNECT" && (200..300).contains(&status);
    seen.head.as_ref().is_some_and(|head| head.status == 101 || connected(head.status))
}

/// What is stated first is an interim response.
fn is_interim(case: &Case, seen: &Seen) -> bool {
    case.stated.is_interim() && !seen.interim.is_empty()
}

/// All that is not as the source says.
pub fn judge(case: &Case, script: &Script, outcome: &Outcome) -> Vec<Difference> {
    let verdict = verdict(case, outcome);
    let mut found = Vec::new();
    if case.partial {
        judge_partial(outcome, &verdict, &mut found);
        return found;
    }
    match (case.accept, &verdict) {
        (None, _) => {}
        (Some(false), Verdict::Refused(error)) => judge_refused(case, outcome, error, &mut found),
        (Some(false), verdict) => found.push(difference(verdict.to_string(), format!("{verdict}, not refused"))),
        (Some(true), Verdict::Refused(error)) => found.push(difference(verdict.to_string(), format!("{error}, not accepted"))),
        (Some(true), _) => judge_accepted(case, script, outcome, &mut found),
    }
    found
}

fn judge_partial(outcome: &Outcome, verdict: &Verdict, found: &mut Vec<Difference>) {
    if *verdict != Verdict::Waits {
        found.push(difference(verdict.to_string(), format!("{verdict}, not asked for more")));
    } else if let Some(seen) = outcome.seen.first().filter(|seen| !is_incomplete(seen)) {
        found.push(difference("end", format!("{} when the connection ends, not incomplete", seen.last_end)));
    }
}

fn is_incomplete(seen: &Seen) -> bool {
    matches!(&seen.last_end, End::Failed(failed) if failed.error.starts_with("incomplete"))
}

/// The right error at the right octet, and the messages in front of it intact.
fn judge_refused(case: &Case, outcome: &Outcome, error: &str, found: &mut Vec<Difference>) {
    if let Some(stated) = case.stated.refusal.as_deref().filter(|stated| *stated != error) {
        found.push(difference("error", format!("{error}, not {stated}")));
    }
    let failed = outcome.seen.iter().find_map(|seen| if let End::Failed(failed) = &seen.end { Some(failed) } else { None });
    let at = failed.map(|failed| failed.octets_received);
    if case.stated.refused_at.is_some_and(|stated| at != Some(stated)) {
        found.push(difference("error", format!("at {at:?}, not {:?}", case.stated.refused_at)));
    }
    let comparing = Comparing { case, added: None };
    let finals = case.messages.iter().filter(|message| !message.is_interim()).zip(&outcome.seen);
    let mut all = Vec::new();
    for (stated, seen) in finals.filter(|(stated, _)| stated.complete == Some(true)) {
        comparing.message(stated, seen, &mut all);
        comparing.end(stated, seen, &mut all);
    }
    found.extend(all.into_iter().map(|one| difference("messages", format!("{} {}", one.what, one.detail))));
}

fn judge_accepted(case: &Case, script: &Script, outcome: &Outcome, found: &mut Vec<Difference>) {
    let Some(first) = outcome.seen.first() else { return };
    let comparing = Comparing { case, added: script.added.as_ref() };
    match first.interim.first().filter(|_| case.stated.is_interim()) {
        Some(head) => comparing.head(&case.stated, head, found),
        None => {
            comparing.message(&case.stated, first, found);
            comparing.end(&case.stated, first, found);
        }
    }
    let switched = outcome.closed_by == "closed(switched)";
    if switched != is_tunnel(case, first) || case.stated.upgrade.is_some_and(|stated| stated != switched) {
        found.push(difference("upgrade", format!("closed by {:?}", outcome.closed_by)));
    }
    if case.interim.is_some_and(|interim| interim != first.interim.len()) {
        found.push(difference("interim", format!("{} interim responses", first.interim.len())));
    }
    comparing.messages(outcome, found);
    if let Some(stated) = case.stated.keep_alive.filter(|_| outcome.seen.len() == 1) {
        comparing.keep_alive(stated, outcome, found);
    }
}

/// One message is compared.
struct Comparing<'a> {
    case: &'a Case,
    added: Option<&'a Added>,
}

impl Comparing<'_> {
    /// Each of several messages: the interim ones in front of the final one that they belong to.
    fn messages(&self, outcome: &Outcome, found: &mut Vec<Difference>) {
        if self.case.messages.len() < 2 {
            return;
        }
        let mut exchanges = outcome.seen.iter();
        let Some(mut seen) = exchanges.next() else { return };
        let mut interim = seen.interim.iter();
        let mut all = Vec::new();
        for stated in &self.case.messages {
            if stated.is_interim() {
                match interim.next() {
                    Some(head) => self.head(stated, head, &mut all),
                    None => all.push(difference("", "an interim response is missing")),
                }
                continue;
            }
            if interim.next().is_some() {
                all.push(difference("", "there are more interim responses"));
            }
            self.message(stated, seen, &mut all);
            self.end(stated, seen, &mut all);
            let Some(next) = exchanges.next() else { break };
            (seen, interim) = (next, next.interim.iter());
        }
        found.extend(all.into_iter().map(|one| difference("messages", format!("{} {}", one.what, one.detail))));
    }

    fn message(&self, stated: &Stated, seen: &Seen, found: &mut Vec<Difference>) {
        match &seen.head {
            Some(head) => self.head(stated, head, found),
            None if stated.status.is_some() => found.push(difference("status", "there is no head")),
            None => {}
        }
        self.content(stated, seen, found);
        if let Some(lines) = &stated.trailers {
            let empty = Vec::new();
            let trailers = if let End::Complete(trailers) = &seen.end { trailers } else { &empty };
            if !same_lines(lines, trailers, false) {
                found.push(difference("trailers", story::fields(trailers)));
            }
        }
    }

    fn head(&self, stated: &Stated, head: &Head, found: &mut Vec<Difference>) {
        if let Some(status) = stated.status.filter(|status| *status != head.status) {
            found.push(difference("status", format!("{}, not {status}", head.status)));
        }
        if let Some(version) = stated.version.as_deref().filter(|version| version_name(version) != head.version) {
            found.push(difference("version", format!("{}, not {version}", head.version)));
        }
        if let Some(reason) = stated.reason.as_ref().filter(|reason| !reason.is(&head.reason)) {
            found.push(difference("reason", format!("\"{}\", not {reason:?}", head.reason.escape_ascii())));
        }
        let values = stated.header_values.as_ref();
        let same_values = values.is_none_or(|values| {
            values.len() == head.fields.len() && values.iter().zip(&head.fields).all(|(stated, (_, value))| stated.is(value))
        });
        let lines = stated.headers.as_ref();
        if !same_values || lines.is_some_and(|lines| !same_lines(lines, &head.fields, self.case.headers_are_subset)) {
            found.push(difference("headers", format!("[{}], not {lines:?}", story::fields(&head.fields))));
        }
    }

    fn content(&self, stated: &Stated, seen: &Seen, found: &mut Vec<Difference>) {
        if is_tunnel(self.case, seen) {
            // What stands behind the head is handed over as it is.
            if behind_heads(&self.case.octets, seen.interim.len() + 1) != Some(&seen.content) {
                found.push(difference("content", "the tunnel has other octets than those behind the head"));
            }
            return;
        }
        let length = seen.content.len() as u64;
        let expected = stated.body.as_ref().or(self.added.map(|added| &added.content));
        if expected.is_some_and(|expected| *expected != seen.content) || stated.body_len.is_some_and(|stated| stated != length) {
            let stated = expected.map_or(stated.body_len.unwrap_or(0), |expected| expected.len() as u64);
            found.push(difference("content", format!("{length} octets, not the {stated} stated")));
        }
    }

    /// The end of the message, before or with the end of the connection.
    fn end(&self, stated: &Stated, seen: &Seen, found: &mut Vec<Difference>) {
        if is_tunnel(self.case, seen) {
            return;
        }
        let at_once = matches!(seen.end, End::Complete(_));
        let at_close = !at_once && matches!(seen.last_end, End::Complete(_));
        let until_close = at_close && seen.head.as_ref().is_some_and(has_no_framing);
        let mut wrong = |what, seen: &dyn fmt::Display| found.push(difference(what, format!("{seen} when all octets have come")));
        if let Some(added) = self.added {
            let right = if added.until_close { at_close } else { at_once == added.complete && (at_once || is_incomplete(seen)) };
            if !right {
                wrong("framing", &seen.end);
            }
            return;
        }
        match stated.framing.as_deref() {
            Some("until-eof") if !at_close => wrong("framing", &seen.end),
            Some("none") if !at_once || !seen.content.is_empty() => wrong("framing", &seen.end),
            Some("content-length" | "chunked") if at_close => wrong("framing", &seen.end),
            _ => {}
        }
        match stated.complete {
            _ if self.case.head_only => {}
            Some(true) if !at_once && !until_close => wrong("waits", &seen.end),
            Some(false) if at_once => wrong("complete", &seen.end),
            Some(false) if !at_close && !is_incomplete(seen) => wrong("end", &seen.last_end),
            None if self.case.eof == Some(true) && !at_once && !at_close => wrong("end", &seen.last_end),
            _ => {}
        }
    }

    fn keep_alive(&self, stated: bool, outcome: &Outcome, found: &mut Vec<Difference>) {
        // What came behind the response has ended the connection, not the response.
        let kept = outcome.closed_by.is_empty() || outcome.closed_by.starts_with("peer-");
        if kept != stated {
            found.push(difference(format!("keep-alive {kept}"), format!("{:?}, not keep-alive {stated}", outcome.closed_by)));
        }
    }
}

/// What stands behind that many heads.
fn behind_heads(octets: &[u8], heads: usize) -> Option<&[u8]> {
    const END: &[u8] = b"\r\n\r\n";
    (0..heads)
        .try_fold(octets, |rest, _| rest.windows(END.len()).position(|four| four == END).map(|end| &rest[end + END.len()..]))
}

/// Neither of the two field lines that frame a message: it lasts until the connection ends.
fn has_no_framing(head: &Head) -> bool {
    let frames = |name: &str| ["content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing));
    !head.fields.iter().any(|(name, _)| frames(name))
}

/// A minor version above 1 is processed as 1.1 (RFC 9110 §6.2).
fn version_name(stated: &str) -> &str {
    match stated {
        "0.9" => "http09",
        "1.0" => "http10",
        _ if stated.starts_with("1.") => "http11",
        other => other,
    }
}

/// The same field lines in the same order, or some of them.
fn same_lines(stated: &[StatedLine], seen: &[(String, Vec<u8>)], some: bool) -> bool {
    let same = |(name, text): &StatedLine, (seen_name, value): &(String, Vec<u8>)| {
        name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(seen_name)) && text.is(value)
    };
    if some {
        return stated.iter().all(|line| seen.iter().any(|seen| same(line, seen)));
    }
    stated.len() == seen.len() && stated.iter().zip(seen).all(|(line, seen)| same(line, seen))
}
