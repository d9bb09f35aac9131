//! Which component is run, and what it can reach.

use std::fs;

use sandpiper_host::{COMPONENT, HostError, Sandbox, SandboxBuilder};

use super::args::Component;

impl Component {
    pub(crate) fn builder(&self) -> SandboxBuilder {
        match &self.file {
            Some(file) => Sandbox::builder().component_file(file),
            None => Sandbox::builder(),
        }
    }

    /// An error of the build, with the file that it is about.
    pub(crate) fn explain(&self, error: &HostError) -> String {
        match &self.file {
            Some(file) => format!("--component {}: {error}", file.display()),
            None => error.to_string(),
        }
    }

    /// Its octets.
    ///
    /// # Errors
    /// A sentence: the file cannot be read.
    pub(crate) fn octets(&self) -> Result<Vec<u8>, String> {
        match &self.file {
            Some(file) => fs::read(file).map_err(|error| format!("--component {}: {error}", file.display())),
            None => Ok(COMPONENT.to_vec()),
        }
    }

    pub(crate) fn name(&self) -> String {
        self.file
            .as_ref()
            .map_or_else(|| "sandpiper.wasm, as this program was built with it".to_owned(), |file| file.display().to_string())
    }
}

/// What WASI has to give, by the beginnings of its interfaces' names.
const POWERS: [(&str, &str); 6] = [
    ("wasi:filesystem/", "files"),
    ("wasi:cli/", "arguments, environment and standard streams"),
    ("wasi:random/", "random numbers"),
    ("wasi:clocks/wall-clock", "the date"),
    ("wasi:sockets/udp", "UDP"),
    ("wasi:http/", "the host's HTTP"),
];

/// What no import gives.
pub(crate) fn out_of_reach(imports: &[String]) -> Vec<&'static str> {
    let absent = |beginning: &str| !imports.iter().any(|import| import.starts_with(beginning));
    POWERS.iter().filter(|(beginning, _)| absent(beginning)).map(|&(_, power)| power).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_told_by_the_imports() {
        let imports = ["wasi:cli/environment@0.2.12".to_owned(), "wasi:clocks/monotonic-clock@0.2.12".to_owned()];
        assert_eq!(out_of_reach(&imports), ["files", "random numbers", "the date", "UDP", "the host's HTTP"]);
    }
}
