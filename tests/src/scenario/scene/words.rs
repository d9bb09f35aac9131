//! What the transcript says of ends.

use crate::scenario::story::{self, Answer, Chunk, Failed};

pub(super) fn end_text(end: &Result<Chunk, Failed>, stood: bool) -> String {
    match end {
        Ok(Chunk::End(trailers)) => format!("end [{}]", story::fields(trailers)),
        Ok(_) => "would block".to_owned(),
        Err(failure) => failed_text(failure, stood),
    }
}

pub(super) fn failed_text(failure: &Failed, stood: bool) -> String {
    let Failed { error, octets_sent, octets_received, .. } = failure;
    // How much had been received when the caller, or a limit of its own, gave up depends on how the octets came.
    let own = ["closed(cancelled)", "closed(local)", "closed(dropped)", "closed(abandoned)", "limit-exceeded(c", "api-misuse"];
    match own.iter().any(|decision| error.starts_with(decision)) {
        _ if stood => failure.to_string(),
        true => format!("{failure}, {octets_sent} sent"),
        false => format!("{failure}, {octets_sent} sent, {octets_received} received"),
    }
}

pub(super) fn outcome_text(outcome: &Option<Result<Answer, Failed>>, stood: bool) -> String {
    match outcome {
        None => "pending".to_owned(),
        Some(Ok(answer)) => format!("{answer} {} [{}]", answer.head, story::fields(&answer.trailers)),
        Some(Err(failure)) => failed_text(failure, stood),
    }
}
