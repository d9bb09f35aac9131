//! One exchange as one line of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandpiper_host::types::{ExchangeTiming, Failure, FieldLine, ResponseHead, TlsInfo};
use serde::Serialize;

use super::secured::Secured;

/// A response as it is collected for one line.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) interim: Vec<ResponseHead>,
    pub(crate) head: Option<ResponseHead>,
    pub(crate) content: Vec<u8>,
}

#[derive(Serialize)]
struct Completed<'a> {
    index: usize,
    url: &'a str,
    ok: bool,
    status: u16,
    reason: String,
    version: &'static str,
    fields: Vec<(&'a str, String)>,
    content_base64: String,
    trailers: Vec<(&'a str, String)>,
    interim: Vec<Interim<'a>>,
    connection: u64,
    timing_ns: Timing,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Secured>,
}

#[derive(Serialize)]
struct Interim<'a> {
    status: u16,
    reason: String,
    fields: Vec<(&'a str, String)>,
}

/// Nanoseconds after the request was queued; null: it did not happen.
#[derive(Serialize)]
struct Timing {
    request_started: Option<u64>,
    request_sent: Option<u64>,
    response_started: Option<u64>,
    response_head: Option<u64>,
    response_ended: Option<u64>,
}

#[derive(Serialize)]
struct Failed<'a> {
    index: usize,
    url: &'a str,
    ok: bool,
    error: &'static str,
    detail: &'static str,
    delivery: &'static str,
    connection: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Secured>,
}

/// The line of an exchange that completed, without its end; `None` if there was no head.
pub(crate) fn completed(
    index: usize,
    url: &str,
    response: &Collected,
    trailers: &[FieldLine],
    connection: u64,
    timing: &ExchangeTiming,
    tls: Option<&TlsInfo>,
) -> Option<String> {
    let head = response.head.as_ref()?;
    let object = Completed {
        index,
        url,
        ok: true,
        status: head.status,
        reason: latin1(&head.reason),
        version: head.version.text(),
        fields: fields(&head.fields),
        content_base64: STANDARD.encode(&response.content),
        trailers: fields(trailers),
        interim: response.interim.iter().map(interim).collect(),
        connection,
        timing_ns: Timing {
            request_started: timing.request_started,
            request_sent: timing.request_sent,
            response_started: timing.response_started,
            response_head: timing.response_head,
            response_ended: timing.response_ended,
        },
        tls: tls.map(Secured::new),
    };
    serde_json::to_string(&object).ok()
}

/// The line of an exchange that failed, without its end.
pub(crate) fn failed(index: usize, url: &str, failure: &Failure, tls: Option<&TlsInfo>) -> Option<String> {
    let Failure { error, delivery, connection, .. } = failure;
    let object = Failed {
        index,
        url,
        ok: false,
        error: error.name(),
        detail: error.detail().unwrap_or_default(),
        delivery: delivery.name(),
        connection: *connection,
        tls: tls.map(Secured::new),
    };
    serde_json::to_string(&object).ok()
}

fn interim(head: &ResponseHead) -> Interim<'_> {
    Interim { status: head.status, reason: latin1(&head.reason), fields: fields(&head.fields) }
}

pub(crate) fn fields(lines: &[FieldLine]) -> Vec<(&str, String)> {
    lines.iter().map(|(name, value)| (name.as_str(), latin1(value))).collect()
}

/// Each octet becomes the character of its number: nothing is lost, and ASCII stays as it is.
pub(crate) fn latin1(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use sandpiper_host::types::{Delivery, Error, HttpVersion, Misbehaviour, Phase};

    use super::*;

    fn head(status: u16, reason: &[u8], fields: &[(&str, &[u8])]) -> ResponseHead {
        let fields = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_vec())).collect();
        ResponseHead { version: HttpVersion::Http11, status, reason: reason.to_vec(), fields }
    }

    #[test]
    fn a_completed_exchange() {
        let response = Collected {
            interim: vec![head(103, b"Early Hints", &[])],
            head: Some(head(200, b"\xe9", &[("A", b"\"\xff"), ("A", b"")])),
            content: vec![0, 255, 33],
        };
        let timing = ExchangeTiming {
            request_started: Some(1),
            request_sent: Some(2),
            response_started: Some(3),
            response_head: Some(4),
            response_ended: None,
        };
        let line = completed(7, "http://h/", &response, &[("T".to_owned(), b"t".to_vec())], 2, &timing, None).unwrap();
        let expected = concat!(
            r#"{"index":7,"url":"http://h/","ok":true,"status":200,"reason":"é","version":"HTTP/1.1","fields":[["A","\"ÿ"],["A",""]],"#,
            r#""content_base64":"AP8h","trailers":[["T","t"]],"interim":[{"status":103,"reason":"Early Hints","fields":[]}],"connection":2,"#,
            r#""timing_ns":{"request_started":1,"request_sent":2,"response_started":3,"response_head":4,"response_ended":null}}"#
        );
        assert_eq!(line, expected);
        assert!(completed(0, "", &Collected::default(), &[], 1, &timing, None).is_none());
    }

    #[test]
    fn a_failed_exchange() {
        let failure = Failure {
            error: Error::PeerMisbehaved(Misbehaviour::NotHttp),
            delivery: Delivery::ResponseStarted,
            phase: Phase::ReceivingHead,
            octets_sent: 10,
            octets_received: 5,
            connection: 3,
        };
        let expected = r#"{"index":0,"url":"http://h/","ok":false,"error":"peer-misbehaved","detail":"not-http","delivery":"response-started","connection":3}"#;
        assert_eq!(failed(0, "http://h/", &failure, None).unwrap(), expected);
    }
}
