//! Unfinished exchanges, for the line that Ctrl-C prints, and the files that Ctrl-C removes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use super::progress::Progress;
use super::tell;

/// A signal that ends the program: what is said then, and the exit status, 128 and its number, as shells count it.
#[derive(Clone, Copy, Debug)]
struct Ending {
    kind: SignalKind,
    word: &'static str,
    status: i32,
}

const ENDINGS: [Ending; 3] = [
    Ending { kind: SignalKind::hangup(), word: "hung up", status: 129 },
    Ending { kind: SignalKind::interrupt(), word: "interrupted", status: 130 },
    Ending { kind: SignalKind::terminate(), word: "terminated", status: 143 },
];

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

    /// This file is removed if the program ends before the exchange.
    pub(crate) fn keep_in_mind(&self, index: usize, temporary: Option<&Path>) {
        if let Some(temporary) = temporary {
            self.state().temporaries.insert(index, temporary.to_owned());
        }
    }

    /// The file of this exchange is whole, or is gone because the exchange ended or is to be repeated.
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

    /// Removes the files of exchanges that have not ended. Returns their number.
    pub(super) fn remove_temporaries(&self) -> usize {
        let temporaries = std::mem::take(&mut self.state().temporaries);
        temporaries.into_values().filter(|temporary| std::fs::remove_file(temporary).is_ok()).count()
    }
}

/// Ends the process on SIGHUP, SIGINT or SIGTERM, wherever it is: also while the component computes or standard output is full. A signal that
/// the program was started to ignore (`nohup`, a job in the background) stays ignored.
///
/// # Errors
/// The signals cannot be listened to.
pub(crate) fn end_on_signal(unfinished: &Unfinished, progress: &Progress) -> std::io::Result<()> {
    let ignored = std::fs::read_to_string("/proc/self/status").map_or(0, |status| ignored(&status));
    for ending in ENDINGS.iter().filter(|ending| ignored >> (ending.kind.as_raw_value() - 1) & 1 == 0) {
        let mut listener = signal(ending.kind)?;
        let (unfinished, progress) = (unfinished.clone(), progress.clone());
        tokio::spawn(async move {
            if listener.recv().await.is_some() {
                end(*ending, &unfinished, &progress);
            }
        });
    }
    Ok(())
}

/// The signals that the system says to be ignored, a bit for each.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn end(Ending { word, status, .. }: Ending, unfinished: &Unfinished, progress: &Progress) -> ! {
    progress.clear();
    let removed = match unfinished.remove_temporaries() {
        0 => String::new(),
        1 => "; a partial file was removed".to_owned(),
        files => format!("; {files} partial files were removed"),
    };
    tell(&format!("sandpiper: {word}: {}{removed}\n", unfinished.describe()));
    std::process::exit(status);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_of_signals() {
        assert_eq!(ignored("Name:\tsandpiper\nSigIgn:\t0000000000001001\nSigCgt:\tff\n"), 0x1001);
        assert_eq!(ignored("nothing of the kind"), 0);
    }

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
