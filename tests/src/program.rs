//! Programs that the tests start: where they are, and which version they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the tools of the tests are: what `just test-servers` has unpacked.
pub fn tools() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let tools = variable("SANDPIPER_TOOLS").or_else(|| Some(cache()?.join("sandpiper/tools")));
    tools.unwrap_or_default()
}

/// The program of this name: that of the tools first when it is one of Python's, else that of the system.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let tools = tools();
    let mut places = vec![tools.join("python/bin")];
    let system = std::env::var_os("PATH").unwrap_or_default();
    places.splice(if name == "python" { 1..1 } else { 0..1 }, std::env::split_paths(&system));
    places.extend([PathBuf::from("/usr/sbin"), tools.join("debian/usr/sbin"), tools.join("debian/usr/bin")]);
    places.into_iter().map(|place| place.join(name)).find(|path| path.is_file())
}

/// Starts a program that finds the libraries that were unpacked with it.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.envs(environment(program));
    command
}

/// The variables that a program needs to find the libraries that were unpacked with it.
pub fn environment(program: &Path) -> Option<(&'static str, OsString)> {
    let unpacked = tools().join("debian");
    if !program.starts_with(&unpacked) {
        return None;
    }
    let directories = std::fs::read_dir(unpacked.join("usr/lib")).into_iter().flatten().flatten();
    let libraries: Vec<PathBuf> = directories.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    Some(("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap_or_default()))
}

/// The first thing in a text that looks like a version.
pub fn version_in(text: &str) -> Option<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'));
    let versions = words.map(|word| word.trim_start_matches('v').trim_end_matches('.'));
    let mut found = versions.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'));
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_a_program_says() {
        let said = [
            ("nginx version: nginx/1.22.1", "1.22.1"),
            ("Server version: Apache/2.4.71 (Debian)\nServer built: 2026-01-02", "2.4.71"),
            ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", "2.6.12"),
            ("v20.20.2", "20.20.2"),
            ("Python 3.11.7", "3.11.7"),
        ];
        for (text, version) in said {
            assert_eq!(version_in(text), Some(version));
        }
        assert_eq!(version_in("ModuleNotFoundError: No module named 'aiohttp'"), None);
    }
}
