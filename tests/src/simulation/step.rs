//! The steps of a run: whole values, so that a run can be written down, cut short and played again.

use crate::choices::Choices;
use crate::peer::answer::Answer;
use crate::peer::scripted::injected;
use std::fmt;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// On which connection.
    pub connection: usize,
    /// What happens.
    pub action: Action,
}

/// What happens. Exchanges are named by their tokens; what cannot be done is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of a step are told by the step")]
pub enum Action {
    /// The caller sends a request.
    Send(Ask),
    /// The caller writes content.
    Write { token: u64, octets: usize },
    /// The caller ends the content.
    Finish { token: u64, trailers: bool },
    /// The caller reads interim responses, the head and content.
    Read { token: u64, octets_max: u64 },
    /// The caller wants the response whole.
    Collect { token: u64 },
    /// The caller cancels.
    Cancel { token: u64 },
    /// The caller drops the handle of an exchange.
    Drop { token: u64 },
    /// The caller asks for the request of an exchange back.
    TakeRequest { token: u64 },
    /// The caller asks what is ready.
    Report { events_max: usize },
    /// The caller shuts the connection down.
    Shutdown,
    /// The caller closes it.
    Close,
    /// The transport is established.
    Establish,
    /// The transport takes octets from the connection.
    Transmit { octets: usize },
    /// The transport gives octets to the connection, or says that there are none, or its end.
    Receive { octets: usize },
    /// What is sent from now on takes this long.
    Delay { ms: u64 },
    /// Nothing arrives any more.
    Split,
    /// It does again.
    Heal,
    /// The network, or the server, resets the connection; what is on its way to the client may be lost.
    Reset { loses: bool },
    /// The server stops reading, or begins again.
    Reads(bool),
    /// The server says `100 (Continue)`.
    Continue,
    /// The server answers the next request that it has read.
    Answer(Answer),
    /// The server answers a request of which it has only a part.
    AnswerEarly(Answer),
    /// The server acts on a request, and never answers.
    Swallow,
    /// The server sends what it should not.
    Inject { what: usize },
    /// The server sends FIN.
    End,
    /// Time passes.
    Pass { ms: u64 },
    /// Time passes until the next deadline.
    PassToDeadline,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its number, and its target.
    pub token: u64,
    /// Its method.
    pub method: &'static str,
    /// Its content.
    pub content: AskContent,
    /// It waits for `100 (Continue)`.
    pub expects: bool,
    /// It is gathered for `poll.take-completions`.
    pub gathered: bool,
    /// What the caller says about repeating it.
    pub idempotent: Option<bool>,
    /// The most content of its response.
    pub content_octets_max: Option<u64>,
    /// Its `total` deadline, and half of that as its `queue` deadline.
    pub total_ms: Option<u64>,
}

/// The content of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskContent {
    /// None.
    None,
    /// Given with the request.
    Whole(usize),
    /// Streamed, of this length.
    Length(usize),
    /// Streamed, of unknown length.
    Unknown,
}

impl Ask {
    /// May it stand beside others in a pipeline?
    pub fn pipelines(&self) -> bool {
        let at_once = matches!(self.content, AskContent::None | AskContent::Whole(_)) && !self.expects;
        self.idempotent.unwrap_or(self.method != "POST" && at_once)
    }

    /// Whether its content is written piece by piece.
    pub fn is_streamed(&self) -> bool {
        matches!(self.content, AskContent::Length(_) | AskContent::Unknown)
    }

    /// Draws one.
    pub fn draw(choices: &mut Choices, token: u64) -> Ask {
        let (method, content) = match choices.below(32) {
            0..22 => ("GET", AskContent::None),
            22..25 => ("HEAD", AskContent::None),
            25..27 => ("POST", AskContent::Whole(7)),
            27..29 => ("PUT", AskContent::Whole(20_000)),
            29 => ("PUT", AskContent::Length(3_000)),
            30 => ("PUT", AskContent::Unknown),
            _ => ("POST", AskContent::Unknown),
        };
        Ask {
            token,
            method,
            content,
            expects: content != AskContent::None && choices.chance(1, 4),
            gathered: choices.chance(1, 5),
            idempotent: choices.chance(1, 10).then(|| choices.chance(1, 2)),
            content_octets_max: choices.chance(1, 12).then_some(500),
            total_ms: choices.chance(1, 20).then_some(2_000),
        }
    }
}

