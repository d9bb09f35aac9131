//! Which failures have been told, so that many of one kind are told with a count.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sandpiper_host::types::Error;

use super::complaint::Complaint;
use super::escape;

/// Failures of one kind, at one origin, that are told one by one.
const ALIKE_MAX: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The kind that was told last.
    last: Option<(Error, &'static str)>,
    /// By origin, error and delivery.
    kinds: BTreeMap<(String, String, &'static str), Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    count: usize,
    /// The URL of the last one, if it was not told.
    untold: Option<String>,
}

impl Told {
    /// What to say about a failure: in full if it is not like the one before, in short if it is; `None` when it is only counted. What became
    /// of an output is always said.
    pub(crate) fn text(&mut self, complaint: &Complaint<'_>) -> Option<String> {
        let (error, delivery) = (complaint.failure.error, complaint.failure.delivery.name());
        let kind = self.kinds.entry((complaint.endpoint.authority(), error.case(), delivery)).or_default();
        kind.count += 1;
        if kind.count > ALIKE_MAX && complaint.output.is_none() {
            kind.untold = Some(complaint.url.to_owned());
            return None;
        }
        let alike = self.last.replace((error, delivery)) == Some((error, delivery));
        Some(if alike { complaint.in_short() } else { complaint.in_full() })
    }

    /// A line for each kind of which some were not told, with its end.
    pub(crate) fn rest(&self) -> String {
        let mut text = String::new();
        for ((origin, error, delivery), Kind { count, untold }) in &self.kinds {
            if let Some(url) = untold {
                _ = writeln!(
                    text,
                    "sandpiper: in all {count} requests to {origin} failed with {error}, delivery {delivery}, the last of them {}; --json has each",
                    escape(url)
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::{ConnectProblem, Delivery, Endpoint, Failure, Phase};

    use super::*;

    fn failure(error: Error) -> Failure {
        let delivery = Delivery::NotSent;
        Failure { error, delivery, phase: Phase::Connecting, octets_sent: 0, octets_received: 0, connection: 1 }
    }

    #[test]
    fn many_of_one_kind_are_told_with_a_count() {
        let mut told = Told::default();
        let [one, other] = ["one", "other"].map(|host| Endpoint::plain(host, 80));
        let refused = failure(Error::Connect(ConnectProblem::Refused));
        let lines = |told: &mut Told, endpoint: &Endpoint, index: usize, output: Option<&str>| {
            let url = format!("http://{}/{index}", endpoint.host);
            let text = told.text(&Complaint {
                index,
                url: &url,
                endpoint,
                unix_socket: None,
                failure: &refused,
                repeats: 0,
                idempotent: true,
                output,
                denied: &[],
                tls: None,
            });
            text.map_or(0, |text| text.lines().count())
        };
        let counts: Vec<usize> = (0..100).map(|index| lines(&mut told, &one, index, None)).collect();
        assert_eq!(counts[..7], [4, 2, 2, 2, 2, 0, 0]);
        assert_eq!(counts.iter().sum::<usize>(), 12);
        assert_eq!([lines(&mut told, &other, 100, None), lines(&mut told, &one, 101, Some("half"))], [2, 2]);
        let rest = told.rest();
        assert_eq!(rest.lines().count(), 1);
        for part in ["in all 101 requests to one:80 failed with connect(refused)", "the last of them http://one/99"] {
            assert!(rest.contains(part), "{rest}");
        }
    }
}
