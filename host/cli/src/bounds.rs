//! How many connections, and how many requests on each.

use super::args::{Connection, Persistence};

/// The default of the limit `queue-length`. Where `--limit queue-length=N` is less, connections refuse what is beyond it, and it waits here.
const QUEUE_LENGTH_MAX: usize = 1024;
const CONNECTIONS_DEFAULT: u32 = 64;
const DEPTH_DEFAULT: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// `--max-conns`.
    pub(crate) connections: usize,
    /// `--max-host-conns`.
    pub(crate) per_origin: usize,
    /// `--depth`.
    pub(crate) depth: u32,
    /// Requests handed to one connection and not ended.
    pub(crate) window: usize,
}

impl Bounds {
    pub(crate) fn new(options: &Connection) -> Self {
        let parallel = options.parallel.then_some(options.parallel_max);
        let connections = options.max_conns.or(parallel).unwrap_or(CONNECTIONS_DEFAULT) as usize;
        let per_origin = options.max_host_conns.or(parallel).unwrap_or(1) as usize;
        let depth = options.depth.unwrap_or(if options.parallel { 1 } else { DEPTH_DEFAULT });
        let window = match options.persistence {
            Persistence::Close => 1,
            // Enough that the next ones are there before a pipeline runs dry, and no more than the connection queues.
            _ if per_origin == 1 => (2 * depth as usize).min(QUEUE_LENGTH_MAX),
            // What waits behind others on one connection, another one could carry.
            _ => depth as usize,
        };
        Self { connections, per_origin: per_origin.min(connections), depth, window }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Arguments, Command};
    use super::*;

    fn bounds(arguments: &[&str]) -> [usize; 4] {
        let all = ["sandpiper", "fetch", "http://h/"].iter().chain(arguments);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Fetch(fetch) => {
                let Bounds { connections, per_origin, depth, window } = Bounds::new(&fetch.connection);
                [connections, per_origin, depth as usize, window]
            }
            other => panic!("not fetch: {other:?}"),
        }
    }

    #[test]
    fn options_and_their_defaults() {
        assert_eq!(bounds(&[]), [64, 1, 64, 128]);
        assert_eq!(bounds(&["--depth", "1024"]), [64, 1, 1024, 1024]);
        assert_eq!(bounds(&["--persistence", "close"]), [64, 1, 64, 1]);
        assert_eq!(bounds(&["--max-host-conns", "6"]), [64, 6, 64, 64]);
        assert_eq!(bounds(&["--max-conns", "4", "--max-host-conns", "6"]), [4, 4, 64, 64]);
        assert_eq!(bounds(&["-Z"]), [50, 50, 1, 1]);
        assert_eq!(bounds(&["-Z", "--parallel-max", "8", "--max-host-conns", "2", "--depth", "3"]), [8, 2, 3, 3]);
    }
}
