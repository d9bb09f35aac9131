//! The variables of `-w`.

use std::net::SocketAddr;

use sandpiper_host::types::HttpVersion;
use serde_json::{Number, Value};

use super::{ExchangeTiming, Facts, Fields};

/// Nanoseconds of a microsecond, to which curl's times are rounded.
const MICROSECOND: u64 = 1000;
const MICROSECONDS_OF_A_SECOND: u64 = 1_000_000;
const NANOSECONDS_OF_A_SECOND: u128 = 1_000_000_000;

/// A name, and what it stands for.
type Row = (&'static str, fn(&Facts<'_>) -> Shown);

#[derive(Clone, Copy)]
pub(super) enum Variable {
    One(&'static Row),
    /// The fields of the response.
    Fields,
    /// Every variable.
    All,
}

/// A value, as text and in JSON.
pub(super) enum Shown {
    Text(Option<String>),
    Count(u64),
    /// Three digits as text.
    Status(u16),
    /// Nanoseconds.
    Time(Option<u64>),
}

/// In the order of their names.
const ROWS: [Row; 40] = [
    ("conn_id", |facts| Shown::Count(facts.connection.as_ref().map_or(0, |connection| connection.id))),
    ("content_type", |facts| Shown::Text(facts.field("content-type"))),
    ("errormsg", |facts| Shown::Text(facts.error.clone())),
    ("exitcode", |facts| Shown::Count(u64::from(facts.error.is_some()))),
    ("filename_effective", |facts| Shown::Text(facts.file.clone())),
    ("ftp_entry_path", |_| Shown::Text(None)),
    ("http_code", |facts| Shown::Status(facts.status())),
    ("http_connect", |_| Shown::Status(0)),
    ("http_version", |facts| Shown::Text(Some(facts.version().to_owned()))),
    ("local_ip", |facts| Shown::Text(Some(ip(facts.local())))),
    ("local_port", |facts| Shown::Count(port(facts.local()))),
    ("method", |facts| Shown::Text(Some(facts.method.to_owned()))),
    ("num_certs", |facts| Shown::Count(facts.tls.as_ref().map_or(0, |tls| tls.certificates.len() as u64))),
    ("num_connects", |facts| Shown::Count(u64::from(facts.first_after.is_some()))),
    ("num_headers", |facts| Shown::Count(facts.head.map_or(0, |head| head.fields.len() as u64))),
    ("num_redirects", |_| Shown::Count(0)),
    ("num_retries", |facts| Shown::Count(facts.repeats.into())),
    ("proxy_ssl_verify_result", |_| Shown::Count(0)),
    ("redirect_url", |facts| Shown::Text(facts.redirect())),
    ("referer", |facts| Shown::Text(facts.referer.clone())),
    ("remote_ip", |facts| Shown::Text(Some(ip(facts.remote())))),
    ("remote_port", |facts| Shown::Count(port(facts.remote()))),
    ("response_code", |facts| Shown::Status(facts.status())),
    ("scheme", |facts| Shown::Text(facts.url_effective.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()))),
    ("size_download", |facts| Shown::Count(facts.size_download)),
    ("size_header", |facts| Shown::Count(facts.size_header)),
    ("size_upload", |facts| Shown::Count(facts.size_upload)),
    ("speed_download", |facts| Shown::Count(facts.speed(facts.size_download))),
    ("speed_upload", |facts| Shown::Count(facts.speed(facts.size_upload))),
    ("ssl_verify_result", |_| Shown::Count(0)),
    ("time_appconnect", |facts| Shown::Time(facts.secured())),
    ("time_connect", |facts| Shown::Time(facts.connecting().and_then(|connection| connection.connected))),
    ("time_namelookup", |facts| Shown::Time(facts.connecting().and_then(|connection| connection.resolved))),
    ("time_pretransfer", |facts| Shown::Time(facts.since_start(|timing| timing.request_started))),
    ("time_redirect", |_| Shown::Time(None)),
    ("time_starttransfer", |facts| Shown::Time(facts.since_start(|timing| timing.response_started))),
    ("time_total", |facts| Shown::Time(Some(facts.total()))),
    ("url", |facts| Shown::Text(Some(facts.url.to_owned()))),
    ("url_effective", |facts| Shown::Text(Some(facts.url_effective.clone()))),
    ("urlnum", |facts| Shown::Count(facts.index as u64)),
];

