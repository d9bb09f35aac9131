//! `--limit` and `--lenient`: what the component takes from a server, and what it tolerates in one.

use std::str::FromStr;

use clap::Args;

use sandpiper_host::types::{Leniency, Limits};

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
    /// All limits together; of two for the same name the last one counts.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        self.limits.iter().for_each(|limit| limit.apply(&mut limits));
        limits
    }

    pub(crate) fn leniency(&self) -> Leniency {
        self.leniencies.iter().fold(Leniency::empty(), |all, &one| all | one)
    }
}

/// One `--limit`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitArgument {
    pub(crate) name: &'static str,
    value: u64,
    set: Set,
}

/// The field of a limit.
#[derive(Clone, Copy, Debug)]
enum Set {
    Small(fn(&mut Limits, Option<u32>)),
    Large(fn(&mut Limits, Option<u64>)),
}

impl LimitArgument {
    pub(crate) fn apply(&self, limits: &mut Limits) {
        match self.set {
            Set::Small(set) => set(limits, u32::try_from(self.value).ok()),
            Set::Large(set) => set(limits, Some(self.value)),
        }
    }

    /// The limit in the component's contract: the unit, the range and the default.
    pub(crate) fn about(&self) -> String {
        let mut about = Vec::new();
        for line in fields_of_limits() {
            match line.strip_prefix("///") {
                Some(text) => about.push(text.trim()),
                None if line.strip_suffix("-max").is_some_and(|name| name == self.name) => break,
                None => about.clear(),
            }
        }
        about.join(" ")
    }

    /// As it was given.
    pub(crate) fn text(&self) -> String {
        format!("--limit {}={}", self.name, self.value)
    }
}

/// The fields of `limits` in `wit/types.wit`, without `-max`.
const LIMITS: [(&str, Set); 12] = [
    ("head-octets", Set::Small(|limits, value| limits.head_octets_max = value)),
    ("field-lines", Set::Small(|limits, value| limits.field_lines_max = value)),
    ("interim-responses", Set::Small(|limits, value| limits.interim_responses_max = value)),
    ("trailer-octets", Set::Small(|limits, value| limits.trailer_octets_max = value)),
    ("chunk-extension-octets", Set::Small(|limits, value| limits.chunk_extension_octets_max = value)),
    ("receive-buffer-octets", Set::Small(|limits, value| limits.receive_buffer_octets_max = value)),
    ("send-buffer-octets", Set::Small(|limits, value| limits.send_buffer_octets_max = value)),
    ("request-head-octets", Set::Small(|limits, value| limits.request_head_octets_max = value)),
    ("queued-octets", Set::Large(|limits, value| limits.queued_octets_max = value)),
    ("queue-length", Set::Small(|limits, value| limits.queue_length_max = value)),
    ("drain-octets", Set::Large(|limits, value| limits.drain_octets_max = value)),
    ("requests", Set::Large(|limits, value| limits.requests_max = value)),
];

const WIT: &str = include_str!("../../../../wit/types.wit");

/// The lines of `limits`: what is said about a field, and then its name.
fn fields_of_limits() -> impl Iterator<Item = &'static str> {
    let body = WIT.split_once("record limits {").map_or("", |(_, body)| body);
    let lines = body.lines().map(str::trim).take_while(|line| *line != "}").filter(|line| !line.is_empty());
    lines.map(|line| if line.starts_with("///") { line } else { line.split(':').next().unwrap_or(line) })
}

impl FromStr for LimitArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| "write NAME=VALUE, such as head-octets=1M".to_owned())?;
        let known = || names(LIMITS.iter().map(|&(name, _)| name));
        let &(name, set) =
            LIMITS.iter().find(|&&(own, _)| own == name).ok_or_else(|| format!("`{name}` is no limit; there are {}", known()))?;
        let value = if name.ends_with("-octets") { suffixed(value)? } else { number(value)? };
        match set {
            Set::Small(_) if value > u64::from(u32::MAX) => Err("it is larger than any limit may be".to_owned()),
            _ => Ok(Self { name, value, set }),
        }
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
        let fields: Vec<&str> = fields_of_limits().filter(|line| !line.starts_with("///")).collect();
        assert_eq!(LIMITS.map(|(name, _)| format!("{name}-max")).to_vec(), fields);
        for (name, _) in LIMITS {
            let about = format!("{name}=1").parse::<LimitArgument>().unwrap().about();
            assert!(about.to_lowercase().contains("default"), "{name}: {about}");
            assert_eq!(about.to_lowercase().matches("default").count(), 1, "{name}: {about}");
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
        assert!(LIMITS.iter().all(|(name, _)| limits.contains(name)), "{limits}");
        assert!(Leniency::NAMES.iter().all(|(name, _)| leniencies.contains(name)), "{leniencies}");
    }

    #[test]
    fn each_limit_sets_its_own_field() {
        let mut all = Limits::default();
        for (number, (name, _)) in (1..).zip(LIMITS) {
            format!("{name}={number}").parse::<LimitArgument>().unwrap().apply(&mut all);
        }
        let small = [
            all.head_octets_max,
            all.field_lines_max,
            all.interim_responses_max,
            all.trailer_octets_max,
            all.chunk_extension_octets_max,
            all.receive_buffer_octets_max,
            all.send_buffer_octets_max,
            all.request_head_octets_max,
            all.queue_length_max,
        ];
        assert_eq!(small, [1, 2, 3, 4, 5, 6, 7, 8, 10].map(Some));
        assert_eq!([all.queued_octets_max, all.drain_octets_max, all.requests_max], [9, 11, 12].map(Some));
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
