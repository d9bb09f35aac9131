//! An open destination.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::super::standard;
use super::Destination;
use super::place::{Place, Way};
use super::resume::Start;
use super::temporary::create_beside;
use super::terminal::Terminal;

/// Numbers behind a name that is taken, as in curl.
const NUMBERS: std::ops::RangeInclusive<u32> = 1..=100;

#[derive(Debug)]
pub(crate) struct Sink {
    to: To,
    written: u64,
}

#[derive(Debug)]
enum To {
    Stdout(Option<Terminal>),
    /// Takes the name of `file` when whole.
    Temporary {
        open: File,
        temporary: PathBuf,
        file: PathBuf,
        numbered: bool,
    },
    Direct {
        open: File,
        name: PathBuf,
        /// The file itself, links followed, if it is removed when it is not whole.
        doomed: Option<PathBuf>,
    },
}

/// The outcome for a destination whose response is whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Finished {
    /// The file, as it is called now.
    pub(crate) file: Option<PathBuf>,
    /// Control characters were escaped.
    pub(crate) escaped: bool,
}

impl Sink {
    /// `start`: where a response begins that goes on with a file. `remove`: what is written in place is removed if it is not whole.
    pub(crate) fn open(destination: &Destination, start: Option<Start>, remove: bool) -> io::Result<Self> {
        let to = match destination {
            Destination::Stdout => To::Stdout(io::stdout().is_terminal().then(Terminal::default)),
            Destination::Verbatim => To::Stdout(None),
            Destination::File(place) => Self::open_file(place, start, remove)?,
        };
        Ok(Self { to, written: 0 })
    }

    fn open_file(place: &Place, start: Option<Start>, remove: bool) -> io::Result<To> {
        let name = place.name.clone();
        Ok(match (&place.way, start) {
            (Way::Descriptor(number), _) => To::Direct { open: standard::duplicate(*number)?, name, doomed: None },
            (_, Some(Start::At(from))) => {
                let open = open_at(place.file(), from)?;
                To::Direct { open, name, doomed: remove.then(|| place.file().to_owned()) }
            }
            (Way::Replace | Way::Number, _) => Self::open_temporary(place.file(), place.way == Way::Number)?,
            (Way::InPlace, _) => {
                let open = open_in_place(place.file())?;
                let remove = remove && open.metadata()?.is_file();
                To::Direct { open, name, doomed: remove.then(|| place.file().to_owned()) }
            }
        })
    }

    fn open_temporary(file: &Path, numbered: bool) -> io::Result<To> {
        let before = fs::metadata(file).ok().filter(|_| !numbered);
        let (open, temporary) = create_beside(file, before.map(|metadata| metadata.permissions()))?;
        Ok(To::Temporary { open, temporary, file: file.to_owned(), numbered })
    }

    /// The file to remove if the program ends before this sink.
    pub(crate) fn doomed(&self) -> Option<&Path> {
        match &self.to {
            To::Temporary { temporary, .. } => Some(temporary),
            To::Direct { doomed, .. } => doomed.as_deref(),
            To::Stdout(_) => None,
        }
    }

    /// Has it taken octets that cannot be taken back?
    pub(crate) fn is_written(&self) -> bool {
        self.written > 0 && !matches!(self.to, To::Temporary { .. })
    }

