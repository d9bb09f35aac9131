//! How a fetch comes out: what is said about each exchange, and the exit status.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

use sandpiper_host::types::{ExchangeTiming, Failure, FieldLine, TlsInfo};

use super::complaint::Complaint;
use super::incoming::Incoming;
use super::interrupt::Unfinished;
use super::json;
use super::progress::Progress;
use super::summary::{self, Tally};
use super::told::Told;
use super::{escape, tell};

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) urls: Arc<[String]>,
    pub(crate) progress: Progress,
    pub(crate) unfinished: Unfinished,
    json: bool,
    /// `-s`: failures are not told.
    silent: bool,
    failures: usize,
    told: Told,
    /// The escape of control characters was reported.
    said_escaped: bool,
}

impl Report {
    pub(crate) fn new(urls: Arc<[String]>, json: bool, silent: bool, progress: Progress) -> Self {
        let unfinished = Unfinished::new(Arc::clone(&urls));
        Self { urls, progress, unfinished, json, silent, failures: 0, told: Told::default(), said_escaped: false }
    }

    /// 0, or 1 when an exchange failed.
    pub(crate) fn exit_status(&self) -> u8 {
        u8::from(self.failures > 0)
    }

    /// The response is whole, and where it was to go.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn complete(
        &mut self,
        index: usize,
        incoming: &Incoming,
        trailers: &[FieldLine],
        connection: u64,
        timing: Option<&ExchangeTiming>,
        tls: Option<&TlsInfo>,
    ) -> io::Result<()> {
        self.note(index, incoming)?;
        if let Some(objection) = incoming.objection() {
            self.complain(index, &objection)?;
        }
        self.end(index);
        match timing
            .and_then(|timing| json::completed(index, &self.urls[index], &incoming.collected, trailers, connection, timing, tls))
        {
            Some(line) => self.print(&line),
            None => Ok(()),
        }
    }

    /// The program's decisions for its user: a name, and how a terminal was protected.
    fn note(&mut self, index: usize, incoming: &Incoming) -> io::Result<()> {
        if let (Some(file), true) = (&incoming.finished.file, incoming.destination().is_named_by_head()) {
            self.say(&format!("sandpiper: [{index}] written to {}\n", escape(&file.display().to_string())))?;
        }
        if incoming.finished.escaped && !std::mem::replace(&mut self.said_escaped, true) {
            self.say(ESCAPED)?;
        }
        Ok(())
    }

    /// The exchange failed and is given up.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn fail(&mut self, complaint: &Complaint<'_>) -> io::Result<()> {
        let Complaint { index, failure, .. } = *complaint;
        if let Some(text) = self.told.text(complaint) {
            self.say(&text)?;
        }
        self.failures += 1;
        self.record(index, failure, complaint.tls)
    }

    /// Something of this machine failed, and with it the exchange: a file.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn abandon(&mut self, index: usize, why: &str, failure: &Failure) -> io::Result<()> {
        let known = match failure.connection {
            0 => String::new(),
            connection => format!("; connection {connection}"),
        };
        let delivery = failure.delivery;
        self.complain(index, &format!("{why}{known}; delivery {}: {}", delivery.name(), delivery.what()))?;
        self.record(index, failure, None)
    }

    /// The response is whole, and the request is not: the server did not want the rest. With `--json`, the line's times say it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn note_unsent(&self, index: usize, incoming: &Incoming) -> io::Result<()> {
        if let Some(head) = incoming.head().filter(|_| !self.json) {
            let status = format!("{} {}", head.status, head.reason_text());
            let text = format!("the request was not sent whole: the server answered {status} and did not want the rest");
            self.remark(index, &text)?;
        }
        Ok(())
    }

    /// All exchanges have ended: counts the failures that were not told one by one.
    pub(crate) fn conclude(&self) {
        let text = self.told.rest();
        if !text.is_empty() {
            self.say_last(&text);
        }
    }

    fn record(&mut self, index: usize, failure: &Failure, tls: Option<&TlsInfo>) -> io::Result<()> {
        self.end(index);
        match json::failed(index, &self.urls[index], failure, tls).filter(|_| self.json) {
            Some(line) => self.print(&line),
            None => Ok(()),
        }
    }

    fn complain(&mut self, index: usize, text: &str) -> io::Result<()> {
        self.failures += 1;
        self.remark(index, text)
    }

    fn remark(&self, index: usize, text: &str) -> io::Result<()> {
        let url = &self.urls[index];
        self.say(&format!("sandpiper: [{index}] {}: {}\n", escape(url), escape(text)))
    }

    /// Complains on standard error, unless there are to be no complaints.
    fn say(&self, text: &str) -> io::Result<()> {
        if self.silent { Ok(()) } else { self.write(text) }
    }

    /// The same when nothing can be done about standard output any more.
    pub(crate) fn say_last(&self, text: &str) {
        if !self.silent {
            self.progress.suspend(|| tell(text));
        }
    }

    /// Writes to standard error, behind what is on its way to standard output: both may be one file.
    fn write(&self, text: &str) -> io::Result<()> {
        self.progress.suspend(|| {
            io::stdout().flush()?;
            tell(text);
            Ok(())
        })
    }

    fn end(&mut self, index: usize) {
        self.unfinished.end(index);
    }

    /// The outcome of each origin (`--summary`).
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn sum_up(&self, origins: &[&str], tallies: &[Tally]) -> io::Result<()> {
        if !self.json {
            return self.write(&summary::table(origins, tallies));
        }
        summary::json(origins, tallies).map_or(Ok(()), |line| self.print(&line))
    }

    fn print(&self, line: &str) -> io::Result<()> {
        self.progress.suspend(|| writeln!(io::stdout(), "{}", without_controls(line)))
    }
}

const ESCAPED: &str = "sandpiper: standard output is a terminal: control characters of the server are shown as text; -o - writes them as they came\n";

/// JSON escapes the control characters of ASCII by itself but for DEL. A terminal obeys that, and those behind it, too.
fn without_controls(json: &str) -> Cow<'_, str> {
    if !json.contains(char::is_control) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character.is_control() {
            true => _ = write!(escaped, "\\u{:04x}", u32::from(character)),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_no_control_characters() {
        assert_eq!(without_controls("{\"a\":\"\u{9b}1\u{7f}\"}"), "{\"a\":\"\\u009b1\\u007f\"}");
    }
}
