//! The head of a response in one piece: its octets, and where its parts stand in them. A caller has types of its own for it; those of the
//! library for hosts have the same methods (`host/src/types/message.rs`).

use crate::types::{FieldLine, HttpVersion, PackedCompletion, PackedHead, PackedResponse, Response, ResponseHead};
use crate::wit::client::Completion;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The places of two parts: where each begins, and where it ends.
type Row = [u32; 4];

impl PackedHead {
    /// A head with these octets, of which all the others are parts.
    pub(crate) fn new<'a>(
        (version, status): (HttpVersion, u16),
        octets: &'a [u8],
        (status_line, reason): (&'a [u8], &'a [u8]),
        lines: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> PackedHead {
        let mut rows: Vec<Row> = Vec::with_capacity(1 + lines.len());
        rows.push(row(octets, status_line, reason));
        for (name, value) in lines {
            rows.push(row(octets, name, value));
        }
        PackedHead { version, status, octets: Vec::from(octets), places: rows.into_flattened() }
    }

    /// The head that an HTTP/0.9 response does not have.
    pub(crate) fn of_http09() -> PackedHead {
        PackedHead {
            version: HttpVersion::Http09,
            status: 200,
            octets: Vec::new(),
            places: vec![0; size_of::<Row>() / size_of::<u32>()],
        }
    }

    /// The reason phrase.
    pub fn reason(&self) -> &[u8] {
        match self.rows() {
            [[_, _, start, end], ..] => self.part(*start, *end),
            [] => &[],
        }
    }

    /// Each field line, name and value, in the order of the wire.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let places = self.rows().get(1..).unwrap_or_default();
        places.iter().map(|[name, name_end, value, value_end]| (self.part(*name, *name_end), self.part(*value, *value_end)))
    }

    /// The same with a list for each part.
    pub fn unpacked(&self) -> ResponseHead {
        let line = |(name, value): (&[u8], &[u8])| -> FieldLine { (text(name), Vec::from(value)) };
        let fields = self.lines().map(line).collect();
        ResponseHead { version: self.version, status: self.status, reason: Vec::from(self.reason()), fields }
    }

    /// The value of the first field line of that name, of those from the one with this number on, and the number of the one behind it. Names
    /// compare case-insensitively (RFC 9110 §5.1).
    pub(crate) fn find(&self, name: &str, from: usize) -> Option<(&[u8], usize)> {
        // The row of the status line is the first.
        let rows = self.rows().get(1 + from..)?;
        for ([start, end, value_start, value_end], next) in rows.iter().zip(from + 1..) {
            // Nearly all lines have another name, and of another length.
            if end.wrapping_sub(*start) as usize == name.len() && self.part(*start, *end).eq_ignore_ascii_case(name.as_bytes()) {
                return Some((self.part(*value_start, *value_end), next));
            }
        }
        None
    }

    fn rows(&self) -> &[Row] {
        self.places.as_chunks().0
    }

    fn part(&self, start: u32, end: u32) -> &[u8] {
        self.octets.get(start as usize..end as usize).unwrap_or_default()
    }
}

impl PackedResponse {
    /// The same with a list for each part of the head.
    pub fn unpacked(self) -> Response {
        let PackedResponse { interim, head, content, trailers } = self;
        let interim = interim.iter().map(PackedHead::unpacked).collect();
        Response { interim, head: head.unpacked(), content, trailers }
    }
}

impl PackedCompletion {
    /// The same with a list for each part of the head.
    pub fn unpacked(self) -> Completion {
        let PackedCompletion { token, outcome, connection, retries, timing } = self;
        Completion { token, outcome: outcome.map(PackedResponse::unpacked), connection, retries, timing }
    }
}

/// Heads are bounded by the limit `head-octets`, which is far below what a place can be.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
fn row(octets: &[u8], first: &[u8], second: &[u8]) -> Row {
    let places = |part: &[u8]| {
        let start = (part.as_ptr() as usize).wrapping_sub(octets.as_ptr() as usize) as u32;
        (start, start.wrapping_add(part.len() as u32))
    };
    let ((first, first_end), (second, second_end)) = (places(first), places(second));
    [first, first_end, second, second_end]
}

/// Names are tokens, which are ASCII.
fn text(name: &[u8]) -> String {
    core::str::from_utf8(name).unwrap_or_default().into()
}
