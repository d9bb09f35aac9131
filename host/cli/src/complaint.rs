//! The report of a failed exchange on standard error: what happened, where, what is known about delivery, what to do.

use std::fmt::Write as _;
use std::net::IpAddr;

use sandpiper_host::types::{
    Delivery, Denial, DnsProblem, Endpoint, Error, Failure, Leniency, Limit, Misbehaviour, Misuse, Phase, Timer, TlsInfo,
    TlsProblem,
};
use sandpiper_host::{Denied, UnixSocket};

use super::{escape, secured};

/// A failed exchange, with what only the command line knows about it.
#[derive(Debug)]
pub(crate) struct Complaint<'a> {
    pub(crate) index: usize,
    pub(crate) url: &'a str,
    pub(crate) endpoint: &'a Endpoint,
    /// The Unix socket in its place.
    pub(crate) unix_socket: Option<&'a UnixSocket>,
    pub(crate) failure: &'a Failure,
    /// How often the request was sent again.
    pub(crate) repeats: u32,
    pub(crate) idempotent: bool,
    /// The outcome for its output.
    pub(crate) output: Option<&'a str>,
    pub(crate) denied: &'a [Denied],
    /// The handshake, if the failure is one of TLS.
    pub(crate) tls: Option<&'a TlsInfo>,
}

impl Complaint<'_> {
    /// In full, with a line end after each line.
    pub(crate) fn in_full(&self) -> String {
        let Failure { delivery, phase, .. } = self.failure;
        let mut text = self.first_line();
        _ = writeln!(text, "  where:    {}, while {}{}", self.place(), phase.what(), self.octets());
        for (what, line) in self.tls.map(secured::failed).unwrap_or_default() {
            _ = writeln!(text, "  {:<9} {}", format!("{what}:"), escape(&line));
        }
        for denied in self.denied {
            _ = writeln!(text, "  refused:  {denied}");
        }
        _ = writeln!(text, "  delivery: {}: {}; {}", delivery.name(), delivery.what(), delivery.advice());
        if self.repeats > 0 {
            _ = writeln!(text, "  repeats:  tried {} times in all", self.repeats + 1);
        }
        if let Some(output) = self.output {
            _ = writeln!(text, "  output:   {output}");
        }
        _ = writeln!(text, "  advice:   {}", self.advice());
        text
    }

    /// For one that fails like the one before it.
    pub(crate) fn in_short(&self) -> String {
        let mut text = self.first_line();
        _ = write!(text, "  where:    {}; delivery {}", self.place(), self.failure.delivery.name());
        if let Some(output) = self.output {
            _ = write!(text, "; {output}");
        }
        text.push('\n');
        text
    }

    fn first_line(&self) -> String {
        format!("sandpiper: [{}] {}: {}\n", self.index, escape(self.url), self.failure.error.sentence())
    }

    fn place(&self) -> String {
        match self.failure.connection {
            0 => "no connection".to_owned(),
            connection => match self.unix_socket {
                None => format!("connection {connection} to {}", self.endpoint.authority()),
                Some(socket) => {
                    let socket = escape(&socket.to_string());
                    format!("connection {connection} to {} over the Unix socket {socket}", self.endpoint.authority())
                }
            },
        }
    }

    /// The octets that moved on the connection. The component counts octets of HTTP: a handshake of TLS has none, although octets do move.
    fn octets(&self) -> String {
        let Failure { phase, octets_sent, octets_received, .. } = self.failure;
        let inside = match self.endpoint.tls {
            Some(_) if matches!(phase, Phase::Queued | Phase::Connecting) => return String::new(),
            Some(_) => ", inside TLS",
            None => "",
        };
        format!("; {octets_sent} octets sent, {octets_received} received on the connection{inside}")
    }

    fn address_advice(&self) -> Option<&'static str> {
        matches!(self.failure.error, Error::Connect(_)).then(|| odd_address(&self.endpoint.host))?
    }

    fn advice(&self) -> String {
        let error = &self.failure.error;
        let advice =
            self.address_advice().map(str::to_owned).or_else(|| option_advice(error)).unwrap_or(error.advice().to_owned());
        let may_repeat = match self.failure.delivery {
            Delivery::NotSent | Delivery::Unprocessed => true,
            Delivery::Unanswered => self.idempotent,
            Delivery::ResponseStarted => false,
        };
        let again = self.address_advice().is_none() && may_repeat && self.repeats == 0 && is_passing(&self.failure.error);
        if again { format!("{advice}; --retry 1 sends it again by itself") } else { advice }
    }
}

