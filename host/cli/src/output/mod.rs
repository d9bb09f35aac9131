//! Where responses go: standard output, or files. An output that cannot be written is refused before anything is sent.

mod head_dump;
mod place;
mod remote_name;
mod resume;
mod sink;
mod temporary;
mod terminal;

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sandpiper_host::types::ResponseHead;

use super::args::{ContinueAt, INDEX_PLACEHOLDER, Name, Output};
use super::listing::Listed;
use super::standard;
use place::{Directories, Place, Way, Wishes};

pub(crate) use head_dump::HeadDump;
pub(crate) use resume::{Resume, Start};
pub(crate) use sink::{Finished, Sink};
pub(crate) use temporary::create_nameless;
pub(crate) use terminal::shown;

/// Where the content of a URL goes, and with `-C` how it goes on.
pub(crate) type Assigned = (Destination, Option<Box<Resume>>);

/// The name of a file that neither the URL nor the server has one for.
const NAMELESS: &str = "response";

/// Where the content of one exchange is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output; a terminal is protected.
    Stdout,
    /// Standard output, octets as they are: `-o -`, `-o /dev/stdout`.
    Verbatim,
    File(Place),
}

impl Destination {
    /// One destination per URL: by -o and -O, else by the files of -K. With -C, what is asked for.
    ///
    /// # Errors
    /// A sentence: the options do not fit the URLs, or a file cannot be written.
    pub(crate) fn assign(output: &Output, list: &[Listed]) -> Result<Vec<Assigned>, String> {
        let mut assignment = Assignment { output, directories: Directories::default(), seen: HashSet::new() };
        let names = names(output, list)?;
        if output.remote_header_name && !names.contains(&Named::Remote) {
            return Err("-J names the files of -O: write -OJ".to_owned());
        }
        let assign = |(index, (listed, name))| {
            let destination = assignment.destination(listed, index, name)?;
            let resume = match output.continue_at {
                Some(at) => Some(Box::new(resume(at, &destination, &listed.url)?)),
                None => None,
            };
            Ok((destination, resume))
        };
        list.iter().zip(names).enumerate().map(assign).collect()
    }

    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout | Self::Verbatim)
    }

    /// As a message names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdout | Self::Verbatim => "standard output".to_owned(),
            Self::File(place) => place.name.display().to_string(),
        }
    }

    /// The file, as far as it is known before the response.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Stdout | Self::Verbatim => None,
            Self::File(place) => Some(&place.name),
        }
    }

    /// `-J`.
    pub(crate) fn is_named_by_head(&self) -> bool {
        matches!(self, Self::File(place) if place.by_head)
    }

    /// What `-J` makes of it when the head is there.
    pub(crate) fn named_by(&mut self, head: &ResponseHead) {
        if let Self::File(place) = self
            && place.by_head
            && let Some(name) = remote_name::of_head(head)
        {
            place.renamed(&name);
        }
    }
}

/// The name for a URL's content.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Default,
    File(String),
    Remote,
}

fn names(output: &Output, list: &[Listed]) -> Result<Vec<Named>, String> {
    let urls = list.len();
    let default = if output.remote_name_all { Named::Remote } else { Named::Default };
    let given: Vec<Named> = output.names.0.iter().map(Named::of).collect();
    match given.as_slice() {
        [] => Ok(list.iter().map(|listed| listed.output.clone().map_or(default.clone(), Named::File)).collect()),
        [Named::File(one)] if one.contains(INDEX_PLACEHOLDER) || one == "/dev/null" => Ok(vec![given[0].clone(); urls]),
        _ if given.len() == urls || output.remote_name_all && given.len() < urls => {
            Ok(given.into_iter().chain(std::iter::repeat(default)).take(urls).collect())
        }
        _ if !given.contains(&Named::Remote) => Err(format!(
            "{urls} URLs and {} -o: give one -o per URL (`-o -` for standard output), or a single -o with {INDEX_PLACEHOLDER}, which stands for the URL's index",
            given.len()
        )),
        _ => Err(format!(
            "{urls} URLs and {} -o and -O: give one of them per URL (`-o -` for standard output), or --remote-name-all for all others",
            given.len()
        )),
    }
}

