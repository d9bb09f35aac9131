//! The lines of a recording, as they are written and read.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// One line. `connection` and `lookup` count from 1 in the order in which they began; `time_ns` is in nanoseconds, since the
/// connection or lookup began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(super) enum Line {
    /// The first line.
    SandpiperRecording { version: u32 },
    /// A name is looked up.
    Lookup { lookup: u64, name: String },
    /// The component took the lookup's end: addresses, or an error code of `wasi:sockets`. `looks`: as for `Connected`.
    Answers {
        lookup: u64,
        time_ns: u64,
        looks: u64,
        addresses: Vec<IpAddr>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        error: Option<String>,
    },
    /// A TCP connection begins.
    Connect { connection: u64, address: SocketAddr },
    /// The caller gives a transport of its own for this authority.
    Handshake { connection: u64, authority: String },
    /// The TCP connection is established. `looks`: how often the component asked before, in vain.
    Connected { connection: u64, time_ns: u64, looks: u64, local: Option<SocketAddr>, remote: Option<SocketAddr> },
    /// The TCP connection cannot be established: an error code of `wasi:sockets`.
    NotConnected { connection: u64, time_ns: u64, looks: u64, error: String },
    /// The component wrote.
    Write { connection: u64, time_ns: u64, octets: Octets },
    /// The component read. `written`: octets that it had written by then; `looks`: how often it had tried to read, in vain,
    /// since it read something.
    Read { connection: u64, time_ns: u64, written: u64, looks: u64, octets: Octets },
    /// A read found the end.
    InputEnd { connection: u64, time_ns: u64, written: u64, looks: u64, how: How },
    /// A write, or the question whether there is room for one, found the end. `reads`: blocks, and an end, that had been read.
    OutputEnd { connection: u64, time_ns: u64, written: u64, reads: u64, how: How },
    /// The component closed the connection.
    Close { connection: u64, time_ns: u64 },
    /// The component got random octets. `instance` counts the instances of the sandbox, from 1, in the order in which they were made.
    Random { instance: u64, octets: Octets },
    /// The component asked for the date: seconds since 1970-01-01T00:00:00Z, and nanoseconds.
    Date { instance: u64, seconds: u64, nanoseconds: u32 },
    /// The last line.
    End { why: Why },
}

/// How a direction of a transport ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    /// In order: FIN, or a closed socket.
    Ended,
    /// By a failure of the transport, such as a reset.
    Reset,
}

/// Why a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Why {
    /// Everything is recorded.
    Complete,
    /// The recording reached its limit; what came later is missing.
    Limit,
}

/// Octets, in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Octets(pub(super) Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Every error code that connecting or a lookup can end with.
const CODES: [ErrorCode; 21] = [
    ErrorCode::Unknown,
    ErrorCode::AccessDenied,
    ErrorCode::NotSupported,
    ErrorCode::InvalidArgument,
    ErrorCode::OutOfMemory,
    ErrorCode::Timeout,
    ErrorCode::ConcurrencyConflict,
    ErrorCode::NotInProgress,
    ErrorCode::WouldBlock,
    ErrorCode::InvalidState,
    ErrorCode::NewSocketLimit,
    ErrorCode::AddressNotBindable,
    ErrorCode::AddressInUse,
    ErrorCode::RemoteUnreachable,
    ErrorCode::ConnectionRefused,
    ErrorCode::ConnectionReset,
    ErrorCode::ConnectionAborted,
    ErrorCode::DatagramTooLarge,
    ErrorCode::NameUnresolvable,
    ErrorCode::TemporaryResolverFailure,
    ErrorCode::PermanentResolverFailure,
];

/// The name of an error code, as in the WIT package.
pub(super) fn name_of(code: ErrorCode) -> String {
    code.name().to_owned()
}

/// The error code of this name.
pub(super) fn code_named(name: &str) -> Option<ErrorCode> {
    CODES.into_iter().find(|code| code.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_that_lead_back() {
        for code in CODES {
            assert_eq!(code_named(&name_of(code)), Some(code));
        }
        assert_eq!(code_named("no-such-code"), None);
    }

    #[test]
    fn lines_are_flat_objects() {
        let octets = Octets(b"\x00\xff".to_vec());
        let line = Line::Read { connection: 1, time_ns: 5, written: 7, looks: 0, octets };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(text, r#"{"what":"read","connection":1,"time_ns":5,"written":7,"looks":0,"octets":"AP8="}"#);
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
