//! Table A: how far the two halves of an exchange are. The theory of operation stands in [`exchange`](super).

use crate::table::table_enum;

table_enum! {
    /// How far the request is.
    RequestHalf {
        /// Not written.
        Queued,
        /// The head is written, the content waits for `100 (Continue)`.
        Continue,
        /// The content is being written.
        Content,
        /// All of it is written.
        Sent,
        /// A final response came first, or it failed: nothing more of it is written.
        Stopped,
    }
}

table_enum! {
    /// What can happen to the request.
    RequestInput {
        /// Its turn has come, and the content may follow at once.
        Head,
        /// Its turn has come, and the content waits.
        HeadOnly,
        /// The content need not wait any longer.
        Continue,
        /// A piece of content.
        Content,
        /// The end of the content.
        End,
        /// The rest is not wanted.
        Stop,
        /// It moves to another connection, which writes it from its beginning.
        Again,
    }
}

#[rustfmt::skip]
const REQUEST: [[Option<RequestHalf>; RequestInput::ALL.len()]; RequestHalf::ALL.len()] = {
    use RequestHalf::{Content, Continue, Queued, Sent, Stopped};
    const NO: Option<RequestHalf> = None;
    [
//                   Head           HeadOnly        Continue       Content        End         Stop           Again
/* Queued   */      [Some(Content), Some(Continue), NO,            NO,            NO,         Some(Stopped), NO          ],
/* Continue */      [NO,            NO,             Some(Content), NO,            NO,         Some(Stopped), Some(Queued)],
/* Content  */      [NO,            NO,             NO,            Some(Content), Some(Sent), Some(Stopped), Some(Queued)],
/* Sent     */      [NO,            NO,             NO,            NO,            NO,         Some(Stopped), Some(Queued)],
/* Stopped  */      [NO,            NO,             NO,            NO,            NO,         Some(Stopped), Some(Queued)],
    ]
};

table_enum! {
    /// How far the response is.
    ResponseHalf {
        /// A head is expected.
        Head,
        /// Content, or the end of it.
        Content,
        /// It is complete.
        Done,
        /// Raw octets, until an end.
        Tunnel,
        /// The exchange failed. A response that still comes is thrown away.
        Failed,
    }
}

table_enum! {
    /// What can happen to the response.
    ResponseInput {
        /// An interim head (1xx).
        Interim,
        /// The final head.
        Final,
        /// The head that makes the connection a tunnel.
        Switch,
        /// Octets.
        Content,
        /// The end, with the trailer section.
        End,
        /// The exchange cannot go on.
        Fail,
    }
}

#[rustfmt::skip]
const RESPONSE: [[Option<ResponseHalf>; ResponseInput::ALL.len()]; ResponseHalf::ALL.len()] = {
    use ResponseHalf::{Content, Done, Failed, Head, Tunnel};
    const NO: Option<ResponseHalf> = None;
    [
//                 Interim       Final          Switch        Content        End           Fail
/* Head    */     [Some(Head),   Some(Content), Some(Tunnel), NO,            NO,           Some(Failed)],
/* Content */     [NO,           NO,            NO,           Some(Content), Some(Done),   Some(Failed)],
/* Done    */     [NO,           NO,            NO,           NO,            NO,           Some(Failed)],
/* Tunnel  */     [NO,           NO,            NO,           Some(Tunnel),  Some(Done),   Some(Failed)],
/* Failed  */     [Some(Failed), Some(Failed),  Some(Failed), Some(Failed),  Some(Failed), NO          ],
    ]
};

impl RequestHalf {
    /// The state after `input`; `None`: the input is illegal here.
    pub fn next(self, input: RequestInput) -> Option<RequestHalf> {
        REQUEST.get(self as usize)?.get(input as usize).copied()?
    }
}

impl ResponseHalf {
    /// The state after `input`; `None`: the input is illegal here.
    pub fn next(self, input: ResponseInput) -> Option<ResponseHalf> {
        RESPONSE.get(self as usize)?.get(input as usize).copied()?
    }
}
