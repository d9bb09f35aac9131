//! The URLs of a fetch: those of the command line, then those of the files of `-K`.

use std::io::{self, BufRead, Read};

use super::args::Fetch;
use super::args::field::HeaderArgument;
use super::standard::{self, is_stdin};
use super::target::Target;

/// More are not held in memory.
const URLS_MAX: usize = 1_000_000;
/// Octets of a line; no server takes a URL of this length.
const LINE_OCTETS_MAX: usize = 65_536;
/// Wrong lines that are told.
const WRONG_LINES_TOLD_MAX: usize = 10;

/// One URL.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) url: String,
    pub(crate) target: Target,
    /// `output = FILE` of the file that it comes from.
    pub(crate) output: Option<String>,
}

/// # Errors
/// Sentences: what is wrong with the URLs and lines, the first ones with their numbers.
pub(crate) fn list(fetch: &Fetch) -> Result<Vec<Listed>, String> {
    let mut list = Vec::with_capacity(fetch.urls.0.len());
    for url in &fetch.urls.0 {
        let target = Target::parse(url).map_err(|problem| match url.as_str() {
            "-" => "`-` is no URL; -K - reads URLs from standard input".to_owned(),
            // Of curl's --json, which takes a value.
            text if fetch.output.json && text.starts_with(['{', '[', '"', '@']) => {
                format!("`{text}` is no URL: --json prints JSON objects here; to send JSON, write --data-json '{text}'")
            }
            _ => problem,
        })?;
        list.push(Listed { url: url.clone(), target, output: None });
    }
    check_stdin(fetch)?;
    for file in &fetch.config {
        let name = if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
        let lines = standard::open(file).map_err(|error| format!("-K {name}: {error}"))?;
        let before = list.len();
        read(lines, &name, &mut list)?;
        if list.len() == before {
            return Err(format!("-K {name}: it holds no URL"));
        }
    }
    let has_outputs = list.iter().any(|listed| listed.output.is_some());
    match () {
        () if has_outputs && fetch.output.json => Err("`output = FILE` in a file of -K cannot be used with --json".to_owned()),
        () if has_outputs && !fetch.output.names.0.is_empty() => {
            Err("-o cannot be used with `output = FILE` in a file of -K: name all files in one place".to_owned())
        }
        () => Ok(list),
    }
}

/// Is standard input what is sent, or a list?
pub(crate) fn reads_stdin(fetch: &Fetch) -> bool {
    !stdin_readers(fetch).is_empty()
}

/// There is one standard input.
fn check_stdin(fetch: &Fetch) -> Result<(), String> {
    match stdin_readers(fetch).as_slice() {
        [one, other, ..] => Err(format!("{one} and {other} would both read standard input")),
        _ => Ok(()),
    }
}

/// The arguments that read standard input.
fn stdin_readers(fetch: &Fetch) -> Vec<String> {
    let asked = &fetch.request;
    let is_tunnel = asked.upgrade.is_some() || asked.method.as_deref() == Some("CONNECT");
    let reads = |header: &&HeaderArgument| matches!(header, HeaderArgument::File(file) if is_stdin(file));
    let mut readers = Vec::new();
    readers.extend(fetch.config.iter().filter(|file| is_stdin(file)).map(|_| "-K -".to_owned()));
    readers.extend(asked.headers.iter().filter(reads).map(|_| "-H @-".to_owned()));
    let data = asked.data.parts.iter().filter(|part| part.file().is_some_and(|file| file == "-"));
    readers.extend(data.map(|part| format!("{} {}", part.option(), String::from_utf8_lossy(&part.value))));
    readers.extend(asked.data.form.iter().filter(|part| part.reads_stdin()).map(|_| "-F of `-`".to_owned()));
    readers.extend(fetch.output.write_out.as_deref().filter(|format| *format == "@-").map(|_| "-w @-".to_owned()));
    readers.extend(asked.upload.as_deref().filter(|file| is_stdin(file)).map(|_| "-T -".to_owned()));
    readers.extend(is_tunnel.then(|| "a tunnel".to_owned()));
    readers
}

/// The meaning of a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    Url(String),
    Output(String),
}

/// Adds the URLs of a file.
fn read(mut lines: impl BufRead, name: &str, list: &mut Vec<Listed>) -> Result<(), String> {
    let first = list.len();
    let mut outputs = Vec::new();
    let mut wrong = Vec::new();
    let mut wrong_lines = 0_usize;
    for number in 1_usize.. {
        let Some(octets) = next_line(&mut lines).map_err(|error| format!("-K {name}: {error}"))? else {
            break;
        };
        match parse(&octets, number == 1) {
            Ok(Line::Nothing) => {}
            Ok(Line::Output(output)) if outputs.len() < URLS_MAX => outputs.push(output),
            Ok(Line::Url(url)) if list.len() < URLS_MAX => match Target::parse(&url) {
                Ok(target) => list.push(Listed { url, target, output: None }),
                Err(problem) => note(&mut wrong, &mut wrong_lines, name, number, &problem),
            },
            Ok(_) => return Err(format!("-K {name}, line {number}: there are more than {URLS_MAX} URLs")),
            Err(problem) => note(&mut wrong, &mut wrong_lines, name, number, &problem),
        }
    }
    if wrong_lines > wrong.len() {
        wrong.push(format!("-K {name}: {} more lines are wrong", wrong_lines - wrong.len()));
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\nsandpiper: "));
    }
    let urls = list.len() - first;
    if outputs.len() > urls {
        return Err(format!(
            "-K {name}: {} times `output`, and {urls} URLs: the first output is for the first URL",
            outputs.len()
        ));
    }
    for (listed, output) in list.iter_mut().skip(first).zip(outputs) {
        listed.output = Some(output);
    }
    Ok(())
}

