//! One HTTP/1.1 connection: its write side, its read side, and what is known of its persistence (RFC 9112 §9).
//!
//! # Theory of operation
//!
//! Three machines.
//!
//! 1. **Write side.** `Idle` between requests, `Busy` while one is being written: its content may be streamed, or wait for
//!    `100 (Continue)`. `Shut` when nothing may be written any more.
//! 2. **Read side.** `Idle` with no request outstanding: any octet is then unsolicited (RFC 9112 §9.2). `Head` while the response to
//!    the first outstanding request is expected; `Content` and `Trailers` by its framing; `Answered` while the request of a complete
//!    response is still being written; `Tunnel` after a switch; `Ended` when the transport gives no more, or nobody wants it.
//! 3. **Persistence.** What the last complete response has shown (RFC 9112 §9.3). Only `Pipelining` allows a second request on the wire.
//!    Nothing leaves `Closing`.
//!
//! Their couplings are all in `connection`: a head written moves the read side from `Idle` to `Head`; the end of a response moves it to `Head`
//! or `Idle` by the outstanding list; `Closing` with an empty outstanding list closes the connection.

use crate::table::table_enum;
use crate::types::{HttpVersion, Persistence, PersistenceLearnt};

table_enum! {
    /// The write side.
    WriteSide {
        /// Between requests.
        Idle,
        /// In a request.
        Busy,
        /// Nothing more is written.
        Shut,
    }
}

table_enum! {
    /// What can happen to the write side.
    WriteInput {
        /// A request begins.
        Begin,
        /// It is complete.
        End,
        /// Nothing more may be written.
        Shut,
    }
}

#[rustfmt::skip]
const WRITE: [[Option<WriteSide>; WriteInput::ALL.len()]; WriteSide::ALL.len()] = {
    use WriteSide::{Busy, Idle, Shut};
    const NO: Option<WriteSide> = None;
    [
//             Begin       End         Shut
/* Idle */    [Some(Busy), NO,         Some(Shut)],
/* Busy */    [NO,         Some(Idle), Some(Shut)],
/* Shut */    [NO,         NO,         Some(Shut)],
    ]
};

table_enum! {
    /// The read side.
    ReadSide {
        /// No request is outstanding.
        Idle,
        /// A response head is expected.
        Head,
        /// Content is expected.
        Content,
        /// The trailer section of chunked content is expected.
        Trailers,
        /// Raw octets are expected.
        Tunnel,
        /// The response is complete, and its request is still being written: nothing is expected.
        Answered,
        /// Nothing more is read.
        Ended,
    }
}

table_enum! {
    /// What can happen to the read side.
    ReadInput {
        /// The first request became outstanding.
        Asked,
        /// A final head with content behind it.
        Content,
        /// The last chunk.
        Trailers,
        /// The end of a response, before that of its request.
        Answered,
        /// The end of an exchange; another request is outstanding.
        Next,
        /// The end of an exchange; none is outstanding.
        Last,
        /// The head that makes the connection a tunnel.
        Switch,
        /// The transport ended, or is given up.
        End,
    }
}

#[rustfmt::skip]
const READ: [[Option<ReadSide>; ReadInput::ALL.len()]; ReadSide::ALL.len()] = {
    use ReadSide::{Answered, Content, Ended, Head, Idle, Trailers, Tunnel};
    const NO: Option<ReadSide> = None;
    [
//                  Asked       Content        Trailers        Answered        Next        Last        Switch        End
/* Idle     */     [Some(Head), NO,            NO,             NO,             NO,         NO,         NO,           Some(Ended)],
/* Head     */     [NO,         Some(Content), NO,             Some(Answered), Some(Head), Some(Idle), Some(Tunnel), Some(Ended)],
/* Content  */     [NO,         NO,            Some(Trailers), Some(Answered), Some(Head), Some(Idle), NO,           Some(Ended)],
/* Trailers */     [NO,         NO,            NO,             Some(Answered), Some(Head), Some(Idle), NO,           Some(Ended)],
/* Tunnel   */     [NO,         NO,            NO,             NO,             NO,         NO,         NO,           Some(Ended)],
/* Answered */     [NO,         NO,            NO,             NO,             Some(Head), Some(Idle), NO,           Some(Ended)],
/* Ended    */     [NO,         NO,            NO,             NO,             NO,         NO,         NO,           Some(Ended)],
    ]
};