impl Variable {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::All),
            "header_json" => Some(Self::Fields),
            "xfer_id" => Self::of("urlnum"),
            _ => ROWS.iter().find(|(known, _)| *known == name).map(Self::One),
        }
    }

    pub(super) fn text(self, facts: &Facts<'_>) -> String {
        match self {
            Self::One((_, value)) => value(facts).text(),
            Self::Fields => serde_json::to_string(&facts.head.map(Fields::new).unwrap_or_default()).unwrap_or_default(),
            Self::All => {
                let all: serde_json::Map<_, _> =
                    ROWS.iter().map(|(name, value)| ((*name).to_owned(), value(facts).json())).collect();
                serde_json::to_string(&all).unwrap_or_default()
            }
        }
    }
}

impl std::fmt::Debug for Variable {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::One((name, _)) => name,
            Self::Fields => "header_json",
            Self::All => "json",
        })
    }
}

impl Shown {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text.unwrap_or_default(),
            Self::Count(count) => count.to_string(),
            Self::Status(status) => format!("{status:03}"),
            Self::Time(time) => {
                let microseconds = time.unwrap_or(0) / MICROSECOND;
                format!("{}.{:06}", microseconds / MICROSECONDS_OF_A_SECOND, microseconds % MICROSECONDS_OF_A_SECOND)
            }
        }
    }

    fn json(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Count(count) => count.into(),
            Self::Status(status) => status.into(),
            Self::Time(_) => self.text().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number),
        }
    }
}

impl Facts<'_> {
    fn status(&self) -> u16 {
        self.head.map_or(0, |head| head.status)
    }

    fn version(&self) -> &'static str {
        match self.head.map(|head| head.version) {
            None => "0",
            Some(HttpVersion::Http09) => "0.9",
            Some(HttpVersion::Http10) => "1.0",
            Some(HttpVersion::Http11) => "1.1",
            Some(HttpVersion::Http2) => "2",
        }
    }

    fn field(&self, name: &str) -> Option<String> {
        Some(super::latin1(self.head?.field(name).next()?))
    }

    /// Where a redirect leads, which is not followed.
    fn redirect(&self) -> Option<String> {
        let location = self.field("location").filter(|_| (300..400).contains(&self.status()))?;
        Some(url::Url::parse(&self.url_effective).ok()?.join(&location).ok()?.into())
    }

    fn since_start(&self, step: impl Fn(&ExchangeTiming) -> Option<u64>) -> Option<u64> {
        Some(step(self.timing.as_ref()?)?.saturating_add(self.first_after.unwrap_or(0)))
    }

    fn total(&self) -> u64 {
        self.time_total.saturating_add(self.first_after.unwrap_or(0))
    }

    /// The connection, if it came about for this exchange.
    fn connecting(&self) -> Option<&super::ConnInfo> {
        self.connection.as_ref().filter(|_| self.first_after.is_some())
    }

    fn secured(&self) -> Option<u64> {
        Some(self.connecting()?.connected? + self.tls.as_ref()?.duration?)
    }

    fn local(&self) -> Option<SocketAddr> {
        self.connection.as_ref()?.local_address.as_ref()?.parse().ok()
    }

    fn remote(&self) -> Option<SocketAddr> {
        self.connection.as_ref()?.remote_address.as_ref()?.parse().ok()
    }

    /// Octets in a second.
    fn speed(&self, octets: u64) -> u64 {
        let speed = u128::from(octets) * NANOSECONDS_OF_A_SECOND / u128::from(self.total().max(1));
        u64::try_from(speed).unwrap_or(u64::MAX)
    }
}

fn ip(address: Option<SocketAddr>) -> String {
    address.map(|address| address.ip().to_string()).unwrap_or_default()
}

fn port(address: Option<SocketAddr>) -> u64 {
    address.map_or(0, |address| address.port().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found() {
        assert!(ROWS.is_sorted_by_key(|(name, _)| *name));
        assert!(ROWS.iter().all(|(name, _)| Variable::of(name).is_some()));
    }
}
