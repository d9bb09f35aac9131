//! The snippets of the README and the guides: each has a mark on the line before, which says what runs the snippet.
//!
//! | mark | what runs the snippet |
//! |---|---|
//! | `shell` | `host/cli/tests/cli/guide.rs`, against a server of its own |
//! | `quotes PATH: NAME` | the tests that contain PATH, which has the same lines between `// guide: NAME` and `// end` |
//! | `project NAME: …` | `tests/languages/guides.py` |
//! | `recipes` | nothing: each line is a recipe of the justfile or a command of the program, which this test checks |
//! | `elsewhere PATH: WORDS` | PATH, which contains the words: the same with other names of files |
//! | `picture` | nothing: no program |

use std::fs;
use std::path::{Path, PathBuf};

/// A piece of a page between fences.
#[derive(Debug, PartialEq)]
struct Snippet {
    mark: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README, what it takes to contribute, and the guides.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = ["README.md", "CONTRIBUTING.md", "docs/concepts.md"].map(str::to_owned).into();
    let guides = fs::read_dir(root().join("docs/guide")).expect("guides").flatten();
    pages.extend(guides.map(|entry| format!("docs/guide/{}", entry.file_name().to_string_lossy())));
    pages.sort();
    pages
}

/// All snippets of a page. The mark is empty where the line before is no comment.
fn snippets(page: &str) -> Vec<Snippet> {
    let mut found = Vec::new();
    let mut before = "";
    let mut open: Option<Snippet> = None;
    for line in page.lines() {
        let is_fence = line.trim_start().starts_with("```");
        open = match (open.take(), is_fence) {
            (None, true) => {
                let mark = before.strip_prefix("<!-- ").and_then(|mark| mark.strip_suffix(" -->")).unwrap_or_default();
                Some(Snippet { mark: mark.to_owned(), text: String::new() })
            }
            (Some(snippet), true) => {
                found.push(snippet);
                None
            }
            (Some(snippet), false) => Some(Snippet { text: snippet.text + line + "\n", ..snippet }),
            (None, false) => None,
        };
        before = line;
    }
    found
}

/// Lines that are compared: without indentation, and without those that are empty.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The region of a file of tests, as the page has it.
fn region(file: &str, name: &str) -> Option<Vec<String>> {
    let (_, behind) = file.split_once(&format!("// guide: {name}\n"))?;
    let (inside, _) = behind.split_once("// end")?;
    let main = "pub(super) async fn main(address: &str, url: &str)";
    let as_printed = inside.replace(main, "#[tokio::main]\nasync fn main()");
    let as_printed = as_printed.replace("(address)", "(\"127.0.0.1:8080\")").replace("(url, ", "(\"http://127.0.0.1:8080\", ");
    Some(lines(&as_printed))
}

/// The commands behind `./dev`, on each line.
fn recipes(text: &str) -> Option<Vec<&str>> {
    let commands = text.lines().filter(|line| !line.trim().is_empty());
    commands.map(|line| line.strip_prefix("./dev ")?.split(' ').next()).collect()
}

/// What is wrong with a snippet; `None`: nothing.
fn complaint(snippet: &Snippet, justfile: &str, dev: &str) -> Option<String> {
    let (kind, rest) = snippet.mark.split_once(' ').unwrap_or((&snippet.mark, ""));
    match kind {
        "shell" if rest.is_empty() && snippet.text.contains("sandpiper ") => None,
        "picture" => None,
        "project" => {
            let act = rest.split_once(": ").map(|(_, act)| act)?;
            let known = ["run", "install"].contains(&act) || act.starts_with("file ");
            (!known).then(|| format!("{act:?} is nothing that a project does"))
        }
        "quotes" => {
            let (path, name) = rest.split_once(": ")?;
            let is_test = path.contains("tests/") && root().join(path).exists();
            let same = is_test && region(&read(path), name).as_ref() == Some(&lines(&snippet.text));
            (!same).then(|| format!("{path} has no such lines between `// guide: {name}` and `// end`"))
        }
        "elsewhere" => {
            let (path, words) = rest.split_once(": ")?;
            let is_there = root().join(path).is_file() && read(path).contains(words);
            (!is_there).then(|| format!("{path} does not contain {words}"))
        }
        "recipes" => {
            let begins = |line: &str, word: &str| line.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', ':']));
            let is_known = |word: &str| justfile.lines().any(|line| begins(line, word));
            let commands = dev
                .split_once("program_commands=(")
                .and_then(|(_, behind)| behind.split_once(')'))
                .map_or("", |(inside, _)| inside);
            let is_program = |word: &str| commands.split(' ').any(|command| command == word);
            match recipes(&snippet.text) {
                Some(words) => {
                    words.into_iter().find(|word| !is_known(word) && !is_program(word)).map(|word| format!("./dev has no {word}"))
                }
                None => Some("a line does not begin with ./dev".to_owned()),
            }
        }
        _ => Some("there is no mark that says how it is tested".to_owned()),
    }
}

#[test]
fn every_snippet_says_how_it_is_tested() {
    let (justfile, dev) = (read("justfile"), read("dev"));
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        for snippet in snippets(&read(&page)) {
            count += 1;
            wrong.extend(
                complaint(&snippet, &justfile, &dev).map(|why| format!("{page}: {:?}: {why}:\n{}", snippet.mark, snippet.text)),
            );
        }
    }
    println!("{count} snippets");
    assert!(count > 20, "only {count} snippets");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_snippet_without_a_mark_or_with_another_text_is_found() {
    let page = "<!-- picture -->\n```\na\n```\ntext\n```sh\nb\n```\n<!-- recipes -->\n```sh\n./dev nothing\n```\n";
    let found = snippets(page);
    assert_eq!(found[0], Snippet { mark: "picture".to_owned(), text: "a\n".to_owned() });
    let complaints: Vec<bool> = found.iter().map(|snippet| complaint(snippet, "test: component\n", "").is_some()).collect();
    assert_eq!(complaints, [false, true, true]);
    let quoting = |text: &str| Snippet { mark: "quotes host/tests/all/guide.rs: streamed".to_owned(), text: text.to_owned() };
    assert!(complaint(&quoting("upload.finish();\n"), "", "").is_some());
}
