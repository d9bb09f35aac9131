use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;

const GET: Asked = Asked { head: false, connect: false, upgrade: false };
const HEAD: Asked = Asked { head: true, ..GET };
const CONNECT: Asked = Asked { connect: true, ..GET };
const UPGRADE: Asked = Asked { upgrade: true, ..GET };

fn response(version: HttpVersion, status: u16, fields: &[(&str, &str)]) -> PackedHead {
    let section: String = fields.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let mut at = 0;
    let mut part = |part: &str| {
        let start = at;
        at += part.len();
        &section.as_bytes()[start..at]
    };
    let lines: Vec<_> = fields.iter().map(|(name, value)| (part(name), part(value))).collect();
    PackedHead::new((version, status), section.as_bytes(), (&[], &[]), lines.into_iter())
}

fn framing(asked: Asked, status: u16, fields: &[(&str, &str)]) -> Result<Framing, Error> {
    response_framing(asked, &response(HttpVersion::Http11, status, fields), Leniency::empty())
}

#[track_caller]
fn refuses(asked: Asked, status: u16, fields: &[(&str, &str)], why: Misbehaviour) {
    assert_eq!(framing(asked, status, fields), refuse(why), "{status} {fields:?}");
}

const LENGTH: (&str, &str) = ("Content-Length", "5");
const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");

#[test]
fn head_1xx_204_and_304_have_no_content_whatever_the_fields_say() {
    for fields in [&[][..], &[LENGTH], &[CHUNKED], &[("Transfer-Encoding", "gzip, chunked")]] {
        assert_eq!(framing(HEAD, 200, fields), Ok(Framing::None));
        assert_eq!(framing(HEAD, 404, fields), Ok(Framing::None));
        for status in [100, 102, 103, 199, 204, 304] {
            assert_eq!(framing(GET, status, fields), Ok(Framing::None));
            assert_eq!(framing(UPGRADE, status, fields), Ok(Framing::None));
        }
    }
}

#[test]
fn a_2xx_to_connect_begins_a_tunnel_and_its_framing_fields_mean_nothing() {
    let fields = [LENGTH, ("content-length", "x"), CHUNKED, ("transfer-encoding", ",")];
    for status in [200, 204, 299] {
        assert_eq!(framing(CONNECT, status, &fields), Ok(Framing::Tunnel));
        let old = response(HttpVersion::Http10, status, &fields);
        assert_eq!(response_framing(CONNECT, &old, Leniency::empty()), Ok(Framing::Tunnel));
    }
}

#[test]
fn any_other_response_to_connect_is_framed_like_every_response() {
    assert_eq!(framing(CONNECT, 407, &[LENGTH]), Ok(Framing::Length(5)));
    assert_eq!(framing(CONNECT, 502, &[CHUNKED]), Ok(Framing::Chunked));
    assert_eq!(framing(CONNECT, 302, &[]), Ok(Framing::UntilClose));
    assert_eq!(framing(CONNECT, 304, &[]), Ok(Framing::None));
    assert_eq!(framing(CONNECT, 100, &[]), Ok(Framing::None));
}

#[test]
fn a_switch_of_protocols_is_accepted_only_where_it_was_asked_for() {
    assert_eq!(framing(UPGRADE, 101, &[]), Ok(Framing::Tunnel));
    assert_eq!(framing(UPGRADE, 101, &[LENGTH, CHUNKED]), Ok(Framing::Tunnel));
    for asked in [GET, HEAD, CONNECT] {
        refuses(asked, 101, &[("Upgrade", "x")], Misbehaviour::UnsolicitedSwitch);
    }
    assert_eq!(framing(UPGRADE, 200, &[LENGTH]), Ok(Framing::Length(5)));
}

#[test]
fn transfer_encoding_beside_content_length_is_refused() {
    let why = Misbehaviour::TransferEncodingWithContentLength;
    for status in [200, 204, 304, 103, 500] {
        refuses(GET, status, &[CHUNKED, LENGTH], why);
        refuses(HEAD, status, &[LENGTH, CHUNKED], why);
    }
    refuses(GET, 200, &[("content-length", "0"), ("transfer-encoding", "yolo")], why);
}

