//! What the caller did, what a message of the server is, and which limit was reached.

use super::{CONNECT_AGAIN, FIX_CALL, LENIENT, PEER_DEFECT};
use crate::types::{Incompatibility, Leniency, Limit, Misbehaviour, Misuse};

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
        BehindUnreadResponse "behind-unread-response"
            "an earlier response of the connection is not being read, and this one comes after it",
            "read or cancel the earlier exchange first";
        ContentUnfinished "content-unfinished" "the whole response was asked for before all of the content was given",
            "write the content and finish it, then collect; the exchange goes on";
        Tunnel "tunnel" "the whole response was asked for on a tunnel, which has no end", "read and write instead; the tunnel goes on";
        InvalidOption "invalid-option" "an option is outside its range, or is none of this call", "see the ranges in wit/types.wit";
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
        Secured "secured" "the connection's transport cannot be taken: its keys stay in the component", "exchange octets through the tunnel";
        ConnectionSpecificField "connection-specific-field" "a field is about the connection, which HTTP/2 forbids", FIX_CALL;
        Multiplexed "multiplexed" "the connection's transport cannot be taken: the exchanges of HTTP/2 share it",
            "exchange octets through the tunnel, which is one of them";
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
        InvalidStatusCode "invalid-status-code" "the server sent a status code that is not 100 to 999", PEER_DEFECT;
        InvalidLineEnding "invalid-line-ending" "the server ended a line of the head in something else than CR LF", LENIENT;
        InvalidFieldLine "invalid-field-line" "the server sent a malformed field line", LENIENT;
        InvalidFieldValue "invalid-field-value" "the server sent a field value with a control character in it", LENIENT;
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
        InvalidTrailer "invalid-trailer" "the server sent a malformed trailer line", LENIENT;
        UnsolicitedOctets "unsolicited-octets" "the server sent something that was not asked for", PEER_DEFECT;
        UnsolicitedSwitch "unsolicited-switch" "the server switched the protocol without having been asked to", PEER_DEFECT;
        NotHttp2 "not-http2" "the server does not answer in HTTP/2", "check the port and the scheme; or allow HTTP/1.1";
        FrameSize "frame-size" "the server sent a frame of a size that HTTP/2 does not allow", PEER_DEFECT;
        UnexpectedFrame "unexpected-frame" "the server sent a frame of HTTP/2 where none of its type may stand", PEER_DEFECT;
        StreamClosed "stream-closed" "the server sent a frame on a stream of HTTP/2 that is closed", PEER_DEFECT;
        InvalidSettings "invalid-settings" "the server sent a setting of HTTP/2 that is not allowed", PEER_DEFECT;
        FlowControl "flow-control" "the server sent more content than the windows of HTTP/2 allow", PEER_DEFECT;
        Compression "compression" "the server sent a field block of HTTP/2 that cannot be decompressed", PEER_DEFECT;
        InvalidPseudoField "invalid-pseudo-field" "the server sent a head of HTTP/2 with a wrong pseudo-field", PEER_DEFECT;
        ConnectionField "connection-field" "the server sent a field in HTTP/2 that is about the connection", PEER_DEFECT;
        UnexpectedHead "unexpected-head" "the server sent a head of HTTP/2 where none may stand", PEER_DEFECT;
        ContentLengthMismatch "content-length-mismatch" "the server sent content of another length than it declared", PEER_DEFECT;
        Push "push" "the server pushed a response, which it was told not to", PEER_DEFECT;
    }
}

