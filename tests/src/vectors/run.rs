//! All cases of some folders, on every processor.

use super::case::Case;
use super::folder::{self, Source};
use super::stance::{Stance, Stances};
use super::trial::{Component, Trial};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often long work tells how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// How a case stands to its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As the source says.
    AsSource,
    /// The source says nothing.
    Unsaid,
    /// Otherwise, and as its stance says.
    ByStance,
    /// Otherwise, without a stance or not as it says; or it cannot be read.
    Differs,
}

/// One case and what became of it.
#[derive(Debug)]
pub struct Tried {
    /// Its id.
    pub id: String,
    /// The case, or why it cannot be read.
    pub case: Result<Case, String>,
    /// Its runs.
    pub trial: Option<Trial>,
    /// Its stance.
    pub stance: Option<Stance>,
}

/// The cases of one file.
#[derive(Debug)]
pub struct Table {
    /// The file.
    pub path: PathBuf,
    /// Its cases.
    pub tried: Vec<Tried>,
    /// How many say what others make of octets that are not here.
    pub absent: usize,
}

/// All that was run.
#[derive(Debug)]
pub struct Run {
    /// File by file.
    pub tables: Vec<Table>,
    /// Files without cases.
    pub others: Vec<PathBuf>,
    /// What has been decided.
    pub stances: Stances,
    /// Stances that no case needs.
    pub unneeded: Vec<String>,
    /// Sources that are not here as they were when their stances were reviewed.
    pub not_as_reviewed: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Tried {
    /// How it stands to its source.
    pub fn standing(&self) -> Standing {
        let (Ok(case), Some(trial)) = (&self.case, &self.trial) else { return Standing::Differs };
        let seen = trial.seen();
        match &self.stance {
            _ if seen.is_empty() && case.accept.is_none() && !case.partial => Standing::Unsaid,
            _ if seen.is_empty() => Standing::AsSource,
            Some(stance) if stance.is_for(&seen) => Standing::ByStance,
            _ => Standing::Differs,
        }
    }

    /// Nothing is wrong with it.
    pub fn is_right(&self) -> bool {
        self.standing() != Standing::Differs && self.trial.as_ref().is_some_and(|trial| trial.faults.is_empty())
    }
}

impl Run {
    /// Runs every case of these folders.
    ///
    /// # Errors
    /// A file cannot be read, or the stances cannot.
    pub fn of(folders: &[&Path], component: Component, mut tell: impl FnMut(&str)) -> Result<Run, String> {
        let began = Instant::now();
        let stances = Stances::read()?;
        let (mut sources, mut others) = (Vec::new(), Vec::new());
        for path in folders {
            let folder = folder::read(path)?;
            sources.extend(folder.sources);
            others.extend(folder.others);
        }
        let tables: Vec<Table> = sources.into_iter().map(|source| untried(source, &stances)).collect();
        let tables = try_all(tables, component, &mut tell);
        let (unneeded, not_as_reviewed) = stances.unneeded(&needed(&tables));
        Ok(Run { tables, others, stances, unneeded, not_as_reviewed, took: began.elapsed() })
    }

    /// Nothing is wrong, and there was something.
    pub fn is_right(&self) -> bool {
        let cases = self.tables.iter().map(|table| table.tried.len()).sum::<usize>();
        cases > 0 && self.unneeded.is_empty() && self.tables.iter().flat_map(|table| &table.tried).all(Tried::is_right)
    }
}

fn untried(source: Source, stances: &Stances) -> Table {
    let tried = source.cases.into_iter().map(|case| {
        let (id, case) = match case {
            Ok(case) => (case.id.clone(), Ok(case)),
            Err((id, why)) => (id, Err(why)),
        };
        // What others agree on has no stance: there it has to be agreed with.
        let stance = case.as_ref().is_ok_and(|case| !case.agreement).then(|| stances.of_case(&id).cloned());
        Tried { id, case, trial: None, stance: stance.flatten() }
    });
    Table { path: source.path, tried: tried.collect(), absent: source.absent }
}

fn needed(tables: &[Table]) -> HashMap<String, bool> {
    let all = tables.iter().flat_map(|table| &table.tried);
    let own = all.filter(|tried| tried.case.as_ref().map_or(true, |case| !case.agreement));
    own.map(|tried| (tried.id.clone(), tried.trial.as_ref().is_none_or(|trial| !trial.differences.is_empty()))).collect()
}

/// Each worker takes the next case that nobody has.
fn try_all(mut tables: Vec<Table>, component: Component, tell: &mut impl FnMut(&str)) -> Vec<Table> {
    let all: Vec<Mutex<&mut Tried>> = tables.iter_mut().flat_map(|table| &mut table.tried).map(Mutex::new).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(tried) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Ok(mut tried) = tried.lock() {
                let trial = tried.case.as_ref().ok().map(|case| Trial::of(case, tried.stance.as_ref(), component));
                tried.trial = trial;
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
        let mut told = Instant::now();
        while done.load(Ordering::Relaxed) < all.len() {
            std::thread::sleep(Duration::from_millis(10));
            if told.elapsed() > PROGRESS_EVERY {
                told = Instant::now();
                tell(&format!("{} of {} cases", done.load(Ordering::Relaxed), all.len()));
            }
        }
    });
    drop(all);
    tables
}