table_enum! {
    /// What a complete response shows about persistence.
    Shown {
        /// HTTP/1.1, self-delimited, without the `close` option.
        Persists,
        /// HTTP/1.0 with `keep-alive`: kept, but not to be pipelined.
        KeepsAlive,
        /// The `close` option, or HTTP/1.0 without `keep-alive`, or content until the close.
        Closes,
    }
}

#[rustfmt::skip]
const PERSISTENCE: [[PersistenceLearnt; Shown::ALL.len()]; 4] = {
    use PersistenceLearnt::{Closing, Pipelining, Sequential};
    [
//                   Persists     KeepsAlive    Closes
/* Unknown    */    [Pipelining,  Sequential,   Closing],
/* Closing    */    [Closing,     Closing,      Closing],
/* Sequential */    [Pipelining,  Sequential,   Closing],
/* Pipelining */    [Pipelining,  Sequential,   Closing],
    ]
};

impl WriteSide {
    /// The state after `input`; `None`: the input is illegal here.
    pub fn next(self, input: WriteInput) -> Option<WriteSide> {
        WRITE.get(self as usize)?.get(input as usize).copied()?
    }
}

impl ReadSide {
    /// The state after `input`; `None`: the input is illegal here.
    pub fn next(self, input: ReadInput) -> Option<ReadSide> {
        READ.get(self as usize)?.get(input as usize).copied()?
    }
}

/// What is known after a complete response has shown `shown`.
pub fn learn(known: PersistenceLearnt, shown: Shown) -> PersistenceLearnt {
    let row = match known {
        PersistenceLearnt::Unknown => 0,
        PersistenceLearnt::Closing => 1,
        PersistenceLearnt::Sequential => 2,
        PersistenceLearnt::Pipelining => 3,
    };
    PERSISTENCE[row][shown as usize]
}

/// What is known before the first response.
pub fn known_at_first(persistence: Persistence) -> PersistenceLearnt {
    match persistence {
        Persistence::Assume => PersistenceLearnt::Pipelining,
        Persistence::Close | Persistence::Learn => PersistenceLearnt::Unknown,
    }
}

/// What a response shows by its version and `Connection` options (RFC 9112 §9.3): `close` wins over everything.
pub fn shown(version: HttpVersion, close: bool, keep_alive: bool, self_delimited: bool) -> Shown {
    match version {
        _ if close || !self_delimited => Shown::Closes,
        HttpVersion::Http10 if keep_alive => Shown::KeepsAlive,
        HttpVersion::Http09 | HttpVersion::Http10 => Shown::Closes,
        HttpVersion::Http11 | HttpVersion::Http2 => Shown::Persists,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_closing() {
        for &shown in Shown::ALL {
            assert_eq!(learn(PersistenceLearnt::Closing, shown), PersistenceLearnt::Closing);
        }
    }

    #[test]
    fn close_wins_over_keep_alive_and_over_the_version() {
        for version in [HttpVersion::Http10, HttpVersion::Http11] {
            assert_eq!(shown(version, true, true, true), Shown::Closes);
        }
        assert_eq!(shown(HttpVersion::Http10, false, true, true), Shown::KeepsAlive);
        assert_eq!(shown(HttpVersion::Http10, false, false, true), Shown::Closes);
        assert_eq!(shown(HttpVersion::Http11, false, true, true), Shown::Persists);
        assert_eq!(shown(HttpVersion::Http11, false, false, false), Shown::Closes);
    }

    #[test]
    fn a_tunnel_and_an_ended_read_side_take_no_responses() {
        for &input in ReadInput::ALL {
            let next = if input == ReadInput::End { Some(ReadSide::Ended) } else { None };
            assert_eq!(ReadSide::Tunnel.next(input), next);
            assert_eq!(ReadSide::Ended.next(input), next);
        }
    }

    #[test]
    fn a_shut_write_side_begins_nothing() {
        assert_eq!(WriteSide::Shut.next(WriteInput::Begin), None);
        assert_eq!(WriteSide::Busy.next(WriteInput::Begin), None);
    }
}
