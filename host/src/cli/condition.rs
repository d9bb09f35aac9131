//! What a request asks for of a content: a part of it (`-r`), or news alone (`-z`).

use std::ffi::OsStr;
use std::time::{Duration, SystemTime};

/// `-z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// `If-Unmodified-Since` instead of `If-Modified-Since` (RFC 9110 §13.1).
    unmodified: bool,
    since: SystemTime,
}

impl Condition {
    /// # Errors
    /// A clause: it is neither a date nor a file.
    pub(crate) fn parse(text: &OsStr) -> Result<Self, String> {
        if let Some(since) = text.to_str().and_then(date) {
            return Ok(Self { unmodified: false, since });
        }
        if let Some(since) = text.to_str().and_then(|text| text.strip_prefix('-')).and_then(date) {
            return Ok(Self { unmodified: true, since });
        }
        let since = std::fs::metadata(text).and_then(|metadata| metadata.modified());
        since.map(|since| Self { unmodified: false, since }).map_err(|error| {
            format!("it is no date, such as 2026-11-30 or 'Mon, 30 Nov 2026 12:00:00 GMT', and no file: {error}")
        })
    }

    /// The field line.
    pub(crate) fn line(self) -> (&'static str, String) {
        let name = if self.unmodified { "If-Unmodified-Since" } else { "If-Modified-Since" };
        (name, httpdate::fmt_http_date(self.since))
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
    let (first, last) = (first.trim_start_matches('0'), last.trim_start_matches('0'));
    // Of numbers without leading zeros the longer one is the larger one.
    last.is_empty() || first.is_empty() || (first.len(), first) <= (last.len(), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<String, String> {
        Condition::parse(OsStr::new(text)).map(|condition| {
            let (name, value) = condition.line();
            format!("{name}: {value}")
        })
    }

    #[test]
    fn dates_and_files() {
        let expected = |name: &str, date: &str| Ok(format!("{name}: {date} GMT"));
        assert_eq!(line("Sun, 06 Nov 1994 08:49:37 GMT"), expected("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37"));
        assert_eq!(line("Sunday, 06-Nov-94 08:49:37 GMT"), expected("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37"));
        assert_eq!(line("-2024-02-29"), expected("If-Unmodified-Since", "Thu, 29 Feb 2024 00:00:00"));
        assert_eq!(line("2026-11-30T12:34:56Z"), expected("If-Modified-Since", "Mon, 30 Nov 2026 12:34:56"));
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400)).unwrap();
        assert_eq!(line(file.path().to_str().unwrap()), expected("If-Modified-Since", "Fri, 02 Jan 1970 00:00:00"));
        for wrong in ["2023-02-29", "2024-13-01", "2024-01-01T24:00:00", "yesterday", "", "-"] {
            assert!(line(wrong).unwrap_err().contains("no date"), "{wrong}");
        }
    }

    #[test]
    fn ranges_are_those_of_the_rfc() {
        for good in ["0-499", "-500", "9500-", "0-0,-1", "0-0, 10-20", "00-1"] {
            assert_eq!(ranges(good).as_deref(), Ok(good));
        }
        assert_eq!(ranges("5").as_deref(), Ok("5-"));
        for wrong in ["", "-", "a-b", "1-2-3", "5-4", "1-2,", "bytes=0-1", "10-9"] {
            assert!(ranges(wrong).is_err(), "{wrong}");
        }
    }
}
