//! Where contents go: standard output, or a file that appears when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::INDEX_PLACEHOLDER;
use super::listing::Listed;

/// Where the content of one exchange is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    File(PathBuf),
}

impl Destination {
    /// One destination per URL, from the `-o` options or, without them, from the files of `-K`.
    ///
    /// # Errors
    /// A sentence: the options do not fit the URLs, or a file cannot be written there.
    pub(crate) fn assign(outputs: &[String], list: &[Listed]) -> Result<Vec<Self>, String> {
        let urls = list.len();
        let destinations = match outputs {
            [] => list.iter().enumerate().map(|(index, listed)| Self::listed(listed, index)).collect(),
            [template] if template.contains(INDEX_PLACEHOLDER) => (0..urls).map(|index| Self::named(template, index)).collect(),
            [null] if null == "/dev/null" => vec![Self::File(null.into()); urls],
            _ if outputs.len() != urls => {
                return Err(format!(
                    "{urls} URLs and {} -o: give one -o per URL (`-o -` for standard output), or a single -o with {INDEX_PLACEHOLDER}, which stands for the URL's index",
                    outputs.len()
                ));
            }
            _ => outputs.iter().enumerate().map(|(index, output)| Self::named(output, index)).collect(),
        };
        check(&destinations)?;
        Ok(destinations)
    }

    fn listed(listed: &Listed, index: usize) -> Self {
        listed.output.as_ref().map_or(Self::Stdout, |output| Self::named(output, index))
    }

    fn named(output: &str, index: usize) -> Self {
        match output {
            "-" => Self::Stdout,
            _ => Self::File(output.replace(INDEX_PLACEHOLDER, &index.to_string()).into()),
        }
    }
}

/// What would fail only after the request was sent.
fn check(destinations: &[Destination]) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    for destination in destinations {
        let Destination::File(path) = destination else {
            continue;
        };
        let metadata = fs::metadata(path);
        if metadata.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(format!("-o {}: this is a directory", path.display()));
        }
        let special = metadata.is_ok_and(|metadata| !metadata.is_file());
        if !special && !seen.insert(path) {
            return Err(format!("-o {}: given for two URLs", path.display()));
        }
        if !directory(path).is_dir() {
            return Err(format!("-o {}: there is no directory {}", path.display(), directory(path).display()));
        }
    }
    Ok(())
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// An open destination.
#[derive(Debug)]
pub(crate) struct Sink {
    place: Place,
    written: u64,
}

#[derive(Debug)]
enum Place {
    Stdout,
    /// Renamed to `file` when whole.
    Temporary {
        open: File,
        temporary: PathBuf,
        file: PathBuf,
    },
    /// A device or pipe: it cannot be replaced.
    Direct {
        open: File,
        file: PathBuf,
    },
}

impl Sink {
    pub(crate) fn open(destination: &Destination) -> io::Result<Self> {
        let place = match destination {
            Destination::Stdout => Place::Stdout,
            Destination::File(path) => Self::open_file(path)?,
        };
        Ok(Self { place, written: 0 })
    }

    fn open_file(path: &Path) -> io::Result<Place> {
        // A link is followed, so that it stays one.
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let before = fs::metadata(&file).ok();
        if before.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            return Ok(Place::Direct { open: OpenOptions::new().write(true).open(&file)?, file });
        }
        let (open, temporary) = create_beside(&file)?;
        if let Some(metadata) = before {
            open.set_permissions(metadata.permissions())?;
        }
        Ok(Place::Temporary { open, temporary, file })
    }

    /// The file to remove if the program ends before this sink.
    pub(crate) fn temporary(&self) -> Option<&Path> {
        match &self.place {
            Place::Temporary { temporary, .. } => Some(temporary),
            _ => None,
        }
    }

    /// Has it taken octets that cannot be taken back?
    pub(crate) fn is_written(&self) -> bool {
        self.written > 0 && !matches!(self.place, Place::Temporary { .. })
    }

    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Stdout => io::stdout().write_all(octets)?,
            Place::Temporary { open, .. } | Place::Direct { open, .. } => open.write_all(octets)?,
        }
        self.written += octets.len() as u64;
        Ok(())
    }

    /// Hands on what a terminal or a pipe's reader may be waiting for.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if matches!(self.place, Place::Stdout) { io::stdout().flush() } else { Ok(()) }
    }

    /// All of it was written: the file takes its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let Place::Temporary { open, temporary, file } = self.place else {
            return Ok(());
        };
        drop(open);
        fs::rename(&temporary, &file).inspect_err(|_| _ = fs::remove_file(&temporary))
    }

    /// It will not be whole. Says what became of it, if anything had been written; as a clause for an error message.
    pub(crate) fn abandon(self) -> Option<String> {
        let Self { place, written } = self;
        match place {
            Place::Temporary { temporary, file, .. } => {
                _ = fs::remove_file(temporary);
                let before = if file.exists() { "; the file that was there before is unchanged" } else { "" };
                Some(format!("{} was not written ({written} octets removed){before}", file.display()))
            }
            _ if written == 0 => None,
            Place::Stdout => Some(format!("{written} octets of it are on standard output: they are not whole")),
            Place::Direct { file, .. } => Some(format!("{written} octets of it went to {}: they are not whole", file.display())),
        }
    }
}

