//! Which component is run, and what it can reach.

use std::fs;

use sandpiper_host::{Build, HostError, Sandbox, SandboxBuilder};

use super::args::{Component, Given};

impl Component {
    /// The build that runs; `None`: a file does.
    ///
    /// # Errors
    /// A sentence: it has no TLS, and `secured`, a URL, needs it.
    pub(crate) fn build(&self, secured: Option<&str>) -> Result<Option<Build>, String> {
        match (&self.given, secured) {
            (Some(Given::File(_)), _) => Ok(None),
            (Some(Given::Build(build)), Some(url)) if !build.has_tls() => Err(format!(
                "`{url}` needs TLS, which --component {build} has not; leave the option out, or give --component tls"
            )),
            (Some(Given::Build(build)), _) => Ok(Some(*build)),
            (None, Some(_)) => Ok(Some(Build::Tls)),
            (None, None) => Ok(Some(Build::Plain)),
        }
    }

    /// A sandbox of this build, as [`Component::build`] gives it.
    pub(crate) fn builder(&self, build: Option<Build>) -> SandboxBuilder {
        match (&self.given, build) {
            (Some(Given::File(file)), _) => Sandbox::builder().component_file(file),
            (_, build) => Sandbox::builder().component(build.unwrap_or_default()),
        }
    }

    /// An error of the build, with the component that it is about.
    pub(crate) fn explain(&self, error: &HostError) -> String {
        match &self.given {
            Some(given) => format!("--component {}: {error}", given.name()),
            None => error.to_string(),
        }
    }

    /// Its octets, where no URL has a say.
    ///
    /// # Errors
    /// A sentence: the file cannot be read.
    pub(crate) fn octets(&self) -> Result<Vec<u8>, String> {
        match &self.given {
            Some(Given::File(file)) => fs::read(file).map_err(|error| format!("--component {}: {error}", file.display())),
            Some(Given::Build(build)) => Ok(build.octets().to_vec()),
            None => Ok(Build::default().octets().to_vec()),
        }
    }

    pub(crate) fn name(&self) -> String {
        match &self.given {
            Some(Given::File(file)) => file.display().to_string(),
            Some(Given::Build(build)) => embedded(*build),
            None => embedded(Build::default()),
        }
    }
}

fn embedded(build: Build) -> String {
    format!("{}, as this program was built with it", build.file_name())
}

impl Given {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Build(build) => build.to_string(),
            Self::File(file) => file.display().to_string(),
        }
    }
}

/// What WASI has to give, by the beginnings of its interfaces' names.
const POWERS: [(&str, &str); 7] = [
    ("wasi:filesystem/", "files"),
    ("wasi:cli/", "arguments, environment and standard streams"),
    ("wasi:random/", "random numbers"),
    ("wasi:clocks/wall-clock", "the date"),
    ("wasi:sockets/udp", "UDP"),
    ("wasi:http/", "the host's HTTP"),
    ("wasi:tls/", "the host's TLS"),
];

/// The powers that no import has.
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
        assert_eq!(out_of_reach(&imports), ["files", "random numbers", "the date", "UDP", "the host's HTTP", "the host's TLS"]);
    }

    #[test]
    fn a_url_with_https_chooses_tls() {
        let of = |given: Option<&str>, secured| {
            Component { given: given.map(|given| std::ffi::OsString::from(given).into()) }.build(secured)
        };
        assert_eq!(of(None, None), Ok(Some(Build::Plain)));
        assert_eq!(of(None, Some("https://h/")), Ok(Some(Build::Tls)));
        assert_eq!(of(Some("host-tls"), Some("https://h/")), Ok(Some(Build::HostTls)));
        assert_eq!(of(Some("tls"), None), Ok(Some(Build::Tls)));
        assert_eq!(of(Some("./tls"), Some("https://h/")), Ok(None));
        let refusal = of(Some("plain"), Some("https://h/")).unwrap_err();
        assert!(refusal.contains("https://h/") && refusal.contains("--component plain"), "{refusal}");
    }
}
