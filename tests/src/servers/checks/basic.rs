//! Single connections, on which everything is answered.

use super::{assume, failed, require};
use crate::servers::caller::Caller;
use crate::servers::capability::{Found, Scale};
use crate::servers::content::{FILES, Sum, file, length, pattern};
use crate::servers::origin::chunked_content;
use crate::servers::running::Running;
use sandpiper_host::types::{Ending, Error};
use sandpiper_host::{ClientConn, ConnOptions, Failure, Limit, Request, RequestOptions, Response, Timer};
use std::time::Duration;

/// How long the response behind early hints may take.
const HINTS_PATIENCE: Duration = Duration::from_secs(3);

fn passed() -> Result<Found, String> {
    Ok(Found::Passed(String::new()))
}

pub(in crate::servers) fn pipelining(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, assume());
    let requests: Vec<Request> = (0..FILES).map(|number| Request::get(format!("/files/{number}"))).collect();
    let exchanges = caller.send_all(&conn, &requests);
    let info = caller.info(&conn);
    require!(info.outstanding == 16, "not all on the wire: {info:?}");
    for (number, exchange) in exchanges.into_iter().enumerate() {
        let response = caller.collect(&exchange.map_err(failed)?).map_err(failed)?;
        require!(response.head.status == 200, "{number}: {}", response.head.status);
        require!(response.content == file(number), "{number}: another content of {} octets", response.content.len());
    }
    let info = caller.info(&conn);
    require!((info.responses, info.closed_by.is_none()) == (16, true), "not on one connection: {info:?}");
    passed()
}

fn chunked(server: &Running, caller: &mut Caller) -> Result<Response, String> {
    let conn = caller.connect(server.plain, ConnOptions::default());
    let response = caller.fetch(&conn, &Request::get("/app/chunked").with_field("TE", "trailers")).map_err(failed)?;
    require!(response.head.status == 200, "{:?}", response.head);
    require!(response.content == chunked_content(), "another content of {} octets", response.content.len());
    Ok(response)
}

pub(in crate::servers) fn chunked_down(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let response = chunked(server, caller)?;
    let coding = response.field("transfer-encoding").next();
    Ok(match coding {
        Some(b"chunked") => Found::Passed(String::new()),
        _ => Found::Absent("it came without the chunked coding".to_owned()),
    })
}

pub(in crate::servers) fn trailers(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let response = chunked(server, caller)?;
    let Some((name, value)) = response.trailers.first() else {
        return Ok(Found::Absent("no trailer section came".to_owned()));
    };
    let expected = Sum::of(&chunked_content()).text();
    require!(name.eq_ignore_ascii_case("x-sum") && *value == expected.as_bytes(), "{name}: {}", value.escape_ascii());
    passed()
}

pub(in crate::servers) fn chunked_up(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, ConnOptions::default());
    let blocks: Vec<Vec<u8>> =
        (1..60).map(|number: u16| pattern(u64::from(number) * 31, 1 + 173 * usize::from(number))).collect();
    let expected = Sum::of(&blocks.concat()).text();
    let request = Request::new("POST", "/app/echo").with_streamed_content();
    let response = caller.stream(&conn, &request, blocks.into_iter()).map_err(failed)?;
    require!(response.head.status == 200, "{:?}", response.head);
    require!(response.start == expected.as_bytes(), "{} instead of {expected}", response.start.escape_ascii());
    passed()
}

pub(in crate::servers) fn early_hints(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, ConnOptions::default());
    let response = caller.fetch(&conn, &Request::get("/app/hints")).map_err(failed)?;
    require!((response.head.status, response.content.as_slice()) == (200, b"hinted"), "{response:?}");
    let statuses: Vec<u16> = response.interim.iter().map(|head| head.status).collect();
    match statuses[..] {
        [] => Ok(Found::Absent("only the final response came".to_owned())),
        [103] => match response.interim[0].field("link").next() {
            Some(b"</style.css>; rel=preload") => behind_hints(caller, &conn),
            other => Err(format!("103 with the link {other:?}")),
        },
        _ => Err(format!("interim responses: {statuses:?}")),
    }
}

