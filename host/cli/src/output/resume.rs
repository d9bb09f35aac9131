//! `-C`: a download that goes on where an earlier one ended (RFC 9110 §14.2).
//!
//! Beside a file that is not whole stands what it is a part of: a strong validator, and the size. With it the server is asked for the rest of the
//! same content alone, and for all of it otherwise (`If-Range`, RFC 9110 §13.1.5).

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandpiper_host::types::{FieldLine, ResponseHead};
use serde::{Deserialize, Serialize};

use super::super::args::ContinueAt;
use super::temporary::{beside, create_beside};

/// Octets of what stands beside a file; a URL is shorter.
const MEMORY_OCTETS_MAX: u64 = 1 << 17;
/// A date is a strong validator when the response is younger by this much (RFC 9110 §8.8.2.2).
const DATE_RESOLUTION: Duration = Duration::from_secs(1);

/// A download that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// Octets of the content that are not asked for.
    from: u64,
    /// `-C -`: the file, which then may be written anew.
    kept: Option<Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    beside: PathBuf,
    url: String,
    memory: Option<Memory>,
}

/// The content of which a file is a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    url: String,
    /// The value of `If-Range`.
    validator: Option<String>,
    /// Octets of the whole.
    octets: Option<u64>,
}

/// Where the content of a response belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// In an empty file.
    Anew,
    /// Behind this many octets; `None`: behind what there is.
    At(Option<u64>),
    /// Nowhere: the file is whole already.
    Whole,
}

/// The meaning of a response for the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) start: Start,
    /// Octets of content that must come.
    pub(crate) octets: Option<u64>,
}

