//! How a connection ends: what is whole without `close_notify`, and what is not whole in spite of it.

use super::{BOTH, good, speaking};
use crate::tls::case::Case;
use crate::tls::client::{Library, Problem};
use crate::tls::server::{Settings, Step, response};

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nhello";
const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";

const HEADS: &str = "curl takes a part of a head for a response";
const ENDS: &str = "curl does not ask for close_notify";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![Case::new("it answers, and the client says close_notify", || good().start()).check(|seen, _| {
        match seen.last().and_then(|seen| seen.close_notify) {
            Some(true) => Ok(()),
            other => Err(format!("the server saw {other:?}")),
        }
    })];
    for (word, versions, _) in BOTH {
        let ends = |name: &str, octets: &[u8], notice: bool| {
            let mut steps = vec![Step::Write(octets.to_vec())];
            if notice {
                steps.push(Step::CloseNotify);
            }
            Case::new(format!("{name}, {}, {word}", if notice { "with close_notify" } else { "without" }), move || {
                Settings { steps: steps.clone(), ..speaking(versions) }.start()
            })
        };
        let chunks = [CHUNKED, b"0\r\n\r\n"].concat();
        cases.extend([
            ends("as long as the length says", &response("hello"), true),
            ends("as long as the length says", &response("hello"), false),
            ends("no content", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false),
            ends("shorter than the length", SHORT, true).broken(Problem::Truncated),
            ends("shorter than the length", SHORT, false).broken(Problem::Truncated),
            ends("all chunks", &chunks, true),
            ends("all chunks", &chunks, false),
            ends("chunks without the last", CHUNKED, true).broken(Problem::Truncated),
            ends("chunks without the last", CHUNKED, false).broken(Problem::Truncated),
            ends("until the end", UNTIL_CLOSE, true),
            ends("until the end", UNTIL_CLOSE, false).broken(Problem::Truncated).differs(Library::OpenSsl, ENDS),
            ends("within the head", b"HTTP/1.1 200 OK\r\nContent-Le", true)
                .broken(Problem::Truncated)
                .differs(Library::OpenSsl, HEADS),
            ends("within the head", b"HTTP/1.1 200 OK\r\nContent-Le", false)
                .broken(Problem::Truncated)
                .differs(Library::OpenSsl, HEADS),
            ends("no response", b"", true).broken(Problem::Truncated),
            ends("no response", b"", false).broken(Problem::Truncated),
        ]);
        let behind = vec![Step::Write(SHORT.to_vec()), Step::CloseNotify, Step::Record(23, b"world".to_vec())];
        cases.push(
            Case::new(format!("the rest comes behind close_notify, {word}"), move || {
                Settings { steps: behind.clone(), ..speaking(versions) }.start()
            })
            .broken(Problem::Truncated)
            .or(Problem::Protocol),
        );
        let part = vec![Step::Write(SHORT.to_vec()), Step::Raw(vec![23, 3, 3, 0, 40, 1, 2, 3])];
        cases.push(
            Case::new(format!("it ends within a record, {word}"), move || {
                Settings { steps: part.clone(), ..speaking(versions) }.start()
            })
            .broken(Problem::Truncated),
        );
    }
    cases
}
