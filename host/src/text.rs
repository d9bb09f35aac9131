//! Every error of the WIT package in words: for a person, what happened and what to do; for a program, the names of the
//! WIT.
//!
//! Each table names every case, so that a case that is added to the WIT does not compile until it has its words.

use crate::types::{
    CloseReason, ConnState, ConnectProblem, Delivery, Denial, DnsProblem, Ending, Error, HttpVersion, Incompatibility, Limit,
    LogEvent, Misbehaviour, Misuse, Persistence, PersistenceLearnt, Phase, Side, Timer, TlsProblem,
};

/// Gives an enum `ALL` and `name`, its cases as the WIT writes them, and the other texts of the table.
macro_rules! texts {
    ($(#[$about:meta])* $case:ident ($($(#[$doc:meta])* $text:ident),*) { $($variant:ident $name:literal $($words:expr),*;)* }) => {
        $(#[$about])*
        impl $case {
            /// Every case.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The case as the WIT package writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            texts!(@columns [$($(#[$doc])* $text),*] $($variant [$($words),*])*);
        }
    };
    (@columns [$(#[$doc:meta])* $text:ident] $($variant:ident [$words:expr])*) => {
        $(#[$doc])*
        pub const fn $text(self) -> &'static str {
            match self {
                $(Self::$variant => $words,)*
            }
        }
    };
    (@columns [$(#[$doc:meta])* $text:ident, $($rest:tt)*] $($variant:ident [$words:expr, $($others:expr),*])*) => {
        texts!(@columns [$(#[$doc])* $text] $($variant [$words])*);
        texts!(@columns [$($rest)*] $($variant [$($others),*])*);
    };
    (@columns [] $($variant:ident [])*) => {};
}

// What a person can do about it, where many cases share it.
const FIX_CALL: &str = "correct the call; nothing was sent, and the connection goes on";
const PEER_DEFECT: &str = "this is a defect of the server, or of something in between; ask whoever runs it";
const LENIENT: &str =
    "this is a defect of the server; a leniency of the connection tolerates it, if you must talk to this server";
const CONNECT_AGAIN: &str = "open another connection; whether to repeat the request is a question of its delivery";

texts! {
    Misuse (
        /// What the caller did, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        InvalidMethod "invalid-method" "the method is not a token", FIX_CALL;
        InvalidRequestTarget "invalid-request-target"
            "the request target has none of the forms that its method allows (/path, http://host/path, host:port, *)", FIX_CALL;
        InvalidAuthority "invalid-authority" "the authority, or the Host field, is not one host[:port]", FIX_CALL;
        InvalidFieldName "invalid-field-name" "a field name is not a token", FIX_CALL;
        InvalidFieldValue "invalid-field-value"
            "a field value has a control character in it, or whitespace at an end", FIX_CALL;
        ConflictingFraming "conflicting-framing"
            "a Content-Length or Transfer-Encoding field is malformed, is given twice, or contradicts the content",
            "leave both out: they are added as the content needs them";
        ForbiddenTrailer "forbidden-trailer"
            "a field that may not be a trailer was given as one, or trailers without chunked content",
            "send the field in the head; stream the content without a length if it needs trailers";
        ContentNotAllowed "content-not-allowed" "this method takes no content", FIX_CALL;
        ExpectWithoutContent "expect-without-content" "100-continue was to be expected for a request without content", FIX_CALL;
        ContentTooLong "content-too-long" "more content was given than the declared length",
            "give no more than was declared; none of this call's octets were taken";
        ContentTooShort "content-too-short" "the content ended before its declared length",
            "declare the length that the content has; the connection was given up, since the server waits for the rest";
        ContentFinished "content-finished" "content was given to a request whose content is complete", FIX_CALL;
        ResponseTaken "response-taken" "the response was asked for again after it had been handed out", FIX_CALL;
        CollectedByPoll "collected-by-poll" "the response is collected by its poll",
            "take it from the completions of the poll";
        BehindUnreadResponse "behind-unread-response"
            "an earlier response of the connection is not being read, and this one comes after it",
            "read or cancel the earlier exchange first";
        ContentUnfinished "content-unfinished" "the whole response was asked for before all of the content was given",
            "write the content and finish it, then collect; the exchange goes on";
        Tunnel "tunnel" "the whole response was asked for on a tunnel, which has no end", "read and write instead; the tunnel goes on";
        InvalidOption "invalid-option" "an option is outside its range", "see the ranges in wit/types.wit";
        InvalidEndpoint "invalid-endpoint" "the host or an address is malformed, or the port is 0", FIX_CALL;
        AlreadyInserted "already-inserted" "the connection is in a poll already", "remove it from there first";
        RequestsOutstanding "requests-outstanding" "the connection has requests without a complete response",
            "wait until its length is 0";
        UnknownToken "unknown-token" "nothing of this number is here", FIX_CALL;
        InvalidServerName "invalid-server-name" "the name of the server is none that a certificate could be for",
            "give a host name or an address";
        InvalidTrustAnchors "invalid-trust-anchors" "the trust anchors hold no certificate that can be one",
            "give one or more certificates of issuers as PEM";
        InvalidIdentity "invalid-identity" "the client's certificate and key cannot be used",
            "give the certificate chain, the leaf first, and its unencrypted private key as PEM";
        InvalidTlsOption "invalid-tls-option" "a protocol or a pin is malformed",
            "protocols have 1 to 255 octets, pins are SHA-256 digests of 32";
        UnsupportedTlsOption "unsupported-tls-option" "in this build the host does TLS, and decides what this option would",
            "leave it out, or use the build with TLS inside";
    }
}

texts! {
    Misbehaviour (
        /// What the server sent, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        NotHttp "not-http" "the server does not answer in HTTP",
            "check the port and the scheme: is this another protocol, or TLS?";
        InvalidStatusLine "invalid-status-line" "the server sent a malformed status line", PEER_DEFECT;
        InvalidStatusCode "invalid-status-code" "the server sent a status code outside 100 to 599", PEER_DEFECT;
        InvalidLineEnding "invalid-line-ending" "the server ended a line of the head in something else than CR LF", LENIENT;
        InvalidFieldLine "invalid-field-line" "the server sent a malformed field line", LENIENT;
        InvalidFieldValue "invalid-field-value" "the server sent a field value with a control character in it", PEER_DEFECT;
        LineFolding "line-folding" "the server folded a field line, which is obsolete", LENIENT;
        InvalidContentLength "invalid-content-length" "the server sent a Content-Length that is not a number", PEER_DEFECT;
        ConflictingContentLength "conflicting-content-length" "the server sent several values of Content-Length", LENIENT;
        TransferEncodingWithContentLength "transfer-encoding-with-content-length"
            "the server sent both Transfer-Encoding and Content-Length, as response smuggling does", PEER_DEFECT;
        TransferEncodingInHttp10 "transfer-encoding-in-http10" "the server sent Transfer-Encoding in HTTP/1.0", PEER_DEFECT;
        InvalidTransferEncoding "invalid-transfer-encoding"
            "the server sent a malformed Transfer-Encoding, or one that does not end in chunked", PEER_DEFECT;
        InvalidChunkSize "invalid-chunk-size" "the server sent a malformed chunk size", LENIENT;
        InvalidChunkExtension "invalid-chunk-extension" "the server sent a malformed chunk extension", PEER_DEFECT;
        InvalidChunkEnd "invalid-chunk-end" "the server sent a chunk that does not end where it said", PEER_DEFECT;
        InvalidTrailer "invalid-trailer" "the server sent a malformed trailer line", PEER_DEFECT;
        UnsolicitedOctets "unsolicited-octets" "the server sent something that was not asked for", PEER_DEFECT;
        UnsolicitedSwitch "unsolicited-switch" "the server switched the protocol without having been asked to", PEER_DEFECT;
    }
}

texts! {
    Incompatibility (
        /// What the server sent, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        Version "version" "the server answers in a version of HTTP other than 1", "talk to this server with another client";
        TransferCoding "transfer-coding" "the server sent a transfer coding other than chunked",
            "send no TE field; no server may send such a coding unasked";
        Http10Peer "http10-peer" "the server speaks only HTTP/1.0, which cannot take content of unknown length",
            "declare the content's length, or give the content whole";
    }
}

texts! {
    Limit (
        /// What there was too much of, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        HeadOctets "head-octets" "the heads of the response are too long",
            "if the server may send this much, raise limits.head-octets-max";
        FieldLines "field-lines" "the response has too many field lines",
            "if the server may send this many, raise limits.field-lines-max";
        InterimResponses "interim-responses" "the server sent too many interim responses",
            "if the server may send this many, raise limits.interim-responses-max";
        TrailerOctets "trailer-octets" "the trailer section of the response is too long",
            "if the server may send this much, raise limits.trailer-octets-max";
        ChunkExtensionOctets "chunk-extension-octets" "the chunk extensions of the response are too long",
            "if the server may send this much, raise limits.chunk-extension-octets-max";
        ContentOctets "content-octets" "the content of the response is longer than the request accepts",
            "if the server may send this much, raise request-options.content-octets-max";
        CollectOctets "collect-octets" "the content of the response is longer than what was to be collected",
            "collect more (the number given to collect, or request-options.collect-octets-max), or read it piece by piece";
        RequestHeadOctets "request-head-octets" "the head of the request is too long",
            "send less, or raise limits.request-head-octets-max";
        QueuedOctets "queued-octets" "too much content waits to be sent",
            "wait until some has left, stream it, or raise limits.queued-octets-max";
        QueueLength "queue-length" "too many requests wait to be sent",
            "wait until some have left, or raise queue-length-max of limits, or of poll-options";
        Subscriptions "subscriptions" "a subscription has not been given back, or too many have not", "give its pollables back";
    }
}

texts! {
    Ending (
        /// How the connection ended, as a clause.
        what
    ) {
        Ended "ended" "the server closed the connection in the middle";
        Reset "reset" "the connection was reset in the middle";
        Truncated "truncated" "the connection ended without the end of TLS: something may have cut the rest off";
    }
}

texts! {
    Timer (
        /// What took too long, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        Queue "queue" "the request waited too long for its turn", "open more connections, or raise deadlines.queue";
        Connect "connect" "it took too long to establish the connection",
            "check the address, and whether something drops the packets; or raise deadlines.connect";
        AwaitContinue "await-continue" "the server did not say in time whether it wants the content", "raise deadlines.await-continue";
        FirstOctet "first-octet" "the server did not begin to answer in time", "if it may take longer, raise deadlines.first-octet";
        BetweenOctets "between-octets" "nothing moved for too long in the middle of a message",
            "if it may take longer, raise deadlines.between-octets";
        Total "total" "the exchange as a whole took too long", "if it may take longer, raise deadlines.total";
        Idle "idle" "the connection had nothing to do for too long", CONNECT_AGAIN;
        Drain "drain" "the rest of a cancelled response took too long to be read away", CONNECT_AGAIN;
        Lifetime "lifetime" "the connection is as old as it may be: its lifetime is over", CONNECT_AGAIN;
    }
}

texts! {
    CloseReason (
        /// Why the connection, or the exchange, had ended, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        Shutdown "shutdown" "the connection has been shut down and takes no more requests", CONNECT_AGAIN;
        Local "local" "the connection has been closed by this side", CONNECT_AGAIN;
        Dropped "dropped" "the connection's handle has been dropped", "keep the connection for as long as its exchanges";
        Cancelled "cancelled" "the exchange was cancelled", "nothing, if that was the intention";
        LocalOption "local-option" "this side announced that the connection ends after an earlier request", CONNECT_AGAIN;
        PeerOption "peer-option" "the server announced that the connection ends after an earlier response", CONNECT_AGAIN;
        PeerEnded "peer-ended" "the server closed the connection between two responses", CONNECT_AGAIN;
        UntilClose "until-close" "an earlier response lasts until the connection closes, so that none can follow", CONNECT_AGAIN;
        Switched "switched" "the connection has become a tunnel", CONNECT_AGAIN;
        EarlyResponse "early-response" "the server answered before it had all of the request, and does not want the rest",
            "read the response: it says why";
        Abandoned "abandoned" "the connection was given up together with an exchange that was half-sent or half-read", CONNECT_AGAIN;
        Idle "idle" "the connection had no request for too long, or its place was needed", CONNECT_AGAIN;
        Lifetime "lifetime" "the connection had lived as long as it may", CONNECT_AGAIN;
        NetworkChanged "network-changed" "the pool was told that the network has changed", CONNECT_AGAIN;
        Taken "taken" "the connection's transport was taken from it", CONNECT_AGAIN;
    }
}

texts! {
    DnsProblem (
        /// What the resolver said, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        NotFound "not-found" "the host's name has no address", "check the spelling of the name";
        TemporaryFailure "temporary-failure" "the host's name could not be looked up for now", "try again later; check the network";
        PermanentFailure "permanent-failure" "the host's name could not be looked up", "check the resolver of this machine";
    }
}

texts! {
    ConnectProblem (
        /// What the network said, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        Refused "refused" "nothing listens at that address and port", "check the port, and that the server runs";
        Unreachable "unreachable" "there is no way to that address", "check the address and the network";
        TimedOut "timed-out" "the address does not answer", "check the address, and whether something drops the packets";
        Reset "reset" "the connection was reset before it was established", "try again; something in between may forbid it";
        Exhausted "exhausted" "there is no socket, port or memory left for another connection",
            "close connections, or raise sockets_max of the sandbox and the limits of the process";
        Other "other" "the connection could not be established", "check the network";
    }
}

texts! {
    TlsProblem (
        /// What failed, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        Unavailable "unavailable" "this build of the component has no TLS",
            "use http://, put a proxy that does TLS in between, or give the component a stream that the host has secured";
        NotTls "not-tls" "the server does not speak TLS", "check the port and the scheme";
        NoAgreement "no-agreement" "the server and this side have no version, suite, group or signature algorithm in common",
            "check what the server offers; it may be too old";
        ProtocolNotSpoken "protocol-not-spoken" "the server wants another protocol than HTTP/1.1",
            "check what is offered by ALPN, and whether the server speaks HTTP/1.1";
        CertificateExpired "certificate-expired" "a certificate of the server has expired",
            "ask whoever runs the server; check the clock of this machine";
        CertificateNotYetValid "certificate-not-yet-valid" "a certificate of the server is not valid yet",
            "check the clock of this machine; ask whoever runs the server";
        CertificateName "certificate-name" "the server's certificate is for another name", "check the name; this may be another server";
        CertificateIssuer "certificate-issuer" "the issuer of the server's certificate is not known",
            "give its certificate as a trust anchor, if you trust it; the server may lack an intermediate certificate";
        CertificateSelfSigned "certificate-self-signed" "the server's certificate has signed itself, and is no trust anchor",
            "give it as a trust anchor, if you know that it is the server's";
        CertificateKey "certificate-key" "a key or a signature in the server's chain is too weak, or of a kind that is not accepted",
            "ask whoever runs the server for a certificate with a key of today";
        CertificateUse "certificate-use" "a certificate in the server's chain may not be used for this", "ask whoever runs the server";
        CertificateMalformed "certificate-malformed" "a certificate of the server cannot be read, or its signature is wrong",
            "this may be another server; ask whoever runs it";
        Pin "pin" "no key in the server's chain is one that was pinned", "this may be another server; do not go on";
        Alert "alert" "the server ended TLS with an alert", "check what the server asks for, such as a client certificate";
        HandshakeEnded "handshake-ended" "the server ended the connection during the handshake",
            "check that it speaks TLS at this port; try again";
        Renegotiation "renegotiation" "the server insists on another handshake", "ask whoever runs the server";
        RecordTooLong "record-too-long" "the server sent a record that is longer than TLS allows", PEER_DEFECT;
        RecordCorrupt "record-corrupt" "what the server sent cannot be decrypted", "something in between may have changed it; try again";
        Protocol "protocol" "the server broke a rule of TLS", PEER_DEFECT;
        Host "host" "the TLS of the host failed", "see its words; check the certificates that the host trusts";
    }
}

texts! {
    Denial (
        /// What the host forbade, as a clause.
        what,
        /// What to do about it.
        advice
    ) {
        NameLookup "name-lookup" "the host's policy does not allow this name, or what it resolves to",
            "allow the name and the port, if it is to be reached";
        Connect "connect" "the host's policy does not allow to connect to this address",
            "allow the name or the address, with its port, if it is to be reached";
        AnyCertificate "any-certificate" "the host's policy does not allow to accept any certificate",
            "give the server's certificate, or its issuer's, as a trust anchor instead";
        KeyLog "key-log" "the host's policy does not allow to note the secrets of TLS", "allow it, if others may read what is exchanged";
    }
}

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

texts! { Side () { Local "local"; Peer "peer"; Transport "transport"; } }
texts! { HttpVersion (/** As the first line of a message writes it. */ text) { Http09 "http09" "HTTP/0.9"; Http10 "http10" "HTTP/1.0"; Http11 "http11" "HTTP/1.1"; Http2 "http2" "HTTP/2"; } }
texts! { Persistence () { Close "close"; Assume "assume"; Learn "learn"; } }
texts! { PersistenceLearnt () { Unknown "unknown"; Closing "closing"; Sequential "sequential"; Pipelining "pipelining"; } }
texts! { ConnState () { Connecting "connecting"; Open "open"; Closing "closing"; Closed "closed"; } }

impl Error {
    /// The case as the WIT package writes it, such as `peer-misbehaved`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ApiMisuse(_) => "api-misuse",
            Self::PeerMisbehaved(_) => "peer-misbehaved",
            Self::PeerIncompatible(_) => "peer-incompatible",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Incomplete(_) => "incomplete",
            Self::TimedOut(_) => "timed-out",
            Self::Closed(_) => "closed",
            Self::Dns(_) => "dns",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Denied(_) => "denied",
            Self::Internal => "internal",
        }
    }

    /// The case inside, as the WIT package writes it, such as `invalid-status-line`. `None`: `internal` has none.
    pub const fn detail(&self) -> Option<&'static str> {
        Some(match self {
            Self::ApiMisuse(case) => case.name(),
            Self::PeerMisbehaved(case) => case.name(),
            Self::PeerIncompatible(case) => case.name(),
            Self::LimitExceeded(case) => case.name(),
            Self::Incomplete(case) => case.name(),
            Self::TimedOut(case) => case.name(),
            Self::Closed(case) => case.name(),
            Self::Dns(case) => case.name(),
            Self::Connect(case) => case.name(),
            Self::Tls(case) => case.name(),
            Self::Denied(case) => case.name(),
            Self::Internal => return None,
        })
    }

    /// What happened, as a clause.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::ApiMisuse(case) => case.what(),
            Self::PeerMisbehaved(case) => case.what(),
            Self::PeerIncompatible(case) => case.what(),
            Self::LimitExceeded(case) => case.what(),
            Self::Incomplete(case) => case.what(),
            Self::TimedOut(case) => case.what(),
            Self::Closed(case) => case.what(),
            Self::Dns(case) => case.what(),
            Self::Connect(case) => case.what(),
            Self::Tls(case) => case.what(),
            Self::Denied(case) => case.what(),
            Self::Internal => "the component found itself in a state that it must not have, and gave this connection up",
        }
    }

    /// What to do about it, as a sentence without a full stop.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::ApiMisuse(case) => case.advice(),
            Self::PeerMisbehaved(case) => case.advice(),
            Self::PeerIncompatible(case) => case.advice(),
            Self::LimitExceeded(case) => case.advice(),
            Self::Incomplete(_) => CONNECT_AGAIN,
            Self::TimedOut(case) => case.advice(),
            Self::Closed(case) => case.advice(),
            Self::Dns(case) => case.advice(),
            Self::Connect(case) => case.advice(),
            Self::Tls(case) => case.advice(),
            Self::Denied(case) => case.advice(),
            Self::Internal => "please report it, with the connection's log; other connections are not affected",
        }
    }

    /// What happened, and the case for whoever looks it up: `the server sent … [peer-misbehaved(invalid-status-line)]`.
    pub fn sentence(&self) -> String {
        format!("{} [{}]", self.what(), self.case())
    }

    /// The case with the one inside, as the WIT package's documents write them: `peer-misbehaved(invalid-status-line)`.
    pub fn case(&self) -> String {
        match self.detail() {
            Some(detail) => format!("{}({detail})", self.name()),
            None => self.name().to_owned(),
        }
    }
}

/// Two errors are equal when they are the same case.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.detail() == other.detail()
    }
}