impl Resume {
    /// # Errors
    /// Why the file cannot be gone on with.
    pub(crate) fn new(at: ContinueAt, file: &Path, url: &str) -> Result<Self, String> {
        let present = match fs::metadata(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error.to_string()),
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return Err("-C needs a regular file".to_owned()),
        };
        if let ContinueAt::Offset(from) = at {
            return Ok(Self::from(from));
        }
        let beside = beside(file, "resume");
        let memory = Memory::read(&beside);
        Ok(Self { from: present, kept: Some(Kept { beside, url: url.to_owned(), memory }) })
    }

    /// The content behind so many octets.
    pub(crate) fn from(from: u64) -> Self {
        Self { from, kept: None }
    }

    /// The further field lines of the request.
    pub(crate) fn fields(&self) -> Vec<FieldLine> {
        if self.from == 0 {
            return Vec::new();
        }
        let mut fields = vec![("Range".to_owned(), format!("bytes={}-", self.from).into_bytes())];
        let validator = self.memory().and_then(|memory| memory.validator.clone());
        fields.extend(validator.map(|validator| ("If-Range".to_owned(), validator.into_bytes())));
        fields
    }

    /// The note about the file; nothing, if the note is of another URL.
    fn memory(&self) -> Option<&Memory> {
        let kept = self.kept.as_ref()?;
        kept.memory.as_ref().filter(|memory| memory.url == kept.url)
    }

    /// # Errors
    /// Why the response is not written.
    pub(crate) fn judge(&self, head: &ResponseHead) -> Result<Verdict, String> {
        let known = self.memory().and_then(|memory| memory.octets);
        let anew = Verdict { start: Start::Anew, octets: None };
        let range = content_range(head);
        match (head.status, range) {
            (206, _) if self.has_changed(head) => Err("the content is another one now: remove the file to begin anew".to_owned()),
            (206, Some(ContentRange::Part { first, last, whole })) => self.part(first, last, whole, known),
            (206, _) => Err("the response is a part of the content (206), and does not say which".to_owned()),
            (200..300, _) if self.from == 0 => Ok(match self.kept {
                Some(_) => anew,
                None => Verdict { start: Start::At(None), octets: None },
            }),
            (200, _) if self.kept.is_some() => Ok(anew),
            (200, _) => Err("the server does not send parts of this content; leave -C out to have all of it".to_owned()),
            (416, Some(ContentRange::Unsatisfied { whole })) if whole == self.from && self.kept.is_some() => {
                Ok(Verdict { start: Start::Whole, octets: None })
            }
            (416, Some(ContentRange::Unsatisfied { whole })) => {
                Err(format!("there are {} octets already, and the content has {whole}: it is another one", self.from))
            }
            (status, _) => Err(format!("status {status} {}: with -C its content is not written", head.reason_text())),
        }
    }

    /// Parts of one content have one validator (RFC 9110 §15.3.7.3).
    fn has_changed(&self, head: &ResponseHead) -> bool {
        let is_tag = |validator: &str| validator.starts_with('"');
        let before = self.memory().and_then(|memory| memory.validator.as_deref());
        match (before, validator(head)) {
            (Some(before), Some(now)) => is_tag(before) == is_tag(&now) && before != now,
            _ => false,
        }
    }

    fn part(&self, first: u64, last: u64, whole: Option<u64>, known: Option<u64>) -> Result<Verdict, String> {
        if first != self.from {
            return Err(format!("the octets from {} on were asked for, and those from {first} on came", self.from));
        }
        if let (Some(whole), Some(known)) = (whole, known)
            && whole != known
        {
            return Err(format!("the content has {whole} octets now, and had {known} before: remove the file to begin anew"));
        }
        let octets = whole.unwrap_or_else(|| last.saturating_add(1)).saturating_sub(first);
        Ok(Verdict { start: Start::At(self.kept.as_ref().map(|_| self.from)), octets: Some(octets) })
    }

    /// Before the file is written: what it is going to be a part of. Without that, an earlier download's would be taken for it.
    pub(crate) fn remember(&self, head: &ResponseHead, start: Start) -> io::Result<()> {
        let Some(kept) = &self.kept else {
            return Ok(());
        };
        if start != Start::Anew && self.memory().is_some() {
            return Ok(());
        }
        let octets = match content_range(head) {
            Some(ContentRange::Part { whole, .. }) => whole,
            _ => one(head, "content-length").and_then(number),
        };
        Memory { url: kept.url.clone(), validator: validator(head), octets }.write(&kept.beside)
    }

    /// The file is whole.
    pub(crate) fn forget(&self) {
        if let Some(kept) = &self.kept {
            _ = fs::remove_file(&kept.beside);
        }
    }

    /// How to have the rest.
    pub(crate) fn advice(&self) -> &'static str {
        if self.kept.is_some() { "; -C - goes on from there" } else { "" }
    }
}

