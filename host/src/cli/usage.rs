//! Arguments that cannot be understood, in words of the program's own where clap's would mislead.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::args::Arguments;
use super::escape;
use super::refused;

/// Reads the command line.
///
/// # Errors
/// What is to be written, and the exit status: help, the version, or wrong arguments.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Arguments, Answer> {
    Arguments::try_parse_from(arguments).map_err(|error| {
        let words = match error.kind() {
            ErrorKind::InvalidUtf8 => not_utf8(arguments),
            _ => explain(&error),
        };
        words.map_or(Answer::OfClap(error), Answer::Wrong)
    })
}

/// Why no command is run.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Help or the version, or what clap says well.
    OfClap(clap::Error),
    /// A sentence.
    Wrong(String),
}

/// A sentence for errors that clap would explain by what is not meant.
pub(crate) fn explain(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg)?;
    match error.kind() {
        // An option that is not there; a word too many does not begin with a hyphen.
        ErrorKind::UnknownArgument if argument.starts_with('-') => Some(unknown(argument, text(ContextKind::SuggestedArg))),
        // `--json=DATA`
        ErrorKind::TooManyValues if argument.starts_with("--json") => refused::why("--json").map(str::to_owned),
        _ => None,
    }
}

fn unknown(argument: &str, similar: Option<&str>) -> String {
    let name = argument.split('=').next().unwrap_or(argument);
    if let Some(why) = refused::why(name) {
        return format!("{name} is not an option here: {why}");
    }
    let name = escape(name);
    // What begins differently is another word, and not a slip of the hand.
    let slip =
        |similar: &&str| 2 * similar.bytes().zip(name.bytes()).take_while(|(one, other)| one == other).count() > name.len();
    match similar.filter(slip) {
        Some(similar) => format!("there is no option {name}: is {similar} meant? --help lists all"),
        None => format!("there is no option {name}: --help lists all"),
    }
}

/// Finds the argument: clap does not say which. All others are made UTF-8, one after the other.
fn not_utf8(arguments: &[OsString]) -> Option<String> {
    let lossy = |argument: &OsString| OsString::from(argument.to_string_lossy().into_owned());
    let wrong = arguments.iter().filter(|argument| argument.to_str().is_none());
    for (at, argument) in arguments.iter().enumerate().filter(|(_, argument)| argument.to_str().is_none()) {
        let alone = arguments.iter().enumerate().map(|(own, other)| if own == at { other.clone() } else { lossy(other) });
        let parsed = Arguments::command().try_get_matches_from(alone);
        if parsed.is_err_and(|error| error.kind() == ErrorKind::InvalidUtf8) {
            return Some(format!("the argument {argument:?} is not UTF-8, and this option takes text"));
        }
    }
    // Two together, if ever.
    let all: Vec<String> = wrong.map(|argument| format!("{argument:?}")).collect();
    Some(format!("of the arguments {} one is not UTF-8, and its option takes text", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn words(arguments: &[&[u8]]) -> String {
        let mut all = vec![OsString::from("sandpiper"), OsString::from("fetch")];
        all.extend(arguments.iter().map(|octets| OsString::from_vec(octets.to_vec())));
        match parse(&all).unwrap_err() {
            Answer::Wrong(words) => words,
            Answer::OfClap(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_slip_is_told_from_another_word() {
        assert_eq!(words(&[b"--max-tme", b"3"]), "there is no option --max-tme: is --max-time meant? --help lists all");
        assert_eq!(words(&[b"--zzz=3", b"http://h/"]), "there is no option --zzz: --help lists all");
        assert_eq!(words(&[b"-fsSL", b"http://h/"]), words(&[b"-L", b"http://h/"]));
        assert!(words(&[b"--location"]).starts_with("--location is not an option here: redirects"));
        assert!(words(&[b"--json={}", b"http://h/"]).contains("--data-json"));
    }

    #[test]
    fn an_argument_that_is_not_utf_8_is_named() {
        let accepted = [&b"-H"[..], b"A: \xff", b"-d", b"\xff", b"-T", b"\xff"];
        assert!(words(&[&accepted[..4], &[b"http://h/\xfe"]].concat()).contains("\"http://h/\\xFE\" is not UTF-8"));
        assert!(words(&[&accepted[..4], &[b"--upgrade", b"\xfe", b"http://h/"]].concat()).contains("\\xFE"));
    }
}