#[test]
fn transfer_encoding_in_http_1_0_is_refused() {
    for (asked, status) in [(GET, 200), (GET, 204), (HEAD, 200), (CONNECT, 404)] {
        for coding in ["chunked", "gzip"] {
            let head = response(HttpVersion::Http10, status, &[("Transfer-Encoding", coding)]);
            let framing = response_framing(asked, &head, Leniency::empty());
            assert_eq!(framing, refuse(Misbehaviour::TransferEncodingInHttp10));
        }
    }
    let head = response(HttpVersion::Http10, 200, &[LENGTH]);
    assert_eq!(response_framing(GET, &head, Leniency::empty()), Ok(Framing::Length(5)));
}

#[test]
fn chunked_as_the_only_transfer_coding_frames_the_content() {
    for value in ["chunked", "CHUNKED", "Chunked", ", chunked ,,"] {
        assert_eq!(framing(GET, 200, &[("transfer-encoding", value)]), Ok(Framing::Chunked));
    }
    let lines = [("Transfer-Encoding", ""), ("TRANSFER-ENCODING", "chunked")];
    assert_eq!(framing(GET, 200, &lines), Ok(Framing::Chunked));
}

#[test]
fn another_transfer_coding_is_not_supported() {
    let expected = Err(Error::PeerIncompatible(Incompatibility::TransferCoding));
    for value in ["gzip", "identity", "gzip, chunked", "yolo", "gzip;q=\"a,chunked\"", "x;y=z, chunked"] {
        assert_eq!(framing(GET, 200, &[("Transfer-Encoding", value)]), expected, "{value}");
    }
    let lines = [("Transfer-Encoding", "gzip"), ("Transfer-Encoding", "chunked")];
    assert_eq!(framing(GET, 200, &lines), expected);
}

#[test]
fn chunked_that_is_not_last_or_is_there_twice_is_refused() {
    let why = Misbehaviour::InvalidTransferEncoding;
    for value in ["chunked, gzip", "chunked,chunked", "gzip, chunked, chunked", "gzip, chunked, x"] {
        refuses(GET, 200, &[("Transfer-Encoding", value)], why);
        refuses(HEAD, 200, &[("Transfer-Encoding", value)], why);
    }
    refuses(GET, 200, &[CHUNKED, CHUNKED], why);
    refuses(GET, 200, &[CHUNKED, ("transfer-encoding", "identity")], why);
}

#[test]
fn transfer_coding_names_are_tokens_and_compare_as_wholes() {
    let other = Err(Error::PeerIncompatible(Incompatibility::TransferCoding));
    for value in ["xchunked", "chunkedchunked", "chunke", "'chunked'"] {
        assert_eq!(framing(GET, 200, &[("Transfer-Encoding", value)]), other, "{value}");
    }
    let why = Misbehaviour::InvalidTransferEncoding;
    for value in ["\u{b}chunked", "chunked gzip", "\"chunked\"", "chunked\u{80}", "chu/nked", ";chunked", "=", "[chunked]"] {
        refuses(GET, 200, &[("Transfer-Encoding", value)], why);
        refuses(GET, 304, &[("Transfer-Encoding", value)], why);
    }
}

#[test]
fn parameters_on_chunked_are_refused() {
    for value in ["chunked;q=1", "chunked ; a=b", "chunked;", "chunked;a=\",\""] {
        refuses(GET, 200, &[("Transfer-Encoding", value)], Misbehaviour::InvalidTransferEncoding);
    }
}

#[test]
fn an_empty_or_comma_only_transfer_encoding_is_refused() {
    for value in ["", ",", " , ,\t"] {
        refuses(GET, 200, &[("Transfer-Encoding", value)], Misbehaviour::InvalidTransferEncoding);
    }
    let lines = [("Transfer-Encoding", ""), ("Transfer-Encoding", "")];
    refuses(GET, 200, &lines, Misbehaviour::InvalidTransferEncoding);
}