/// An address that is written like one of a server, and is none.
fn odd_address(host: &str) -> Option<&'static str> {
    match host.trim_matches(['[', ']']).parse().ok()? {
        IpAddr::V4(address) if address.is_unspecified() => Some("0.0.0.0 is for listening; use 127.0.0.1 to reach this machine"),
        IpAddr::V6(address) if address.is_unspecified() => Some("[::] is for listening; use [::1] to reach this machine"),
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            Some("a link-local address needs the interface that leads to it, such as fe80::1%eth0")
        }
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            Some("an IPv6 address that stands for an IPv4 address is not connected to; write the IPv4 address")
        }
        _ => None,
    }
}

/// Where an option of the command line is what to change.
fn option_advice(error: &Error) -> Option<String> {
    match error {
        Error::LimitExceeded(limit) => Some(limit_advice(*limit)),
        Error::PeerMisbehaved(case) if case.leniency() != Leniency::empty() => Some(leniency_advice(*case)),
        _ => fixed_advice(error).map(str::to_owned),
    }
}

fn limit_advice(limit: Limit) -> String {
    let name = limit.name();
    match limit {
        Limit::ContentOctets | Limit::CollectOctets => "raise --max-content, or use -o instead of --json".to_owned(),
        Limit::RequestHeadOctets => format!("send fewer or shorter field lines, or raise the limit with --limit {name}=OCTETS"),
        Limit::QueuedOctets => format!("upload it with -T instead of -d, or raise the limit with --limit {name}=OCTETS"),
        Limit::QueueLength => format!("raise the limit with --limit {name}=NUMBER"),
        // Nothing of this program subscribes.
        Limit::Subscriptions => Error::Internal.advice().to_owned(),
        Limit::HeadOctets | Limit::TrailerOctets | Limit::ChunkExtensionOctets => {
            format!("if the server may send this much, raise the limit with --limit {name}=OCTETS")
        }
        Limit::FieldLines | Limit::InterimResponses => {
            format!("if the server may send this many, raise the limit with --limit {name}=NUMBER")
        }
        // No request fails by these.
        _ => limit.advice().to_owned(),
    }
}

fn leniency_advice(case: Misbehaviour) -> String {
    let tolerates = |leniency: &&(&str, Leniency)| case.leniency().contains(leniency.1);
    let options: Vec<String> = Leniency::NAMES.iter().filter(tolerates).map(|(name, _)| format!("--lenient {name}")).collect();
    let options = options.join(" or ");
    match case {
        Misbehaviour::NotHttp => format!("{}; for a server that is as it should not be: {options}", case.advice()),
        _ => format!("this is a defect of the server; if you must talk to this server, {options} may tolerate it"),
    }
}