impl Action {
    /// The same with one thing less to think about, in every way.
    pub fn simpler(&self) -> Vec<Action> {
        let all = match self {
            Action::Send(ask) => ask.simpler().into_iter().map(Action::Send).collect(),
            Action::Answer(answer) => answer.simpler().into_iter().map(Action::Answer).collect(),
            Action::AnswerEarly(answer) => answer.simpler().into_iter().map(Action::AnswerEarly).collect(),
            Action::Transmit { .. } => vec![Action::Transmit { octets: usize::MAX }],
            Action::Receive { .. } => vec![Action::Receive { octets: usize::MAX }],
            Action::Read { token, .. } => vec![Action::Read { token: *token, octets_max: u64::MAX }],
            Action::Write { token, .. } => vec![Action::Write { token: *token, octets: 1 }],
            Action::Finish { token, .. } => vec![Action::Finish { token: *token, trailers: false }],
            Action::Reset { .. } => vec![Action::Reset { loses: false }],
            _ => Vec::new(),
        };
        all.into_iter().filter(|simpler| simpler != self).collect()
    }
}

impl Ask {
    fn simpler(&self) -> Vec<Ask> {
        vec![
            Ask { method: "GET", content: AskContent::None, expects: false, ..self.clone() },
            Ask { expects: false, ..self.clone() },
            Ask { gathered: false, ..self.clone() },
            Ask { idempotent: None, ..self.clone() },
            Ask { content_octets_max: None, ..self.clone() },
            Ask { total_ms: None, ..self.clone() },
        ]
    }
}

/// `client sends 3: GET`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.connection > 0 {
            write!(f, "[{}] ", self.connection + 1)?;
        }
        self.action.fmt(f)
    }
}

fn count(octets: usize) -> String {
    if octets == usize::MAX { "all octets".to_owned() } else { format!("{octets} octets") }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Send(ask) => write!(f, "caller sends {ask}"),
            Action::Write { token, octets } => write!(f, "caller writes {octets} octets of {token}"),
            Action::Finish { token, trailers: false } => write!(f, "caller finishes {token}"),
            Action::Finish { token, trailers: true } => write!(f, "caller finishes {token} with trailers"),
            Action::Read { token, octets_max: u64::MAX } => write!(f, "caller reads {token}"),
            Action::Read { token, octets_max } => write!(f, "caller reads {octets_max} octets of {token}"),
            Action::Collect { token } => write!(f, "caller collects {token}"),
            Action::Cancel { token } => write!(f, "caller cancels {token}"),
            Action::Drop { token } => write!(f, "caller drops {token}"),
            Action::TakeRequest { token } => write!(f, "caller takes the request {token} back"),
            Action::Report { events_max } => write!(f, "caller asks for {events_max} events"),
            Action::Shutdown => f.write_str("caller shuts down"),
            Action::Close => f.write_str("caller closes"),
            Action::Establish => f.write_str("network connects"),
            Action::Transmit { octets } => write!(f, "network takes {} from the client", count(*octets)),
            Action::Receive { octets } => write!(f, "network gives {} to the client", count(*octets)),
            Action::Delay { ms } => write!(f, "network takes {ms} ms from now on"),
            Action::Split => f.write_str("network splits"),
            Action::Heal => f.write_str("network heals"),
            Action::Reset { loses: false } => f.write_str("server resets"),
            Action::Reset { loses: true } => f.write_str("server resets, what it sent is lost"),
            Action::Reads(false) => f.write_str("server stops reading"),
            Action::Reads(true) => f.write_str("server reads again"),
            Action::Continue => f.write_str("server says 100 (Continue)"),
            Action::Answer(answer) => write!(f, "server answers {answer}"),
            Action::AnswerEarly(answer) => write!(f, "server answers early {answer}"),
            Action::Swallow => f.write_str("server acts on the next request, and never answers"),
            Action::Inject { what } => write!(f, "server sends {}", injected(*what).escape_ascii()),
            Action::End => f.write_str("server ends"),
            Action::Pass { ms } => write!(f, "clock moves {ms} ms"),
            Action::PassToDeadline => f.write_str("clock moves to the next deadline"),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.token, self.method)?;
        match self.content {
            AskContent::None => {}
            AskContent::Whole(octets) => write!(f, ", {octets} octets")?,
            AskContent::Length(octets) => write!(f, ", {octets} octets streamed")?,
            AskContent::Unknown => f.write_str(", streamed")?,
        }
        if self.expects {
            f.write_str(", expecting 100")?;
        }
        if self.gathered {
            f.write_str(", gathered")?;
        }
        if let Some(idempotent) = self.idempotent {
            f.write_str(if idempotent { ", idempotent" } else { ", not idempotent" })?;
        }
        if let Some(octets) = self.content_octets_max {
            write!(f, ", at most {octets} octets")?;
        }
        match self.total_ms {
            Some(ms) => write!(f, ", within {ms} ms"),
            None => Ok(()),
        }
    }
}
