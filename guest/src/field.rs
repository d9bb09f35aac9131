//! Looking field lines up. A lookup gives all lines of a name, never the first alone: a second line that nobody looks at is how
//! two recipients come to read one message differently.

use crate::abnf::{is_ows, trim_ows};
use crate::types::PackedHead;

/// The values of all field lines of that name, in the order of the wire. Names compare case-insensitively (RFC 9110 §5.1).
pub fn values<'a>(head: &'a PackedHead, name: &'a str) -> Values<'a> {
    Values { head, name, from: 0 }
}

/// The values that are still to come.
pub struct Values<'a> {
    head: &'a PackedHead,
    name: &'a str,
    from: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (value, next) = self.head.find(self.name, self.from)?;
        self.from = next;
        Some(value)
    }
}

/// Is there a field line of that name?
pub fn contains(head: &PackedHead, name: &str) -> bool {
    values(head, name).next().is_some()
}

/// The members of the comma-separated list that the field lines of that name make together, without the whitespace around them.
///
/// Empty members are skipped, and a comma inside a quoted string separates nothing (RFC 9110 §5.3, §5.6.1.2, §5.6.4). A quoted
/// string that is not closed lasts to the end of its line.
pub fn list_members<'a>(head: &'a PackedHead, name: &'a str) -> ListMembers<'a> {
    ListMembers { lines: values(head, name), line: Members(&[]) }
}

/// The members that are still to come.
pub struct ListMembers<'a> {
    lines: Values<'a>,
    line: Members<'a>,
}

impl<'a> Iterator for ListMembers<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(member) = self.line.next() {
                return Some(member);
            }
            self.line = Members(self.lines.next()?);
        }
    }
}

/// The members of the comma-separated list that one field value makes, as [`list_members`] gives them.
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    Members(value)
}

/// The members of one line that are still to come.
struct Members<'a>(&'a [u8]);

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while let [first, tail @ ..] = self.0 {
            if *first == b',' || is_ows(*first) {
                self.0 = tail;
                continue;
            }
            let end = member_end(self.0);
            let (member, rest) = self.0.split_at_checked(end).unwrap_or((self.0, &[]));
            self.0 = rest;
            return Some(trim_ows(member));
        }
        None
    }
}

/// The offset of the first comma outside a quoted string, or of the end.
fn member_end(octets: &[u8]) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (offset, &octet) in octets.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return offset,
            _ => {}
        }
    }
    octets.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::parse::{HeadLimits, HeadParser};
    use crate::types::Leniency;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn fields(lines: &[(&str, &str)]) -> PackedHead {
        let lines: String = lines.iter().map(|(name, value)| [*name, ": ", *value, "\r\n"].concat()).collect();
        let head = ["HTTP/1.1 200 OK\r\n", &lines, "\r\n"].concat();
        let limits = HeadLimits { octets_max: head.len(), field_lines_max: 9 };
        HeadParser::default().parse(head.as_bytes(), &limits, Leniency::empty()).unwrap().unwrap().0
    }

    fn list<'a>(head: &'a PackedHead, name: &'a str) -> Vec<&'a str> {
        let text = |member| core::str::from_utf8(member).unwrap();
        list_members(head, name).map(text).collect()
    }

    #[test]
    fn field_names_compare_case_insensitively() {
        let fields = fields(&[("CONTENT-length", "1"), ("Content-Lengthy", "2")]);
        assert!(contains(&fields, "content-length"));
        assert_eq!(values(&fields, "Content-Length").collect::<Vec<_>>(), [b"1"]);
        assert!(!contains(&fields, "content"));
    }

    #[test]
    fn a_lookup_gives_every_line_in_the_order_of_the_wire() {
        let fields = fields(&[("Set-Cookie", "a"), ("x", "y"), ("set-cookie", "b"), ("SET-COOKIE", "a")]);
        assert_eq!(values(&fields, "set-cookie").collect::<Vec<_>>(), [b"a", b"b", b"a"]);
    }

    #[test]
    fn a_list_spans_its_lines_and_skips_empty_members() {
        let fields = fields(&[("Connection", ", close,, \t"), ("connection", ""), ("Connection", "Keep-Alive ,x")]);
        assert_eq!(list(&fields, "connection"), ["close", "Keep-Alive", "x"]);
    }

    #[test]
    fn a_comma_in_a_quoted_string_separates_nothing() {
        let fields = fields(&[("a", r#"b="c,d", "e\",f" ,g"#), ("a", r#""not closed, at all"#), ("a", "h")]);
        assert_eq!(list(&fields, "a"), [r#"b="c,d""#, r#""e\",f""#, "g", r#""not closed, at all"#, "h"]);
    }
}
