//! The descriptors that the program was started with, and standard input.
//!
//! Before `main`, Rust's runtime opens /dev/null in the place of each of 0, 1 and 2 that is closed. From then on, output is thrown away without
//! an error, and a closed descriptor looks like one that the caller has led to /dev/null. So the look is taken before the runtime's.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{OFlags, fcntl_getfl};

/// The descriptors that are looked at are those below. A shell takes 63 for its first process substitution, and counts down.
const LOOKED_AT: RawFd = 64;

/// A bit for each descriptor that was open. Where nothing is called before `main`, each counts as open.
static OPEN: AtomicU64 = AtomicU64::new(u64::MAX);

/// Has the look taken when the program is loaded. A static in this section is all that is needed for that.
#[used]
#[expect(unsafe_code, reason = "the loader calls what this section holds; `look` needs nothing of Rust's runtime")]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = look;

extern "C" fn look() {
    let open = (0..LOOKED_AT).filter(|&number| fcntl_getfl(borrow(number)).is_ok());
    OPEN.store(open.fold(0, |bits, number| bits | 1 << number), Ordering::Relaxed);
}

/// A descriptor that this program did not open, and never closes.
#[expect(unsafe_code, reason = "a descriptor that the program was started with has a number, and no owner")]
fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: before `main`, nothing in this process owns a descriptor, and asking for the flags of a closed one is an error alone. After that,
    // `duplicate` asks for open ones only: they were open before `main`, and nothing in this process closes them.
    unsafe { BorrowedFd::borrow_raw(number) }
}

fn was_open(number: RawFd) -> bool {
    (0..LOOKED_AT).contains(&number) && OPEN.load(Ordering::Relaxed) >> number & 1 == 1
}

/// A descriptor of the caller's, for writing. The descriptor shares the place in the file, so that writers take turns and nothing is overwritten.
///
/// # Errors
/// The program was not started with it, or it is open for reading alone.
pub(crate) fn duplicate(number: RawFd) -> io::Result<File> {
    if !was_open(number) {
        return Err(io::Error::other("the program was started without this descriptor"));
    }
    if !is_for_writing(number) {
        return Err(io::Error::other("this descriptor is open for reading alone"));
    }
    Ok(File::from(borrow(number).try_clone_to_owned()?))
}

fn is_for_writing(number: RawFd) -> bool {
    fcntl_getfl(borrow(number)).is_ok_and(|flags| flags & OFlags::ACCMODE != OFlags::RDONLY)
}

/// Why nothing that is written to standard output arrives.
pub(crate) fn output_problem() -> Option<&'static str> {
    match () {
        () if !was_open(1) => Some("standard output is closed"),
        () if !is_for_writing(1) => Some("standard output is open for reading alone"),
        () => None,
    }
}

pub(crate) fn input_is_closed() -> bool {
    !was_open(0)
}

/// `-` for the name of a file that is read.
pub(crate) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// A file, or for `-` standard input.
///
/// # Errors
/// The file cannot be opened.
pub(crate) fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    match is_stdin(file) {
        true => Ok(Box::new(io::stdin().lock())),
        false => Ok(Box::new(BufReader::new(File::open(file)?))),
    }
}

/// The number of the descriptor that a file name stands for: `/dev/stdout`, `/dev/fd/N`, `/proc/self/fd/N`.
pub(crate) fn descriptor(file: &Path) -> Option<RawFd> {
    match file.to_str() {
        Some("/dev/stdin") => return Some(0),
        Some("/dev/stdout") => return Some(1),
        Some("/dev/stderr") => return Some(2),
        _ => {}
    }
    let number = file.file_name()?.to_str()?.parse().ok().filter(|&number| number >= 0)?;
    let directory = file.parent()?;
    let own = format!("/proc/{}/fd", std::process::id());
    let known = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", own.as_str()];
    known.iter().any(|known| directory == Path::new(known)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_descriptors() {
        let number = |name: &str| descriptor(Path::new(name));
        assert_eq!([number("/dev/stdout"), number("/dev/fd/2"), number("/proc/self/fd/12")], [Some(1), Some(2), Some(12)]);
        assert_eq!(number(&format!("/proc/{}/fd/7", std::process::id())), Some(7));
        assert_eq!([number("/dev/fd/x"), number("/dev/fd/-1"), number("/tmp/1"), number("stdout")], [None; 4]);
    }

    #[test]
    fn only_what_was_there_at_the_start_is_taken() {
        assert!(duplicate(2).is_ok());
        assert!(duplicate(LOOKED_AT).is_err() && duplicate(-1).is_err());
    }
}