/// A server that takes 103 for the final response passes the 200 behind it on as well, and waits for its end.
fn behind_hints(caller: &mut Caller, conn: &ClientConn) -> Result<Found, String> {
    let options = RequestOptions::default().deadline(Timer::Total, HINTS_PATIENCE);
    match caller.fetch(conn, &Request::get("/files/3").with_options(options)) {
        Ok(response) if response.content == file(3) => passed(),
        Ok(response) => Err(format!("behind it: {:?}", response.head)),
        Err(Failure { error: Error::TimedOut(_), .. }) => Ok(Found::Absent("no other request is answered behind it".to_owned())),
        Err(failure) => Err(failed(failure)),
    }
}

pub(in crate::servers) fn errors(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let mut conn = caller.connect(server.plain, ConnOptions::default());
    let missing = caller.fetch(&conn, &Request::get("/files/none")).map_err(failed)?;
    require!(missing.head.status == 404, "{:?}", missing.head);
    if missing.field("connection").any(|options| options.eq_ignore_ascii_case(b"close")) {
        conn = caller.connect(server.plain, ConnOptions::default());
    }
    let there = caller.fetch(&conn, &Request::get("/files/3")).map_err(failed)?;
    require!(there.content == file(3), "behind the 404: {:?}", there.head);
    let conn = caller.connect(server.plain, ConnOptions::default().limit(Limit::RequestHeadOctets, 1 << 20));
    let long = Request::get("/files/1").with_field("X", "x".repeat(100_000));
    match caller.fetch(&conn, &long) {
        Ok(Response { head, .. }) if (400..500).contains(&head.status) => Ok(Found::Passed(format!("{}", head.status))),
        Ok(Response { head, .. }) => Ok(Found::Absent(format!("{}: it takes a field line of 100 KB", head.status))),
        // A server that closes with octets unread resets the connection, and its answer may be lost on the way.
        Err(Failure { error: Error::Incomplete(Ending::Reset), .. }) => {
            Ok(Found::Passed("a reset cut the answer off".to_owned()))
        }
        Err(failure) => Err(failed(failure)),
    }
}

pub(in crate::servers) fn bodiless(server: &mut Running, caller: &mut Caller, _: Scale) -> Result<Found, String> {
    let conn = caller.connect(server.plain, assume());
    let requests = [
        (Request::head("/files/9"), 200, None),
        (Request::get("/files/2"), 200, Some(2)),
        (Request::get("/app/status/204"), 204, None),
        (Request::get("/files/3"), 200, Some(3)),
        (Request::get("/app/status/304").with_field("If-None-Match", "\"one\""), 304, None),
        (Request::get("/files/4"), 200, Some(4)),
        (Request::get("/files/0"), 200, Some(0)),
        (Request::get("/files/5"), 200, Some(5)),
    ];
    let sent: Vec<Request> = requests.iter().map(|(request, ..)| request.clone()).collect();
    for ((request, status, number), exchange) in requests.iter().zip(caller.send_all(&conn, &sent)) {
        let name = format!("{} {}", request.method, request.request_target);
        let response = caller.collect(&exchange.map_err(failed)?).map_err(|failure| format!("{name}: {failure:?}"))?;
        let content = number.map(file).unwrap_or_default();
        require!(response.head.status == *status && response.content == content, "{name}: {:?}", response.head);
        if request.method == "HEAD"
            && let Some(said) = response.field("content-length").next()
        {
            require!(said == length(9).to_string().as_bytes(), "{name}: {}", said.escape_ascii());
        }
    }
    let info = caller.info(&conn);
    require!((info.responses, info.closed_by.is_none()) == (8, true), "not on one connection: {info:?}");
    passed()
}