impl Eq for Error {}

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::types::Failure;

    const WIT: &str = include_str!("../../wit/types.wit");

    /// The cases of an enum or variant of `types.wit`, in order, without what is inside them.
    fn cases(wit_type: &str) -> Vec<String> {
        let begin = [format!("enum {wit_type} {{"), format!("variant {wit_type} {{")];
        let from = begin.iter().find_map(|begin| WIT.find(begin).map(|at| at + begin.len())).expect(wit_type);
        let body = WIT[from..].split('}').next().unwrap();
        let code = body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("///"));
        code.map(|line| line.split(['(', ',']).next().unwrap().to_owned()).collect()
    }

    #[test]
    fn leniencies_are_named_as_the_wit_does() {
        let body = WIT.split("flags leniency {").nth(1).unwrap().split("    }\n").next().unwrap();
        let code = body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("///"));
        let named: Vec<&str> = crate::types::Leniency::NAMES.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, code.map(|line| line.trim_end_matches(',')).collect::<Vec<_>>());
    }

    /// Every error there is.
    fn all_errors() -> Vec<Error> {
        let mut errors = vec![Error::Internal];
        errors.extend(Misuse::ALL.iter().copied().map(Error::ApiMisuse));
        errors.extend(Misbehaviour::ALL.iter().copied().map(Error::PeerMisbehaved));
        errors.extend(Incompatibility::ALL.iter().copied().map(Error::PeerIncompatible));
        errors.extend(Limit::ALL.iter().copied().map(Error::LimitExceeded));
        errors.extend(Ending::ALL.iter().copied().map(Error::Incomplete));
        errors.extend(Timer::ALL.iter().copied().map(Error::TimedOut));
        errors.extend(CloseReason::ALL.iter().copied().map(Error::Closed));
        errors.extend(DnsProblem::ALL.iter().copied().map(Error::Dns));
        errors.extend(ConnectProblem::ALL.iter().copied().map(Error::Connect));
        errors.extend(TlsProblem::ALL.iter().copied().map(Error::Tls));
        errors.extend(Denial::ALL.iter().copied().map(Error::Denied));
        errors
    }

    #[test]
    fn the_tables_name_the_cases_as_the_wit_does() {
        macro_rules! same {
            ($($case:ident $wit:literal)*) => {$(
                assert_eq!($case::ALL.iter().map(|case| case.name()).collect::<Vec<_>>(), cases($wit), $wit);
            )*};
        }
        same! {
            Misuse "misuse" Misbehaviour "misbehaviour" Incompatibility "incompatibility" Limit "limit" Ending "ending" Timer "timer"
            CloseReason "close-reason" DnsProblem "dns-problem" ConnectProblem "connect-problem" TlsProblem "tls-problem" Denial "denial"
            Delivery "delivery" Phase "phase" Side "side" HttpVersion "http-version" Persistence "persistence"
            PersistenceLearnt "persistence-learnt" ConnState "conn-state"
        }
    }

    #[test]
    fn the_cases_of_error_are_named_as_the_wit_does() {
        let named: BTreeSet<String> = all_errors().iter().map(|error| error.name().to_owned()).collect();
        assert_eq!(named, cases("error").into_iter().collect());
    }

    #[test]
    fn log_events_are_named_as_the_wit_does() {
        let failure = || Failure {
            error: Error::Internal,
            delivery: Delivery::NotSent,
            phase: Phase::Queued,
            side: Side::Local,
            octets_sent: 0,
            octets_received: 0,
            connection: 0,
        };
        let head = || crate::ResponseHead { version: HttpVersion::Http11, status: 200, reason: Vec::new(), fields: Vec::new() };
        let events = [
            LogEvent::Resolved(1),
            LogEvent::Connecting(String::new()),
            LogEvent::ConnectFailed(Error::Internal),
            LogEvent::Connected(String::new()),
            LogEvent::Secured,
            LogEvent::Queued((String::new(), String::new())),
            LogEvent::RequestHead(Vec::new()),
            LogEvent::RequestContent(0),
            LogEvent::RequestEnd,
            LogEvent::Wrote(0),
            LogEvent::Read(0),
            LogEvent::Interim(head()),
            LogEvent::Head(head()),
            LogEvent::Content(0),
            LogEvent::End(Vec::new()),
            LogEvent::Learnt(PersistenceLearnt::Unknown),
            LogEvent::Tunnel,
            LogEvent::Cancelled,
            LogEvent::Failed(failure()),
            LogEvent::Closing(Error::Internal),
            LogEvent::Closed(Error::Internal),
        ];
        assert_eq!(events.iter().map(LogEvent::name).collect::<Vec<_>>(), cases("log-event"));
    }

    #[test]
    fn every_error_has_words_of_its_own() {
        let errors = all_errors();
        let whats: BTreeSet<&str> = errors.iter().map(Error::what).collect();
        assert_eq!(whats.len(), errors.len());
        let cases: BTreeSet<String> = errors.iter().map(Error::case).collect();
        assert_eq!(cases.len(), errors.len());
        for error in &errors {
            let (what, advice) = (error.what(), error.advice());
            assert!(!what.ends_with('.') && !advice.ends_with('.') && !advice.is_empty(), "{error:?}");
            assert!(what.starts_with(|first: char| first.is_ascii_lowercase() || first == '1'), "{error:?}");
            assert_eq!(errors.iter().filter(|other| *other == error).count(), 1, "{error:?}");
        }
    }
}
