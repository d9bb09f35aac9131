//! `--proto`: which schemes URLs may have.

use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protocols {
    http: bool,
    https: bool,
}

impl Protocols {
    pub(crate) fn allow(self, https: bool) -> bool {
        if https { self.https } else { self.http }
    }
}

impl FromStr for Protocols {
    type Err = String;

    /// As curl writes it: names with `=` (only this one, and what follows), `+` or nothing (also) or `-` (not) before them, commas between
    /// them. Names of protocols that are not spoken here change nothing.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut allowed = Self { http: true, https: true };
        for word in text.split(',').filter(|word| !word.is_empty()) {
            let name = word.trim_start_matches(['=', '+', '-']);
            let sign = &word[..word.len() - name.len()];
            if sign.len() > 1 || !name.bytes().all(|octet| octet.is_ascii_alphanumeric()) || name.is_empty() {
                return Err(format!("`{word}` is no protocol; write =https, or =http,https"));
            }
            if sign == "=" {
                allowed = Self { http: false, https: false };
            }
            let on = sign != "-";
            match name {
                "all" => allowed = Self { http: on, https: on },
                "http" => allowed.http = on,
                "https" => allowed.https = on,
                _ => {}
            }
        }
        match allowed {
            Self { http: false, https: false } => Err("it allows neither http nor https".to_owned()),
            allowed => Ok(allowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_curl_writes_it() {
        let of = |text: &str| text.parse::<Protocols>().map(|allowed| (allowed.http, allowed.https));
        assert_eq!(of("=https"), Ok((false, true)));
        assert_eq!(of("=http,https"), Ok((true, true)));
        assert_eq!(of("-all,https,ftp"), Ok((false, true)));
        assert_eq!(of("-http"), Ok((false, true)));
        assert_eq!(of("https"), Ok((true, true)));
        for wrong in ["=ftp", "=", "--http", "-all", "=ht tp"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