/// The same for every case of an error.
fn fixed_advice(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Tls(TlsProblem::Unavailable) => "leave --component out, or give --component tls",
        Error::Tls(TlsProblem::CertificateIssuer | TlsProblem::CertificateSelfSigned) => {
            "this may be another server; if you know the certificate or its issuer to be right, trust it with --cacert"
        }
        Error::Tls(TlsProblem::CertificateName) => {
            "this may be another server; check the host in the URL, or give the server's name with --server-name"
        }
        Error::Tls(TlsProblem::NoAgreement) => "the server speaks only what is out of date, or --tls-min asks for too much",
        Error::Tls(TlsProblem::ProtocolNotSpoken) => "offer other protocols with --alpn, or none with --no-alpn",
        Error::Denied(Denial::AnyCertificate) => "--allow-any-certificate allows it; --cacert trusts a certificate of your own",
        Error::Denied(Denial::KeyLog) => "--key-log allows it",
        Error::Denied(_) => "allow it with --allow, if it is to be reached",
        Error::Dns(DnsProblem::NotFound) => "check the spelling of the name; with -4 or -6, it needs an address of that family",
        Error::TimedOut(Timer::Total) => "if it may take longer, raise --max-time or --max-time-all",
        Error::TimedOut(Timer::Connect) => {
            "check the address, and whether something drops the packets; or raise --connect-timeout"
        }
        Error::TimedOut(Timer::FirstOctet) => {
            "if it may take longer, give --max-time; if the server loses pipelined requests, give --depth 1"
        }
        Error::TimedOut(Timer::BetweenOctets) => "if it may take longer, give --max-time",
        Error::TimedOut(Timer::PipelineStall) => "the server may lose pipelined requests: give --depth 1",
        Error::TimedOut(Timer::Queue | Timer::AwaitContinue) => {
            "no option of this program changes this time; --max-time limits all of it"
        }
        Error::ApiMisuse(Misuse::ContentTooLong) => "give no more than -H 'Content-Length: N' declares, or leave that line out",
        Error::ApiMisuse(Misuse::ContentTooShort) => {
            "what was to be sent is shorter than its declared length; do not change it meanwhile"
        }
        Error::Incomplete(_) => "ask for it again, if its delivery allows; if it stays so, ask whoever runs the server",
        Error::Closed(_) => "ask for it again, if its delivery allows",
        _ => return None,
    })
}

/// Can another try end differently?
fn is_passing(error: &Error) -> bool {
    matches!(
        error,
        Error::Incomplete(_)
            | Error::Closed(_)
            | Error::Dns(DnsProblem::TemporaryFailure)
            | Error::Connect(_)
            | Error::TimedOut(Timer::Connect | Timer::FirstOctet)
    )
}

#[cfg(test)]
mod tests {
    use sandpiper_host::TlsOptions;
    use sandpiper_host::types::{ConnectProblem, Ending};

    use super::*;

    fn complaint(error: Error, delivery: Delivery, idempotent: bool) -> String {
        complaint_at(Endpoint::plain("h", 80), None, Phase::AwaitingResponse, error, delivery, idempotent)
    }

    fn complaint_at(
        endpoint: Endpoint,
        unix_socket: Option<UnixSocket>,
        phase: Phase,
        error: Error,
        delivery: Delivery,
        idempotent: bool,
    ) -> String {
        let failure = Failure { error, delivery, phase, octets_sent: 50, octets_received: 4, connection: 3 };
        let complaint = Complaint {
            index: 2,
            url: "http://h/x",
            endpoint: &endpoint,
            unix_socket: unix_socket.as_ref(),
            failure: &failure,
            repeats: 0,
            idempotent,
            output: Some("none"),
            denied: &[],
            tls: None,
        };
        complaint.in_full()
    }

    /// The options that an advice names, with values, as the grammar takes them.
    fn accepted(advice: &str) -> Vec<String> {
        use clap::Parser;
        let words: Vec<&str> = advice.split([' ', ',', ';']).collect();
        let values = ["OCTETS", "NUMBER"].map(|unit| format!("={unit}"));
        let mut options = Vec::new();
        for (at, option) in words.iter().enumerate().filter(|(_, word)| word.starts_with("--")) {
            let value = match *option {
                "--limit" => values.iter().fold(words[at + 1].to_owned(), |value, unit| value.replace(unit, "=4096")),
                "--lenient" => words[at + 1].to_owned(),
                "--max-content" => "1".to_owned(),
                _ => continue,
            };
            let arguments = ["sandpiper", "fetch", "--json", "http://h/", option, &value];
            super::super::args::Arguments::try_parse_from(arguments).expect(advice);
            options.push(value);
        }
        options
    }

