use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

const LIMITS: ChunkLimits = ChunkLimits { extension_octets_max: 16_384 };

/// What became of some octets: the content, and how many octets were taken before the trailer section, or before more were
/// needed; or the fault, by the count of octets up to it.
#[derive(Debug, PartialEq)]
enum Outcome {
    Ended(Vec<u8>, usize),
    Partial(Vec<u8>, usize),
    Failed(Vec<u8>, Error, usize),
}

/// Gives the octets piece by piece, each up to the next of `ends`; what is not taken is given again.
fn feed(octets: &[u8], ends: &[usize], limits: ChunkLimits, leniency: Leniency) -> Outcome {
    let mut decoder = ChunkDecoder::new(limits, leniency);
    let (mut content, mut start) = (Vec::new(), 0);
    for &end in ends {
        loop {
            let piece = &octets[start..end];
            match decoder.decode(piece) {
                Ok((taken, Decoded::Data(range))) => {
                    assert!(!range.is_empty() && range.end == taken);
                    content.extend_from_slice(&piece[range]);
                    start += taken;
                }
                Ok((taken, Decoded::Partial)) => {
                    start += taken;
                    assert_eq!(start, end, "nothing is left lying");
                    break;
                }
                Ok((taken, Decoded::Trailers)) => {
                    start += taken;
                    assert_eq!(decoder.decode(&octets[start..]), Ok((0, Decoded::Trailers)));
                    return Outcome::Ended(content, start);
                }
                Err(fault) => {
                    let again = Err(Fault { error: fault.error, at: 0 });
                    assert_eq!(decoder.decode(b"0\r\n"), again, "what has failed stays failed");
                    return Outcome::Failed(content, fault.error, start + fault.at);
                }
            }
        }
    }
    Outcome::Partial(content, start)
}

/// Reads whole; octet by octet; in every two parts; and with more behind. All must agree.
fn read_with(octets: &[u8], limits: ChunkLimits, leniency: Leniency) -> Outcome {
    let whole = feed(octets, &[octets.len()], limits, leniency);
    let each: Vec<usize> = (0..=octets.len()).collect();
    assert_eq!(feed(octets, &each, limits, leniency), whole, "{octets:?}");
    for cut in 0..octets.len() {
        assert_eq!(feed(octets, &[cut, octets.len()], limits, leniency), whole, "{cut} {octets:?}");
    }
    let taken = match whole {
        Outcome::Ended(_, taken) | Outcome::Failed(_, _, taken) => taken,
        Outcome::Partial(..) => return whole,
    };
    for there in 0..taken {
        let part = feed(&octets[..there], &[there], limits, leniency);
        assert!(matches!(part, Outcome::Partial(..)), "{there} octets of {octets:?}");
    }
    for behind in [&b"\r\n"[..], b"A: b\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\n", b"\0", b"0\r\n\r\n"] {
        let longer = [octets, behind].concat();
        assert_eq!(feed(&longer, &[longer.len()], limits, leniency), whole, "{behind:?}");
    }
    whole
}

fn read(octets: &[u8]) -> Outcome {
    read_with(octets, LIMITS, Leniency::empty())
}

/// Complete, with nothing left.
#[track_caller]
fn accepts(octets: &[u8], content: &[u8]) {
    assert_eq!(read(octets), Outcome::Ended(Vec::from(content), octets.len()), "{octets:?}");
}

/// Refused at the last octet of `shown`, whatever is behind it and whatever is tolerated.
#[track_caller]
fn refuses(shown: &[u8], rest: &[u8], why: Misbehaviour) {
    refuses_with(shown, rest, Leniency::empty(), why);
    refuses_with(shown, rest, Leniency::SPACE_AFTER_CHUNK_SIZE | Leniency::BARE_LF, why);
}

#[track_caller]
fn refuses_with(shown: &[u8], rest: &[u8], leniency: Leniency, why: Misbehaviour) {
    let octets = [shown, rest].concat();
    match read_with(&octets, LIMITS, leniency) {
        Outcome::Failed(_, error, at) => {
            assert_eq!((error, at), (Error::PeerMisbehaved(why), shown.len()), "{octets:?}");
        }
        other => panic!("{octets:?}: {other:?}"),
    }
}

