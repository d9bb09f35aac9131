//! A failed exchange in words: what happened, to which request, on which connection, what is known about its delivery.

use std::fmt;

use crate::types::{Failure, Request};

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        let Self { error, delivery, phase, octets_sent, octets_received, connection } = self;
        *error == other.error
            && *delivery == other.delivery
            && *phase == other.phase
            && *octets_sent == other.octets_sent
            && *octets_received == other.octets_received
            && *connection == other.connection
    }
}

impl Eq for Failure {}

impl Failure {
    /// What happened, and what is known about the delivery, on one line.
    pub fn sentence(&self) -> String {
        format!("{}; delivery {}: {}", self.error.sentence(), self.delivery.name(), self.delivery.what())
    }

    /// Everything that a person wants to know, in a few lines.
    pub fn report(&self) -> Report<'_> {
        Report { failure: self, request: None, authority: None }
    }
}

/// A failure in full: what happened, to which request, on which connection, what is known about its delivery, and what
/// to do.
///
/// Its text has four lines, without a line end after the last.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Report<'a> {
    failure: &'a Failure,
    request: Option<(&'a str, &'a str)>,
    authority: Option<&'a str>,
}

impl<'a> Report<'a> {
    /// Names the request.
    pub fn of(self, request: &'a Request) -> Self {
        self.of_request(&request.method, &request.request_target)
    }

    /// Names the request by its method and target.
    pub fn of_request(mut self, method: &'a str, request_target: &'a str) -> Self {
        self.request = Some((method, request_target));
        self
    }

    /// Names the server, such as `example.com:80`.
    pub fn to(mut self, authority: &'a str) -> Self {
        self.authority = Some(authority);
        self
    }

    /// `GET /x to example.com:80, on connection 3`
    fn subject(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.request {
            Some((method, "")) => write!(f, "{method} /")?,
            Some((method, target)) => write!(f, "{method} {target}")?,
            None => f.write_str("the request")?,
        }
        if let Some(authority) = self.authority {
            write!(f, " to {authority}")?;
        }
        match self.failure.connection {
            0 => Ok(()),
            connection => write!(f, ", on connection {connection},"),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { error, delivery, phase, octets_sent, octets_received, .. } = self.failure;
        self.subject(f)?;
        writeln!(f, " failed while {}: {}", phase.what(), error.sentence())?;
        writeln!(f, "  octets:   {octets_sent} of the request sent, {octets_received} received on the connection")?;
        writeln!(f, "  delivery: {}: {}; {}", delivery.name(), delivery.what(), delivery.advice())?;
        write!(f, "  advice:   {}", error.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Delivery, Error, Misbehaviour, Phase};

    #[test]
    fn a_report_answers_the_five_questions() {
        let failure = Failure {
            error: Error::PeerMisbehaved(Misbehaviour::InvalidStatusLine),
            delivery: Delivery::ResponseStarted,
            phase: Phase::ReceivingHead,
            octets_sent: 57,
            octets_received: 12,
            connection: 3,
        };
        let text = failure.report().of(&Request::get("/x")).to("example.com:80").to_string();
        assert_eq!(
            text,
            "GET /x to example.com:80, on connection 3, failed while the head of the response was arriving: \
             the server sent a malformed status line [peer-misbehaved(invalid-status-line)]\n  \
             octets:   57 of the request sent, 12 received on the connection\n  \
             delivery: response-started: part of the response came: the server acted on it; do not repeat it blindly\n  \
             advice:   this is a defect of the server, or of something in between; ask whoever runs it"
        );
        assert!(failure.report().to_string().starts_with("the request, on connection 3, failed while"));
    }
}