fn create_beside(file: &Path) -> io::Result<(File, PathBuf)> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    for attempt in 0..TEMPORARY_NAMES_MAX {
        let temporary = directory(file).join(format!(".{name}.{process}-{attempt}.part"));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(open) => return Ok((open, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Leftovers of killed processes with the same id that are stepped over.
const TEMPORARY_NAMES_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    fn assign(outputs: &[&str], urls: usize) -> Result<Vec<String>, String> {
        let show = |destination| match destination {
            Destination::Stdout => "-".to_owned(),
            Destination::File(path) => path.display().to_string(),
        };
        Destination::assign(&strings(outputs), &list(&vec![None; urls])).map(|all| all.into_iter().map(show).collect())
    }

    fn list(outputs: &[Option<&str>]) -> Vec<Listed> {
        let listed = |output: &Option<&str>| Listed {
            url: "http://h/".to_owned(),
            target: Target::parse("http://h/").unwrap(),
            output: output.map(str::to_owned),
        };
        outputs.iter().map(listed).collect()
    }

    #[test]
    fn outputs_of_a_list_need_not_be_all() {
        let destinations = Destination::assign(&[], &list(&[Some("a"), None, Some("page-{}"), Some("-")])).unwrap();
        let file = |name: &str| Destination::File(name.into());
        assert_eq!(destinations, [file("a"), Destination::Stdout, file("page-2"), Destination::Stdout]);
        assert!(Destination::assign(&[], &list(&[Some("a"), Some("a")])).unwrap_err().contains("two URLs"));
    }

    #[test]
    fn outputs_fit_urls_or_are_refused() {
        assert_eq!(assign(&[], 2), Ok(strings(&["-", "-"])));
        assert_eq!(assign(&["a", "-"], 2), Ok(strings(&["a", "-"])));
        assert_eq!(assign(&["page-{}.html"], 2), Ok(strings(&["page-0.html", "page-1.html"])));
        assert_eq!(assign(&["/dev/null"], 2), Ok(strings(&["/dev/null", "/dev/null"])));
        assert!(assign(&["a"], 2).unwrap_err().contains("one -o per URL"));
        assert!(assign(&["a", "b"], 1).unwrap_err().contains("1 URLs and 2 -o"));
        assert!(assign(&["a", "a"], 2).unwrap_err().contains("two URLs"));
        assert!(assign(&["no/such/directory/a"], 1).unwrap_err().contains("no directory"));
        assert!(assign(&["."], 1).unwrap_err().contains("a directory"));
    }

    #[test]
    fn a_file_appears_when_it_is_whole_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let names = || fs::read_dir(directory.path()).unwrap().count();
        let mut sink = Sink::open(&Destination::File(file.clone())).unwrap();
        sink.write(b"half").unwrap();
        assert!(!file.exists());
        assert!(sink.abandon().unwrap().ends_with("was not written (4 octets removed)"));
        assert_eq!(names(), 0);

        fs::write(&file, "before").unwrap();
        let sink = Sink::open(&Destination::File(file.clone())).unwrap();
        assert!(sink.abandon().unwrap().ends_with("unchanged"));
        assert_eq!(fs::read(&file).unwrap(), b"before");

        let mut sink = Sink::open(&Destination::File(file.clone())).unwrap();
        sink.write(b"after").unwrap();
        sink.finish().unwrap();
        assert_eq!((fs::read(&file).unwrap(), names()), (b"after".to_vec(), 1));
    }
}