#[test]
fn chunks_are_joined_up_to_the_last_chunk() {
    accepts(b"0\r\n", b"");
    accepts(b"5\r\nhello\r\n0\r\n", b"hello");
    accepts(b"6\r\nhello \r\n5\r\nworld\r\n0\r\n", b"hello world");
    accepts(b"4\r\n\r\n\r\n\r\n1\r\n0\r\n0\r\n", b"\r\n\r\n0");
}

#[test]
fn a_chunk_size_is_hex_digits_of_both_letter_cases_with_leading_zeros() {
    let data = vec![b'x'; 0xab];
    for size in ["ab", "AB", "aB", "0ab", "00000000000000ab"] {
        let octets = [size.as_bytes(), b"\r\n", &data, b"\r\n0\r\n"].concat();
        accepts(&octets, &data);
    }
    accepts(b"1\r\nx\r\n0000000000000000\r\n", b"x");
    accepts(b"1\r\nx\r\n00\r\n", b"x");
}

#[test]
fn a_large_chunk_size_neither_wraps_nor_loses_precision() {
    let why = Misbehaviour::InvalidChunkSize;
    refuses(b"8000000000000000", b"\r\n", why);
    refuses(b"ffffffffffffffff", b"\r\n", why);
    refuses(b"f000000000000000", b"3\r\nabc\r\n", why);
    refuses(b"00000000000000001", b"\r\na\r\n", why);
    refuses(b"10000000000000000", b"\r\n", why);
    let octets = b"7fffffffffffffff\r\nabc";
    assert_eq!(read(octets), Outcome::Partial(Vec::from(b"abc"), octets.len()));
    let mut decoder = ChunkDecoder::new(LIMITS, Leniency::empty());
    assert_eq!(decoder.decode(octets), Ok((octets.len(), Decoded::Data(18..21))));
    assert_eq!(decoder.data_left, i64::MAX as u64 - 3);
}

#[test]
fn endless_leading_zeros_are_refused() {
    refuses(&[b'0'; 17], &[b'0'; 1_000], Misbehaviour::InvalidChunkSize);
}

#[test]
fn an_empty_size_line_is_refused() {
    let why = Misbehaviour::InvalidChunkSize;
    refuses(b"\r", b"\n", why);
    refuses(b"5\r\nhello\r\n\r", b"\n", why);
    refuses(b";", b"a=b\r\n", why);
}

#[test]
fn a_chunk_size_has_no_prefix_sign_space_or_separator() {
    let why = Misbehaviour::InvalidChunkSize;
    let refusals: [(&[u8], &[u8]); 12] = [
        (b"0x", b"5\r\nhello\r\n"),
        (b"+", b"5\r\nhello\r\n"),
        (b"-", b"5\r\nhello\r\n"),
        (b" ", b"5\r\nhello\r\n"),
        (b"\t", b"5\r\nhello\r\n"),
        (b"1_", b"0\r\n"),
        (b"5g", b"\r\nhello\r\n"),
        (b"5,", b"\r\nhello\r\n"),
        (b"5\0", b"\r\nhello\r\n"),
        (b"\"", b"5\"\r\nhello\r\n"),
        (b"5=", b"a\r\nhello\r\n"),
        (b"\xc2", b"\xb2\r\n"),
    ];
    for (shown, rest) in refusals {
        refuses(shown, rest, why);
    }
}

#[test]
fn the_crlf_behind_a_size_is_checked_octet_by_octet() {
    let why = Misbehaviour::InvalidChunkSize;
    refuses(b"5\n", b"hello\r\n0\r\n", why);
    refuses(b"5\r\r", b"\nhello\r\n0\r\n", why);
    refuses(b"5\rh", b"ello\r\n0\r\n", why);
    refuses(b"0\n", b"\r\n", why);
    refuses(b"0\r\r", b"\n", why);
}

