//! `--limit` and `--lenient`: what the component takes from a server, and what it tolerates in one.

use std::str::FromStr;

use clap::Args;

use sandpiper_host::types::{Leniency, Limit};

use super::{CONNECTION, suffixed};

#[derive(Args, Debug, Default, Clone)]
pub(crate) struct PeerLimits {
    /// Raises or lowers a limit of the component [suffixes for octets: K, M, G].
    ///
    /// NAME is one of head-octets, field-lines, interim-responses, trailer-octets, chunk-extension-octets, receive-buffer-octets,
    /// send-buffer-octets, request-head-octets, queued-octets, queue-length, drain-octets and requests. The error of a request that
    /// reaches a limit names it. May be given several times.
    #[arg(long = "limit", value_name = "NAME=VALUE", help_heading = CONNECTION)]
    pub(crate) limits: Vec<LimitArgument>,

    /// Tolerates a defect of the server, against the RFC. May be given several times.
    ///
    /// NAME is one of bare-lf, line-folding, space-before-colon, skip-invalid-lines, equal-content-lengths, space-after-chunk-size,
    /// leading-empty-line and http09. The error of a request that meets such a defect names it. A tolerance can let a server and
    /// something in between disagree on where a response ends: give only what this server needs.
    #[arg(long = "lenient", value_name = "NAME[,NAME]...", value_delimiter = ',', value_parser = leniency, help_heading = CONNECTION)]
    pub(crate) leniencies: Vec<Leniency>,
}

impl PeerLimits {
    /// All limits, as they were given; of two for the same name the last one counts.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (Limit, u64)> {
        self.limits.iter().map(|given| (given.limit, given.value))
    }

    pub(crate) fn leniency(&self) -> Leniency {
        self.leniencies.iter().fold(Leniency::empty(), |all, &one| all | one)
    }
}

/// One `--limit`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitArgument {
    pub(crate) limit: Limit,
    pub(crate) value: u64,
}

impl LimitArgument {
    /// The limit in the component's contract: the unit, the range and the default.
    pub(crate) fn about(&self) -> String {
        let mut about = Vec::new();
        for line in cases_of_limit() {
            match line.strip_prefix("///") {
                Some(text) => about.push(text.trim()),
                None if line == self.limit.name() => break,
                None => about.clear(),
            }
        }
        let about = about.join(" ");
        about.split(" Of a poll").next().unwrap_or_default().to_owned()
    }

    /// As it was given.
    pub(crate) fn text(&self) -> String {
        format!("--limit {}={}", self.limit.name(), self.value)
    }
}

/// The limits of a connection that a caller of the program may set.
const LIMITS: [Limit; 12] = [
    Limit::HeadOctets,
    Limit::FieldLines,
    Limit::InterimResponses,
    Limit::TrailerOctets,
    Limit::ChunkExtensionOctets,
    Limit::ReceiveBufferOctets,
    Limit::SendBufferOctets,
    Limit::RequestHeadOctets,
    Limit::QueuedOctets,
    Limit::QueueLength,
    Limit::DrainOctets,
    Limit::Requests,
];

/// Those of them that may have any value.
const WITHOUT_RANGE: [Limit; 3] = [Limit::QueuedOctets, Limit::DrainOctets, Limit::Requests];

const WIT: &str = include_str!("../../../../wit/types.wit");

/// The lines of `limit`: what is said about a case, and then its name.
fn cases_of_limit() -> impl Iterator<Item = &'static str> {
    let body = WIT.split_once("enum limit {").map_or("", |(_, body)| body);
    let lines = body.lines().map(str::trim).take_while(|line| *line != "}").filter(|line| !line.is_empty());
    lines.map(|line| if line.starts_with("///") { line } else { line.trim_end_matches(',') })
}

impl FromStr for LimitArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| "write NAME=VALUE, such as head-octets=1M".to_owned())?;
        let known = || names(LIMITS.iter().map(|limit| limit.name()));
        let found = LIMITS.into_iter().find(|limit| limit.name() == name);
        let limit = found.ok_or_else(|| format!("`{name}` is no limit; there are {}", known()))?;
        let value = if name.ends_with("-octets") { suffixed(value)? } else { number(value)? };
        if value > u64::from(u32::MAX) && !WITHOUT_RANGE.contains(&limit) {
            return Err("it is larger than any limit may be".to_owned());
        }
        Ok(Self { limit, value })
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "not a number".to_owned())
}

fn leniency(text: &str) -> Result<Leniency, String> {
    let found = Leniency::NAMES.iter().find(|(name, _)| *name == text);
    let known = || names(Leniency::NAMES.iter().map(|&(name, _)| name));
    found.map(|&(_, leniency)| leniency).ok_or_else(|| format!("`{text}` is no leniency; there are {}", known()))
}

fn names(all: impl Iterator<Item = &'static str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_the_component_can_be_named() {
        // These two have options of their own.
        let others = [Limit::ContentOctets, Limit::Outstanding];
        let of_a_connection = |limit: &Limit| LimitArgument { limit: *limit, value: 1 }.about().starts_with("Of a connection");
        for limit in Limit::ALL {
            let named = LIMITS.contains(limit) || others.contains(limit);
            assert_eq!(of_a_connection(limit), named, "{limit:?}");
        }
        for limit in LIMITS {
            let about = LimitArgument { limit, value: 1 }.about();
            assert_eq!(about.to_lowercase().matches("default").count(), 1, "{limit:?}: {about}");
        }
    }

    #[test]
    fn the_help_names_them_all() {
        let command = PeerLimits::augment_args(clap::Command::new("fetch"));
        let help = |id: &str| {
            let argument = command.get_arguments().find(|argument| argument.get_id() == id).unwrap();
            argument.get_long_help().unwrap().to_string()
        };
        let (limits, leniencies) = (help("limits"), help("leniencies"));
        assert!(LIMITS.iter().all(|limit| limits.contains(limit.name())), "{limits}");
        assert!(Leniency::NAMES.iter().all(|(name, _)| leniencies.contains(name)), "{leniencies}");
    }

    #[test]
    fn each_limit_is_given_under_its_own_name_and_explained() {
        for (number, limit) in (1..).zip(LIMITS) {
            let given = format!("{}={number}", limit.name()).parse::<LimitArgument>().unwrap();
            assert_eq!((given.limit, given.value), (limit, number));
            assert!(given.about().starts_with("Of a connection"), "{}", given.about());
        }
    }

    #[test]
    fn what_is_no_limit_is_said() {
        let value = |text: &str| text.parse::<LimitArgument>().map(|limit| limit.value);
        assert_eq!(value("head-octets=1M"), Ok(1 << 20));
        for (wrong, why) in [
            ("head-octets", "NAME=VALUE"),
            ("heads=1", "`heads` is no limit; there are head-octets, field-lines"),
            ("field-lines=1K", "not a number"),
            ("field-lines=-1", "not a number"),
            ("head-octets=5G", "larger than any"),
            ("head-octets=", "not a number"),
        ] {
            let message = value(wrong).unwrap_err();
            assert!(message.contains(why), "{wrong}: {message}");
        }
    }

    #[test]
    fn leniencies_add_up() {
        let bounds =
            PeerLimits { leniencies: vec![leniency("bare-lf").unwrap(), leniency("http09").unwrap()], ..PeerLimits::default() };
        assert!(bounds.leniency() == Leniency::BARE_LF | Leniency::HTTP09);
        assert!(leniency("lf").unwrap_err().contains("there are bare-lf, "));
    }
}