impl Memory {
    /// Only from a regular file: a link can lead anywhere, and a pipe is waited for.
    fn read(file: &Path) -> Option<Self> {
        fs::symlink_metadata(file).ok().filter(fs::Metadata::is_file)?;
        let mut text = String::new();
        fs::File::open(file).ok()?.take(MEMORY_OCTETS_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Where no file can be made, none that is wrong stays.
    fn write(&self, file: &Path) -> io::Result<()> {
        match self.put(file) {
            Err(_) if fs::symlink_metadata(file).is_err() => Ok(()),
            written => written,
        }
    }

    /// A new file takes the name, so that a link which has it is replaced, and not followed.
    fn put(&self, file: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        let (mut open, temporary) = create_beside(file, None)?;
        let put = open.write_all(text.as_bytes()).and_then(|()| fs::rename(&temporary, file));
        if put.is_err() {
            _ = fs::remove_file(&temporary);
        }
        put
    }
}

/// A strong validator: an entity tag, or else a date (RFC 9110 §13.1.5).
fn validator(head: &ResponseHead) -> Option<String> {
    if let Some(tag) = one(head, "etag") {
        return (tag.starts_with('"') && tag.len() > 1 && tag.ends_with('"')).then(|| tag.to_owned());
    }
    let text = one(head, "last-modified")?;
    let (modified, date) = (httpdate::parse_http_date(text).ok()?, httpdate::parse_http_date(one(head, "date")?).ok()?);
    date.duration_since(modified).is_ok_and(|age| age >= DATE_RESOLUTION).then(|| text.to_owned())
}

/// The value of a field of which there is one line.
fn one<'a>(head: &'a ResponseHead, name: &'a str) -> Option<&'a str> {
    let mut values = head.field(name);
    let value = std::str::from_utf8(values.next()?).ok()?;
    values.next().is_none().then_some(value)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentRange {
    Part { first: u64, last: u64, whole: Option<u64> },
    Unsatisfied { whole: u64 },
}

/// RFC 9110 §14.4.
fn content_range(head: &ResponseHead) -> Option<ContentRange> {
    let (unit, rest) = one(head, "content-range")?.split_once(' ')?;
    let (range, whole) = rest.trim_start().split_once('/')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    if range == "*" {
        return Some(ContentRange::Unsatisfied { whole: number(whole)? });
    }
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let whole = if whole == "*" { None } else { Some(number(whole)?) };
    let is_valid = first <= last && whole.is_none_or(|whole| last < whole);
    is_valid.then_some(ContentRange::Part { first, last, whole })
}

/// Digits alone: no sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::HttpVersion;

    use super::*;

    fn head(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
        let fields = fields.iter().map(|&(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
        ResponseHead { version: HttpVersion::Http11, status, reason: Vec::new(), fields }
    }

    fn resume(from: u64, memory: Option<(&str, Option<&str>, Option<u64>)>) -> Resume {
        let memory = memory.map(|(url, validator, octets)| Memory {
            url: url.to_owned(),
            validator: validator.map(str::to_owned),
            octets,
        });
        Resume { from, kept: Some(Kept { beside: "/no/such/place".into(), url: "u".to_owned(), memory }) }
    }

    fn fields(resume: &Resume) -> Vec<String> {
        resume.fields().into_iter().map(|(name, value)| format!("{name}: {}", String::from_utf8(value).unwrap())).collect()
    }

    #[test]
    fn the_rest_of_the_same_content_is_asked_for() {
        assert_eq!(fields(&resume(0, None)), [""; 0]);
        assert_eq!(fields(&resume(5, None)), ["Range: bytes=5-"]);
        assert_eq!(fields(&resume(5, Some(("u", Some("\"a\""), None)))), ["Range: bytes=5-", "If-Range: \"a\""]);
        assert_eq!(fields(&resume(5, Some(("other", Some("\"a\""), None)))), ["Range: bytes=5-"]);
        assert_eq!(fields(&Resume::from(7)), ["Range: bytes=7-"]);
    }

    #[test]
    fn a_response_is_the_rest_or_the_whole_or_nothing() {
        let rest = |range: &str| head(206, &[("Content-Range", range)]);
        let at = |octets| Ok(Verdict { start: Start::At(Some(5)), octets: Some(octets) });
        let five = resume(5, Some(("u", None, Some(9))));
        assert_eq!(five.judge(&rest("bytes 5-8/9")), at(4));
        assert_eq!(five.judge(&rest("bytes 5-6/9")), at(4));
        assert_eq!(five.judge(&rest("bytes 5-6/*")), at(2));
        let anew = Ok(Verdict { start: Start::Anew, octets: None });
        assert_eq!((five.judge(&head(200, &[])), resume(0, None).judge(&head(200, &[]))), (anew.clone(), anew));
        let whole = Ok(Verdict { start: Start::Whole, octets: None });
        assert_eq!(five.judge(&head(416, &[("Content-Range", "bytes */5")])), whole);
        for wrong in [
            rest("bytes 4-8/9"),
            rest("bytes 5-9/10"),
            rest("bytes 5-9/9"),
            rest("bytes +5-8/9"),
            rest("lines 5-8/9"),
            head(206, &[]),
            head(416, &[("Content-Range", "bytes */9")]),
            head(416, &[]),
            head(204, &[]),
            head(404, &[]),
            head(302, &[]),
        ] {
            assert!(five.judge(&wrong).is_err(), "{wrong:?}");
        }
        assert!(resume(0, None).judge(&head(404, &[])).is_err());
        let tagged = resume(5, Some(("u", Some("\"a\""), None)));
        let judged = |tag| tagged.judge(&head(206, &[("Content-Range", "bytes 5-8/9"), ("ETag", tag)]));
        assert_eq!((judged("\"a\""), judged("W/\"b\"")), (at(4), at(4)));
        assert!(judged("\"b\"").unwrap_err().contains("another one"));
    }

    #[test]
    fn an_offset_is_for_servers_that_send_parts() {
        let from = Resume::from(5);
        let rest = head(206, &[("Content-Range", "bytes 5-8/9")]);
        assert_eq!(from.judge(&rest), Ok(Verdict { start: Start::At(None), octets: Some(4) }));
        assert!(from.judge(&head(200, &[])).is_err());
    }

    #[test]
    fn only_strong_validators_are_remembered() {
        let (early, late) = ("Mon, 30 Nov 2026 10:00:00 GMT", "Mon, 30 Nov 2026 10:00:01 GMT");
        let validator = |fields: &[(&str, &str)]| validator(&head(200, fields));
        assert_eq!(validator(&[("ETag", "\"a\""), ("Last-Modified", early), ("Date", late)]).as_deref(), Some("\"a\""));
        assert_eq!(validator(&[("ETag", "W/\"a\""), ("Last-Modified", early), ("Date", late)]), None);
        assert_eq!(validator(&[("ETag", "\"a\""), ("ETag", "\"b\"")]), None);
        assert_eq!(validator(&[("Last-Modified", early), ("Date", late)]).as_deref(), Some(early));
        assert_eq!(validator(&[("Last-Modified", early), ("Date", early)]), None);
        assert_eq!(validator(&[("Last-Modified", early)]), None);
    }

    #[test]
    fn what_a_file_is_a_part_of_is_remembered_until_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs::write(&file, "12345").unwrap();
        let new = || Resume::new(ContinueAt::End, &file, "http://h/").unwrap();
        new().remember(&head(200, &[("ETag", "\"a\""), ("Content-Length", "9")]), Start::Anew).unwrap();
        assert_eq!(fields(&new()), ["Range: bytes=5-", "If-Range: \"a\""]);
        assert!(new().judge(&head(206, &[("Content-Range", "bytes 5-9/10")])).unwrap_err().contains("had 9 before"));
        new().forget();
        assert_eq!((fields(&new()), fs::read_dir(directory.path()).unwrap().count()), (vec!["Range: bytes=5-".to_owned()], 1));
        assert!(Resume::new(ContinueAt::End, directory.path(), "u").is_err());
    }

    #[test]
    fn a_link_in_the_place_of_the_memory_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let memory = Memory { url: "http://h/".to_owned(), validator: Some("\"a\"".to_owned()), octets: Some(9) };
        let (file, target) = (path("f"), path("target"));
        fs::write(&file, "12345").unwrap();
        let planted = serde_json::to_string(&memory).unwrap();
        fs::write(&target, &planted).unwrap();
        std::os::unix::fs::symlink(&target, path(".f.resume")).unwrap();
        let new = || Resume::new(ContinueAt::End, &file, "http://h/").unwrap();
        assert_eq!(fields(&new()), ["Range: bytes=5-"], "what it leads to is not read");
        new().remember(&head(200, &[("ETag", "\"b\"")]), Start::Anew).unwrap();
        assert_eq!(fields(&new()), ["Range: bytes=5-", "If-Range: \"b\""]);
        assert_eq!(fs::read_to_string(&target).unwrap(), planted, "what it leads to is not written");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_cannot_be_replaced_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs::create_dir(directory.path().join(".f.resume")).unwrap();
        let resume = Resume::new(ContinueAt::End, &file, "http://h/").unwrap();
        assert!(resume.remember(&head(200, &[]), Start::Anew).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
