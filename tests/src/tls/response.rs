//! Responses, as far as the clients here need them.

/// How far one has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is needed.
    Partial,
    /// Status and content, as the length said.
    Whole(u16, Vec<u8>),
    /// Status and content, if this is the end.
    UntilClose(u16, Vec<u8>),
}

/// What these octets are of a response to GET.
///
/// # Errors
/// They are none.
pub fn progress(octets: &[u8]) -> Result<Progress, String> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let start = match head.parse(octets).map_err(|error| error.to_string())? {
        httparse::Status::Partial => return Ok(Progress::Partial),
        httparse::Status::Complete(start) => start,
    };
    let status = head.code.unwrap_or_default();
    let content = &octets[start..];
    let value = |name: &str| head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value);
    if value("Transfer-Encoding").is_some() {
        return Ok(chunks(content)?.map_or(Progress::Partial, |content| Progress::Whole(status, content)));
    }
    let Some(length) = value("Content-Length") else { return Ok(Progress::UntilClose(status, content.to_vec())) };
    let length: usize = String::from_utf8_lossy(length).parse().map_err(|_| "a length that is no number".to_owned())?;
    Ok(content.get(..length).map_or(Progress::Partial, |content| Progress::Whole(status, content.to_vec())))
}

/// The content of chunks, if the last is there.
fn chunks(mut octets: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut content = Vec::new();
    loop {
        let (start, length) = match httparse::parse_chunk_size(octets).map_err(|_| "a chunk without size".to_owned())? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete((start, length)) => (start, usize::try_from(length).unwrap_or(usize::MAX - 64)),
        };
        let Some(rest) = octets.get(start + length + 2..) else { return Ok(None) };
        if length == 0 {
            return Ok(Some(content));
        }
        content.extend_from_slice(&octets[start..start + length]);
        octets = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_end_where_their_length_says() {
        let head = "HTTP/1.1 200 OK\r\n";
        let of = |rest: &str| progress(format!("{head}{rest}").as_bytes()).expect("a response");
        assert_eq!(of("Content-Length: 2\r\n\r\na"), Progress::Partial);
        assert_eq!(of("Content-Length: 2\r\n\r\nab"), Progress::Whole(200, b"ab".to_vec()));
        assert_eq!(of("\r\nab"), Progress::UntilClose(200, b"ab".to_vec()));
        assert_eq!(of("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"), Progress::Partial);
        assert_eq!(of("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"), Progress::Whole(200, b"ab".to_vec()));
        assert!(progress(b"SSH-2.0\r\n\r\n").is_err());
    }
}
