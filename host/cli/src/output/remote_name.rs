//! Names of files that a URL or a server gives: `-O` and `-J`.

use sandpiper_host::types::ResponseHead;

use super::super::json::latin1;

/// Octets of a file's name, as most systems have it.
const NAME_OCTETS_MAX: usize = 255;
/// Octets that are left for the number of a name that is taken.
const NUMBER_OCTETS: usize = 4;

/// The last name of a URL's path, as it is written there.
pub(crate) fn of_url(request_target: &str) -> Option<String> {
    let path = request_target.split('?').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    (!matches!(name, "" | "." | "..")).then(|| name.to_owned())
}

/// The name that `Content-Disposition` gives (RFC 6266), without what would lead it elsewhere.
pub(crate) fn of_head(head: &ResponseHead) -> Option<String> {
    let value = head.field("content-disposition").next()?;
    let parameters = parameters(value);
    let find = |wanted: &str| parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    let extended = find("filename*").and_then(|value| extended(value));
    let name = extended.or_else(|| find("filename").map(|value| text(value)))?;
    harmless(&name)
}

/// The last part of a path, of any system, that neither hides nor controls a terminal.
fn harmless(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.trim().chars().filter(|character| !character.is_control()).collect();
    if matches!(name.as_str(), "" | "." | "..") {
        return None;
    }
    let name = match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name,
    };
    Some(name[..name.floor_char_boundary(NAME_OCTETS_MAX - NUMBER_OCTETS)].to_owned())
}

/// As UTF-8, or else as Latin-1.
fn text(octets: &[u8]) -> String {
    std::str::from_utf8(octets).map_or_else(|_| latin1(octets), str::to_owned)
}

/// `UTF-8'en'a%20b` (RFC 8187 §3.2).
fn extended(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let (charset, rest) = value.split_once('\'')?;
    let octets = decoded(rest.split_once('\'')?.1)?;
    match () {
        () if charset.eq_ignore_ascii_case("utf-8") => String::from_utf8(octets).ok(),
        () if charset.eq_ignore_ascii_case("iso-8859-1") => Some(latin1(&octets)),
        () => None,
    }
}

/// Without percent-encoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            octet => octet,
        });
    }
    Some(octets)
}

/// Names and values behind the disposition type; quotation marks are taken off (RFC 9110 §5.6.4, §5.6.6).
fn parameters(value: &[u8]) -> Vec<(String, Vec<u8>)> {
    split(value)
        .into_iter()
        .skip(1)
        .filter_map(|part| {
            let equals = part.iter().position(|&octet| octet == b'=')?;
            let name = text(part[..equals].trim_ascii());
            Some((name, unquoted(part[equals + 1..].trim_ascii())))
        })
        .collect()
}

/// At each semicolon outside quotation marks.
fn split(value: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (place, &octet) in value.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                parts.push(&value[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    parts
}

fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"") else {
        return value.to_vec();
    };
    let mut octets = inner.strip_suffix(b"\"").unwrap_or(inner).iter();
    let mut plain = Vec::with_capacity(inner.len());
    while let Some(&octet) = octets.next() {
        plain.push(if octet == b'\\' { octets.next().copied().unwrap_or(octet) } else { octet });
    }
    plain
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::HttpVersion;

    use super::*;

    fn named(value: &[u8]) -> Option<String> {
        let fields = vec![("Content-Disposition".to_owned(), value.to_vec())];
        of_head(&ResponseHead { version: HttpVersion::Http11, status: 200, reason: Vec::new(), fields })
    }

    #[test]
    fn the_last_name_of_a_path() {
        let name = |target: &str| of_url(target).unwrap_or_default();
        assert_eq!(
            [name("/a/b%20c.txt?d=/e"), name("/a"), name("/a/"), name("/"), name("/a/..")],
            ["b%20c.txt", "a", "", "", ""]
        );
    }

    #[test]
    fn the_name_that_a_server_gives() {
        for (value, name) in [
            (&b"attachment; filename=a.txt"[..], "a.txt"),
            (b"attachment; filename=\"a b;c.txt\"; size=1", "a b;c.txt"),
            (b"attachment;filename = \"a\\\"b\"", "a\"b"),
            (b"attachment; FileName=\"\xe4\"", "ä"),
            ("attachment; filename=\"ä\"".as_bytes(), "ä"),
            (b"attachment; filename=\"a\"; filename*=UTF-8''%e2%82%ac%20b", "€ b"),
            (b"attachment; filename*=iso-8859-1'en'%e4", "ä"),
            (b"attachment; filename*=UTF-8''%ff; filename=a", "a"),
            (b"attachment; filename=\"unclosed", "unclosed"),
        ] {
            assert_eq!(named(value).as_deref(), Some(name), "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for (value, name) in [
            (&b"attachment; filename=\"../../etc/passwd\""[..], Some("passwd")),
            (b"attachment; filename=\"..\\\\..\\\\boot.ini\"", Some("boot.ini")),
            (b"attachment; filename*=UTF-8''..%2f..%2fx", Some("x")),
            (b"attachment; filename=.bashrc", Some("_bashrc")),
            (b"attachment; filename=\"\x1b[31m\"", Some("[31m")),
            (b"attachment; filename=\"..\"", None),
            (b"attachment; filename=\"a/\"", None),
            (b"attachment; filename=\"\"", None),
            (b"attachment", None),
            (b"", None),
        ] {
            assert_eq!(named(value).as_deref(), name, "{}", String::from_utf8_lossy(value));
        }
        let long = format!("attachment; filename=\"{}\"", "ä".repeat(300));
        assert_eq!(named(long.as_bytes()).unwrap().len(), 250);
    }
}
