//! What a peer answers when a seed decides: every kind of framing, with and without the end of the connection.

use crate::random::Random;

/// An answer to one request.
#[derive(Debug)]
pub struct Answer {
    /// What goes over the wire.
    pub octets: Vec<u8>,
    /// The content in it.
    pub content: Vec<u8>,
    /// It is the last one of the connection.
    pub closes: bool,
}

/// An answer of any kind to the request with this token, which its head names.
pub fn answer(random: &mut Random, token: u64, method: &str) -> Answer {
    let content = format!("{token}:{}", "x".repeat(*random.pick(&[0, 1, 10, 100, 3_000]))).into_bytes();
    let mark = format!("X-Token: {token}\r\n");
    let mut octets = Vec::new();
    for _ in 0..*random.pick(&[0, 0, 0, 1, 2]) {
        octets.extend_from_slice(format!("HTTP/1.1 103 Early Hints\r\n{mark}\r\n").as_bytes());
    }
    let kind = random.below(24);
    let length = content.len();
    let (head, closes) = match kind {
        0 => (format!("HTTP/1.1 200 OK\r\n{mark}Connection: close\r\nContent-Length: {length}\r\n\r\n"), true),
        1 if method != "HEAD" => (format!("HTTP/1.1 200 OK\r\n{mark}\r\n"), true),
        2 => (format!("HTTP/1.0 200 OK\r\n{mark}Connection: keep-alive\r\nContent-Length: {length}\r\n\r\n"), false),
        3 => (format!("HTTP/1.1 204 No Content\r\n{mark}\r\n"), false),
        4 => (format!("HTTP/1.1 304 Not Modified\r\n{mark}Content-Length: 7\r\n\r\n"), false),
        5..10 => (format!("HTTP/1.1 200 OK\r\n{mark}Transfer-Encoding: chunked\r\n\r\n"), false),
        10 => (format!("HTTP/1.1 200 OK\r\n{mark}Keep-Alive: timeout=3, max=3\r\nContent-Length: {length}\r\n\r\n"), false),
        _ => (format!("HTTP/1.1 200 OK\r\n{mark}Content-Length: {length}\r\n\r\n"), false),
    };
    octets.extend_from_slice(head.as_bytes());
    if method == "HEAD" || kind == 3 || kind == 4 {
        return Answer { octets, content: Vec::new(), closes };
    }
    if (5..10).contains(&kind) {
        let cut = random.below(length + 1);
        for piece in [&content[..cut], &content[cut..]].into_iter().filter(|piece| !piece.is_empty()) {
            octets.extend_from_slice(format!("{:x};n=v\r\n", piece.len()).as_bytes());
            octets.extend_from_slice(piece);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(format!("0\r\n{mark}\r\n").as_bytes());
    } else {
        octets.extend_from_slice(&content);
    }
    Answer { octets, content, closes }
}
