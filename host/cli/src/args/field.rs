//! Field lines as `-H` and `--trailer` write them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The act of one `-H` or `--trailer` on a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldArgument {
    pub(crate) name: String,
    /// `None`: the line that is added by default is left out.
    pub(crate) value: Option<Vec<u8>>,
}

/// A value by itself: octets, perhaps none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldValue(pub(crate) Vec<u8>);

/// One `-H`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderArgument {
    Line(FieldArgument),
    /// `@FILE`: a line of the file for each.
    File(PathBuf),
}

impl FieldArgument {
    /// # Errors
    /// A clause that says what is wrong with it.
    pub(crate) fn parse(octets: &[u8]) -> Result<Self, String> {
        let (name, value) = match octets.iter().position(|&octet| octet == b':') {
            Some(colon) => {
                let value = trim(&octets[colon + 1..]);
                (&octets[..colon], (!value.is_empty()).then_some(value))
            }
            None => match octets.strip_suffix(b";") {
                Some(name) => (name, Some(&b""[..])),
                None => return Err("a colon is missing: write 'Name: value'".to_owned()),
            },
        };
        let name = String::from_utf8_lossy(name);
        if !is_token(&name) {
            // Without the octets: who forgets a colon can have a secret before the next one.
            return Err(
                "what stands before the colon is not a field name: letters, digits and !#$%&'*+-.^_`|~ make one (RFC 9110 §5.1)"
                    .to_owned(),
            );
        }
        let value = value.map(checked).transpose()?;
        Ok(Self { name: name.into_owned(), value: value.map(<[u8]>::to_vec) })
    }

    pub(crate) fn parse_argument(argument: OsString) -> Result<Self, String> {
        Self::parse(argument.as_bytes())
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl FieldValue {
    /// # Errors
    /// A clause: a control character is in it.
    pub(crate) fn parse_argument(argument: OsString) -> Result<Self, String> {
        checked(argument.as_bytes()).map(|value| Self(value.to_vec()))
    }
}

impl HeaderArgument {
    /// # Errors
    /// A clause that says what is wrong with it.
    pub(crate) fn parse_argument(argument: OsString) -> Result<Self, String> {
        match argument.as_bytes().strip_prefix(b"@") {
            Some(file) => Ok(Self::File(OsStr::from_bytes(file).into())),
            None => FieldArgument::parse(argument.as_bytes()).map(Self::Line),
        }
    }
}

fn checked(value: &[u8]) -> Result<&[u8], String> {
    match value.iter().any(|&octet| octet.is_ascii_control() && octet != b'\t') {
        true => Err("the value holds a control character (RFC 9110 §5.5)".to_owned()),
        false => Ok(value),
    }
}

/// Without the whitespace at its ends (RFC 9110 §5.6.3).
fn trim(mut octets: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = octets {
        octets = rest;
    }
    octets
}

pub(super) fn method(text: &str) -> Result<String, String> {
    if is_token(text) { Ok(text.to_owned()) } else { Err("not a method: a token is needed (RFC 9110 §9.1)".to_owned()) }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(octets: &[u8]) -> Result<(String, Option<Vec<u8>>), String> {
        FieldArgument::parse(octets).map(|field| (field.name, field.value))
    }

    #[test]
    fn field_arguments() {
        assert_eq!(field(b"A: b"), Ok(("A".into(), Some("b".into()))));
        assert_eq!(field(b"A:b:c \t"), Ok(("A".into(), Some("b:c".into()))));
        assert_eq!(field(b"A: \xe4"), Ok(("A".into(), Some(b"\xe4".to_vec()))));
        assert_eq!(field(b"User-Agent:"), Ok(("User-Agent".into(), None)));
        assert_eq!(field(b"X-Empty;"), Ok(("X-Empty".into(), Some("".into()))));
        for wrong in [&b"no colon"[..], b"two words: x", b": x", b"A: b\r\nC: d", b"\xe4: x"] {
            assert!(field(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_of_lines_is_told_from_a_line() {
        assert_eq!(HeaderArgument::parse_argument("@f".into()), Ok(HeaderArgument::File("f".into())));
        assert!(matches!(HeaderArgument::parse_argument("A: @f".into()), Ok(HeaderArgument::Line(_))));
    }
}