    #[test]
    fn every_limit_that_can_be_reached_names_an_option() {
        let reached = [
            Limit::HeadOctets,
            Limit::FieldLines,
            Limit::InterimResponses,
            Limit::TrailerOctets,
            Limit::ChunkExtensionOctets,
            Limit::ContentOctets,
            Limit::CollectOctets,
            Limit::RequestHeadOctets,
            Limit::QueuedOctets,
            Limit::QueueLength,
        ];
        for limit in reached {
            let advice = option_advice(&Error::LimitExceeded(limit)).unwrap();
            assert_eq!(accepted(&advice).len(), 1, "{advice}");
        }
    }

    #[test]
    fn every_defect_that_can_be_tolerated_names_its_options() {
        let mut named = std::collections::BTreeSet::new();
        for &case in Misbehaviour::ALL {
            let advice = option_advice(&Error::PeerMisbehaved(case)).unwrap_or_default();
            let options = accepted(&advice);
            assert_eq!(options.is_empty(), case.leniency() == Leniency::empty(), "{case:?}: {advice}");
            named.extend(options);
        }
        assert_eq!(named, Leniency::NAMES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn it_answers_every_question() {
        let text = complaint(Error::Incomplete(Ending::Reset), Delivery::Unanswered, true);
        let expected = "\
sandpiper: [2] http://h/x: the connection was reset in the middle [incomplete(reset)]
  where:    connection 3 to h:80, while the response was awaited; 50 octets sent, 4 received on the connection
  delivery: unanswered: it was sent, at least in part, and nothing of a response came: the server may have acted on it; repeat it only if doing it twice does no harm
  output:   none
  advice:   ask for it again, if its delivery allows; if it stays so, ask whoever runs the server; --retry 1 sends it again by itself
";
        assert_eq!(text, expected);
    }

    #[test]
    fn octets_of_a_handshake_are_not_called_none() {
        let of = |phase| {
            let endpoint = Endpoint { tls: Some(TlsOptions::default()), ..Endpoint::plain("h", 443) };
            complaint_at(endpoint, None, phase, Error::Tls(TlsProblem::NotTls), Delivery::NotSent, true)
        };
        let handshake = of(Phase::Connecting);
        assert!(
            handshake.contains("while the connection was being established\n") && !handshake.contains("octets"),
            "{handshake}"
        );
        assert!(of(Phase::AwaitingResponse).contains("; 50 octets sent, 4 received on the connection, inside TLS\n"));
    }

    #[test]
    fn a_unix_socket_is_named() {
        let socket = Some(UnixSocket::at("/run/x.sock"));
        let error = Error::Connect(ConnectProblem::Refused);
        let text = complaint_at(Endpoint::plain("h", 80), socket, Phase::Connecting, error, Delivery::NotSent, true);
        assert!(text.contains("connection 3 to h:80 over the Unix socket /run/x.sock, while"), "{text}");
    }

    #[test]
    fn a_repeat_is_advised_only_where_it_can_help_and_do_no_harm() {
        let reset = || Error::Incomplete(Ending::Reset);
        let refused = || Error::Connect(ConnectProblem::Refused);
        assert!(complaint(refused(), Delivery::NotSent, false).contains("--retry"));
        assert!(!complaint(reset(), Delivery::Unanswered, false).contains("--retry"));
        assert!(!complaint(reset(), Delivery::ResponseStarted, true).contains("--retry"));
        assert!(!complaint(Error::Tls(TlsProblem::Unavailable), Delivery::NotSent, true).contains("--retry"));
    }
}