#[test]
fn the_crlf_behind_the_data_is_checked_octet_by_octet() {
    let why = Misbehaviour::InvalidChunkEnd;
    refuses(b"5\r\nhello\n", b"0\r\n", why);
    refuses(b"5\r\nhelloX", b"\n0\r\n", why);
    refuses(b"5\r\nhello!", b"!0\r\n", why);
    refuses(b"5\r\nhello\rX", b"0\r\n", why);
    refuses(b"5\r\nhello\r\r", b"\n0\r\n", why);
    refuses(b"5\r\nhello0", b"\r\n\r\n", why);
}

#[test]
fn chunk_extensions_are_ignored() {
    for extension in [
        ";a",
        ";a=b",
        ";a=b;c;d=e",
        " ; a",
        "\t;\ta\t=\tb",
        ";a =b",
        ";a= b",
        ";a=b ;c",
        ";a ;c",
        ";a=\"\"",
        ";a=\"b;c=\t d\"",
        ";a=\"b\\\"c\\\\\";d",
        ";a=\"\u{e9}(/)\" ; d = \"x\"",
        ";0=0;f=f",
        ";!#$%&'*+-.^_`|~=1",
    ] {
        accepts(format!("5{extension}\r\nhello\r\n0{extension}\r\n").as_bytes(), b"hello");
    }
}

#[test]
fn a_malformed_chunk_extension_is_refused() {
    let why = Misbehaviour::InvalidChunkExtension;
    refuses(b"5;\r", b"\nhello\r\n0\r\n", why);
    refuses(b"5;;", b"a\r\nhello\r\n0\r\n", why);
    refuses(b"5;=", b"b\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=\r", b"\nhello\r\n0\r\n", why);
    refuses(b"5;a=;", b"b\r\nhello\r\n0\r\n", why);
    refuses(b"5;a b", b"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=b c", b"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=b=", b"c\r\nhello\r\n0\r\n", why);
    refuses(b"5;a,", b"b\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=b \r", b"\nhello\r\n0\r\n", why);
    refuses(b"5;a \r", b"\nhello\r\n0\r\n", why);
    refuses(b"5;\xe9", b"\r\nhello\r\n0\r\n", why);
}

#[test]
fn lf_or_a_bare_cr_inside_an_extension_is_refused_and_so_are_unbalanced_quotes() {
    let why = Misbehaviour::InvalidChunkExtension;
    refuses(b"5;a\n", b"hello\r\n0\r\n", why);
    refuses(b"5;a=b\n", b"b\r\nhello\r\n0\r\n", why);
    refuses(b"5;a\r\r", b"\nhello\r\n0\r\n", why);
    refuses(b"5;a\rb", b"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=\"b\r", b"\nhello\r\n0\r\n", why);
    refuses(b"5;a=\"b\n", b"hello\"\r\n0\r\n", why);
    refuses(b"5;a=\"b\\\r", b"\n\"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=\"b\\\"\r", b"\nhello\r\n0\r\n", why);
    refuses(b"5;a=\"b\"\"", b"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=\"b\"c", b"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=b\"", b"c\"\r\nhello\r\n0\r\n", why);
    refuses(b"5;\"", b"a\"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a\0", b"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=\"\0", b"\"\r\nhello\r\n0\r\n", why);
    refuses(b"5;a=\"\x7f", b"\"\r\nhello\r\n0\r\n", why);
}

#[test]
fn extension_octets_are_bounded_over_the_whole_content() {
    let octets = b"1;ab\r\nx\r\n1 ;c=\"d\"\r\ny\r\n0;e\r\n";
    // Where the octets of the extensions stand.
    let extensions: Vec<usize> = (1..4).chain(10..17).chain(23..25).collect();
    for (extension_octets_max, offset) in extensions.iter().enumerate() {
        let limits = ChunkLimits { extension_octets_max };
        match read_with(octets, limits, Leniency::empty()) {
            Outcome::Failed(_, error, at) => {
                assert_eq!(error, Error::LimitExceeded(Limit::ChunkExtensionOctets));
                assert_eq!(at, offset + 1);
            }
            other => panic!("{extension_octets_max}: {other:?}"),
        }
    }
    let limits = ChunkLimits { extension_octets_max: extensions.len() };
    let outcome = read_with(octets, limits, Leniency::empty());
    assert_eq!(outcome, Outcome::Ended(Vec::from(b"xy"), octets.len()));
}

