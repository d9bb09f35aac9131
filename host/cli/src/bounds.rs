//! How many connections, and how many requests at once.

use sandpiper_host::types::{Limit, PollOptions};

use super::args::Connection;

const CONNECTIONS_DEFAULT: u32 = 64;
const DEPTH_DEFAULT: u32 = 64;
/// Requests that are submitted and have not ended, of all origins: each takes some memory of the component.
const SUBMITTED_MAX: usize = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// `--max-conns`.
    pub(crate) connections: usize,
    /// `--max-host-conns`.
    pub(crate) per_origin: usize,
    /// `--depth`.
    pub(crate) depth: u32,
    /// Requests of one origin that are submitted and have not ended: enough that the next ones are there before a pipeline runs dry.
    pub(crate) submitted_per_origin: usize,
    /// The same of all origins.
    pub(crate) submitted: usize,
}

impl Bounds {
    pub(crate) fn new(options: &Connection) -> Self {
        let parallel = options.parallel.then_some(options.parallel_max);
        let connections = options.max_conns.or(parallel).unwrap_or(CONNECTIONS_DEFAULT) as usize;
        let per_origin = options.max_host_conns.or(parallel).unwrap_or(1) as usize;
        let per_origin = per_origin.min(connections);
        let depth = options.depth.unwrap_or(if options.parallel { 1 } else { DEPTH_DEFAULT });
        let submitted = |connections: usize| (2 * connections * depth as usize).min(SUBMITTED_MAX);
        Self { connections, per_origin, depth, submitted_per_origin: submitted(per_origin), submitted: submitted(connections) }
    }

    pub(crate) fn poll_options(&self, log_entries: u32) -> PollOptions {
        PollOptions::default()
            .limit(Limit::Connections, self.connections as u64)
            .limit(Limit::ConnectionsPerOrigin, self.per_origin as u64)
            .limit(Limit::IdleConnections, self.connections as u64)
            .limit(Limit::LogEntries, log_entries.into())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::*;

    fn bounds(arguments: &[&str]) -> [usize; 5] {
        let all = ["sandpiper", "fetch", "http://h/"].iter().chain(arguments);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Fetch(fetch) => {
                let Bounds { connections, per_origin, depth, submitted_per_origin, submitted } = Bounds::new(&fetch.connection);
                [connections, per_origin, depth as usize, submitted_per_origin, submitted]
            }
            other => panic!("not fetch: {other:?}"),
        }
    }

    #[test]
    fn options_and_their_defaults() {
        assert_eq!(bounds(&[]), [64, 1, 64, 128, 8192]);
        assert_eq!(bounds(&["--depth", "1024"]), [64, 1, 1024, 2048, 8192]);
        assert_eq!(bounds(&["--max-host-conns", "6"]), [64, 6, 64, 768, 8192]);
        assert_eq!(bounds(&["--max-conns", "4", "--max-host-conns", "6"]), [4, 4, 64, 512, 512]);
        assert_eq!(bounds(&["-Z"]), [50, 50, 1, 100, 100]);
        assert_eq!(bounds(&["-Z", "--parallel-max", "8", "--max-host-conns", "2", "--depth", "3"]), [8, 2, 3, 12, 48]);
    }
}
