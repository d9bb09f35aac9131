//! What happened to a connection below HTTP: names, addresses, TLS, deadlines, ends.

use super::{CONNECT_AGAIN, PEER_DEFECT};
use crate::types::{CloseReason, ConnectProblem, Denial, DnsProblem, Ending, Timer, TlsProblem};

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
        Queue "queue" "the request waited too long for its turn", "open more connections, or raise the deadline queue";
        Connect "connect" "it took too long to establish the connection",
            "check the address, and whether something drops the packets; or raise the deadline connect";
        AwaitContinue "await-continue" "the server did not say in time whether it wants the content", "raise the deadline await-continue";
        FirstOctet "first-octet" "the server did not begin to answer in time", "if it may take longer, raise the deadline first-octet";
        BetweenOctets "between-octets" "nothing moved for too long in the middle of a message",
            "if it may take longer, raise the deadline between-octets";
        Total "total" "the exchange as a whole took too long", "if it may take longer, raise the deadline total";
        Idle "idle" "the connection had nothing to do for too long", CONNECT_AGAIN;
        Drain "drain" "the rest of a cancelled response took too long to be read away", CONNECT_AGAIN;
        Lifetime "lifetime" "the connection is as old as it may be: its lifetime is over", CONNECT_AGAIN;
        PipelineStall "pipeline-stall" "the server did not answer a request that was sent behind another one",
            "send one request at a time (limit outstanding, 1); or raise the deadline pipeline-stall";
        Settings "settings" "the server did not send its settings in time", "if it may take longer, raise the deadline settings";
        Ping "ping" "the server did not answer a ping in time", CONNECT_AGAIN;
        KeepAlive "keep-alive" "the connection was silent for long enough to be asked for a sign of life", CONNECT_AGAIN;
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
        StreamsExhausted "streams-exhausted" "the connection has used up the numbers of its streams", CONNECT_AGAIN;
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
        Request "request" "the host's policy does not allow this request", "allow it, if it is to be sent";
    }
}
