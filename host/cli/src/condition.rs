//! Conditions on a content: a part of the content (`-r`), or news alone (`-z`).

use std::ffi::OsString;
use std::io;
use std::time::{Duration, SystemTime};

use super::escape;

/// `-z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `If-Modified-Since` (RFC 9110 §13.1.3).
    Modified(SystemTime),
    /// `If-Unmodified-Since` (RFC 9110 §13.1.4).
    Unmodified(SystemTime),
    /// Neither a date nor a file that is there: nothing is asked for, as with the first run of a script that keeps a copy.
    Missing(OsString),
}

impl Condition {
    /// # Errors
    /// A clause: the file cannot be looked at.
    pub(crate) fn parse(text: OsString) -> Result<Self, String> {
        if let Some(since) = text.to_str().and_then(date) {
            return Ok(Self::Modified(since));
        }
        if let Some(since) = text.to_str().and_then(|text| text.strip_prefix('-')).and_then(date) {
            return Ok(Self::Unmodified(since));
        }
        match std::fs::metadata(&text).and_then(|metadata| metadata.modified()) {
            Ok(since) => Ok(Self::Modified(since)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Missing(text)),
            Err(error) => Err(format!("it is no date, and as a file: {error}")),
        }
    }

    /// The field line.
    pub(crate) fn line(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Modified(since) => Some(("If-Modified-Since", httpdate::fmt_http_date(*since))),
            Self::Unmodified(since) => Some(("If-Unmodified-Since", httpdate::fmt_http_date(*since))),
            Self::Missing(_) => None,
        }
    }

    /// A line about one that asks for nothing.
    pub(crate) fn warning(&self) -> Option<String> {
        let Self::Missing(text) = self else {
            return None;
        };
        Some(format!(
            "-z {}: this is no date, such as 2026-11-30 or 'Mon, 30 Nov 2026 12:00:00 GMT', and no file that is there: the whole is requested",
            escape(&text.to_string_lossy())
        ))
    }
}

/// `HTTP-date` (RFC 9110 §5.6.7), or a date of ISO 8601 in UTC with or without a time.
fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok().or_else(|| iso_date(text))
}

fn iso_date(text: &str) -> Option<SystemTime> {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time.trim_end_matches('Z'), ':')?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let before: u64 = (1970..year).map(|year| (1..=12).map(|month| days_of(year, month)).sum::<u64>()).sum();
    let days = before + (1..month).map(|month| days_of(year, month)).sum::<u64>() + day - 1;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = text.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn days_of(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `-r`: the ranges of `Range: bytes=` (RFC 9110 §14.1.2).
///
/// # Errors
/// A clause that says what is wrong with it.
pub(crate) fn ranges(text: &str) -> Result<String, String> {
    let is_number = |text: &str| text.is_empty() || text.bytes().all(|octet| octet.is_ascii_digit());
    let is_range = |range: &str| match range.split_once('-') {
        Some((first, last)) => is_number(first) && is_number(last) && range != "-" && is_ordered(first, last),
        None => false,
    };
    match text.split(',').map(str::trim).all(is_range) {
        true => Ok(text.to_owned()),
        false if !text.is_empty() && is_number(text) => Ok(format!("{text}-")),
        false => Err("write FIRST-LAST, FIRST- or -LAST, such as 0-499".to_owned()),
    }
}

fn is_ordered(first: &str, last: &str) -> bool {
    let size = |number: &str| {
        // Of numbers without leading zeros the longer one is the larger one.
        let digits = number.trim_start_matches('0');
        (digits.len(), digits.to_owned())
    };
    last.is_empty() || size(first) <= size(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<String> {
        Condition::parse(text.into()).unwrap().line().map(|(name, value)| format!("{name}: {value}"))
    }

    #[test]
    fn dates_and_files() {
        let expected = |name: &str, date: &str| Some(format!("{name}: {date} GMT"));
        assert_eq!(line("Sun, 06 Nov 1994 08:49:37 GMT"), expected("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37"));
        assert_eq!(line("Sunday, 06-Nov-94 08:49:37 GMT"), expected("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37"));
        assert_eq!(line("-2024-02-29"), expected("If-Unmodified-Since", "Thu, 29 Feb 2024 00:00:00"));
        assert_eq!(line("2026-11-30T12:34:56Z"), expected("If-Modified-Since", "Mon, 30 Nov 2026 12:34:56"));
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400)).unwrap();
        assert_eq!(line(file.path().to_str().unwrap()), expected("If-Modified-Since", "Fri, 02 Jan 1970 00:00:00"));
        for wrong in ["2023-02-29", "2024-13-01", "2024-01-01T24:00:00", "yesterday", "", "-"] {
            assert_eq!(line(wrong), None, "{wrong}");
        }
        assert!(Condition::parse("yesterday".into()).unwrap().warning().unwrap().starts_with("-z yesterday: this is no date"));
        assert!(Condition::parse("/dev/null/f".into()).is_err());
    }

    #[test]
    fn ranges_are_those_of_the_rfc() {
        for good in ["0-499", "-500", "9500-", "0-0,-1", "0-0, 10-20", "00-1"] {
            assert_eq!(ranges(good).as_deref(), Ok(good));
        }
        assert_eq!(ranges("5").as_deref(), Ok("5-"));
        for wrong in ["", "-", "a-b", "1-2-3", "5-4", "5-0", "1-2,", "bytes=0-1", "10-9"] {
            assert!(ranges(wrong).is_err(), "{wrong}");
        }
    }
}