impl Named {
    fn of(name: &Name) -> Self {
        match name {
            Name::File(file) => Self::File(file.clone()),
            Name::Remote => Self::Remote,
        }
    }
}

/// The destinations of a command line, one after the other.
struct Assignment<'a> {
    output: &'a Output,
    directories: Directories,
    /// Files that have a URL.
    seen: HashSet<PathBuf>,
}

impl Assignment<'_> {
    fn destination(&mut self, listed: &Listed, index: usize, name: Named) -> Result<Destination, String> {
        match name {
            Named::Default => Ok(Destination::Stdout),
            Named::File(file) if file == "-" => Ok(Destination::Verbatim),
            Named::File(file) => {
                let file = file.replace(INDEX_PLACEHOLDER, &index.to_string());
                let destination = self.file(Path::new(&file), false);
                destination.map_err(|why| format!("-o {}: {why}", if file.is_empty() { "''" } else { file.as_str() }))
            }
            Named::Remote => {
                let by_head = self.output.remote_header_name;
                let name = match remote_name::of_url(&listed.target.request_target) {
                    Some(name) => name,
                    None if by_head => NAMELESS.to_owned(),
                    None => return Err(format!("-O: the path of {} ends without a name; write -o FILE, or -OJ", listed.url)),
                };
                self.file(Path::new(&name), by_head).map_err(|why| format!("-O {name}: {why}"))
            }
        }
    }

    fn file(&mut self, file: &Path, by_head: bool) -> Result<Destination, String> {
        let name = match &self.output.output_dir {
            Some(directory) if !file.as_os_str().is_empty() => directory.join(file),
            _ => file.to_owned(),
        };
        let Output { in_place, no_clobber, create_dirs, continue_at, .. } = *self.output;
        let wishes = Wishes { in_place: in_place || continue_at.is_some(), no_clobber, create_directories: create_dirs, by_head };
        let place = Place::decide(&name, wishes, &mut self.directories)?;
        if place.way == Way::Descriptor(1) {
            return Ok(Destination::Verbatim);
        }
        if place.is_exclusive() && !by_head && !self.seen.insert(self.directories.real(place.file())) {
            return Err("given for two URLs".to_owned());
        }
        Ok(Destination::File(place))
    }
}

fn resume(at: ContinueAt, destination: &Destination, url: &str) -> Result<Resume, String> {
    match (destination, at) {
        (Destination::File(place), _) if !matches!(place.way, Way::Descriptor(_)) => {
            Resume::new(at, place.file(), url).map_err(|why| format!("-C, {}: {why}", place.name.display()))
        }
        (_, ContinueAt::Offset(from)) => Ok(Resume::from(from)),
        _ => Err("-C - goes on with a file: write -o FILE, or -O".to_owned()),
    }
}

