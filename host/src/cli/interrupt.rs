//! What is unfinished, for the line that Ctrl-C prints, and the files that it removes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use super::progress::Progress;
use super::tell;

/// 128 and the number of the signal, as shells count it.
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;
/// Unfinished URLs that are named.
const NAMED_MAX: usize = 3;

/// The exchanges that have not ended. Shared with the task that waits for signals.
#[derive(Clone, Debug)]
pub(crate) struct Unfinished(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    urls: Arc<[String]>,
    ended: Vec<bool>,
    temporaries: BTreeMap<usize, PathBuf>,
}

impl Unfinished {
    pub(crate) fn new(urls: Arc<[String]>) -> Self {
        let ended = vec![false; urls.len()];
        Self(Arc::new(Mutex::new(State { urls, ended, temporaries: BTreeMap::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A temporary file of this exchange exists.
    pub(crate) fn keep_in_mind(&self, index: usize, temporary: Option<&Path>) {
        if let Some(temporary) = temporary {
            self.state().temporaries.insert(index, temporary.to_owned());
        }
    }

    /// The exchange ended, or is to be repeated: its temporary file, if any, is gone.
    pub(crate) fn forget(&self, index: usize) {
        self.state().temporaries.remove(&index);
    }

    pub(crate) fn end(&self, index: usize) {
        let mut state = self.state();
        state.temporaries.remove(&index);
        state.ended[index] = true;
    }

    pub(crate) fn describe(&self) -> String {
        let state = self.state();
        let mut open = state.urls.iter().enumerate().filter(|&(index, _)| !state.ended[index]);
        let mut text = String::new();
        for (index, url) in open.by_ref().take(NAMED_MAX) {
            _ = write!(text, "{} [{index}] {url}", if text.is_empty() { ":" } else { "," });
        }
        let more = open.count();
        if more > 0 {
            _ = write!(text, " and {more} more");
        }
        let unfinished = state.ended.iter().filter(|&&ended| !ended).count();
        format!("{unfinished} of {} exchanges unfinished{text}", state.urls.len())
    }

    fn remove_temporaries(&self) -> usize {
        let temporaries = std::mem::take(&mut self.state().temporaries);
        temporaries.into_values().filter(|temporary| std::fs::remove_file(temporary).is_ok()).count()
    }
}

/// Ends the process on SIGINT or SIGTERM, wherever it is: also while the component computes or standard output is full.
///
/// # Errors
/// The signals cannot be listened to.
pub(crate) fn end_on_signal(unfinished: Unfinished, progress: Progress) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let (word, status) = tokio::select! {
            _ = interrupt.recv() => ("interrupted", INTERRUPTED),
            _ = terminate.recv() => ("terminated", TERMINATED),
        };
        progress.clear();
        let removed = match unfinished.remove_temporaries() {
            0 => String::new(),
            1 => "; a partial file was removed".to_owned(),
            files => format!("; {files} partial files were removed"),
        };
        tell(&format!("sandpiper: {word}: {}{removed}\n", unfinished.describe()));
        std::process::exit(status);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_unfinished() {
        let urls: Arc<[String]> = (0..6).map(|number| format!("http://h/{number}")).collect();
        let unfinished = Unfinished::new(urls);
        unfinished.end(1);
        assert_eq!(
            unfinished.describe(),
            "5 of 6 exchanges unfinished: [0] http://h/0, [2] http://h/2, [3] http://h/3 and 2 more"
        );
        for index in [0, 2, 3, 4] {
            unfinished.end(index);
        }
        assert_eq!(unfinished.describe(), "1 of 6 exchanges unfinished: [5] http://h/5");
    }
}
