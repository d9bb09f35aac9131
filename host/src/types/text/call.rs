//! What the caller did, what a message of the server is, and which limit was reached.

use super::{FIX_CALL, LENIENT, PEER_DEFECT};
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
        Secured "secured" "the connection's transport cannot be taken: its keys stay in the component", "exchange octets through the tunnel";
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
            | Self::UnsolicitedSwitch => Leniency::empty(),
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
            "collect more (the number given to collect or to fetch-all), or read it piece by piece";
        RequestHeadOctets "request-head-octets" "the head of the request is too long",
            "send less, or raise limits.request-head-octets-max";
        QueuedOctets "queued-octets" "too much content waits to be sent",
            "wait until some has left, stream it, or raise limits.queued-octets-max";
        QueueLength "queue-length" "too many requests wait to be sent",
            "wait until some have left, or raise queue-length-max of limits, or of poll-options";
        Subscriptions "subscriptions" "a subscription has not been given back, or too many have not", "give its pollables back";
    }
}