#[test]
fn an_endless_extension_is_refused_at_its_limit() {
    let limits = ChunkLimits { extension_octets_max: 64 };
    let expected = |at| {
        let error = Error::LimitExceeded(Limit::ChunkExtensionOctets);
        Outcome::Failed(Vec::new(), error, at)
    };
    for start in ["1;", "1;a=", "1;a=\"", "1;a=\"\\\""] {
        let octets = format!("{start}{}", "x".repeat(200));
        assert_eq!(read_with(octets.as_bytes(), limits, Leniency::empty()), expected(1 + 65));
    }
    // Whitespace that leniency takes for nothing counts too.
    let octets = format!("1{}\r\n", " ".repeat(200));
    let lenient = Leniency::SPACE_AFTER_CHUNK_SIZE;
    assert_eq!(read_with(octets.as_bytes(), limits, lenient), expected(1 + 65));
}

#[test]
fn framing_without_extensions_costs_at_most_twenty_octets_a_chunk() {
    let chunk = "0000000000000001\r\nx\r\n";
    assert_eq!(chunk.len() - 1, 20);
    let octets = format!("{}0\r\n", chunk.repeat(1_000));
    let limits = ChunkLimits { extension_octets_max: 0 };
    let outcome = feed(octets.as_bytes(), &[octets.len()], limits, Leniency::empty());
    assert_eq!(outcome, Outcome::Ended(vec![b'x'; 1_000], octets.len()));
    let octets = format!("0{chunk}");
    let outcome = feed(octets.as_bytes(), &[octets.len()], limits, Leniency::empty());
    assert!(matches!(outcome, Outcome::Failed(_, Error::PeerMisbehaved(_), 17)));
}

#[test]
fn with_space_after_chunk_size_whitespace_before_the_line_end_is_ignored() {
    let lenient = Leniency::SPACE_AFTER_CHUNK_SIZE;
    for space in [" ", "\t", "   \t "] {
        let octets = format!("5{space}\r\nhello\r\n0{space}\r\n");
        let outcome = read_with(octets.as_bytes(), LIMITS, lenient);
        assert_eq!(outcome, Outcome::Ended(Vec::from(b"hello"), octets.len()));
        let shown = format!("5{space}\r");
        let why = Misbehaviour::InvalidChunkSize;
        refuses_with(shown.as_bytes(), b"\nhello\r\n", Leniency::empty(), why);
        let shown = format!("5{space}\n");
        refuses_with(shown.as_bytes(), b"hello\r\n", lenient, why);
        let shown = format!("5{space}5");
        refuses_with(shown.as_bytes(), b"\r\nhello\r\n", lenient, why);
    }
}

#[test]
fn the_decoder_takes_exactly_its_octets() {
    let octets = b"5\r\nhello\r\n0;a\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    let outcome = feed(octets, &[octets.len()], LIMITS, Leniency::empty());
    assert_eq!(outcome, Outcome::Ended(Vec::from(b"hello"), 15));
}

#[test]
fn a_content_without_its_last_chunk_is_not_complete() {
    let octets = b"5\r\nhello\r\n0\r\n";
    for there in 0..octets.len() {
        let part = read(&octets[..there]);
        assert!(matches!(part, Outcome::Partial(..)), "{there}: {part:?}");
    }
}

#[test]
fn data_is_passed_on_in_runs_as_long_as_they_come() {
    let mut decoder = ChunkDecoder::new(LIMITS, Leniency::empty());
    assert_eq!(decoder.decode(b"a\r\n01234"), Ok((8, Decoded::Data(3..8))));
    assert_eq!(decoder.decode(b""), Ok((0, Decoded::Partial)));
    assert_eq!(decoder.decode(b"56789\r\n1\r\nx"), Ok((5, Decoded::Data(0..5))));
    assert_eq!(decoder.decode(b"\r\n1\r\nx\r"), Ok((6, Decoded::Data(5..6))));
    assert_eq!(decoder.decode(b"\r"), Ok((1, Decoded::Partial)));
}

