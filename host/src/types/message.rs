//! Requests made in one expression, and fields looked up in what comes back.

use crate::types::{
    Completion, FieldLine, PackedCompletion, PackedHead, PackedResponse, Request, RequestContent, RequestOptions, Response,
    ResponseHead,
};

impl Request {
    /// A request without field lines, content or options. `method` and `request_target` are sent as they are: see
    /// `request` in `wit/types.wit`.
    pub fn new(method: impl Into<String>, request_target: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            request_target: request_target.into(),
            authority: None,
            fields: Vec::new(),
            content: RequestContent::None,
            options: None,
        }
    }

    /// A `GET`.
    pub fn get(request_target: impl Into<String>) -> Self {
        Self::new("GET", request_target)
    }

    /// A `HEAD`.
    pub fn head(request_target: impl Into<String>) -> Self {
        Self::new("HEAD", request_target)
    }

    /// A `POST` with all of its content.
    pub fn post(request_target: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", request_target).with_content(content)
    }

    /// A `PUT` with all of its content.
    pub fn put(request_target: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self::new("PUT", request_target).with_content(content)
    }

    /// A `DELETE`.
    pub fn delete(request_target: impl Into<String>) -> Self {
        Self::new("DELETE", request_target)
    }

    /// Adds a field line after those that are there.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Sets the content, whole.
    #[must_use]
    pub fn with_content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = RequestContent::Whole(content.into());
        self
    }

    /// Declares the content's length, in octets; it follows through [`Exchange::write`](crate::Exchange::write).
    #[must_use]
    pub fn with_content_length(mut self, octets: u64) -> Self {
        self.content = RequestContent::Length(octets);
        self
    }

    /// Declares content of unknown length; it follows through [`Exchange::write`](crate::Exchange::write), in the
    /// chunked coding.
    #[must_use]
    pub fn with_streamed_content(mut self) -> Self {
        self.content = RequestContent::UnknownLength;
        self
    }

    /// Sets the value of `Host`, `host[:port]`, instead of that of the connection's endpoint.
    #[must_use]
    pub fn with_authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Sets the options, in place of those that are there.
    #[must_use]
    pub fn with_options(mut self, options: RequestOptions) -> Self {
        self.options = Some(options);
        self
    }
}

impl ResponseHead {
    /// The values of every field line of this name, in the order of the wire. Letter case does not matter.
    pub fn field<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        fields_named(&self.fields, name)
    }

    /// The reason phrase as text, octets that are not UTF-8 replaced.
    pub fn reason_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.reason)
    }
}

impl Response {
    /// As [`ResponseHead::field`], in the final head.
    pub fn field<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.head.field(name)
    }
}

impl PackedHead {
    /// The reason phrase.
    pub fn reason(&self) -> &[u8] {
        match self.rows() {
            [[_, _, start, end], ..] => self.part(*start, *end),
            [] => &[],
        }
    }

    /// Every field line, name and value, in the order and letter case of the wire.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let rows = self.rows().get(1..).unwrap_or_default();
        rows.iter().map(|[name, name_end, value, value_end]| {
            // Names are tokens, which are ASCII (RFC 9110 §5.1).
            let name = std::str::from_utf8(self.part(*name, *name_end)).unwrap_or_default();
            (name, self.part(*value, *value_end))
        })
    }

    /// As [`ResponseHead::field`].
    pub fn field<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The same with a list for each part.
    pub fn unpacked(&self) -> ResponseHead {
        let fields = self.fields().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        ResponseHead { version: self.version, status: self.status, reason: self.reason().to_owned(), fields }
    }

    /// The places of the status line and its reason phrase, then those of each field line's name and value.
    fn rows(&self) -> &[[u32; 4]] {
        self.places.as_chunks().0
    }

    /// Nothing where a component gives places outside its octets.
    fn part(&self, start: u32, end: u32) -> &[u8] {
        self.octets.get(start as usize..end as usize).unwrap_or_default()
    }
}

impl PackedResponse {
    /// As [`ResponseHead::field`], in the final head.
    pub fn field<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.head.field(name)
    }

    /// The same with a list for each part of the head.
    pub fn unpacked(self) -> Response {
        let Self { interim, head, content, trailers } = self;
        let interim = interim.iter().map(PackedHead::unpacked).collect();
        Response { interim, head: head.unpacked(), content, trailers }
    }
}

impl PackedCompletion {
    /// The same with a list for each part of the head.
    pub fn unpacked(self) -> Completion {
        let Self { token, outcome, connection, retries, timing } = self;
        Completion { token, outcome: outcome.map(PackedResponse::unpacked), connection, retries, timing }
    }
}

/// The values of every field line of this name, in order. Letter case does not matter (RFC 9110 §5.1).
pub fn fields_named<'a>(fields: &'a [FieldLine], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::HttpVersion;

    #[test]
    fn a_lookup_gives_every_line_whatever_its_case() {
        let fields = vec![
            ("Set-Cookie".to_owned(), b"a=1".to_vec()),
            ("Date".to_owned(), b"now".to_vec()),
            ("set-cookie".to_owned(), b"b=2".to_vec()),
        ];
        assert_eq!(fields_named(&fields, "SET-COOKIE").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(fields_named(&fields, "Set").count(), 0);
    }

    #[test]
    fn a_packed_head_says_what_its_lists_say() {
        let octets = b"HTTP/1.1 200 OK\r\nA: b\r\na:\r\n\r\n".to_vec();
        let head = PackedHead {
            version: HttpVersion::Http11,
            status: 200,
            octets,
            places: vec![0, 15, 13, 15, 17, 18, 20, 21, 23, 24, 25, 25],
        };
        assert_eq!(head.reason(), b"OK");
        assert_eq!(head.fields().collect::<Vec<_>>(), [("A", &b"b"[..]), ("a", b"")]);
        assert_eq!(head.field("A").collect::<Vec<_>>(), [&b"b"[..], b""]);
        let unpacked = head.unpacked();
        assert_eq!((unpacked.status, &unpacked.reason[..]), (200, &b"OK"[..]));
        assert_eq!(unpacked.fields, [("A".to_owned(), b"b".to_vec()), ("a".to_owned(), Vec::new())]);
    }

    #[test]
    fn places_outside_the_octets_delimit_nothing() {
        let places = vec![0, 3, 9, 2, 0, 400, 1, u32::MAX, 3];
        let head = PackedHead { version: HttpVersion::Http11, status: 200, octets: b"abc".to_vec(), places };
        assert_eq!(head.reason(), b"");
        assert_eq!(head.fields().collect::<Vec<_>>(), [("", &b""[..])]);
    }

    #[test]
    fn a_builder_keeps_order_and_duplicates() {
        let request = Request::post("/p", "hi").with_field("A", "1").with_field("a", b"2".to_vec()).with_authority("h:1");
        assert_eq!(request.method, "POST");
        assert_eq!(request.fields, [("A".to_owned(), b"1".to_vec()), ("a".to_owned(), b"2".to_vec())]);
        assert!(matches!(request.content, RequestContent::Whole(ref octets) if octets == b"hi"));
        assert_eq!(request.authority.as_deref(), Some("h:1"));
    }
}
