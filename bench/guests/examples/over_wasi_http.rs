//! A plugin whose HTTP client is `wasi:http`, as the host has it.

use wasip2::http::outgoing_handler::{FutureIncomingResponse, handle};
use wasip2::http::types::{Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::StreamError;

wit_bindgen::generate!({
    inline: "
        package sandpiper:bench;
        world plugin {
            record asked { target: string, connections: u32, depth: u32, upload: u32 }
            export run: func(port: u16, asked: asked, exchanges: u32) -> result<u64, string>;
        }
    ",
});

struct Plugin;
export!(Plugin);

/// Octets that one read asks for.
const READ_OCTETS: u64 = 1 << 18;

impl Guest for Plugin {
    fn run(port: u16, asked: Asked, exchanges: u32) -> Result<u64, String> {
        let authority = format!("127.0.0.1:{port}");
        let in_flight = asked.connections * asked.depth;
        let upload = vec![b'u'; asked.upload as usize];
        // Dropped in this order: a pollable is a child.
        let mut waiting: Vec<(Pollable, FutureIncomingResponse)> = Vec::new();
        let (mut sent, mut octets) = (0, 0);
        while sent < exchanges || !waiting.is_empty() {
            while sent < exchanges && waiting.len() < in_flight as usize {
                let response = send(&authority, &asked.target, &upload)?;
                waiting.push((response.subscribe(), response));
                sent += 1;
            }
            let pollables: Vec<&Pollable> = waiting.iter().map(|(pollable, _)| pollable).collect();
            let mut ready = poll(&pollables);
            ready.sort_unstable();
            for index in ready.into_iter().rev() {
                let (pollable, response) = waiting.swap_remove(index as usize);
                drop(pollable);
                let response = response.get().ok_or("not ready")?.map_err(|()| "taken")?;
                octets += gather(&response.map_err(|error| format!("{error:?}"))?)?;
            }
        }
        Ok(octets)
    }
}

fn send(authority: &str, target: &str, upload: &[u8]) -> Result<FutureIncomingResponse, String> {
    let fields = Fields::new();
    if !upload.is_empty() {
        let length = upload.len().to_string().into_bytes();
        fields.append("content-length", &length).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| "the scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "the authority")?;
    request.set_path_with_query(Some(target)).map_err(|()| "the target")?;
    if upload.is_empty() {
        return handle(request, None).map_err(|error| format!("{error:?}"));
    }
    request.set_method(&Method::Put).map_err(|()| "the method")?;
    let content = request.body().map_err(|()| "the content")?;
    let response = handle(request, None).map_err(|error| format!("{error:?}"))?;
    write(&content, upload).map_err(|error| format!("{error:?}"))?;
    OutgoingBody::finish(content, None).map_err(|error| format!("{error:?}"))?;
    Ok(response)
}

/// Writes as much at a time as is taken.
fn write(content: &OutgoingBody, mut octets: &[u8]) -> Result<(), StreamError> {
    let stream = content.write().expect("it is taken once");
    let writable = stream.subscribe();
    while !octets.is_empty() {
        writable.block();
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        let (now, rest) = octets.split_at(room.min(octets.len()));
        stream.write(now)?;
        octets = rest;
    }
    stream.flush()
}

/// The whole content in one piece, as every client here gives it, and the fields, which a caller wants to see.
fn gather(response: &IncomingResponse) -> Result<u64, String> {
    if response.status() != 200 {
        return Err(format!("status {}", response.status()));
    }
    let _fields = response.headers().entries();
    let content = response.consume().map_err(|()| "consumed")?;
    let stream = content.stream().map_err(|()| "streamed")?;
    let mut gathered = Vec::new();
    loop {
        match stream.blocking_read(READ_OCTETS) {
            Ok(octets) => gathered.extend_from_slice(&octets),
            Err(StreamError::Closed) => return Ok(gathered.len() as u64),
            Err(error) => return Err(format!("{error:?}")),
        }
    }
}
