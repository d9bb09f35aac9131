//! The servers: how each is found, configured, started and restarted, and what it cannot do. One row per server.

use super::capability::Capability::{self, EarlyAnswer, EarlyHints, RequestLimit, Trailers};
use crate::program::{command, find_program, version_in};
use std::path::PathBuf;

/// A server that can be talked to, if it is here.
#[derive(Debug)]
pub struct Kind {
    /// What people call it.
    pub name: &'static str,
    /// The name of its program.
    program: &'static str,
    /// What makes the program say its version.
    version: &'static [&'static str],
    /// The name of its configuration in `tests/servers`, and the text.
    pub(super) config: (&'static str, &'static str),
    /// What is written beside it.
    pub(super) beside: &'static [(&'static str, &'static str)],
    /// What stands in the configuration for `@AS_ROOT@` when the tests run as root.
    pub(super) as_root: &'static str,
    /// Starts it in the foreground.
    pub(super) arguments: &'static [&'static str],
    pub(super) restart: Restart,
    /// What it cannot do, and why. Where that can be tried it is: a newer one may be able to.
    pub lacks: &'static [(Capability, &'static str)],
}

/// What makes a server go on with a new configuration, or a new process, without losing requests.
#[derive(Debug)]
pub(super) enum Restart {
    /// A signal to its process.
    Signal(&'static str),
    /// Another run of its program, with these arguments.
    Command(&'static [&'static str]),
    /// It ends, and another is started in its place: connections are refused meanwhile.
    Successor,
}

const PYTHON_PARTS: (&str, &str) = ("application.py", include_str!("../../servers/application.py"));

/// Every server.
pub const KINDS: [Kind; 8] = [
    Kind {
        name: "nginx",
        program: "nginx",
        version: &["-v"],
        config: ("nginx.conf", include_str!("../../servers/nginx.conf")),
        beside: &[],
        as_root: "user root root;",
        arguments: &["-p", "@ROOT@", "-c", "@CONFIG@", "-e", "@ROOT@/error.log"],
        restart: Restart::Signal("HUP"),
        lacks: &[
            (EarlyHints, "it takes 103 from its origin for the final response, and the connection is stuck behind it"),
            (Trailers, "its proxy drops the trailer section of an HTTP/1.1 origin"),
        ],
    },
    Kind {
        name: "Apache",
        program: "apache2",
        version: &["-v"],
        config: ("apache.conf", include_str!("../../servers/apache.conf")),
        beside: &[],
        as_root: "User nobody\nGroup nogroup",
        arguments: &["-D", "FOREGROUND", "-f", "@CONFIG@"],
        restart: Restart::Signal("USR1"),
        lacks: &[
            (Trailers, "its proxy does not pass the trailer section on"),
            (EarlyAnswer, "its proxy reads the answer when it has passed the content on"),
        ],
    },
    Kind {
        name: "HAProxy",
        program: "haproxy",
        version: &["-v"],
        config: ("haproxy.cfg", include_str!("../../servers/haproxy.cfg")),
        beside: &[],
        as_root: "",
        arguments: &["-W", "-f", "@CONFIG@"],
        restart: Restart::Signal("USR2"),
        lacks: &[(RequestLimit, "it has no limit of requests on a connection of a client")],
    },
    Kind {
        name: "lighttpd",
        program: "lighttpd",
        version: &["-v"],
        config: ("lighttpd.conf", include_str!("../../servers/lighttpd.conf")),
        beside: &[],
        as_root: "",
        arguments: &["-D", "-f", "@CONFIG@", "-m", "@PREFIX@/lib/lighttpd"],
        restart: Restart::Signal("USR1"),
        lacks: &[],
    },
    Kind {
        name: "Caddy",
        program: "caddy",
        version: &["version"],
        config: ("Caddyfile", include_str!("../../servers/Caddyfile")),
        beside: &[],
        as_root: "",
        arguments: &["run", "--config", "@CONFIG@", "--adapter", "caddyfile"],
        restart: Restart::Command(&[
            "reload",
            "--config",
            "@CONFIG@",
            "--adapter",
            "caddyfile",
            "--address",
            "127.0.0.1:@ADMIN@",
            "--force",
        ]),
        lacks: &[
            (RequestLimit, "it has no limit of requests on a connection"),
            (EarlyAnswer, "it answers early with `close`, which refuses the rest"),
        ],
    },
    Kind {
        name: "Node http",
        program: "node",
        version: &["--version"],
        config: ("node.mjs", include_str!("../../servers/node.mjs")),
        beside: &[],
        as_root: "",
        arguments: &["@CONFIG@", "@ROOT@", "@PLAIN@", "@LIMITED@"],
        restart: Restart::Successor,
        lacks: &[],
    },
    Kind {
        name: "Python http.server",
        program: "python3",
        version: &["--version"],
        config: ("http_server.py", include_str!("../../servers/http_server.py")),
        beside: &[PYTHON_PARTS],
        as_root: "",
        arguments: &["@CONFIG@", "@ROOT@", "@PLAIN@", "@LIMITED@"],
        restart: Restart::Successor,
        lacks: &[],
    },
    Kind {
        name: "aiohttp",
        program: "python",
        version: &["-c", "import aiohttp; print(aiohttp.__version__)"],
        config: ("aiohttp_server.py", include_str!("../../servers/aiohttp_server.py")),
        beside: &[PYTHON_PARTS],
        as_root: "",
        arguments: &["@CONFIG@", "@ROOT@", "@PLAIN@", "@LIMITED@"],
        restart: Restart::Successor,
        lacks: &[
            (RequestLimit, "it has no limit of requests on a connection"),
            (EarlyHints, "its handlers cannot send interim responses of their own"),
            (Trailers, "its responses have no trailer section"),
        ],
    },
];

impl Kind {
    /// Its program and version.
    ///
    /// # Errors
    /// Why it is not here.
    pub fn find(&self) -> Result<(PathBuf, String), String> {
        let missing = || format!("there is no program {}; `just test-servers` provides it where it can", self.program);
        let program = find_program(self.program).ok_or_else(missing)?;
        let output = command(&program).args(self.version).output().map_err(|error| format!("{}: {error}", self.program))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        match version_in(&said) {
            Some(version) if output.status.success() => Ok((program, version.to_owned())),
            _ => Err(format!("{} does not tell its version: {}", self.program, said.lines().last().unwrap_or_default())),
        }
    }

    /// Why it cannot do this.
    pub fn lacking(&self, capability: Capability) -> Option<&'static str> {
        self.lacks.iter().find(|(lacked, _)| *lacked == capability).map(|(_, why)| *why)
    }
}
