//! A plugin whose HTTP client is Sandpiper: composed with the component.

use sandpiper::http::client::{ClientConn, Origin, Poll, PollOptions};
use sandpiper::http::packed::{self, PackedResponse};
use sandpiper::http::types::{ConnOptions, Endpoint, Failure, Leniency, Limit, Persistence, Request, RequestContent};
use std::cell::RefCell;

wit_bindgen::generate!({
    inline: "
        package sandpiper:bench;
        world plugin {
            include sandpiper:http/imports@0.2.0;
            import sandpiper:http/packed@0.2.0;
            record asked { target: string, connections: u32, depth: u32, upload: u32 }
            export run: func(port: u16, asked: asked, exchanges: u32) -> result<u64, string>;
        }
    ",
    path: "../../wit",
    generate_all,
    additional_derives: [PartialEq, Clone],
});

struct Plugin;
export!(Plugin);

/// What is kept from one run to the next.
struct Open {
    port: u16,
    asked: Asked,
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
    fn run(port: u16, asked: Asked, exchanges: u32) -> Result<u64, String> {
        OPEN.with_borrow_mut(|open| {
            let open = match open {
                Some(open) if open.port == port && open.asked == asked => open,
                _ => open.insert(Open { port, way: Way::new(port, &asked)?, asked }),
            };
            match &open.way {
                Way::Conn(conn) => collect(conn, &open.asked, exchanges),
                Way::Pool(poll, origin) => submit(poll, origin, &open.asked, exchanges),
            }
        })
    }
}

/// Octets that a content may have.
const CONTENT_OCTETS_MAX: u64 = 1 << 24;

impl Way {
    fn new(port: u16, asked: &Asked) -> Result<Way, String> {
        let to = Endpoint { host: "127.0.0.1".to_owned(), port, addresses: Vec::new(), tls: None };
        let options = ConnOptions {
            persistence: Some(Persistence::Assume),
            limits: vec![(Limit::Outstanding, asked.depth.into())],
            deadlines: Vec::new(),
            leniency: Leniency::empty(),
            half_close: false,
        };
        let origin = Origin::create(&to, Some(&options)).map_err(|error| format!("{error:?}"))?;
        if asked.connections * asked.depth == 1 {
            return Ok(Way::Conn(ClientConn::connect(&origin)));
        }
        let limits = [Limit::Connections, Limit::ConnectionsPerOrigin, Limit::IdleConnections];
        let limits = limits.map(|limit| (limit, asked.connections.into())).to_vec();
        let poll = Poll::new(Some(&PollOptions { limits, names_kept: None }));
        Ok(Way::Pool(poll, origin))
    }
}

fn request(asked: &Asked) -> Request {
    Request {
        method: if asked.upload == 0 { "GET" } else { "PUT" }.to_owned(),
        request_target: asked.target.clone(),
        authority: None,
        fields: Vec::new(),
        content: match asked.upload {
            0 => RequestContent::None,
            octets => RequestContent::Whole(vec![b'u'; octets as usize]),
        },
        options: None,
    }
}

fn collect(conn: &ClientConn, asked: &Asked, exchanges: u32) -> Result<u64, String> {
    let request = request(asked);
    let mut octets = 0;
    for token in 0..exchanges {
        let exchange = conn.send(&request, token.into()).map_err(|failure| format!("{failure:?}"))?;
        octets += octets_of(packed::collect(&exchange, CONTENT_OCTETS_MAX))?;
    }
    Ok(octets)
}

fn submit(poll: &Poll, origin: &Origin, asked: &Asked, exchanges: u32) -> Result<u64, String> {
    let in_flight = asked.connections * asked.depth;
    let requests = vec![request(asked); in_flight as usize];
    let (mut submitted, mut completed, mut octets) = (0, 0, 0);
    while completed < exchanges {
        let next = (in_flight - (submitted - completed)).min(exchanges - submitted);
        if next > 0 {
            poll.fetch_all(origin, &requests[..next as usize], submitted.into(), 1 << 20);
            submitted += next;
        }
        poll.wait(None, 1);
        for completion in packed::take_completions(poll, in_flight) {
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
