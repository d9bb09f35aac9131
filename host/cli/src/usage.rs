//! Arguments that cannot be understood, in words of the program's own where clap's would mislead.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::args::Arguments;
use super::escape;
use super::refused;

/// Options whose values can hold secrets: no message repeats them.
const SECRET: [&str; 8] =
    ["--header", "--user", "--oauth2-bearer", "--user-agent", "--referer", "--trailer", "--form", "--form-string"];

/// Reads the command line.
///
/// # Errors
/// A text to write, and the exit status: help, the version, or wrong arguments.
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
        ErrorKind::ValueValidation => without_value(argument, error),
        _ => None,
    }
}

/// The option and what is wrong, if the value is not to be shown.
fn without_value(argument: &str, error: &clap::Error) -> Option<String> {
    let option = argument.split(' ').next().filter(|option| SECRET.contains(option))?;
    let reason = error.source().map_or_else(|| "the value cannot be used".to_owned(), ToString::to_string);
    Some(format!("{option}: {reason}"))
}

fn unknown(argument: &str, similar: Option<&str>) -> String {
    let name = argument.split('=').next().unwrap_or(argument);
    if let Some(why) = refused::why(name) {
        return format!("{name} is not an option here: {why}");
    }
    let name = escape(name);
    // A word with another first letter is another word, and not a slip of the hand.
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
    for (at, argument) in arguments.iter().enumerate().filter(|(_, argument)| argument.to_str().is_none()) {
        let alone = arguments.iter().enumerate().map(|(own, other)| if own == at { other.clone() } else { lossy(other) });
        let parsed = Arguments::command().try_get_matches_from(alone);
        if parsed.is_err_and(|error| error.kind() == ErrorKind::InvalidUtf8) {
            return Some(format!("the argument {argument:?} is not UTF-8, and this option takes text"));
        }
    }
    // Two together, if ever.
    Some("an argument is not UTF-8, and its option takes text".to_owned())
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
    fn values_that_can_be_secrets_are_not_shown() {
        for (arguments, option) in [
            (&[&b"--oauth2-bearer"[..], b"secret\r"][..], "--oauth2-bearer: "),
            (&[b"--oauth2-bearer=secret\r"], "--oauth2-bearer: "),
            (&[b"-u", b"me:secret\nss"], "--user: "),
            (&[b"-ume:secret\n"], "--user: "),
            (&[b"-H", b"Authorization: secret\r"], "--header: "),
            (&[b"-H", b"Bearer secret: x"], "--header: "),
            (&[b"-H", b"Bearer secret"], "--header: "),
            (&[b"-A", b"secret\r"], "--user-agent: "),
            (&[b"-e", b"http://me:secret@h/;auto"], "--referer: "),
            (&[b"-T", b"f", b"--trailer", b"Token: secret\r"], "--trailer: "),
            (&[b"-F", b"secret"], "--form: "),
            (&[b"--form-string", b"secret"], "--form-string: "),
        ] {
            let words = words(&[arguments, &[b"http://h/"]].concat());
            assert!(words.starts_with(option) && words.len() > option.len() + 10, "{words}");
            assert!(!words.contains("secret"), "{words}");
        }
    }

    #[test]
    fn an_argument_that_is_not_utf_8_is_named() {
        let accepted = [&b"-H"[..], b"A: \xff", b"-d", b"\xff", b"-T", b"\xff"];
        assert!(words(&[&accepted[..4], &[b"http://h/\xfe"]].concat()).contains("\"http://h/\\xFE\" is not UTF-8"));
        assert!(words(&[&accepted[..4], &[b"--upgrade", b"\xfe", b"http://h/"]].concat()).contains("\\xFE"));
    }
}
