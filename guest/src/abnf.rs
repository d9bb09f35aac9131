//! Octet classes and numbers, each under its ABNF rule.
//!
//! Every number on the wire is read and written here: no sign, no space, no wrap.

use alloc::vec::Vec;

/// `tchar`, RFC 9110 §5.6.2.
const TCHAR: u8 = 1;
/// An octet of a field value, RFC 9110 §5.5.
const FIELD_VALUE: u8 = 2;
/// `VCHAR`, RFC 5234 appendix B.1.
const VCHAR: u8 = 4;
/// `unreserved` and `sub-delims`, RFC 3986 §2.2 and §2.3: what stands for itself in a registered name.
const REG_NAME: u8 = 8;

/// The classes of every octet.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0_u8;
    loop {
        classes[octet as usize] = classes_of(octet);
        if octet == u8::MAX {
            break classes;
        }
        octet += 1;
    }
};

const fn classes_of(octet: u8) -> u8 {
    let mut classes = 0;
    if octet.is_ascii_alphanumeric()
        || matches!(octet, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*')
        || matches!(octet, b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
    {
        classes |= TCHAR;
    }
    if matches!(octet, b'\t' | b' '..=b'~' | 0x80..) {
        classes |= FIELD_VALUE;
    }
    if octet.is_ascii_graphic() {
        classes |= VCHAR;
    }
    if octet.is_ascii_alphanumeric()
        || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
        || matches!(octet, b'*' | b'+' | b',' | b';' | b'=')
    {
        classes |= REG_NAME;
    }
    classes
}

const fn is(octet: u8, class: u8) -> bool {
    CLASSES[octet as usize] & class != 0
}

/// ```abnf
/// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
/// ```
/// RFC 9110 §5.6.2.
pub const fn is_tchar(octet: u8) -> bool {
    is(octet, TCHAR)
}

/// ```abnf
/// token = 1*tchar
/// ```
/// RFC 9110 §5.6.2.
pub fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|&octet| is_tchar(octet))
}

/// ```abnf
/// field-content octets = HTAB / SP / VCHAR / obs-text
/// obs-text             = %x80-FF
/// ```
/// RFC 9110 §5.5. The reason phrase has the same set, RFC 9112 §4.
pub const fn is_field_value_octet(octet: u8) -> bool {
    is(octet, FIELD_VALUE)
}

/// ```abnf
/// VCHAR = %x21-7E
/// ```
/// RFC 5234 appendix B.1.
pub const fn is_vchar(octet: u8) -> bool {
    is(octet, VCHAR)
}

/// ```abnf
/// OWS = *( SP / HTAB )
/// ```
/// RFC 9110 §5.6.3.
pub const fn is_ows(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// The octets without the `OWS` at both ends. SP and HTAB only: no other octet is whitespace on the wire.
pub fn trim_ows(octets: &[u8]) -> &[u8] {
    let mut rest = octets;
    while let [first, tail @ ..] = rest
        && is_ows(*first)
    {
        rest = tail;
    }
    while let [head @ .., last] = rest
        && is_ows(*last)
    {
        rest = head;
    }
    rest
}

/// Digits of the longest decimal number, 2^63-1 = 9 223 372 036 854 775 807.
const DECIMAL_DIGITS_MAX: usize = 19;

/// ```abnf
/// Content-Length = 1*DIGIT
/// ```
/// RFC 9110 §8.6. At most 19 digits, leading zeros among them, and at most 2^63-1: what the rest of the component, and hosts that
/// count in signed numbers, can add up without a wrap. No sign, no space, no list. `None` for anything else.
pub fn decimal(octets: &[u8]) -> Option<u64> {
    if octets.is_empty() || octets.len() > DECIMAL_DIGITS_MAX {
        return None;
    }
    // So many digits never exceed 64 bits: a check at each would be a multiplication of 128 bits in WebAssembly.
    let mut number = 0_u64;
    for &octet in octets {
        if !octet.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(octet - b'0');
    }
    (number <= i64::MAX.cast_unsigned()).then_some(number)
}

/// ```abnf
/// HEXDIG = DIGIT / "A" / "B" / "C" / "D" / "E" / "F"
/// ```
/// RFC 5234 appendix B.1, in both letter cases. The digit's value, or `None`.
pub fn hex_digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// ```abnf
/// reg-name = *( unreserved / pct-encoded / sub-delims )
/// ```
/// RFC 3986 §3.2.2, here with one octet at least (RFC 9110 §4.2.1). An IPv4 address is one too.
pub fn is_reg_name(octets: &[u8]) -> bool {
    let mut rest = octets;
    while let [first, tail @ ..] = rest {
        rest = match tail {
            [high, low, tail @ ..] if *first == b'%' && hex_digit(*high).is_some() && hex_digit(*low).is_some() => tail,
            _ if is(*first, REG_NAME) => tail,
            _ => return false,
        };
    }
    !octets.is_empty()
}

/// Whether two names are the same, in upper or lower case.
#[inline]
pub fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    // Nearly all names have another length.
    one.len() == other.len() && is_same_text(one, other)
}

