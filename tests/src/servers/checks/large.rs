//! Large contents.

use super::{failed, require};
use crate::servers::caller::Caller;
use crate::servers::capability::{Found, Scale};
use crate::servers::content::Sum;
use crate::servers::origin::blocks;
use crate::servers::running::Running;
use sandpiper_host::types::{CloseReason, Error};
use sandpiper_host::{ConnOptions, Failure, Request, RequestOptions};

/// Above what the limited port takes.
const TOO_LARGE_OCTETS: u64 = 24 << 20;
const EXPECTED_OCTETS: u64 = 700_000;

fn sum_of(octets: u64) -> Sum {
    let mut sum = Sum::default();
    blocks(octets).for_each(|block| sum.add(&block));
    sum
}

fn octets(sum: Sum) -> Result<Found, String> {
    Ok(Found::Passed(format!("{} MiB", sum.octets >> 20)))
}

pub(in crate::servers) fn down(server: &mut Running, caller: &mut Caller, scale: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, ConnOptions::default());
    let response = caller.stream(&conn, &Request::get("/files/big"), std::iter::empty()).map_err(failed)?;
    require!(response.head.status == 200, "{:?}", response.head);
    require!(response.sum == sum_of(scale.large_octets), "{} octets: {}", response.sum.octets, response.sum.text());
    octets(response.sum)
}

pub(in crate::servers) fn up(server: &mut Running, caller: &mut Caller, scale: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, ConnOptions::default());
    let request = Request::new("POST", "/app/echo").with_content_length(scale.large_octets);
    let response = caller.stream(&conn, &request, blocks(scale.large_octets)).map_err(failed)?;
    let expected = sum_of(scale.large_octets);
    require!(response.head.status == 200, "{:?}", response.head);
    require!(response.start == expected.text().as_bytes(), "{} instead of {expected:?}", response.start.escape_ascii());
    octets(expected)
}

pub(in crate::servers) fn await_continue(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, ConnOptions::default());
    let content = blocks(EXPECTED_OCTETS).collect::<Vec<_>>().concat();
    let expected = Sum::of(&content).text();
    let options = RequestOptions { expect_continue: true, ..RequestOptions::default() };
    let request = Request::post("/app/echo", content).with_options(options);
    let response = caller.fetch(&conn, &request).map_err(failed)?;
    require!(response.head.status == 200, "{:?}", response.head);
    require!(response.content == expected.as_bytes(), "{} instead of {expected}", response.content.escape_ascii());
    Ok(match response.interim.iter().any(|head| head.status == 100) {
        true => Found::Passed(String::new()),
        false => Found::Absent("no 100 came; the content was sent after a second without".to_owned()),
    })
}

/// The content is not even begun: the head says enough.
pub(in crate::servers) fn refused(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.limited, ConnOptions::default());
    let options = RequestOptions { expect_continue: true, ..RequestOptions::default() };
    let request = Request::new("POST", "/app/echo").with_content_length(TOO_LARGE_OCTETS).with_options(options);
    let response = caller.stream(&conn, &request, blocks(TOO_LARGE_OCTETS)).map_err(failed)?;
    require!(response.head.status == 413, "{:?}", response.head);
    let sent = caller.info(&conn).octets_sent;
    Ok(match sent {
        0..1_000 => Found::Passed(String::new()),
        _ => Found::Absent(format!("{sent} octets were sent: it said 100 first, or nothing")),
    })
}

/// The content comes back as it goes, where the server lets it.
pub(in crate::servers) fn early_answer(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, ConnOptions::default());
    let request = Request::new("POST", "/app/mirror").with_content_length(EXPECTED_OCTETS);
    let (response, early) = match caller.converse(&conn, &request, blocks(EXPECTED_OCTETS)) {
        Err(Failure { error: Error::Closed(CloseReason::EarlyResponse), .. }) => {
            return Ok(Found::Absent("it answers early, and has `close`: the rest is not wanted".to_owned()));
        }
        conversed => conversed.map_err(failed)?,
    };
    require!(response.head.status == 200, "{:?}", response.head);
    require!(response.sum == sum_of(EXPECTED_OCTETS), "{} octets came back", response.sum.octets);
    require!(response.written == EXPECTED_OCTETS, "{} octets were written", response.written);
    if !early {
        return Ok(Found::Absent("the answer came behind the content".to_owned()));
    }
    match caller.info(&conn).closed_by {
        None => {
            let next = caller.fetch(&conn, &Request::get("/app/count/mirrored")).map_err(failed)?;
            require!(next.head.status == 200, "behind it: {:?}", next.head);
            Ok(Found::Passed(String::new()))
        }
        Some(reason) => Ok(Found::Passed(format!("then it closes: {reason:?}"))),
    }
}

pub(in crate::servers) fn too_large(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.limited, ConnOptions::default());
    let request = Request::new("POST", "/app/echo").with_content_length(TOO_LARGE_OCTETS);
    let response = caller.stream(&conn, &request, blocks(TOO_LARGE_OCTETS)).map_err(failed)?;
    require!(response.head.status == 413, "{:?}", response.head);
    require!(caller.info(&conn).closed_by.is_some(), "a connection that is not in step goes on");
    let written = response.written;
    require!(written < TOO_LARGE_OCTETS, "all of it was sent");
    Ok(Found::Passed(format!("stopped within {} of {} MiB", written.div_ceil(1 << 20), TOO_LARGE_OCTETS >> 20)))
}