#[test]
fn in_every_state_every_octet_is_taken_or_refused_as_the_grammar_says() {
    let space = |octet: u8| octet == b' ' || octet == b'\t';
    let text = |octet: u8| octet == b'\t' || !octet.is_ascii_control();
    let check = |before: &[u8], why: Misbehaviour, is_good: &dyn Fn(u8) -> bool| {
        for octet in 0..=255 {
            let octets = [before, &[octet]].concat();
            let outcome = feed(&octets, &[octets.len()], LIMITS, Leniency::empty());
            match outcome {
                Outcome::Failed(_, error, at) => {
                    assert!(!is_good(octet), "{octet} behind {before:?}");
                    assert_eq!((error, at), (Error::PeerMisbehaved(why), octets.len()));
                }
                _ => assert!(is_good(octet), "{octet} behind {before:?}"),
            }
        }
    };
    let size = Misbehaviour::InvalidChunkSize;
    check(b"", size, &|octet| octet.is_ascii_hexdigit());
    check(b"5", size, &|octet| octet.is_ascii_hexdigit() || space(octet) || b";\r".contains(&octet));
    check(b"5 ", size, &|octet| space(octet) || octet == b';');
    check(b"5\r", size, &|octet| octet == b'\n');
    let extension = Misbehaviour::InvalidChunkExtension;
    for before in [&b"5;"[..], b"5; ", b"5;a;"] {
        check(before, extension, &|octet| space(octet) || is_tchar(octet));
    }
    check(b"5;a", extension, &|octet| space(octet) || is_tchar(octet) || b";=\r".contains(&octet));
    check(b"5;a ", extension, &|octet| space(octet) || b";=".contains(&octet));
    for before in [&b"5;a="[..], b"5;a =", b"5;a= "] {
        check(before, extension, &|octet| space(octet) || is_tchar(octet) || octet == b'"');
    }
    check(b"5;a=b", extension, &|octet| space(octet) || is_tchar(octet) || b";\r".contains(&octet));
    for before in [&b"5;a=b "[..], b"5;a=\"\" "] {
        check(before, extension, &|octet| space(octet) || octet == b';');
    }
    for before in [&b"5;a=\""[..], b"5;a=\"\\", b"5;a=\"\\\"", b"5;a=\"b"] {
        check(before, extension, &text);
    }
    check(b"5;a=\"\"", extension, &|octet| space(octet) || b";\r".contains(&octet));
    for before in [&b"5;a\r"[..], b"5;a=b\r", b"5;a=\"\"\r"] {
        check(before, extension, &|octet| octet == b'\n');
    }
    check(b"1\r\nx", Misbehaviour::InvalidChunkEnd, &|octet| octet == b'\r');
    check(b"1\r\nx\r", Misbehaviour::InvalidChunkEnd, &|octet| octet == b'\n');
    check(b"1\r\n", size, &|_| true);
}

#[test]
fn a_quoted_string_holds_every_octet_that_it_may() {
    for octet in (0..=255_u8).filter(|octet| *octet == b'\t' || !octet.is_ascii_control()) {
        let escaped = [&b"1;a=\"\\"[..], &[octet], b"\"\r\nx\r\n0\r\n"].concat();
        accepts(&escaped, b"x");
        if octet != b'"' && octet != b'\\' {
            let plain = [&b"1;a=\""[..], &[octet], b"\";b\r\nx\r\n0\r\n"].concat();
            accepts(&plain, b"x");
        }
    }
}

#[test]
fn the_table_has_a_row_for_every_state_but_data_and_trailers() {
    assert_eq!(NEXT.len(), State::Data as usize);
    assert_eq!(NEXT.len() + 1, State::Trailers as usize);
    assert_eq!(NEXT[0].len(), Class::Control as usize + 1);
    let text: String = (0..=255_u8).filter(|octet| matches!(class_of(*octet), Class::Hex)).map(char::from).collect();
    assert_eq!(text, "0123456789ABCDEFabcdef");
}
