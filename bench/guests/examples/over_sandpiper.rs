//! A plugin whose HTTP client is Sandpiper: composed with the component.

use sandpiper::http::client::{ClientConn, Origin, Poll, PollOptions};
use sandpiper::http::types::{ConnOptions, Endpoint, Failure, PackedResponse, Persistence, Request, RequestContent, RequestOptions};
use std::cell::RefCell;

wit_bindgen::generate!({
    inline: "
        package sandpiper:bench;
        world plugin {
            include sandpiper:http/imports@0.1.0;
            export run: func(port: u16, target: string, in-flight: u32, exchanges: u32) -> result<u64, string>;
        }
    ",
    path: "../../wit",
    generate_all,
});

struct Plugin;
export!(Plugin);

/// What is kept from one run to the next.
struct Open {
    port: u16,
    in_flight: u32,
    way: Way,
}

enum Way {
    Conn(ClientConn),
    Pool(Poll, Origin),
}

thread_local! {
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

impl Guest for Plugin {
    fn run(port: u16, target: String, in_flight: u32, exchanges: u32) -> Result<u64, String> {
        OPEN.with_borrow_mut(|open| {
            let open = match open {
                Some(open) if open.port == port && open.in_flight == in_flight => open,
                _ => open.insert(Open { port, in_flight, way: Way::new(port, in_flight)? }),
            };
            match &open.way {
                Way::Conn(conn) => collect(conn, &target, exchanges),
                Way::Pool(poll, origin) => submit(poll, origin, &target, in_flight, exchanges),
            }
        })
    }
}

/// Octets that a content may have.
const CONTENT_OCTETS_MAX: u64 = 1 << 24;

impl Way {
    fn new(port: u16, in_flight: u32) -> Result<Way, String> {
        let to = Endpoint { host: "127.0.0.1".to_owned(), port, addresses: Vec::new(), tls: None };
        let options = ConnOptions {
            persistence: Some(Persistence::Assume),
            pipeline_depth_max: Some(in_flight),
            limits: None,
            deadlines: None,
            leniency: None,
            half_close: None,
            log_entries_max: None,
        };
        if in_flight == 1 {
            return Ok(Way::Conn(ClientConn::connect(&to, Some(options)).map_err(|error| format!("{error:?}"))?));
        }
        let origin = Origin::create(&to, Some(options)).map_err(|error| format!("{error:?}"))?;
        let poll = Poll::new(Some(PollOptions {
            connections_max: None,
            connections_per_origin_max: Some(1),
            queue_length_max: None,
            idle_connections_max: None,
            retries_max: None,
            completion_octets_max: None,
            names_kept: None,
        }));
        Ok(Way::Pool(poll, origin))
    }
}

fn request(target: &str, collected: bool) -> Request {
    let options = RequestOptions {
        idempotent: None,
        hold_pipeline: None,
        expect_continue: None,
        collect_octets_max: Some(CONTENT_OCTETS_MAX),
        content_octets_max: None,
        deadlines: None,
        reuse: None,
    };
    Request {
        method: "GET".to_owned(),
        request_target: target.to_owned(),
        authority: None,
        fields: Vec::new(),
        content: RequestContent::None,
        options: collected.then_some(options),
    }
}

fn collect(conn: &ClientConn, target: &str, exchanges: u32) -> Result<u64, String> {
    let request = request(target, false);
    let mut octets = 0;
    for token in 0..exchanges {
        let exchange = conn.send(&request, token.into()).map_err(|failure| format!("{failure:?}"))?;
        octets += octets_of(exchange.collect_packed(CONTENT_OCTETS_MAX))?;
    }
    Ok(octets)
}

fn submit(poll: &Poll, origin: &Origin, target: &str, in_flight: u32, exchanges: u32) -> Result<u64, String> {
    let requests = vec![request(target, true); in_flight as usize];
    let (mut submitted, mut completed, mut octets) = (0, 0, 0);
    while completed < exchanges {
        let next = (in_flight - (submitted - completed)).min(exchanges - submitted);
        if next > 0 {
            poll.submit_all(origin, &requests[..next as usize], submitted.into());
            submitted += next;
        }
        poll.wait(None, 1);
        for completion in poll.packed_completions(in_flight) {
            octets += octets_of(completion.outcome)?;
            completed += 1;
        }
    }
    Ok(octets)
}

fn octets_of(outcome: Result<PackedResponse, Failure>) -> Result<u64, String> {
    let response = outcome.map_err(|failure| format!("{failure:?}"))?;
    match response.head.status {
        200 => Ok(response.content.len() as u64),
        status => Err(format!("status {status}")),
    }
}
