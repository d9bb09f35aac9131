//! Credentials: `-u`, and what of them may be shown.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStringExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `-u`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    name: Vec<u8>,
    /// `None`: it is asked for.
    password: Option<Vec<u8>>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("User(***)")
    }
}

impl User {
    /// # Errors
    /// A clause: a control character is in it (RFC 7617 §2).
    pub(crate) fn parse(text: OsString) -> Result<Self, &'static str> {
        let octets = text.into_vec();
        if octets.iter().any(u8::is_ascii_control) {
            return Err("it holds a control character (RFC 7617 §2)");
        }
        Ok(match octets.iter().position(|&octet| octet == b':') {
            Some(colon) => Self { name: octets[..colon].to_vec(), password: Some(octets[colon + 1..].to_vec()) },
            None => Self { name: octets, password: None },
        })
    }

    /// The value of `Authorization`; asks for the password if it is missing.
    ///
    /// # Errors
    /// A sentence: it is missing, and cannot be asked for.
    pub(crate) fn authorization(&self) -> Result<Vec<u8>, String> {
        let password = match &self.password {
            Some(password) => password.clone(),
            None => self.ask()?,
        };
        let pair = [&self.name[..], b":", &password].concat();
        Ok(format!("Basic {}", STANDARD.encode(pair)).into_bytes())
    }

    fn ask(&self) -> Result<Vec<u8>, String> {
        let name = super::escape(&String::from_utf8_lossy(&self.name));
        // A prompt that nobody sees would wait for ever.
        if !io::stderr().is_terminal() {
            return Err(format!(
                "-u {name}: the password is missing, and there is no terminal to ask for it: write -u '{name}:PASSWORD'"
            ));
        }
        let answer = rpassword::prompt_password(format!("Password of {name}: "));
        answer.map(String::into_bytes).map_err(|error| format!("-u {name}: the password cannot be asked for: {error}"))
    }
}

/// A URL with `***` for its user name and password.
pub(crate) fn masked_url(url: &str) -> String {
    // As browsers do it, any number of slashes may stand before them.
    let is_slash = |character: char| matches!(character, '/' | '\\');
    let start = match url.split_once(':') {
        Some((_, rest)) if rest.starts_with(is_slash) => url.len() - rest.trim_start_matches(is_slash).len(),
        _ => 0,
    };
    let rest = &url[start..];
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(at) => format!("{}***{}", &url[..start], &rest[at..]),
        None => url.to_owned(),
    }
}

/// A request's head with `***` for credentials (RFC 9110 §11.4): their scheme remains.
pub(crate) fn masked_head(head: &[u8]) -> Vec<u8> {
    head.split_inclusive(|&octet| octet == b'\n').flat_map(masked_line).collect()
}

fn masked_line(line: &[u8]) -> Vec<u8> {
    let names = [&b"authorization: "[..], b"proxy-authorization: "];
    let is_named = |name: &&&[u8]| line.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name));
    let Some(name) = names.iter().find(is_named) else {
        return line.to_vec();
    };
    let value = &line[name.len()..];
    let scheme = value.iter().position(|&octet| octet == b' ').map_or(0, |at| at + 1);
    [&line[..name.len() + scheme], b"***\r\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_rfc_7617() {
        let of = |text: &str| User::parse(text.into()).unwrap().authorization().map(|value| String::from_utf8(value).unwrap());
        assert_eq!(of("Aladdin:open sesame").unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(of("a:b:c").unwrap(), "Basic YTpiOmM=");
        assert_eq!(of(":").unwrap(), "Basic Og==");
        assert!(User::parse("a:b\n".into()).is_err());
        assert!(!format!("{:?}", User::parse("a:secret".into())).contains("secret"));
    }

    #[test]
    fn what_is_secret_is_masked() {
        for (url, masked) in [
            ("http://u:p@h/a@b", "http://***@h/a@b"),
            ("http://u@h", "http://***@h"),
            ("http://u:p@x@h/", "http://***@h/"),
            ("http://h/?a=b@c", "http://h/?a=b@c"),
            ("u:p@h/", "***@h/"),
            ("http:/u:p@h/", "http:/***@h/"),
            ("http:u:p@h/", "***@h/"),
            ("http:\\\\u:p@h/", "http:\\\\***@h/"),
            ("h:80/a@b", "h:80/a@b"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(masked_url(url), masked);
        }
        let head = b"GET / HTTP/1.1\r\nauthorization: Basic YTpi\r\nA: b\r\nProxy-Authorization: token\r\n\r\n";
        let masked = b"GET / HTTP/1.1\r\nauthorization: Basic ***\r\nA: b\r\nProxy-Authorization: ***\r\n\r\n";
        assert_eq!(masked_head(head), masked);
    }
}
