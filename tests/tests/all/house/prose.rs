//! The prose of the contract, the documents and the comments: nouns are repeated, and verbs say which act is meant.
//!
//! Three things are counted that a program can count: pronouns, sentences that begin with one, and verbs that stand for several acts. A
//! count may fall, and then its bound here is lowered; a count may not rise.

use std::fs;
use std::path::{Path, PathBuf};

/// Words that stand for a noun, or for a thing that has no noun.
const PRONOUNS: [&str; 20] = [
    "it",
    "its",
    "itself",
    "this",
    "that",
    "these",
    "those",
    "what",
    "whatever",
    "which",
    "whichever",
    "them",
    "they",
    "their",
    "theirs",
    "themselves",
    "one",
    "ones",
    "such",
    "there",
];

/// Verbs for which a sharper verb exists: return, report, check, reuse, wait.
const VAGUE_VERBS: [&str; 20] = [
    "give", "gives", "given", "gave", "giving", "tell", "tells", "told", "telling", "look", "looks", "looked", "keep", "keeps",
    "kept", "keeping", "stand", "stands", "stood", "standing",
];

/// What was counted in a text.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    words: usize,
    pronouns: usize,
    /// Sentences that begin with "What", "Those" or "It" and are no question; "It" counts where no sentence stands before it.
    openings: usize,
    vague_verbs: usize,
}

impl Counts {
    fn per_hundred(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.words.max(1) as f64
    }

    fn add(&mut self, other: &Counts) {
        self.words += other.words;
        self.pronouns += other.pronouns;
        self.openings += other.openings;
        self.vague_verbs += other.vague_verbs;
    }
}

/// Files, and what may be in them at most.
struct Bound {
    /// A file, or a folder with all files of these endings below it.
    place: &'static str,
    /// The bounds are for each file, not for all of them together.
    each_file: bool,
    /// In 100 words.
    pronouns: f64,
    openings: usize,
    /// In 100 words.
    vague_verbs: f64,
}