#[test]
fn a_content_length_is_digits_and_nothing_else() {
    for (value, length) in [("0", 0), ("42", 42), ("030", 30), ("0000000000000000001", 1)] {
        let expected = Ok(Framing::Length(length));
        assert_eq!(framing(GET, 200, &[("content-LENGTH", value)]), expected);
    }
    for value in
        ["", " ", "+1", "-1", "0x10", "1_000", "4 2", "42s", "aaaah", "1.0", "1e3", "\u{664}", "\u{b2}", "42;q=1", "\"42\""]
    {
        refuses(GET, 200, &[("Content-Length", value)], Misbehaviour::InvalidContentLength);
    }
}

#[test]
fn a_large_content_length_neither_wraps_nor_loses_precision() {
    let largest = i64::MAX as u64;
    let value = [("Content-Length", "9223372036854775807")];
    assert_eq!(framing(GET, 200, &value), Ok(Framing::Length(largest)));
    for value in [
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551621",
        "00000000000000000005",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ] {
        refuses(GET, 200, &[("Content-Length", value)], Misbehaviour::InvalidContentLength);
    }
}

#[test]
fn an_invalid_content_length_is_refused_even_where_there_is_no_content() {
    for (asked, status) in [(HEAD, 200), (GET, 204), (GET, 304), (GET, 103)] {
        refuses(asked, status, &[("Content-Length", "5x")], Misbehaviour::InvalidContentLength);
        let lines = [LENGTH, ("Content-Length", "6")];
        refuses(asked, status, &lines, Misbehaviour::ConflictingContentLength);
        refuses(asked, status, &[LENGTH, LENGTH], Misbehaviour::ConflictingContentLength);
    }
}

#[test]
fn several_content_lengths_are_refused_even_when_they_are_equal() {
    let why = Misbehaviour::ConflictingContentLength;
    refuses(GET, 200, &[("Content-Length", "42, 42")], why);
    refuses(GET, 200, &[("Content-Length", "42,43")], why);
    refuses(GET, 200, &[LENGTH, ("content-length", "5")], why);
    refuses(GET, 200, &[LENGTH, ("content-length", "6")], why);
}

#[test]
fn with_equal_content_lengths_equal_values_are_taken_as_one() {
    let framing = |fields: &[(&str, &str)]| {
        let head = response(HttpVersion::Http11, 200, fields);
        response_framing(GET, &head, Leniency::EQUAL_CONTENT_LENGTHS)
    };
    assert_eq!(framing(&[("Content-Length", "5, 5 ,\t5")]), Ok(Framing::Length(5)));
    assert_eq!(framing(&[LENGTH, LENGTH]), Ok(Framing::Length(5)));
    assert_eq!(framing(&[("Content-Length", "5,5"), LENGTH]), Ok(Framing::Length(5)));
    for value in ["5,6", "5, 5, 4"] {
        let expected = refuse(Misbehaviour::ConflictingContentLength);
        assert_eq!(framing(&[("Content-Length", value)]), expected, "{value}");
    }
    for value in ["5,", ",5", "5,,5", "5,x", "5 5", "5;5"] {
        let expected = refuse(Misbehaviour::InvalidContentLength);
        assert_eq!(framing(&[("Content-Length", value)]), expected, "{value}");
    }
    assert_eq!(framing(&[LENGTH, ("Content-Length", "6")]), refuse(Misbehaviour::ConflictingContentLength));
    let both = framing(&[LENGTH, LENGTH, CHUNKED]);
    assert_eq!(both, refuse(Misbehaviour::TransferEncodingWithContentLength));
}

#[test]
fn without_a_framing_field_the_content_lasts_until_the_connection_closes() {
    for status in [200, 205, 299, 301, 404, 500, 599] {
        assert_eq!(framing(GET, status, &[]), Ok(Framing::UntilClose));
    }
    assert_eq!(framing(GET, 200, &[("Connection", "keep-alive")]), Ok(Framing::UntilClose));
}

#[test]
fn a_205_is_framed_by_its_fields() {
    assert_eq!(framing(GET, 205, &[LENGTH]), Ok(Framing::Length(5)));
    assert_eq!(framing(GET, 205, &[CHUNKED]), Ok(Framing::Chunked));
}