impl Misbehaviour {
    /// Leniencies of a connection of which one may tolerate it. Empty: none does.
    pub fn leniency(self) -> Leniency {
        match self {
            Self::NotHttp => Leniency::LEADING_EMPTY_LINE | Leniency::HTTP09,
            Self::InvalidLineEnding => Leniency::BARE_LF,
            Self::InvalidFieldLine => Leniency::SPACE_BEFORE_COLON | Leniency::SKIP_INVALID_LINES,
            Self::InvalidFieldValue => Leniency::SKIP_INVALID_LINES,
            Self::LineFolding => Leniency::LINE_FOLDING,
            Self::ConflictingContentLength => Leniency::EQUAL_CONTENT_LENGTHS,
            Self::InvalidChunkSize => Leniency::SPACE_AFTER_CHUNK_SIZE,
            Self::InvalidTrailer => Leniency::LINE_FOLDING | Leniency::SPACE_BEFORE_COLON | Leniency::SKIP_INVALID_LINES,
            Self::InvalidStatusLine
            | Self::InvalidStatusCode
            | Self::InvalidContentLength
            | Self::TransferEncodingWithContentLength
            | Self::TransferEncodingInHttp10
            | Self::InvalidTransferEncoding
            | Self::InvalidChunkExtension
            | Self::InvalidChunkEnd
            | Self::UnsolicitedOctets
            | Self::UnsolicitedSwitch
            | Self::NotHttp2
            | Self::FrameSize
            | Self::UnexpectedFrame
            | Self::StreamClosed
            | Self::InvalidSettings
            | Self::FlowControl
            | Self::Compression
            | Self::InvalidPseudoField
            | Self::ConnectionField
            | Self::UnexpectedHead
            | Self::ContentLengthMismatch
            | Self::Push => Leniency::empty(),
        }
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
        Http11Required "http11-required" "the server asks for HTTP/1.1 in place of HTTP/2", "allow HTTP/1.1 for this server";
        NotHttp2 "not-http2" "the server does not speak HTTP/2, and no other protocol is allowed", "allow HTTP/1.1 for this server";
        ExtendedConnect "extended-connect" "the connection cannot carry an extended CONNECT", "use an upgrade of HTTP/1.1";
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
            "if the server may send this much, raise the limit head-octets";
        FieldLines "field-lines" "the response has too many field lines",
            "if the server may send this many, raise the limit field-lines";
        InterimResponses "interim-responses" "the server sent too many interim responses",
            "if the server may send this many, raise the limit interim-responses";
        TrailerOctets "trailer-octets" "the trailer section of the response is too long",
            "if the server may send this much, raise the limit trailer-octets";
        ChunkExtensionOctets "chunk-extension-octets" "the chunk extensions of the response are too long",
            "if the server may send this much, raise the limit chunk-extension-octets";
        ContentOctets "content-octets" "the content of the response is longer than the request accepts",
            "if the server may send this much, raise the limit content-octets of the request";
        CollectOctets "collect-octets" "the content of the response is longer than what was to be collected",
            "collect more (the number given to collect or to fetch-all), or read it piece by piece";
        RequestHeadOctets "request-head-octets" "the head of the request is too long",
            "send less, or raise the limit request-head-octets";
        QueuedOctets "queued-octets" "too much content waits to be sent",
            "wait until some has left, stream it, or raise the limit queued-octets";
        QueueLength "queue-length" "too many requests wait to be sent",
            "wait until some have left, or raise the limit queue-length of the connection, or of the poll";
        Subscriptions "subscriptions" "a subscription has not been given back, or too many have not", "give its pollables back";
        ReceiveBufferOctets "receive-buffer-octets" "too much content waits to be read", "read it; no exchange fails by this limit";
        SendBufferOctets "send-buffer-octets" "too many octets wait to leave", "wait until some have left; no exchange fails by this limit";
        DrainOctets "drain-octets" "the rest of a cancelled response was too long to be read away", CONNECT_AGAIN;
        Requests "requests" "the connection has carried as many requests as it may", CONNECT_AGAIN;
        Outstanding "outstanding" "as many requests are on the wire as may be", "wait; no exchange fails by this limit";
        LogEntries "log-entries" "the log holds as many entries as it may", "take entries more often; no exchange fails by this limit";
        Connections "connections" "the pool has as many connections as it may", "wait; no exchange fails by this limit";
        ConnectionsPerOrigin "connections-per-origin" "the pool has as many connections to the origin as it may",
            "wait; no exchange fails by this limit";
        IdleConnections "idle-connections" "the pool keeps as many idle connections as it may", "wait; no exchange fails by this limit";
        Retries "retries" "the request was sent again as often as it may be", "whether to repeat it is a question of its delivery";
        CompletionOctets "completion-octets" "the completions that were not taken are as long as they may be", "take completions";
        Memory "memory" "the component has used the memory that it may use", "read what has come, or give the component more memory";
        Streams "streams" "the connection has as many streams as it may", "wait until some have ended";
        StreamWindowOctets "stream-window-octets" "the window of the stream is full", "read what has come";
        UselessFrames "useless-frames" "the server sent too many frames that bring nothing on", PEER_DEFECT;
        Http2ConnectionsPerOrigin "http2-connections-per-origin" "the pool has as many HTTP/2 connections to the origin as it may",
            "wait; no exchange fails by this limit";
    }
}