    /// Would a terminal be upset by these octets of content?
    pub(crate) fn refuses(&self, content: &[u8], before: u64) -> bool {
        matches!(self.to, To::Stdout(Some(_))) && Terminal::is_binary(content, before)
    }

    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.to {
            To::Stdout(None) => io::stdout().write_all(octets)?,
            To::Stdout(Some(terminal)) => io::stdout().write_all(&terminal.escape(octets))?,
            To::Temporary { open, .. } | To::Direct { open, .. } => open.write_all(octets)?,
        }
        self.written += octets.len() as u64;
        Ok(())
    }

    /// Hands on what a terminal or a pipe's reader may be waiting for.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if matches!(self.to, To::Stdout(_)) { io::stdout().flush() } else { Ok(()) }
    }

    /// All of it was written: the file takes its name.
    pub(crate) fn finish(self) -> io::Result<Finished> {
        match self.to {
            To::Stdout(terminal) => {
                let mut terminal = terminal.unwrap_or_default();
                io::stdout().write_all(&terminal.finish())?;
                io::stdout().flush()?;
                Ok(Finished { file: None, escaped: terminal.has_escaped() })
            }
            To::Direct { name, .. } => Ok(Finished { file: Some(name), escaped: false }),
            To::Temporary { open, temporary, file, numbered } => {
                drop(open);
                let taken = if numbered { take_free_name(&temporary, &file) } else { take_name(&temporary, file) };
                if taken.is_err() {
                    _ = fs::remove_file(&temporary);
                }
                Ok(Finished { file: Some(taken?), escaped: false })
            }
        }
    }

    /// The file will not be whole. Says what became of the file, if anything had been written; as a clause for an error message.
    pub(crate) fn abandon(self) -> Option<String> {
        let written = self.written;
        match self.to {
            To::Temporary { temporary, file, .. } => {
                _ = fs::remove_file(temporary);
                let before = if file.exists() { "; the file that was there before is unchanged" } else { "" };
                Some(format!("{} was not written ({written} octets removed){before}", file.display()))
            }
            To::Direct { doomed: Some(file), .. } => {
                _ = fs::remove_file(&file);
                Some(format!("{} was removed (with {written} octets)", file.display()))
            }
            _ if written == 0 => None,
            To::Stdout(terminal) => {
                _ = io::stdout().write_all(&terminal.unwrap_or_default().finish());
                Some(format!("{written} octets of it are on standard output: they are not whole"))
            }
            To::Direct { name, .. } => Some(format!("{written} octets of it went to {}: they are not whole", name.display())),
        }
    }
}

/// Nothing is made where something is: in a directory that all may write to, some systems refuse that.
fn open_in_place(file: &Path) -> io::Result<File> {
    match OpenOptions::new().write(true).truncate(true).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::create(file),
        opened => opened,
    }
}

/// For what follows this octet; `None`: for what follows the last one.
fn open_at(file: &Path, from: Option<u64>) -> io::Result<File> {
    let mut open = OpenOptions::new().write(true).create(true).truncate(false).open(file)?;
    let end = open.seek(SeekFrom::End(0))?;
    match from {
        Some(from) if from != end => Err(io::Error::other("somebody else writes to it")),
        _ => Ok(open),
    }
}

/// A mount point keeps its name: its content is replaced. Returns the name.
fn take_name(temporary: &Path, file: PathBuf) -> io::Result<PathBuf> {
    let Err(error) = fs::rename(temporary, &file) else {
        return Ok(file);
    };
    let copied = File::open(temporary).and_then(|mut from| io::copy(&mut from, &mut open_in_place(&file)?));
    copied.map_err(|_| error)?;
    fs::remove_file(temporary)?;
    Ok(file)
}

