//! Known answers, as the documents print them.

use std::vec::Vec;

/// The octets that pairs of hexadecimal digits stand for. White space is skipped.
pub(super) fn octets(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<std::string::String>(), 16).unwrap()).collect()
}
