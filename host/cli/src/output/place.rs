//! A file that a response goes to, and how it is written: tried before the request is sent.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::super::standard;
use super::temporary::{create_beside, directory};

/// The links that are followed until a file is found; the limit of Linux.
const LINKS_MAX: usize = 40;
/// Octets of the names of a file's extended attributes that are looked at. A file with more has some to keep.
const ATTRIBUTES_OCTETS_MAX: usize = 4096;
/// As curl makes directories.
const DIRECTORY_MODE: u32 = 0o750;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// As the command line has it.
    pub(crate) name: PathBuf,
    /// Where the links lead that have this name.
    followed: Option<PathBuf>,
    pub(crate) way: Way,
    /// `-J`: the head may have another name for it.
    pub(crate) by_head: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A temporary file takes the name when it is whole.
    Replace,
    /// The same, with a number behind the name if that is taken.
    Number,
    /// The file itself is written as octets come.
    InPlace,
    /// This descriptor is written.
    Descriptor(RawFd),
}

/// The options of the command line for all files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) in_place: bool,
    pub(crate) no_clobber: bool,
    pub(crate) create_directories: bool,
    pub(crate) by_head: bool,
}

enum Followed {
    File(PathBuf),
    Descriptor(RawFd),
}

impl Place {
    /// # Errors
    /// Why nothing can be written there.
    pub(crate) fn decide(name: &Path, wishes: Wishes, directories: &mut Directories) -> Result<Self, String> {
        if name.as_os_str().is_empty() {
            return Err("a file needs a name".to_owned());
        }
        if wishes.create_directories {
            create_directories(directory(name))?;
        }
        let (followed, way) = match follow(name).map_err(|error| error.to_string())? {
            Followed::Descriptor(number) => {
                standard::duplicate(number).map_err(|error| error.to_string())?;
                (None, Way::Descriptor(number))
            }
            Followed::File(file) => {
                let way = Self::way(&file, wishes, directories)?;
                (Some(file).filter(|file| file != name), way)
            }
        };
        Ok(Self { name: name.to_owned(), followed, way, by_head: wishes.by_head })
    }

    /// The file itself: links are followed.
    pub(crate) fn file(&self) -> &Path {
        self.followed.as_deref().unwrap_or(&self.name)
    }

    /// The same place with another name, which nothing has yet or which gets a number.
    pub(crate) fn renamed(&mut self, name: &str) {
        self.name.set_file_name(name);
        self.followed = None;
        self.way = Way::Number;
    }

