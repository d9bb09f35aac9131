//! Which file names items of which other file: by `use`, and by paths.

use super::sources::{Source, is_for_tests};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use syn::{Item, UseTree};

/// Names that modules import, with the paths behind them: `(module, name)`.
type Imported = BTreeMap<(Vec<String>, String), Vec<String>>;
/// How many imports lead from one to another.
const HOPS_MAX: usize = 8;

/// Files by number, and for each those whose items it names. A file that names what stands in the file of a module around it is a part of
/// that module: this is no edge. An item that a file passes on by `use` is the one that it is: the edge leads to where it is defined.
pub(super) fn edges(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let files: BTreeMap<&[String], usize> =
        sources.iter().enumerate().map(|(number, source)| (source.module.as_slice(), number)).collect();
    let mut imported = Imported::new();
    let mut named = Vec::new();
    for source in sources {
        let mut paths = Paths { files: &files, imported: &mut imported, found: BTreeSet::new() };
        paths.items(&source.module, &source.items);
        named.push(paths.found);
    }
    let mut edges = Vec::new();
    for (source, paths) in sources.iter().zip(named) {
        let leads = |path: &Vec<String>| home(path, &files, &imported, HOPS_MAX);
        let is_around = |number: &usize| source.module.starts_with(&sources[*number].module);
        edges.push(paths.iter().filter_map(leads).filter(|number| !is_around(number)).collect());
    }
    edges
}

/// The file in which what a path names is defined.
fn home(path: &[String], files: &BTreeMap<&[String], usize>, imported: &Imported, hops: usize) -> Option<usize> {
    let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let next = path.get(length).and_then(|name| imported.get(&(path[..length].to_vec(), name.clone())));
    match next {
        Some(behind) if hops > 0 => {
            let behind: Vec<String> = behind.iter().chain(&path[length + 1..]).cloned().collect();
            home(&behind, files, imported, hops - 1)
        }
        _ => files.get(&path[..length]).copied(),
    }
}

/// Collects the paths of a file, from the root of its crate.
struct Paths<'a> {
    files: &'a BTreeMap<&'a [String], usize>,
    imported: &'a mut Imported,
    found: BTreeSet<Vec<String>>,
}

impl Paths<'_> {
    fn items(&mut self, module: &[String], items: &[Item]) {
        for item in items.iter().filter(|item| !is_for_tests(item)) {
            match item {
                Item::Use(item) => self.uses(module, &mut Vec::new(), &item.tree),
                Item::Mod(inline) => {
                    let inside: Vec<String> = module.iter().cloned().chain([inline.ident.to_string()]).collect();
                    self.items(&inside, inline.content.as_ref().map_or(&[], |(_, items)| items));
                }
                item => self.tokens(module, item.to_token_stream()),
            }
        }
    }

    fn uses(&mut self, module: &[String], before: &mut Vec<String>, tree: &UseTree) {
        let mut leaf = |last: Option<String>, name: String| {
            let words: Vec<String> = before.iter().cloned().chain(last).collect();
            if let Some(path) = self.absolute(module, &words) {
                self.imported.insert((module.to_vec(), name), path.clone());
                self.found.insert(path);
            }
        };
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.uses(module, before, &path.tree);
                before.pop();
            }
            UseTree::Name(name) if name.ident == "self" => leaf(None, before.last().cloned().unwrap_or_default()),
            UseTree::Name(name) => leaf(Some(name.ident.to_string()), name.ident.to_string()),
            UseTree::Rename(name) => leaf(Some(name.ident.to_string()), name.rename.to_string()),
            UseTree::Glob(_) => leaf(None, "*".to_owned()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.uses(module, before, tree)),
        }
    }

    /// Words with `::` between them, wherever they stand: also in what macros are given.
    fn tokens(&mut self, module: &[String], tokens: TokenStream) {
        let mut words: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.path(module, &mut words);
                    }
                    words.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.path(module, &mut words);
                    self.tokens(module, group.stream());
                    colons = 0;
                }
                _ => colons = 0,
            }
        }
        self.path(module, &mut words);
    }

    fn path(&mut self, module: &[String], words: &mut Vec<String>) {
        if words.len() > 1
            && let Some(path) = self.absolute(module, words)
        {
            self.found.insert(path);
        }
        words.clear();
    }

    /// The path from the root of the crate; `None`: it leads out of the crate, or begins with a name that was imported.
    fn absolute(&self, module: &[String], words: &[String]) -> Option<Vec<String>> {
        let mut path = module.to_vec();
        let mut rest = words.iter();
        let mut started = false;
        for word in rest.by_ref() {
            match word.as_str() {
                "crate" => path.clear(),
                "self" => {}
                "super" => drop(path.pop()),
                word => {
                    path.push(word.to_owned());
                    if !started && !self.files.contains_key(path.as_slice()) {
                        return None;
                    }
                    break;
                }
            }
            started = true;
        }
        path.extend(rest.cloned());
        Some(path)
    }
}