/// The component would else have a copy of the comparison for each caller.
#[inline(never)]
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The shortest digits of a number, in base 10 or 16, at the end of `room`.
pub fn digits(number: u64, base: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut start = room.len();
    let mut rest = number;
    for (offset, place) in room.iter_mut().enumerate().rev() {
        let digit = u8::try_from(rest % base).unwrap_or_default();
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        start = offset;
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    room.get(start..).unwrap_or_default()
}

/// Appends the shortest digits of a number, in base 10 or 16.
pub fn push_number<const BASE: u64>(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(digits(number, BASE, &mut [0; 20]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_token_is_one_or_more_tchars() {
        let allowed = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for octet in 0..=255 {
            assert_eq!(is_tchar(octet), allowed.contains(&octet), "octet {octet}");
        }
        assert!(is_token(b"Content-Length"));
        assert!(!is_token(b""));
        assert!(!is_token(b"Content Length"));
        assert!(!is_token(b"\x0bchunked"));
    }

    #[test]
    fn a_field_value_holds_no_control_octet_but_htab() {
        for octet in 0..=255_u8 {
            let allowed = octet == b'\t' || !octet.is_ascii_control();
            assert_eq!(is_field_value_octet(octet), allowed, "octet {octet}");
            assert_eq!(is_vchar(octet), (0x21..=0x7e).contains(&octet), "octet {octet}");
        }
    }

    #[test]
    fn only_sp_and_htab_are_trimmed() {
        assert_eq!(trim_ows(b" \t a b\t "), b"a b");
        assert_eq!(trim_ows(b"\x0ba\x0c"), b"\x0ba\x0c");
        assert_eq!(trim_ows(b" \t "), b"");
        assert_eq!(trim_ows(b""), b"");
    }

    #[test]
    fn a_decimal_is_one_to_nineteen_digits_up_to_2_to_the_63_less_1() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"030"), Some(30));
        assert_eq!(decimal(b"9223372036854775807"), Some(i64::MAX as u64));
        assert_eq!(decimal(b"0000000000000000042"), Some(42));
        for refused in [
            &b""[..],
            b"9223372036854775808",
            b"9999999999999999999",
            b"18446744073709551615",
            b"18446744073709551616",
            b"00000000000000000042",
            b"+1",
            b"-1",
            b"1 2",
            b" 1",
            b"1 ",
            b"1_000",
            b"0x10",
            b"1e3",
            b"42s",
            b"\xd9\xa4",
            b"4,4",
        ] {
            assert_eq!(decimal(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn a_million_digits_are_refused_by_their_count_alone() {
        // H1-054: the length is compared before a digit is looked at, so nothing quadratic can happen.
        assert_eq!(decimal(&vec![b'9'; 1_000_000]), None);
    }

    #[test]
    fn hex_digits_have_both_letter_cases() {
        for octet in 0..=255_u8 {
            let expected = char::from(octet).to_digit(16);
            assert_eq!(hex_digit(octet).map(u32::from), expected, "octet {octet}");
        }
    }

    #[test]
    fn a_registered_name_has_whole_percent_triplets() {
        for accepted in [&b"example.com"[..], b"127.0.0.1", b"a_b", b"%C3%A4.example", b"a!$&'()*+,;=~"] {
            assert!(is_reg_name(accepted), "{accepted:?}");
        }
        for refused in [&b""[..], b"a b", b"a@b", b"a/b", b"a%4", b"a%zz", b"a:b", b"[::1]", b"\xc3\xa4", b"a\0"] {
            assert!(!is_reg_name(refused), "{refused:?}");
        }
    }
}
