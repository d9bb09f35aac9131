//! Lines of scripts.

use super::Step;
use crate::message::{self, Build, Limit, Timer, Tune, assume, options};
use sandpiper_guest::types::{ConnOptions, Request};

/// The rest of a line.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> &'a str {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        word
    }

    fn number(&mut self, what: &str) -> Result<u64, String> {
        let word = self.next();
        word.parse().map_err(|_| format!("`{word}` is no {what}"))
    }

    fn token(&mut self) -> Result<u64, String> {
        self.number("token")
    }

    /// Takes these words if they come next.
    fn take(&mut self, words: &str) -> bool {
        match self.0.strip_prefix(words).filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            Some(rest) => {
                self.0 = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn rest(&mut self) -> Result<String, String> {
        match std::mem::take(&mut self.0) {
            "" => Err("the line ends too early".to_owned()),
            rest => Ok(rest.to_owned()),
        }
    }

    fn numbers<T: std::str::FromStr>(&mut self) -> Result<Vec<T>, String> {
        let rest = self.rest()?;
        rest.split(' ').map(|word| word.parse().map_err(|_| format!("`{word}` is no number"))).collect()
    }

    /// Strings, to the end of the line or to what is none.
    fn octets(&mut self) -> Result<Vec<u8>, String> {
        let mut octets = Vec::new();
        loop {
            let ok = self.take("ok");
            let Some(text) = self.0.strip_prefix('"') else {
                return if ok { Err("`ok` is followed by a string".to_owned()) } else { Ok(octets) };
            };
            let (mut string, rest) = unquote(text)?;
            self.0 = rest.trim_start();
            if self.take("*") {
                let times = self.number("number")?;
                string = string.repeat(usize::try_from(times).map_err(|_| "too many")?);
            }
            octets.extend(if ok { message::ok(string) } else { string });
        }
    }
}

/// The octets up to the closing quote, and what is behind it.
fn unquote(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut octets = Vec::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((octets, &text[at + 1..])),
            '\\' => {
                let (at, escaped) = letters.next().ok_or("a backslash at the end")?;
                octets.push(match escaped {
                    'r' => b'\r',
                    'n' => b'\n',
                    't' => b'\t',
                    '0' => 0,
                    '\\' | '"' => escaped as u8,
                    'x' => {
                        letters.nth(1);
                        let digits = text.get(at + 1..at + 3).unwrap_or_default();
                        u8::from_str_radix(digits, 16).map_err(|_| format!("`\\x{digits}` is no octet"))?
                    }
                    other => return Err(format!("`\\{other}` is no escape")),
                });
            }
            other => octets.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("a string without an end".to_owned())
}

/// What a line says.
pub(super) fn step(line: &str) -> Result<Step, String> {
    let words = &mut Words(line);
    let step = match words.next() {
        "client" => parse_client(words)?,
        "connection" => parse_connection(words)?,
        "peer" => parse_peer(words)?,
        other => return Err(format!("`{other}` is neither client, connection nor peer")),
    };
    match words.0 {
        "" => Ok(step),
        rest => Err(format!("`{rest}` at the end says nothing")),
    }
}

fn parse_client(words: &mut Words<'_>) -> Result<Step, String> {
    Ok(match words.next() {
        "connects" => Step::Connect(Box::new(parse_options(words)?)),
        "sends" => Step::Send(words.token()?, Box::new(parse_request(words)?)),
        "writes" => Step::Write(words.token()?, words.octets()?),
        "finishes" => Step::Finish(words.token()?),
        "cancels" => Step::Cancel(words.numbers()?),
        "drops" => Step::Drop(words.token()?),
        "shuts" if words.take("down") => Step::ShutDown,
        "closes" => Step::Close,
        "is" if words.take("answered") => Step::Answered(words.token()?, words.rest()?),
        "is" if words.take("refused") => Step::Refused(words.next().to_owned(), words.next().to_owned(), words.rest()?),
        "fails" => Step::Failed(words.token()?, words.rest()?),
        "waits" => Step::Pending(words.token()?),
        "sees" => Step::Interim(words.token()?, words.numbers()?),
        "reads" => Step::Reads(words.token()?, words.octets()?),
        "gets" if words.take("back") => Step::GetsBack(words.token()?, words.rest()?),
        other => return Err(format!("a client does not `{other}`")),
    })
}

fn parse_connection(words: &mut Words<'_>) -> Result<Step, String> {
    Ok(match (words.next(), words.next()) {
        ("is", "open") => Step::Open,
        ("is", "closing") => Step::Closing(words.rest()?),
        ("is", "closed") => Step::Closed(words.rest()?),
        (verb, state) => return Err(format!("a connection does not `{verb} {state}`")),
    })
}

fn parse_peer(words: &mut Words<'_>) -> Result<Step, String> {
    Ok(match words.next() {
        "gets" if words.take("nothing") => Step::PeerGets(Vec::new()),
        "gets" => Step::PeerGets(vec![words.rest()?]),
        "sends" if words.take("unseen") => Step::PeerSendsUnseen(words.octets()?),
        "sends" if words.0.starts_with(|first: char| first.is_ascii_digit()) => {
            let octets_each = usize::try_from(words.number("number")?.max(1)).map_err(|_| "too many")?;
            if !words.take("octets per") {
                return Err("`N octets per T ms`".to_owned());
            }
            let pause_ms = parse_span(words)?;
            Step::PeerSendsSlowly { octets_each, pause_ms, octets: words.octets()? }
        }
        "sends" => Step::PeerSends(words.octets()?),
        "stalls" => Step::PeerStalls(parse_span(words)?),
        "ends" if words.take("unseen") => Step::PeerEndsUnseen,
        "ends" => Step::PeerEnds,
        "resets" => Step::PeerResets,
        "stops" if words.take("reading") => Step::PeerReads(false),
        "reads" if words.take("again") => Step::PeerReads(true),
        "sees" if words.take("the end") => Step::PeerSeesEnd(true),
        "sees" if words.take("no end") => Step::PeerSeesEnd(false),
        other => return Err(format!("a peer does not `{other}`")),
    })
}

fn parse_span(words: &mut Words<'_>) -> Result<u64, String> {
    let span_ms = words.number("number of milliseconds")?;
    if words.take("ms") { Ok(span_ms) } else { Err("a span is in ms".to_owned()) }
}

fn parse_request(words: &mut Words<'_>) -> Result<Request, String> {
    let mut request = message::request(words.next(), words.next());
    while !words.0.is_empty() {
        request = match words.next() {
            "content" => request.content(words.octets()?),
            "length" => request.length(words.number("length")?),
            "streamed" => request.streamed(),
            "expecting" => request.expecting(),
            "upgrade" => request.upgrade(),
            "idempotent" => request.idempotent(true),
            part => {
                let (timer, span_ms) = parse_deadline(part)?;
                request.deadline(timer, span_ms)
            }
        };
    }
    Ok(request)
}

fn parse_options(words: &mut Words<'_>) -> Result<ConnOptions, String> {
    let mut found = options();
    while !words.0.is_empty() {
        found = match words.next() {
            "assume" => found.persistence(assume().persistence.ok_or("no default")?),
            "half-close" => found.half_closing(),
            option if option.ends_with("ms") => {
                let (timer, span_ms) = parse_deadline(option)?;
                found.deadline(timer, span_ms)
            }
            option => {
                let (limit, value) = parse_limit(option)?;
                found.limit(limit, value)
            }
        };
    }
    Ok(found)
}

fn parse_deadline(option: &str) -> Result<(Timer, u64), String> {
    let unknown = || format!("`{option}` is no deadline");
    let (name, span) = option.split_once('=').ok_or_else(unknown)?;
    let span_ms: u64 = span.strip_suffix("ms").and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?;
    let timer = match name {
        "queue" => Timer::Queue,
        "connect" => Timer::Connect,
        "await-continue" => Timer::AwaitContinue,
        "first-octet" => Timer::FirstOctet,
        "between-octets" => Timer::BetweenOctets,
        "total" => Timer::Total,
        "idle" => Timer::Idle,
        "drain" => Timer::Drain,
        _ => return Err(unknown()),
    };
    Ok((timer, span_ms))
}

fn parse_limit(option: &str) -> Result<(Limit, u64), String> {
    let unknown = || format!("`{option}` is no option");
    let (name, number) = option.split_once('=').ok_or_else(unknown)?;
    let limit = match name {
        "depth" => Limit::Outstanding,
        "head" => Limit::HeadOctets,
        "field-lines" => Limit::FieldLines,
        "interim-responses" => Limit::InterimResponses,
        "trailer" => Limit::TrailerOctets,
        "chunk-extension" => Limit::ChunkExtensionOctets,
        "receive-buffer" => Limit::ReceiveBufferOctets,
        "drain" => Limit::DrainOctets,
        _ => return Err(unknown()),
    };
    Ok((limit, number.parse().map_err(|_| unknown())?))
}