    fn way(file: &Path, wishes: Wishes, directories: &mut Directories) -> Result<Way, String> {
        let new = if wishes.no_clobber { Way::Number } else { Way::Replace };
        if [&b"/"[..], b"/."].iter().any(|end| file.as_os_str().as_bytes().ends_with(end)) && !file.is_dir() {
            return Err("there is no such directory, and a file's name does not end so".to_owned());
        }
        match fs::metadata(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                directories.trial(file)?;
                Ok(if wishes.in_place { Way::InPlace } else { new })
            }
            Err(error) => Err(error.to_string()),
            Ok(metadata) if metadata.is_dir() => Err("this is a directory".to_owned()),
            Ok(metadata) if metadata.file_type().is_socket() => Err("this is a socket".to_owned()),
            // Opening a pipe waits for its reader, and devices can do anything.
            Ok(metadata) if !metadata.is_file() => {
                access(file, Access::WRITE_OK).map_err(|error| io::Error::from(error).to_string())?;
                Ok(Way::InPlace)
            }
            Ok(_) if wishes.no_clobber => directories.trial(file).map(|_| Way::Number),
            Ok(metadata) => Self::over(file, &metadata, wishes, directories),
        }
    }

    /// How a regular file that is there is written.
    fn over(file: &Path, metadata: &Metadata, wishes: Wishes, directories: &mut Directories) -> Result<Way, String> {
        let replaceable = metadata.nlink() == 1
            && directories.trial(file).is_ok_and(|owner| owner == (metadata.uid(), metadata.gid()))
            && !has_attributes(file);
        match OpenOptions::new().write(true).open(file) {
            Ok(_) if replaceable && !wishes.in_place => Ok(Way::Replace),
            Ok(_) => Ok(Way::InPlace),
            // A program that runs cannot be written, but another one can take its name.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && replaceable => Ok(Way::Replace),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Is a response for it alone?
    pub(crate) fn is_exclusive(&self) -> bool {
        match self.way {
            Way::Replace => true,
            Way::InPlace => fs::metadata(self.file()).map_or(true, |metadata| metadata.is_file()),
            Way::Number | Way::Descriptor(_) => false,
        }
    }
}

/// Access control lists and the like, which a new file would not have. The labels of a security module are given to a new file, too.
fn has_attributes(file: &Path) -> bool {
    let mut names = [0; ATTRIBUTES_OCTETS_MAX];
    match rustix::fs::listxattr(file, &mut names) {
        Ok(octets) => names[..octets].split(|&octet| octet == 0).any(|name| !name.is_empty() && !name.starts_with(b"security.")),
        Err(error) => error == rustix::io::Errno::RANGE,
    }
}

/// Step by step, so that a link to a file that is not there yet is followed, and one to a descriptor is known as such.
fn follow(name: &Path) -> io::Result<Followed> {
    let mut file = name.to_owned();
    for _ in 0..LINKS_MAX {
        if let Some(number) = standard::descriptor(&file) {
            return Ok(Followed::Descriptor(number));
        }
        match fs::read_link(&file) {
            Ok(target) => file = directory(&file).join(target),
            // The file of another process's descriptor has a text instead of a name.
            Err(_) if fs::metadata(name).is_ok() && fs::metadata(&file).is_err() => return Ok(Followed::File(name.to_owned())),
            Err(_) => return Ok(Followed::File(file)),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

pub(super) fn create_directories(directory: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
    made.map_err(|error| format!("the directory {} cannot be made: {error}", directory.display()))
}

/// The directories of a command line's files; each is tried once.
#[derive(Debug, Default)]
pub(crate) struct Directories(HashMap<PathBuf, Tried>);

#[derive(Debug)]
struct Tried {
    /// Without links.
    real: PathBuf,
    /// The owner and group of a file that is made there, or why none can be made.
    outcome: Result<(u32, u32), String>,
}

impl Directories {
    /// Makes a file beside this one, as a temporary file will be made, and removes it.
    ///
    /// # Errors
    /// Why there can be none.
    fn trial(&mut self, file: &Path) -> Result<(u32, u32), String> {
        self.tried(directory(file)).outcome.clone()
    }

    /// A file has one path of this kind, however it is named.
    pub(crate) fn real(&mut self, file: &Path) -> PathBuf {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_owned();
        self.tried(directory(file)).real.join(name)
    }

    fn tried(&mut self, directory: &Path) -> &Tried {
        self.0.entry(directory.to_owned()).or_insert_with_key(|directory| Tried {
            real: fs::canonicalize(directory).unwrap_or_else(|_| directory.clone()),
            outcome: try_directory(directory),
        })
    }
}

fn try_directory(directory: &Path) -> Result<(u32, u32), String> {
    if !directory.is_dir() {
        return Err(format!("there is no directory {}", directory.display()));
    }
    let (open, temporary) = create_beside(&directory.join("trial"), None)
        .map_err(|error| format!("no file can be made in the directory {}: {error}", directory.display()))?;
    let metadata = open.metadata();
    _ = fs::remove_file(temporary);
    metadata.map(|metadata| (metadata.uid(), metadata.gid())).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn decide(file: &Path) -> Result<Place, String> {
        Place::decide(file, Wishes::default(), &mut Directories::default())
    }

    fn way(file: &Path) -> Way {
        decide(file).unwrap().way
    }

    #[test]
    fn files_are_replaced_where_nothing_is_lost_by_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        assert_eq!(way(&file), Way::Replace);
        fs::write(&file, "before").unwrap();
        assert_eq!(way(&file), Way::Replace);
        fs::hard_link(&file, directory.path().join("second")).unwrap();
        assert_eq!(way(&file), Way::InPlace);
        assert_eq!(fs::read(&file).unwrap(), b"before");
        assert_eq!((way(Path::new("/dev/null")), way(Path::new("/dev/stderr"))), (Way::InPlace, Way::Descriptor(2)));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn links_are_followed_to_their_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        symlink("b", path("a")).unwrap();
        symlink("c", path("b")).unwrap();
        symlink("/dev/stderr", path("error")).unwrap();
        symlink("round", path("round")).unwrap();
        assert_eq!(decide(&path("a")).unwrap().file(), path("c"));
        assert_eq!(way(&path("error")), Way::Descriptor(2));
        assert!(decide(&path("round")).unwrap_err().contains("symbolic links"));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        assert!(decide(Path::new("")).unwrap_err().contains("a name"));
        assert!(decide(directory.path()).unwrap_err().contains("a directory"));
        assert!(decide(&path("no/f")).unwrap_err().contains("no directory"));
        assert!(decide(&path(&"n".repeat(256))).unwrap_err().contains("too long"));
        assert_eq!(way(&path(&"n".repeat(255))), Way::Replace);
        assert!(decide(Path::new("/dev/fd/60")).is_err());
        assert!(decide(&path("new/")).unwrap_err().contains("no such directory") && decide(&path("new/.")).is_err());
        let socket = path("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(decide(&socket).unwrap_err().contains("a socket"));
    }

    #[test]
    fn a_file_of_somebody_elses_stays_his() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(&file, Some(12_345), None).is_ok() {
            assert_eq!(way(&file), Way::InPlace);
        }
    }

    #[test]
    fn attributes_of_a_file_stay() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs::write(&file, "").unwrap();
        // Not every file system has them.
        if rustix::fs::setxattr(&file, "user.sandpiper", b"x", rustix::fs::XattrFlags::empty()).is_ok() {
            assert_eq!(way(&file), Way::InPlace);
        }
    }

    #[test]
    fn nothing_is_overwritten_where_that_is_wished() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deep/er/f");
        let wishes = Wishes { no_clobber: true, create_directories: true, ..Wishes::default() };
        assert_eq!(Place::decide(&file, wishes, &mut Directories::default()).unwrap().way, Way::Number);
        fs::write(&file, "before").unwrap();
        assert_eq!(Place::decide(&file, wishes, &mut Directories::default()).unwrap().way, Way::Number);
    }
}
