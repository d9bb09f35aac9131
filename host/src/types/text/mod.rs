//! Every error of the WIT package in words: for a person, what happened and what to do; for a program, the names of the
//! WIT.
//!
//! Each table names every case, so that a case that is added to the WIT does not compile until it has its words.

use crate::types::Error;

/// Gives an enum `ALL` and `name`, its cases as the WIT writes them, and the other texts of the table.
macro_rules! texts {
    ($(#[$about:meta])* $case:ident ($($(#[$doc:meta])* $text:ident),*) { $($variant:ident $name:literal $($words:expr),*;)* }) => {
        $(#[$about])*
        impl $case {
            /// Every case.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The case as the WIT package writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            texts!(@columns [$($(#[$doc])* $text),*] $($variant [$($words),*])*);
        }
    };
    (@columns [$(#[$doc:meta])* $text:ident] $($variant:ident [$words:expr])*) => {
        $(#[$doc])*
        pub const fn $text(self) -> &'static str {
            match self {
                $(Self::$variant => $words,)*
            }
        }
    };
    (@columns [$(#[$doc:meta])* $text:ident, $($rest:tt)*] $($variant:ident [$words:expr, $($others:expr),*])*) => {
        texts!(@columns [$(#[$doc])* $text] $($variant [$words])*);
        texts!(@columns [$($rest)*] $($variant [$($others),*])*);
    };
    (@columns [] $($variant:ident [])*) => {};
}

mod alert;
mod call; // behind the macro that they use
mod state;
mod transport;

// What a person can do about it, where many cases share it.
const FIX_CALL: &str = "correct the call; nothing was sent, and the connection goes on";
const PEER_DEFECT: &str = "this is a defect of the server, or of something in between; ask whoever runs it";
const LENIENT: &str =
    "this is a defect of the server; a leniency of the connection tolerates it, if you must talk to this server";
const CONNECT_AGAIN: &str = "open another connection; whether to repeat the request is a question of its delivery";
impl Error {
    /// The case as the WIT package writes it, such as `peer-misbehaved`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ApiMisuse(_) => "api-misuse",
            Self::PeerMisbehaved(_) => "peer-misbehaved",
            Self::PeerIncompatible(_) => "peer-incompatible",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Incomplete(_) => "incomplete",
            Self::TimedOut(_) => "timed-out",
            Self::Closed(_) => "closed",
            Self::Dns(_) => "dns",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Denied(_) => "denied",
            Self::Internal => "internal",
            Self::Reset(_) => "reset",
            Self::GoingAway(_) => "going-away",
            Self::HopRefused(_) => "hop-refused",
        }
    }

    /// The number inside, of a case that has one.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Reset(code) | Self::GoingAway(code) => Some(*code),
            Self::HopRefused(code) => Some(*code as u32),
            _ => None,
        }
    }

    /// The case inside, as the WIT package writes it, such as `invalid-status-line`. `None`: `internal` has none, others have a number.
    pub const fn detail(&self) -> Option<&'static str> {
        Some(match self {
            Self::ApiMisuse(case) => case.name(),
            Self::PeerMisbehaved(case) => case.name(),
            Self::PeerIncompatible(case) => case.name(),
            Self::LimitExceeded(case) => case.name(),
            Self::Incomplete(case) => case.name(),
            Self::TimedOut(case) => case.name(),
            Self::Closed(case) => case.name(),
            Self::Dns(case) => case.name(),
            Self::Connect(case) => case.name(),
            Self::Tls(case) => case.name(),
            Self::Denied(case) => case.name(),
            Self::Internal | Self::Reset(_) | Self::GoingAway(_) | Self::HopRefused(_) => return None,
        })
    }

    /// What happened, as a clause.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::ApiMisuse(case) => case.what(),
            Self::PeerMisbehaved(case) => case.what(),
            Self::PeerIncompatible(case) => case.what(),
            Self::LimitExceeded(case) => case.what(),
            Self::Incomplete(case) => case.what(),
            Self::TimedOut(case) => case.what(),
            Self::Closed(case) => case.what(),
            Self::Dns(case) => case.what(),
            Self::Connect(case) => case.what(),
            Self::Tls(case) => case.what(),
            Self::Denied(case) => case.what(),
            Self::Internal => "the component found itself in a state that it must not have, and gave this connection up",
            Self::Reset(_) => "the server ended this exchange alone",
            Self::GoingAway(_) => "the server ends the connection",
            Self::HopRefused(_) => "a proxy on the way to the server refused to go on",
        }
    }

    /// What to do about it, as a sentence without a full stop.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::ApiMisuse(case) => case.advice(),
            Self::PeerMisbehaved(case) => case.advice(),
            Self::PeerIncompatible(case) => case.advice(),
            Self::LimitExceeded(case) => case.advice(),
            Self::Incomplete(_) => CONNECT_AGAIN,
            Self::TimedOut(case) => case.advice(),
            Self::Closed(case) => case.advice(),
            Self::Dns(case) => case.advice(),
            Self::Connect(case) => case.advice(),
            Self::Tls(case) => case.advice(),
            Self::Denied(case) => case.advice(),
            Self::Reset(_) => {
                "the code is an error code of HTTP/2 (RFC 9113, section 7); whether to repeat the request is a question of its delivery"
            }
            Self::GoingAway(_) => CONNECT_AGAIN,
            Self::HopRefused(_) => {
                "the code is the proxy's answer: check its address, the credentials for it, and what it may reach"
            }
            Self::Internal => "please report it, with the connection's log; other connections are not affected",
        }
    }

    /// What happened, and the case for whoever looks it up: `the server sent … [peer-misbehaved(invalid-status-line)]`.
    pub fn sentence(&self) -> String {
        format!("{} [{}]", self.what(), self.case())
    }

    /// The case with the one inside, as the WIT package's documents write them: `peer-misbehaved(invalid-status-line)`.
    pub fn case(&self) -> String {
        match (self.detail(), self.code()) {
            (Some(detail), _) => format!("{}({detail})", self.name()),
            (None, Some(code)) => format!("{}({code})", self.name()),
            (None, None) => self.name().to_owned(),
        }
    }
}

