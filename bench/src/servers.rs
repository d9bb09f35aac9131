//! The servers, as processes.

use crate::work::{self, Kind};
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer for the first time.
const START_MAX: Duration = Duration::from_secs(10);

/// All servers that there are. They end with this.
pub struct Servers {
    batching: Running,
    nginx: Option<Running>,
    /// Of nginx.
    pub version: Option<String>,
}

struct Running {
    process: Child,
    address: SocketAddr,
    /// Its files.
    _root: Option<tempfile::TempDir>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Servers {
    /// Starts them; what is missing is said on standard error.
    pub fn start() -> anyhow::Result<Servers> {
        let batching = start_batching()?;
        let Some(program) = find_nginx() else {
            eprintln!("bench: nginx SKIPPED, with every workload that it serves: it is not here (tests/servers/install gets it)");
            return Ok(Servers { batching, nginx: None, version: None });
        };
        let version =
            Command::new(&program).arg("-v").output().map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
        let version = version.ok().and_then(|version| Some(version.rsplit_once('/')?.1.to_owned()));
        Ok(Servers { batching, nginx: Some(start_nginx(&program)?), version })
    }

    /// Where a workload's server is; `None`: it is not here.
    pub fn address(&self, kind: Kind) -> Option<SocketAddr> {
        match kind {
            Kind::Batching => Some(self.batching.address),
            Kind::Nginx => self.nginx.as_ref().map(|nginx| nginx.address),
        }
    }
}

fn start_batching() -> anyhow::Result<Running> {
    let mut process = Command::new(std::env::current_exe()?).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
    Ok(Running { process, address: ([127, 0, 0, 1], line.trim().parse()?).into(), _root: None })
}

/// On the PATH, where servers are, or where tests/servers/install puts it.
fn find_nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let tools = std::env::var_os("SANDPIPER_TOOLS").map(|tools| Path::new(&tools).join("debian/usr/sbin"));
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).chain(tools);
    places.map(|place| place.join("nginx")).find(|program| program.is_file())
}

fn start_nginx(program: &Path) -> anyhow::Result<Running> {
    let root = tempfile::tempdir()?;
    let works = [false, true].into_iter().flat_map(work::all);
    for work in works.filter(|work| work.server == Kind::Nginx) {
        // A file of nothing but a hole takes no room.
        File::create(root.path().join(work.target.trim_start_matches('/')))?.set_len(work.content)?;
    }
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let configuration = root.path().join("nginx.conf");
    std::fs::write(&configuration, configuration_of(root.path(), address))?;
    let process = Command::new(program)
        .args(["-e", "stderr", "-p"])
        .arg(root.path())
        .arg("-c")
        .arg(&configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let running = Running { process, address, _root: Some(root) };
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        anyhow::ensure!(started.elapsed() < START_MAX, "nginx does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

/// One process, which does not fork, so that killing it ends it.
fn configuration_of(root: &Path, address: SocketAddr) -> String {
    let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
    let root = root.display();
    format!(
        "daemon off; master_process off; pid {root}/pid; {user} error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off; default_type text/plain; root {root}; sendfile on; tcp_nodelay on;
    keepalive_requests 1000000000; keepalive_timeout 600s; open_file_cache max=64;
    client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root}; uwsgi_temp_path {root}; scgi_temp_path {root};
    server {{ listen {address} backlog=4096; }}
}}
"
    )
}