const BOUNDS: [Bound; 11] = [
    Bound { place: "wit", each_file: false, pronouns: 4.7, openings: 0, vague_verbs: 0.5 },
    Bound { place: "README.md", each_file: false, pronouns: 6.0, openings: 0, vague_verbs: 0.4 },
    Bound { place: "CONTRIBUTING.md", each_file: false, pronouns: 6.0, openings: 0, vague_verbs: 0.4 },
    Bound { place: "ARCHITECTURE.md", each_file: false, pronouns: 7.0, openings: 1, vague_verbs: 0.4 },
    Bound { place: "docs/guide", each_file: true, pronouns: 5.0, openings: 0, vague_verbs: 0.6 },
    Bound { place: "docs/concepts.md", each_file: false, pronouns: 6.0, openings: 0, vague_verbs: 0.4 },
    Bound { place: "docs/reference", each_file: false, pronouns: 4.6, openings: 8, vague_verbs: 0.6 },
    Bound { place: "docs/evidence", each_file: false, pronouns: 12.2, openings: 15, vague_verbs: 0.3 },
    Bound { place: "guest/src", each_file: false, pronouns: 10.1, openings: 110, vague_verbs: 0.9 },
    Bound { place: "host/src", each_file: false, pronouns: 9.6, openings: 74, vague_verbs: 0.92 },
    Bound { place: "host/cli/src", each_file: false, pronouns: 11.0, openings: 55, vague_verbs: 0.8 },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of a place that have prose; not the packages that the WIT package depends on.
fn files(place: &Path, found: &mut Vec<PathBuf>) {
    if place.is_file() {
        found.push(place.to_owned());
        return;
    }
    let entries = fs::read_dir(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    for entry in entries.flatten().map(|entry| entry.path()) {
        let ending = entry.extension().unwrap_or_default().to_string_lossy().into_owned();
        let is_ours = entry.is_dir() && entry.file_name().is_some_and(|name| name != "deps");
        if is_ours || ["md", "wit", "rs"].contains(&ending.as_str()) {
            files(&entry, found);
        }
    }
}

/// The paragraphs of a file: of its comments, where it is code.
fn paragraphs(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("md") => of_markdown(&text),
        _ => of_comments(&text),
    }
}

/// Paragraphs of Markdown, without code, links' targets and HTML comments. An item of a list is a paragraph, and so is a cell of a table.
fn of_markdown(text: &str) -> Vec<String> {
    let mut made = vec![String::new()];
    let mut in_code = false;
    for line in text.lines().map(str::trim) {
        let is_fence = line.starts_with("```");
        in_code ^= is_fence;
        let starts = line.is_empty() || is_fence || ["#", "- ", "* ", "|", "<!--"].iter().any(|start| line.starts_with(start));
        if starts {
            made.push(String::new());
        }
        if in_code || is_fence || line.starts_with("<!--") {
            continue;
        }
        for (at, cell) in line.split(" | ").enumerate() {
            if at > 0 {
                made.push(String::new());
            }
            append(&mut made, cell);
        }
    }
    cleaned(made)
}

/// Paragraphs of comments: lines that begin with two slashes, without code between fences.
fn of_comments(text: &str) -> Vec<String> {
    let mut made = vec![String::new()];
    let mut in_code = false;
    for line in text.lines().map(str::trim) {
        let Some(comment) = line.strip_prefix("//") else {
            made.push(String::new());
            in_code = false;
            continue;
        };
        let comment = comment.trim_start_matches(['/', '!']).trim();
        let is_fence = comment.starts_with("```");
        in_code ^= is_fence;
        if comment.is_empty() || is_fence || ["- ", "# ", "|"].iter().any(|start| comment.starts_with(start)) {
            made.push(String::new());
        }
        if !in_code && !is_fence {
            append(&mut made, comment);
        }
    }
    cleaned(made)
}

fn append(paragraphs: &mut [String], text: &str) {
    let last = paragraphs.last_mut().expect("a paragraph");
    if !last.is_empty() {
        last.push(' ');
    }
    last.push_str(text);
}

/// Code in backticks becomes a noun, and a link its text.
fn cleaned(paragraphs: Vec<String>) -> Vec<String> {
    let clean = |paragraph: String| {
        let without_code: Vec<&str> =
            paragraph.split('`').enumerate().map(|(at, part)| if at % 2 == 1 { "Code" } else { part }).collect();
        let mut text = String::new();
        for (at, part) in without_code.concat().split("](").enumerate() {
            text.push_str(if at == 0 { part } else { part.split_once(')').map_or("", |(_, behind)| behind) });
        }
        text.replace('[', "").trim_matches(['|', '-', '*', '#', ' ']).to_owned()
    };
    paragraphs.into_iter().map(clean).filter(|paragraph| !paragraph.is_empty()).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|letter: char| !(letter.is_ascii_alphabetic() || letter == '\'' || letter == '’' || letter == '-'));
    let words = parts.map(|word| word.trim_matches(['\'', '’', '-']).to_ascii_lowercase());
    words.filter(|word| !word.is_empty())
}

/// The sentences of a paragraph: each ends with `.`, `!`, `?` or `:` before a space and a capital letter.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut made = Vec::new();
    let mut start = 0;
    let letters: Vec<(usize, char)> = paragraph.char_indices().collect();
    for window in letters.windows(3) {
        let [(_, end), (_, space), (next_at, next)] = window else { continue };
        if ['.', '!', '?', ':'].contains(end) && *space == ' ' && (next.is_uppercase() || ['*', '"'].contains(next)) {
            made.push(paragraph[start..*next_at].trim());
            start = *next_at;
        }
    }
    made.push(paragraph[start..].trim());
    made
}

fn count(paragraph: &str) -> Counts {
    let mut counts = Counts::default();
    for word in words(paragraph) {
        counts.words += 1;
        counts.pronouns += usize::from(PRONOUNS.contains(&word.as_str()));
        counts.vague_verbs += usize::from(VAGUE_VERBS.contains(&word.as_str()));
    }
    for (at, sentence) in sentences(paragraph).into_iter().enumerate() {
        let first = sentence.trim_start_matches(['*', '"', '(']).split([' ', '*', '’', '\'']).next().unwrap_or_default();
        let opens = matches!(first, "What" | "Those") || (first == "It" && at == 0);
        counts.openings += usize::from(opens && !sentence.ends_with('?'));
    }
    counts
}

fn count_all(paragraphs: &[String]) -> Counts {
    let mut counts = Counts::default();
    paragraphs.iter().for_each(|paragraph| counts.add(&count(paragraph)));
    counts
}

