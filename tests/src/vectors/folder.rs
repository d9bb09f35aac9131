//! The files of a folder.

use super::case::{Case, given_octets, id_of, is_agreement};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The cases of one file.
#[derive(Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Each case, or its id and why it cannot be read.
    pub cases: Vec<Result<Case, (String, String)>>,
    /// How many say what others make of octets that are not in the folder.
    pub absent: usize,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Folder {
    /// The files with cases, by name.
    pub sources: Vec<Source>,
    /// The other files.
    pub others: Vec<PathBuf>,
}

/// The vectors of this project.
pub fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The vectors of other projects: in `$SANDPIPER_VECTORS`, or in `shared/vectors` beside the workspace.
pub fn shared() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let beside = workspace.parent().map(|parent| parent.join("shared/vectors"));
    let folder = std::env::var_os("SANDPIPER_VECTORS").map(PathBuf::from).or(beside)?;
    folder.is_dir().then_some(folder)
}

/// Reads every `*.json` of a folder.
///
/// # Errors
/// A file cannot be read, or is not JSON; or none has cases.
pub fn read(folder: &Path) -> Result<Folder, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let complain = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| complain(&error))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| complain(&error))?;
        files.push((path, value));
    }
    let read = sort(files);
    if read.sources.is_empty() {
        return Err(format!("{}: no file has cases", folder.display()));
    }
    Ok(read)
}

fn sort(files: Vec<(PathBuf, Value)>) -> Folder {
    let mut octets = HashMap::new();
    for case in files.iter().filter_map(|(_, file)| cases(file)).flatten() {
        if let (Some(id), Ok(Some(given))) = (id_of(case), given_octets(case)) {
            octets.insert(id.to_owned(), given);
        }
    }
    let mut folder = Folder::default();
    for (path, file) in &files {
        let Some(values) = cases(file) else {
            folder.others.push(path.clone());
            continue;
        };
        let mut source = Source { path: path.clone(), cases: Vec::new(), absent: 0 };
        for (index, value) in values.iter().enumerate() {
            let id = id_of(value).map_or_else(|| format!("{}#{index}", path.display()), str::to_owned);
            let octets = octets.get(&id).map(Vec::as_slice);
            if octets.is_none() && is_agreement(value) {
                source.absent += 1;
            } else {
                source.cases.push(Case::read(value, octets).map_err(|why| (id, why)));
            }
        }
        folder.sources.push(source);
    }
    folder
}

fn cases(file: &Value) -> Option<&Vec<Value>> {
    file["cases"].as_array()
}