/// The first name that is not taken. Returns it.
fn take_free_name(temporary: &Path, file: &Path) -> io::Result<PathBuf> {
    let numbered = NUMBERS.map(|number| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    for name in std::iter::once(file.to_owned()).chain(numbered) {
        match rename_to_new(temporary, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            renamed => return renamed.map(|()| name),
        }
    }
    Err(io::Error::other(format!("it exists, and so do those with the numbers {} to {}", NUMBERS.start(), NUMBERS.end())))
}

fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows of it.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            if fs::symlink_metadata(to).is_ok() { Err(io::ErrorKind::AlreadyExists.into()) } else { fs::rename(from, to) }
        }
        renamed => Ok(renamed?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::{Directories, Wishes};
    use super::*;

    fn destination(file: &Path, wishes: Wishes) -> Destination {
        Destination::File(Place::decide(file, wishes, &mut Directories::default()).unwrap())
    }

    fn sink(file: &Path) -> Sink {
        Sink::open(&destination(file, Wishes::default()), None, false).unwrap()
    }

    #[test]
    fn a_file_appears_when_it_is_whole_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let names = || fs::read_dir(directory.path()).unwrap().count();
        let mut half = sink(&file);
        half.write(b"half").unwrap();
        assert!(!file.exists());
        assert!(half.abandon().unwrap().ends_with("was not written (4 octets removed)"));
        assert_eq!(names(), 0);

        fs::write(&file, "before").unwrap();
        assert!(sink(&file).abandon().unwrap().ends_with("unchanged"));
        assert_eq!(fs::read(&file).unwrap(), b"before");

        let mut whole = sink(&file);
        whole.write(b"after").unwrap();
        assert_eq!(whole.finish().unwrap().file, Some(file.clone()));
        assert_eq!((fs::read(&file).unwrap(), names()), (b"after".to_vec(), 1));
    }

    #[test]
    fn other_links_to_a_file_have_the_content_too() {
        let directory = tempfile::tempdir().unwrap();
        let (file, other) = (directory.path().join("f"), directory.path().join("other"));
        fs::write(&file, "before, and longer").unwrap();
        fs::hard_link(&file, &other).unwrap();
        let mut sink = sink(&file);
        sink.write(b"after").unwrap();
        assert!(sink.doomed().is_none());
        sink.finish().unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"after");
    }

    #[test]
    fn a_name_that_cannot_be_taken_over_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs::write(&file, "before, and longer").unwrap();
        let mut sink = sink(&file);
        sink.write(b"after").unwrap();
        let To::Temporary { temporary, file, .. } = &sink.to else {
            panic!("{sink:?}");
        };
        // A directory in the way stands for all that a rename does not do.
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
        let temporary = temporary.clone();
        assert!(sink.finish().is_err());
        assert!(!temporary.exists());
    }

    #[test]
    fn names_that_are_taken_get_numbers() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let wishes = Wishes { no_clobber: true, ..Wishes::default() };
        for expected in ["f", "f.1", "f.2"] {
            let mut sink = Sink::open(&destination(&file, wishes), None, false).unwrap();
            sink.write(expected.as_bytes()).unwrap();
            let name = directory.path().join(expected);
            assert_eq!(sink.finish().unwrap().file, Some(name.clone()));
            assert_eq!(fs::read(name).unwrap(), expected.as_bytes());
        }
    }

    #[test]
    fn a_name_as_long_as_names_can_be_has_a_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ä".repeat(127));
        let mut sink = sink(&file);
        sink.write(b"x").unwrap();
        sink.finish().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"x");
    }

    #[test]
    fn in_place_what_came_stays_unless_it_is_not_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let wishes = Wishes { in_place: true, ..Wishes::default() };
        for remove in [false, true] {
            let mut sink = Sink::open(&destination(&file, wishes), None, remove).unwrap();
            sink.write(b"half").unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"half");
            assert_eq!(sink.doomed().is_some(), remove);
            sink.abandon().unwrap();
            assert_eq!(file.exists(), !remove);
        }
    }

    #[test]
    fn in_place_the_file_that_a_link_leads_to_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("f"), directory.path().join("link"));
        std::os::unix::fs::symlink("f", &link).unwrap();
        let wishes = Wishes { in_place: true, ..Wishes::default() };
        let mut sink = Sink::open(&destination(&link, wishes), None, true).unwrap();
        sink.write(b"half").unwrap();
        assert_eq!(sink.doomed(), Some(file.as_path()));
        assert!(sink.abandon().unwrap().starts_with(&format!("{} was removed", file.display())));
        assert!(!file.exists() && link.is_symlink());
    }

    #[test]
    fn a_private_file_is_private_from_the_beginning() {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        let mode = |open: &File| open.metadata().unwrap().permissions().mode() & 0o777;
        let (open, _) = super::super::temporary::create_new_beside(&file, super::super::temporary::PRIVATE_MODE).unwrap();
        assert_eq!(mode(&open), 0o600);
        for permissions in [0o600, 0o640] {
            let (open, _) = create_beside(&file, Some(Permissions::from_mode(permissions))).unwrap();
            assert_eq!(mode(&open), permissions);
        }
    }
}
