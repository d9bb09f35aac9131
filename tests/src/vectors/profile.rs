//! The settings that a case asks for: those of this project under the names that the sources give them.

use crate::message::{Tune, options};
use sandpiper_guest::types::{ConnOptions, Leniency, Limit, Persistence};

/// Each leniency, under its own name first.
const LENIENCIES: [(Leniency, &[&str]); 8] = [
    (Leniency::BARE_LF, &["bare-lf", "response-lenient-optional-cr-before-lf", "response-lenient-all"]),
    (
        Leniency::LINE_FOLDING,
        &["line-folding", "allow_obsolete_multiline_headers_in_responses", "response-lenient-headers", "response-lenient-all"],
    ),
    (Leniency::SPACE_BEFORE_COLON, &["space-before-colon", "allow_spaces_after_header_name_in_responses"]),
    (Leniency::SKIP_INVALID_LINES, &["skip-invalid-lines", "ignore_invalid_headers_in_responses"]),
    (Leniency::EQUAL_CONTENT_LENGTHS, &["equal-content-lengths"]),
    (Leniency::SPACE_AFTER_CHUNK_SIZE, &["space-after-chunk-size", "response-lenient-all"]),
    (Leniency::LEADING_EMPTY_LINE, &["leading-empty-line"]),
    (Leniency::HTTP09, &["http09", "http09_responses", "h09_responses", "--http0.9"]),
];

/// The settings for a case. What has no counterpart here is left at its default, and the case is played as if it had not been asked for.
pub fn settings(words: &[String]) -> ConnOptions {
    let mut all = options().persistence(Persistence::Assume).tolerating(leniency(words));
    for word in words {
        let (name, value) = split(word);
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            all = limits(name).iter().fold(all, |all, limit| all.limit(*limit, value));
        }
    }
    all
}

/// The leniencies among the words.
fn leniency(words: &[String]) -> Leniency {
    let named = LENIENCIES.iter().filter(|(_, names)| words.iter().any(|word| is_on(word, names)));
    named.fold(Leniency::empty(), |all, (leniency, _)| all | *leniency)
}

fn is_on(word: &str, names: &[&str]) -> bool {
    let (name, value) = split(word);
    names.contains(&name) && value.is_none_or(|value| value == "true")
}

/// `name`, `name=value` and `name: value,`.
fn split(word: &str) -> (&str, Option<&str>) {
    match word.split_once([':', '=']) {
        Some((name, value)) => (name.trim(), Some(value.trim().trim_end_matches(','))),
        None => (word.trim(), None),
    }
}

/// The limits of that name.
fn limits(name: &str) -> &'static [Limit] {
    match name {
        "head-octets-max" => &[Limit::HeadOctets],
        "field-lines-max" | "h1_max_headers" => &[Limit::FieldLines],
        "interim-responses-max" => &[Limit::InterimResponses],
        "trailer-octets-max" => &[Limit::TrailerOctets],
        "chunk-extension-octets-max" => &[Limit::ChunkExtensionOctets],
        "max_header_size" => &[Limit::HeadOctets, Limit::TrailerOctets],
        _ => &[],
    }
}