/// What is above a bound, in words.
fn above(bound: &Bound, place: &str, counts: &Counts) -> Vec<String> {
    let (pronouns, verbs) = (counts.per_hundred(counts.pronouns), counts.per_hundred(counts.vague_verbs));
    let mut wrong = Vec::new();
    if pronouns > bound.pronouns {
        wrong.push(format!("{place}: {pronouns:.2} pronouns in 100 words, {} may be: repeat the noun", bound.pronouns));
    }
    if counts.openings > bound.openings {
        let openings = counts.openings;
        wrong.push(format!("{place}: {openings} sentences begin with What, Those or It, {} may", bound.openings));
    }
    if verbs > bound.vague_verbs {
        let words = "say return, report, check, reuse or wait in place of give, tell, look, keep or stand";
        wrong.push(format!("{place}: {verbs:.2} vague verbs in 100 words, {} may be: {words}", bound.vague_verbs));
    }
    wrong
}

/// What is counted: each page by itself, where people read pages, and a folder of code as a whole.
fn counted(bound: &Bound) -> Vec<(String, Counts)> {
    let mut found = Vec::new();
    files(&root().join(bound.place), &mut found);
    let each = found.iter().map(|path| (path, count_all(&paragraphs(path))));
    if bound.each_file {
        let name = |path: &Path| path.strip_prefix(root()).expect("below the root").display().to_string();
        return each.map(|(path, counts)| (name(path), counts)).collect();
    }
    let mut all = Counts::default();
    each.for_each(|(_, counts)| all.add(&counts));
    vec![(bound.place.to_owned(), all)]
}

#[test]
fn nouns_are_repeated_and_verbs_are_sharp() {
    let mut wrong = Vec::new();
    for bound in &BOUNDS {
        let counted = counted(bound);
        assert!(!counted.is_empty(), "{} has no prose", bound.place);
        for (place, counts) in &counted {
            let (pronouns, verbs) = (counts.per_hundred(counts.pronouns), counts.per_hundred(counts.vague_verbs));
            let Counts { words, openings, .. } = counts;
            println!(
                "{place}: {words} words; in 100 of them {pronouns:.2} pronouns and {verbs:.2} vague verbs; {openings} openings"
            );
            wrong.extend(above(bound, place, counts));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pronouns_and_verbs_are_counted_as_words() {
    let text = "It returns its item; a titbit, one-sided, looks kept.";
    assert_eq!(count(text), Counts { words: 9, pronouns: 2, openings: 1, vague_verbs: 2 });
}

#[test]
fn a_sentence_that_begins_with_a_pronoun_is_found_unless_its_noun_stands_before() {
    let openings = |text: &str| count(text).openings;
    assert_eq!(openings("It ends the connection."), 1, "no noun stands before");
    assert_eq!(openings("A failure is final. It ends the connection."), 0, "its noun stands before");
    assert_eq!(openings("A failure is final. What comes later is dropped."), 1);
    assert_eq!(openings("A failure is final. *Those* stay: What then? Nothing."), 1, "a question may begin so");
}

#[test]
fn prose_is_what_stands_outside_of_code() {
    let page = "# It\n\nA `what` and [the page](it.md).\n<!-- it -->\n```sh\nit it it\n```\n| it | what |\n- What\n";
    assert_eq!(of_markdown(page), ["It", "A Code and the page.", "it", "what", "What"].map(str::to_owned));
    let code = "/// One `it`.\n/// Two.\n///\n/// Three.\n/// ```\n/// it\n/// ```\nlet it = 1;\n// Four.\n";
    assert_eq!(of_comments(code), ["One Code. Two.", "Three.", "Four."].map(str::to_owned));
}

#[test]
fn what_is_above_a_bound_is_said() {
    let bound = Bound { place: "here", each_file: false, pronouns: 5.0, openings: 0, vague_verbs: 1.0 };
    let good = count_all(&of_markdown("The pool returns the connection. The connection is reused."));
    assert_eq!(above(&bound, "here", &good), Vec::<String>::new());
    let bad = count_all(&of_markdown("What it gives stands there."));
    assert_eq!(above(&bound, "here", &bad).len(), 3, "{bad:?}");
}
