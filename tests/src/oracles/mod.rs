//! What must hold for any octets at all. Each oracle takes octets that somebody else chose, a fuzzer or the corpus in `fuzz/corpus`, and panics
//! where its law is broken.
//!
//! | module | law |
//! |---|---|
//! | [`responses`] | the same octets give the same story however they are cut, and every time; nothing comes behind an error; memory is bounded |
//! | [`chunks`] | the decoder of the chunked coding does as one that is written from the grammar does |
//! | [`requests`] | a request that is accepted is read back as it was given, by two parsers that share nothing with us; one that is refused leaves nothing on the wire |
//! | [`calls`] | whatever the caller, the network and the server do, what [`simulation`](crate::simulation) looks at holds |
//! | [`mod@tls`] | what is heard behind TLS was said by the server, in its order, whatever is changed on its way; nothing leaves before the handshake is over; memory is bounded |

pub mod calls;
pub mod chunks;
pub mod requests;
pub mod responses;
pub mod tls;

/// An oracle.
pub type Oracle = fn(&[u8]);

/// All of them, by the names of their fuzz targets.
pub const ALL: [(&str, Oracle); 5] = [
    ("calls", calls::check),
    ("chunks", chunks::check),
    ("requests", requests::check),
    ("responses", responses::check),
    ("tls", tls::check),
];
