//! Chunks and trailers.

use super::*;

#[test]
fn what_is_written_in_chunks_is_read_back_with_its_trailers() {
    let pieces: [&[u8]; 4] = [b"a", b"0\r\n\r\n", &[b'x'; 16], &[b'y'; 4_096]];
    let trailers = fields(&[("A", "b"), ("E", ""), ("Digest", "c")]);
    let mut octets = Vec::new();
    for piece in pieces {
        chunk_head(piece.len() as u64, &mut octets);
        octets.extend_from_slice(piece);
        chunk_end(&mut octets);
    }
    last_chunk(&trailers, &mut octets);
    assert!(octets.starts_with(b"1\r\na\r\n5\r\n0\r\n\r\n\r\n10\r\nxxxxxxxxxxxxxxxx\r\n1000\r\nyyy"));
    assert!(octets.ends_with(b"y\r\n0\r\nA: b\r\nE:\r\nDigest: c\r\n\r\n"));

    let limits = ChunkLimits { extension_octets_max: 0 };
    let mut decoder = ChunkDecoder::new(limits, Leniency::empty());
    let (mut content, mut rest) = (Vec::new(), octets.as_slice());
    loop {
        let (taken, decoded) = decoder.decode(rest).unwrap();
        match decoded {
            Decoded::Data(range) => content.extend_from_slice(&rest[range]),
            Decoded::Partial => panic!("it ends"),
            Decoded::Trailers => {
                rest = &rest[taken..];
                break;
            }
        }
        rest = &rest[taken..];
    }
    assert_eq!(content, pieces.concat());
    let limits = HeadLimits { octets_max: 100, field_lines_max: 3 };
    let read = TrailerParser::default().parse(rest, &limits, Leniency::empty());
    assert_eq!(read, Ok(Some((trailers, rest.len()))));
}

#[test]
fn a_chunk_of_no_octets_is_never_written() {
    let mut octets = Vec::new();
    chunk_head(0, &mut octets);
    assert!(octets.is_empty());
    last_chunk(&[], &mut octets);
    assert_eq!(octets, b"0\r\n\r\n");
}

#[test]
fn chunk_sizes_have_no_leading_zeros_at_every_length() {
    for shift in 0..64 {
        let size = 1_u64 << shift;
        let mut octets = Vec::new();
        chunk_head(size, &mut octets);
        assert_eq!(octets, format!("{size:x}\r\n").into_bytes());
    }
    let mut octets = Vec::new();
    chunk_head(0x1234_5678_9abc_def0, &mut octets);
    assert_eq!(octets, b"123456789abcdef0\r\n");
    let mut octets = Vec::new();
    chunk_head(u64::MAX, &mut octets);
    assert_eq!(octets, b"ffffffffffffffff\r\n");
}

#[test]
fn a_trailer_section_holds_no_field_that_frames_routes_or_authenticates() {
    for name in [
        "Content-Length",
        "Transfer-Encoding",
        "TRAILER",
        "host",
        "Connection",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "Expect",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "Cache-Control",
        "Max-Forwards",
        "If-Match",
        "Range",
        "Content-Type",
        "content-encoding",
    ] {
        let trailers = fields(&[("A", "b"), (name, "x")]);
        assert_eq!(check_trailers(&trailers), misuse(Misuse::ForbiddenTrailer), "{name}");
    }
    for name in NOT_IN_TRAILERS {
        assert_eq!(check_trailers(&fields(&[(name, "x")])), misuse(Misuse::ForbiddenTrailer));
    }
    assert_eq!(check_trailers(&fields(&[("Digest", "x"), ("Server-Timing", ""), ("a", "b")])), Ok(()));
    assert_eq!(check_trailers(&[]), Ok(()));
}
