//! The builds of the component that this crate was built with.

use std::fmt;
use std::str::FromStr;

const BUILDS: usize = if cfg!(feature = "host-tls") { 3 } else { 2 };

/// A build of the component: its part of TLS, and so its imports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Build {
    /// Without TLS. The smallest; an endpoint with TLS is refused with `tls(unavailable)`.
    #[default]
    Plain,
    /// TLS inside: keys, certificates and plaintext stay in the sandbox. Imports randomness and the date besides. This is the build for hosts:
    /// the build to compose with plugins is the same code without the interface `tls-admin`.
    Tls,
    /// The host's TLS, by `wasi:tls`, which is a draft: see [`HostTls`](crate::HostTls). With the feature `host-tls`.
    #[cfg(feature = "host-tls")]
    HostTls,
}

impl Build {
    /// Every build.
    pub const ALL: [Self; BUILDS] = [
        Self::Plain,
        Self::Tls,
        #[cfg(feature = "host-tls")]
        Self::HostTls,
    ];

    /// Its name on the command line: `plain`, `tls` or `host-tls`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            #[cfg(feature = "host-tls")]
            Self::HostTls => "host-tls",
        }
    }

    /// The file that `./dev component` makes of it.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Plain => "sandpiper.wasm",
            Self::Tls => "sandpiper-tls-admin.wasm",
            #[cfg(feature = "host-tls")]
            Self::HostTls => "sandpiper-host-tls.wasm",
        }
    }

    /// The component, in its binary form.
    pub const fn octets(self) -> &'static [u8] {
        match self {
            Self::Plain => include!(concat!(env!("OUT_DIR"), "/sandpiper.rs")),
            Self::Tls => include!(concat!(env!("OUT_DIR"), "/sandpiper-tls-admin.rs")),
            #[cfg(feature = "host-tls")]
            Self::HostTls => include!(concat!(env!("OUT_DIR"), "/sandpiper-host-tls.rs")),
        }
    }

    /// Can it connect to an endpoint with TLS?
    pub const fn has_tls(self) -> bool {
        !matches!(self, Self::Plain)
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Build {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|build| build.name() == name);
        named.ok_or_else(|| format!("`{name}` is no build of the component: plain, tls and host-tls are"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for build in Build::ALL {
            assert_eq!(build.name().parse(), Ok(build));
        }
        assert!("TLS".parse::<Build>().is_err());
        assert_eq!(Build::default(), Build::Plain);
    }
}