fn note(wrong: &mut Vec<String>, wrong_lines: &mut usize, name: &str, number: usize, problem: &str) {
    *wrong_lines += 1;
    if wrong.len() < WRONG_LINES_TOLD_MAX {
        wrong.push(format!("-K {name}, line {number}: {problem}"));
    }
}

/// With its end; longer than `LINE_OCTETS_MAX` only by one octet.
fn next_line(lines: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::new();
    let read = lines.by_ref().take(LINE_OCTETS_MAX as u64 + 1).read_until(b'\n', &mut octets)?;
    if octets.len() > LINE_OCTETS_MAX && !octets.ends_with(b"\n") {
        lines.skip_until(b'\n')?;
    }
    Ok((read > 0).then_some(octets))
}

fn parse(octets: &[u8], is_first: bool) -> Result<Line, String> {
    if octets.len() > LINE_OCTETS_MAX {
        return Err(format!("it has more than {LINE_OCTETS_MAX} octets"));
    }
    let text = std::str::from_utf8(octets).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = if is_first { text.trim_start_matches('\u{feff}') } else { text };
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Nothing);
    }
    match option(text) {
        None => Ok(Line::Url(text.to_owned())),
        Some(("url", text)) => Ok(Line::Url(value(text)?)),
        Some(("output", text)) => Ok(Line::Output(value(text)?)),
        Some((name, _)) => Err(format!("`{name}` is not understood here: a URL, `url = URL` and `output = FILE` are")),
    }
}

/// `name = value`. A URL has a colon before any `=`.
fn option(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim_end();
    let is_name = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
    (is_name && !name.is_empty()).then_some((name, value.trim_start()))
}

/// As it is, or in quotation marks with the escapes of curl.
fn value(text: &str) -> Result<String, String> {
    let Some(quoted) = text.strip_prefix('"') else {
        return if text.is_empty() { Err("there is nothing behind the `=`".to_owned()) } else { Ok(text.to_owned()) };
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next() {
            None => return Err("its quotation mark is not closed".to_owned()),
            Some('"') => break,
            Some('\\') => value.extend(characters.next().map(|escaped| match escaped {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'v' => '\u{b}',
                other => other,
            })),
            Some(character) => value.push(character),
        }
    }
    let rest = characters.as_str().trim_start();
    match rest.is_empty() || rest.starts_with('#') {
        true if value.is_empty() => Err("there is nothing between the quotation marks".to_owned()),
        true => Ok(value),
        false => Err(format!("`{rest}` stands behind the quotation mark")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &[u8]) -> Result<Vec<(String, Option<String>)>, String> {
        let mut list = Vec::new();
        read(text, "urls", &mut list)?;
        Ok(list.into_iter().map(|listed| (listed.url, listed.output)).collect())
    }

    fn urls(text: &[u8]) -> Result<Vec<String>, String> {
        listed(text).map(|list| list.into_iter().map(|(url, _)| url).collect())
    }

    #[test]
    fn a_url_per_line() {
        let text = "\u{feff}http://h/1\r\n\n  # comment\n\t http://h/2?a=b#c \n#http://h/3\nhttp://h/4";
        assert_eq!(urls(text.as_bytes()).unwrap(), ["http://h/1", "http://h/2?a=b#c", "http://h/4"]);
        assert_eq!(urls(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn the_lines_of_curl() {
        let text = b"url = \"http://h/1\" # why\noutput = one\nhttp://h/2\nurl=http://h/3\noutput = \"t w\\\"o\"\n";
        let expected = [("http://h/1", Some("one")), ("http://h/2", Some("t w\"o")), ("http://h/3", None)];
        assert_eq!(listed(text).unwrap(), expected.map(|(url, output)| (url.to_owned(), output.map(str::to_owned))));
    }

    #[test]
    fn wrong_lines_are_told_with_their_numbers() {
        let long = [&b"http://h/"[..], &vec![b'a'; LINE_OCTETS_MAX]].concat();
        for (text, why) in [
            (&b"http://h/\nlocalhost:80\n"[..], "urls, line 2: `localhost:80` cannot be requested"),
            (b"\n\nhttp://h/\xff\n", "line 3: it is not UTF-8"),
            (b"proxy = x", "line 1: `proxy` is not understood here"),
            (b"url =", "nothing behind"),
            (b"url = \"\"", "nothing between"),
            (b"url = \"http://h/", "not closed"),
            (b"url = \"http://h/\" x", "`x` stands behind"),
            (b"output = x", "1 times `output`, and 0 URLs"),
            (&long, "line 1: it has more than 65536 octets"),
        ] {
            let message = urls(text).unwrap_err();
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn after_a_line_that_is_too_long_the_count_goes_on() {
        let text = [&vec![b'a'; 2 * LINE_OCTETS_MAX][..], b"\nhttp://h/\nx\n"].concat();
        let message = urls(&text).unwrap_err();
        assert_eq!(message.lines().count(), 2, "{message}");
        assert!(message.contains("line 1: it has more") && message.contains("line 3: `x`"), "{message}");
    }

    #[test]
    fn only_the_first_wrong_lines_are_told() {
        let message = urls("x\n".repeat(25).as_bytes()).unwrap_err();
        assert_eq!(message.lines().count(), WRONG_LINES_TOLD_MAX + 1);
        assert!(message.ends_with("15 more lines are wrong"), "{message}");
    }
}
