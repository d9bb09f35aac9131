//! Values of the core as the library has them, and values of the library in words.

use crate::scenario::story::{self, Answer, Failed, Head};
use sandpiper_guest::types as core;
use sandpiper_host::types::{self, Readiness};
use sandpiper_host::{CallError, ExchangeError};

/// A failure in words.
pub fn failed(error: ExchangeError) -> Failed {
    match error {
        CallError::Http(failure) => Failed {
            error: story::wit_name(&failure.error),
            delivery: story::wit_name(&failure.delivery),
            phase: story::wit_name(&failure.phase),
            octets_sent: failure.octets_sent,
            octets_received: failure.octets_received,
        },
        CallError::Host(error) => panic!("{error}"),
    }
}

/// A head in words.
pub fn head(head: types::ResponseHead) -> Head {
    Head { version: story::wit_name(&head.version), status: head.status, reason: head.reason, fields: head.fields }
}

pub(super) fn answer(response: types::Response) -> Answer {
    Answer {
        interim: response.interim.into_iter().map(head).collect(),
        head: head(response.head),
        content: response.content,
        trailers: response.trailers,
    }
}

pub(super) fn readiness(ready: Readiness) -> String {
    let names = [
        (Readiness::WRITABLE, "writable"),
        (Readiness::INTERIM, "interim"),
        (Readiness::HEAD, "head"),
        (Readiness::READABLE, "readable"),
        (Readiness::COMPLETE, "complete"),
        (Readiness::FAILED, "failed"),
    ];
    let set: Vec<&str> = names.iter().filter(|(flag, _)| (ready & *flag) == *flag).map(|(_, name)| *name).collect();
    set.join(" ")
}

/// The host's form of deadlines of the core.
fn deadlines(deadlines: Vec<(core::Timer, u64)>) -> Vec<(types::Timer, u64)> {
    let named = |name: &str| types::Timer::ALL.iter().copied().find(|timer| timer.name() == name).expect("a deadline");
    deadlines.into_iter().map(|(timer, span)| (named(&story::wit_name(&timer)), span)).collect()
}

/// The host's form of limits of the core.
fn limits(limits: Vec<(core::Limit, u64)>) -> Vec<(types::Limit, u64)> {
    let named = |name: &str| types::Limit::ALL.iter().copied().find(|limit| limit.name() == name).expect("a limit");
    limits.into_iter().map(|(limit, value)| (named(&story::wit_name(&limit)), value)).collect()
}

/// The host's form of connection options.
pub fn conn_options(options: core::ConnOptions) -> types::ConnOptions {
    let core::ConnOptions { persistence, limits: given_limits, deadlines: given_deadlines, leniency: given, half_close } =
        options;
    types::ConnOptions {
        persistence: persistence.map(|persistence| match persistence {
            core::Persistence::Close => types::Persistence::Close,
            core::Persistence::Assume => types::Persistence::Assume,
            core::Persistence::Learn => types::Persistence::Learn,
        }),
        limits: limits(given_limits),
        deadlines: deadlines(given_deadlines),
        leniency: leniency(given),
        half_close,
    }
}

fn leniency(given: core::Leniency) -> types::Leniency {
    let flags = [
        (core::Leniency::BARE_LF, types::Leniency::BARE_LF),
        (core::Leniency::LINE_FOLDING, types::Leniency::LINE_FOLDING),
        (core::Leniency::SPACE_BEFORE_COLON, types::Leniency::SPACE_BEFORE_COLON),
        (core::Leniency::SKIP_INVALID_LINES, types::Leniency::SKIP_INVALID_LINES),
        (core::Leniency::EQUAL_CONTENT_LENGTHS, types::Leniency::EQUAL_CONTENT_LENGTHS),
        (core::Leniency::SPACE_AFTER_CHUNK_SIZE, types::Leniency::SPACE_AFTER_CHUNK_SIZE),
        (core::Leniency::LEADING_EMPTY_LINE, types::Leniency::LEADING_EMPTY_LINE),
        (core::Leniency::HTTP09, types::Leniency::HTTP09),
    ];
    let named = flags.into_iter().filter(|(flag, _)| given & *flag == *flag);
    named.fold(types::Leniency::empty(), |all, (_, flag)| all | flag)
}

/// The host's form of a request.
pub fn request(request: core::Request) -> types::Request {
    let core::Request { method, request_target, authority, fields, content, options } = request;
    types::Request {
        method,
        request_target,
        authority,
        fields,
        content: match content {
            core::RequestContent::None => types::RequestContent::None,
            core::RequestContent::Whole(content) => types::RequestContent::Whole(content),
            core::RequestContent::Length(octets) => types::RequestContent::Length(octets),
            core::RequestContent::UnknownLength => types::RequestContent::UnknownLength,
        },
        options: options.map(|options| types::RequestOptions {
            idempotent: options.idempotent,
            hold_pipeline: options.hold_pipeline,
            expect_continue: options.expect_continue,
            limits: limits(options.limits),
            deadlines: deadlines(options.deadlines),
            reuse: reuse(options.reuse),
        }),
    }
}

fn reuse(reuse: core::Reuse) -> types::Reuse {
    let flags = [
        (core::Reuse::FRESH, types::Reuse::FRESH),
        (core::Reuse::FORBID, types::Reuse::FORBID),
        (core::Reuse::AWAIT_VERDICT, types::Reuse::AWAIT_VERDICT),
        (core::Reuse::AHEAD, types::Reuse::AHEAD),
    ];
    let set = flags.into_iter().filter(|(flag, _)| reuse & *flag == *flag);
    set.fold(types::Reuse::empty(), |set, (_, flag)| set | flag)
}

pub(super) fn request_text(request: &types::Request) -> String {
    let content = match &request.content {
        types::RequestContent::Whole(content) => format!(" {}", story::octets(content)),
        _ => String::new(),
    };
    format!("{} {}{content}", request.method, request.request_target)
}
