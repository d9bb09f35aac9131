//! What the clients are asked to do.

/// One workload.
#[derive(Clone, Debug)]
pub struct Work {
    /// Its name, by which it is chosen: `group/what`.
    pub name: String,
    /// What it is, for a reader.
    pub about: String,
    pub server: Kind,
    /// The request target.
    pub target: String,
    /// Octets of the request's content; 0: a GET.
    pub upload: usize,
    /// Octets of the response's content.
    pub content: u64,
    /// Is the content too large to be gathered?
    pub streamed: bool,
    pub connections: u32,
    /// Requests under way on each connection, for clients that pipeline. The others have one.
    pub depth: u32,
    /// Is the server busy with others meanwhile?
    pub loaded: bool,
    /// What grows, and how large it is here: a point of a curve.
    pub grows: Option<(Axis, u64)>,
}

/// The servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    /// Ours, which answers pipelined requests together.
    Batching,
}

/// What costs are drawn over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    Depth,
    Connections,
    FieldLines,
    Content,
}

impl Axis {
    pub const ALL: [Axis; 4] = [Axis::Depth, Axis::Connections, Axis::FieldLines, Axis::Content];

    pub fn title(self) -> &'static str {
        match self {
            Axis::Depth => "requests under way on one connection",
            Axis::Connections => "connections",
            Axis::FieldLines => "field lines of a response",
            Axis::Content => "octets of a content",
        }
    }
}

impl Work {
    fn get(name: impl Into<String>, about: impl Into<String>, server: Kind, target: impl Into<String>, content: u64) -> Work {
        Work {
            name: name.into(),
            about: about.into(),
            server,
            target: target.into(),
            upload: 0,
            content,
            streamed: false,
            connections: 1,
            depth: 1,
            loaded: false,
            grows: None,
        }
    }

    fn deep(self, depth: u32) -> Work {
        Work { depth, ..self }
    }

    fn wide(self, connections: u32) -> Work {
        Work { connections, ..self }
    }

    fn growing(self, axis: Axis, size: u64) -> Work {
        Work { grows: Some((axis, size)), ..self }
    }

    /// Requests under way at once.
    pub fn window(&self) -> u32 {
        self.connections * self.depth
    }

    /// Is how long each exchange takes of interest?
    pub fn times_each(&self) -> bool {
        self.window() == 1 && self.content < 65_536 && self.upload < 65_536
    }
}

/// Octets of a content that is called large.
const HUGE: u64 = 1 << 30;
/// The same, in a quick run.
const HUGE_QUICK: u64 = 1 << 26;

/// All workloads.
pub fn all(quick: bool) -> Vec<Work> {
    let huge = if quick { HUGE_QUICK } else { HUGE };
    let mut works = Vec::new();
    for depth in [1, 4, 16, 64] {
        let name = format!("small/{depth}");
        let about = format!("GET of 12 octets, {depth} deep");
        works.push(Work::get(name, about, Kind::Batching, "/fields/6", 12).deep(depth).growing(Axis::Depth, depth.into()));
    }
    works.push(Work::get("nginx/1", "GET of 12 octets from nginx", Kind::Nginx, "/12", 12));
    works.push(Work::get("nginx/64", "GET of 12 octets from nginx, 64 deep", Kind::Nginx, "/12", 12).deep(64));
    for (name, octets) in [("1k", 1 << 10), ("16k", 1 << 14), ("64k", 1 << 16), ("256k", 1 << 18), ("1m", 1 << 20)] {
        let about = format!("GET of {name}iB");
        works.push(
            Work::get(format!("down/{name}"), about, Kind::Nginx, format!("/{octets}"), octets).growing(Axis::Content, octets),
        );
    }
    let about = format!("GET of {} MiB, not gathered", huge >> 20);
    works.push(Work { streamed: true, ..Work::get("down/huge", about, Kind::Nginx, format!("/{huge}"), huge) });
    for (name, upload) in [("1k", 1 << 10), ("64k", 1 << 16), ("1m", 1 << 20)] {
        works.push(Work {
            upload,
            ..Work::get(format!("up/{name}"), format!("PUT of {name}iB"), Kind::Batching, "/fields/6", 12)
        });
    }
    for connections in [1, 10, 100, 1_000] {
        let name = format!("wide/{connections}");
        let about = format!("GET of 12 octets, {connections} connections");
        let work = Work::get(name, about, Kind::Batching, "/fields/6", 12).wide(connections);
        works.push(work.growing(Axis::Connections, connections.into()));
    }
    for lines in [1, 6, 40, 100] {
        let work =
            Work::get(format!("fields/{lines}"), format!("{lines} field lines"), Kind::Batching, format!("/fields/{lines}"), 12);
        works.push(work.growing(Axis::FieldLines, lines));
    }
    works.push(Work::get("chunked", "64 KiB in chunks of 64 octets", Kind::Batching, "/chunks/1024", 65_536));
    works
        .push(Work { loaded: true, ..Work::get("loaded", "GET of 12 octets, the server busy", Kind::Batching, "/fields/6", 12) });
    works
}