/// A file for something beside the contents, which is written as it comes up: `-D`, `--log`.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn create_aside(file: &Path) -> io::Result<File> {
    match standard::descriptor(file) {
        Some(number) => standard::duplicate(number),
        None => File::create(file),
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::Fetch;
    use super::super::args::tests::fetch;
    use super::super::target::Target;
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    fn list(outputs: &[Option<&str>]) -> Vec<Listed> {
        let listed = |output: &Option<&str>| Listed {
            url: "http://h/".to_owned(),
            target: Target::parse("http://h/").unwrap(),
            output: output.map(str::to_owned),
        };
        outputs.iter().map(listed).collect()
    }

    fn show(destination: &Destination) -> String {
        match destination {
            Destination::Stdout => "stdout".to_owned(),
            Destination::Verbatim => "-".to_owned(),
            Destination::File(place) => place.name.display().to_string(),
        }
    }

    fn options(arguments: &[&str]) -> Box<Fetch> {
        fetch(&[arguments, &["http://h/"]].concat()).unwrap()
    }

    fn assign(outputs: &[&str], urls: usize) -> Result<Vec<String>, String> {
        let mut options = options(&[]);
        options.output.names.0 = outputs.iter().map(|&file| Name::File(file.to_owned())).collect();
        let destinations = Destination::assign(&options.output, &list(&vec![None; urls]))?;
        Ok(destinations.iter().map(|(destination, _)| show(destination)).collect())
    }

    #[test]
    fn outputs_of_a_list_need_not_be_all() {
        let assign = |outputs: &[Option<&str>]| Destination::assign(&options(&[]).output, &list(outputs));
        let destinations = assign(&[Some("a"), None, Some("page-{}"), Some("-")]).unwrap();
        let shown: Vec<_> = destinations.iter().map(|(destination, _)| show(destination)).collect();
        assert_eq!(shown, ["a", "stdout", "page-2", "-"]);
        assert!(assign(&[Some("a"), Some("a")]).unwrap_err().contains("two URLs"));
    }

    #[test]
    fn outputs_fit_urls_or_are_refused() {
        assert_eq!(assign(&[], 2), Ok(strings(&["stdout", "stdout"])));
        assert_eq!(assign(&["a", "-"], 2), Ok(strings(&["a", "-"])));
        assert_eq!(assign(&["page-{}.html"], 2), Ok(strings(&["page-0.html", "page-1.html"])));
        assert_eq!(assign(&["/dev/null"], 2), Ok(strings(&["/dev/null", "/dev/null"])));
        assert_eq!(assign(&["/dev/stdout"], 1), Ok(strings(&["-"])));
        assert!(assign(&["a"], 2).unwrap_err().contains("one -o per URL"));
        assert!(assign(&["a", "b"], 1).unwrap_err().contains("1 URLs and 2 -o"));
        assert!(assign(&["a", "./a"], 2).unwrap_err().contains("two URLs"));
        assert!(assign(&["no/such/directory/a"], 1).unwrap_err().contains("no directory"));
        assert!(assign(&["."], 1).unwrap_err().contains("a directory"));
        assert!(assign(&[""], 1).unwrap_err().starts_with("-o '': a file needs a name"));
    }

    #[test]
    fn names_of_urls() {
        let of = |arguments: &[&str], urls: &[&str]| {
            let listed = |url: &&str| Listed { url: (*url).to_owned(), target: Target::parse(url).unwrap(), output: None };
            let list: Vec<Listed> = urls.iter().map(listed).collect();
            let destinations = Destination::assign(&options(arguments).output, &list)?;
            Ok::<_, String>(destinations.iter().map(|(destination, _)| show(destination)).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(of(&["-O"], &["http://h/a/b.txt?c=/d"]).unwrap(), "b.txt");
        assert_eq!(of(&["-OO"], &["http://h/a", "http://h/b"]).unwrap(), "a b");
        assert_eq!(of(&["--remote-name-all", "-o", "-"], &["http://h/a", "http://h/b"]).unwrap(), "- b");
        assert_eq!(of(&["-O", "--output-dir", "/tmp"], &["http://h/a"]).unwrap(), "/tmp/a");
        assert_eq!(of(&["-OJ"], &["http://h/"]).unwrap(), NAMELESS);
        assert!(of(&["-O"], &["http://h/a", "http://h/b"]).unwrap_err().contains("--remote-name-all"));
        assert!(of(&["-O"], &["http://h/"]).unwrap_err().contains("without a name"));
        assert!(of(&["-J"], &["http://h/a"]).unwrap_err().contains("-OJ"));
        assert!(of(&["-C", "-"], &["http://h/a"]).unwrap_err().contains("-o FILE"));
    }
}
