//! Where an exchange and its connection are, and what is known about them.

use crate::types::{ConnState, Delivery, HttpVersion, LogEvent, Persistence, PersistenceLearnt, Phase, TlsVersion};

texts! {
    Delivery (
        /// What is known about whether the server can have acted on the request, as a clause.
        what,
        /// May it be repeated?
        advice
    ) {
        NotSent "not-sent" "nothing of it was sent", "it can be repeated, whatever the method";
        Unprocessed "unprocessed" "the server declared that it has not processed it",
            "it can be repeated, whatever the method, if the server keeps its word";
        Unanswered "unanswered" "it was sent, at least in part, and nothing of a response came: the server may have acted on it",
            "repeat it only if doing it twice does no harm";
        ResponseStarted "response-started" "part of the response came: the server acted on it", "do not repeat it blindly";
    }
}

texts! {
    Phase (
        /// Where the exchange was, as the rest of "while".
        what
    ) {
        Queued "queued" "it waited for its turn";
        Connecting "connecting" "the connection was being established";
        SendingRequest "sending-request" "the request was being sent";
        AwaitingResponse "awaiting-response" "the response was awaited";
        ReceivingHead "receiving-head" "the head of the response was arriving";
        ReceivingContent "receiving-content" "the content of the response was arriving";
        ReceivingTrailers "receiving-trailers" "the trailer section of the response was arriving";
        Tunnel "tunnel" "the connection was a tunnel";
        Ended "ended" "the exchange had already ended";
    }
}

texts! { HttpVersion (/** As the first line of a message writes it. */ text) { Http09 "http09" "HTTP/0.9"; Http10 "http10" "HTTP/1.0"; Http11 "http11" "HTTP/1.1"; Http2 "http2" "HTTP/2"; } }
texts! { Persistence () { Close "close"; Assume "assume"; Learn "learn"; } }
texts! { PersistenceLearnt () { Unknown "unknown"; Closing "closing"; Sequential "sequential"; Pipelining "pipelining"; } }
texts! { ConnState () { Connecting "connecting"; Open "open"; Closing "closing"; Closed "closed"; } }
texts! { TlsVersion (/** As people write it. */ text) { Tls12 "tls12" "TLS 1.2"; Tls13 "tls13" "TLS 1.3"; } }

impl LogEvent {
    /// The case as the WIT package writes it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Resolved(_) => "resolved",
            Self::Connecting(_) => "connecting",
            Self::ConnectFailed(_) => "connect-failed",
            Self::Connected(_) => "connected",
            Self::Secured => "secured",
            Self::Queued(_) => "queued",
            Self::RequestHead(_) => "request-head",
            Self::RequestContent(_) => "request-content",
            Self::RequestEnd => "request-end",
            Self::Wrote(_) => "wrote",
            Self::Read(_) => "read",
            Self::Interim(_) => "interim",
            Self::Head(_) => "head",
            Self::Content(_) => "content",
            Self::End(_) => "end",
            Self::Learnt(_) => "learnt",
            Self::Tunnel => "tunnel",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
            Self::Closing(_) => "closing",
            Self::Closed(_) => "closed",
        }
    }
}