/// Two errors are equal when they are the same case.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.detail() == other.detail() && self.code() == other.code()
    }
}

impl Eq for Error {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::types::{
        CloseReason, ConnState, ConnectProblem, Delivery, Denial, DnsProblem, Ending, Failure, HttpVersion, Incompatibility,
        Limit, LogEvent, Misbehaviour, Misuse, Persistence, PersistenceLearnt, Phase, Timer, TlsProblem, TlsVersion,
    };

    const WIT: &str = concat!(include_str!("../../../../wit/types.wit"), include_str!("../../../../wit/log.wit"));

    /// The cases of an enum or variant of `types.wit` or `log.wit`, in order, without what is inside them.
    fn cases(wit_type: &str) -> Vec<String> {
        let begin = [format!("enum {wit_type} {{"), format!("variant {wit_type} {{")];
        let from = begin.iter().find_map(|begin| WIT.find(begin).map(|at| at + begin.len())).expect(wit_type);
        let body = WIT[from..].split('}').next().unwrap();
        let code = body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("///"));
        code.map(|line| line.split(['(', ',']).next().unwrap().to_owned()).collect()
    }

    #[test]
    fn leniencies_are_named_as_the_wit_does() {
        let body = WIT.split("flags leniency {").nth(1).unwrap().split("    }\n").next().unwrap();
        let code = body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("///"));
        let named: Vec<&str> = crate::types::Leniency::NAMES.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, code.map(|line| line.trim_end_matches(',')).collect::<Vec<_>>());
    }

    #[test]
    fn a_defect_that_a_leniency_tolerates_says_so() {
        for case in Misbehaviour::ALL.iter().filter(|case| **case != Misbehaviour::NotHttp) {
            let tolerated = case.leniency() != crate::types::Leniency::empty();
            assert_eq!(case.advice().contains("leniency"), tolerated, "{case:?}");
        }
    }

    /// Every error there is.
    fn all_errors() -> Vec<Error> {
        let mut errors = vec![Error::Internal, Error::Reset(8), Error::GoingAway(0), Error::HopRefused(407)];
        errors.extend(Misuse::ALL.iter().copied().map(Error::ApiMisuse));
        errors.extend(Misbehaviour::ALL.iter().copied().map(Error::PeerMisbehaved));
        errors.extend(Incompatibility::ALL.iter().copied().map(Error::PeerIncompatible));
        errors.extend(Limit::ALL.iter().copied().map(Error::LimitExceeded));
        errors.extend(Ending::ALL.iter().copied().map(Error::Incomplete));
        errors.extend(Timer::ALL.iter().copied().map(Error::TimedOut));
        errors.extend(CloseReason::ALL.iter().copied().map(Error::Closed));
        errors.extend(DnsProblem::ALL.iter().copied().map(Error::Dns));
        errors.extend(ConnectProblem::ALL.iter().copied().map(Error::Connect));
        errors.extend(TlsProblem::ALL.iter().copied().map(Error::Tls));
        errors.extend(Denial::ALL.iter().copied().map(Error::Denied));
        errors
    }

    #[test]
    fn the_tables_name_the_cases_as_the_wit_does() {
        macro_rules! same {
            ($($case:ident $wit:literal)*) => {$(
                assert_eq!($case::ALL.iter().map(|case| case.name()).collect::<Vec<_>>(), cases($wit), $wit);
            )*};
        }
        same! {
            Misuse "misuse" Misbehaviour "misbehaviour" Incompatibility "incompatibility" Limit "limit" Ending "ending" Timer "timer"
            CloseReason "close-reason" DnsProblem "dns-problem" ConnectProblem "connect-problem" TlsProblem "tls-problem" Denial "denial"
            Delivery "delivery" Phase "phase" HttpVersion "http-version" Persistence "persistence"
            PersistenceLearnt "persistence-learnt" ConnState "conn-state" TlsVersion "tls-version"
        }
    }

    #[test]
    fn the_cases_of_error_are_named_as_the_wit_does() {
        let named: BTreeSet<String> = all_errors().iter().map(|error| error.name().to_owned()).collect();
        assert_eq!(named, cases("error").into_iter().collect());
    }

    #[test]
    fn log_events_are_named_as_the_wit_does() {
        let failure = || Failure {
            error: Error::Internal,
            delivery: Delivery::NotSent,
            phase: Phase::Queued,
            octets_sent: 0,
            octets_received: 0,
            connection: 0,
        };
        let head = || crate::ResponseHead { version: HttpVersion::Http11, status: 200, reason: Vec::new(), fields: Vec::new() };
        let events = [
            LogEvent::Resolved(1),
            LogEvent::Connecting(String::new()),
            LogEvent::ConnectFailed(Error::Internal),
            LogEvent::Connected(String::new()),
            LogEvent::Secured,
            LogEvent::Queued((String::new(), String::new())),
            LogEvent::RequestHead(Vec::new()),
            LogEvent::RequestContent(0),
            LogEvent::RequestEnd,
            LogEvent::Wrote(0),
            LogEvent::Read(0),
            LogEvent::Interim(head()),
            LogEvent::Head(head()),
            LogEvent::Content(0),
            LogEvent::End(Vec::new()),
            LogEvent::Learnt(PersistenceLearnt::Unknown),
            LogEvent::Tunnel,
            LogEvent::Cancelled,
            LogEvent::Failed(failure()),
            LogEvent::Closing(Error::Internal),
            LogEvent::Closed(Error::Internal),
        ];
        assert_eq!(events.iter().map(LogEvent::name).collect::<Vec<_>>(), cases("event"));
    }

    #[test]
    fn every_error_has_words_of_its_own() {
        let errors = all_errors();
        let whats: BTreeSet<&str> = errors.iter().map(Error::what).collect();
        assert_eq!(whats.len(), errors.len());
        let cases: BTreeSet<String> = errors.iter().map(Error::case).collect();
        assert_eq!(cases.len(), errors.len());
        for error in &errors {
            let (what, advice) = (error.what(), error.advice());
            assert!(!what.ends_with('.') && !advice.ends_with('.') && !advice.is_empty(), "{error:?}");
            assert!(what.starts_with(|first: char| first.is_ascii_lowercase() || first == '1'), "{error:?}");
            assert_eq!(errors.iter().filter(|other| *other == error).count(), 1, "{error:?}");
        }
    }
}
