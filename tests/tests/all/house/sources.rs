//! The files of a crate, as modules: read from its root by its `mod` declarations, without what is there for tests alone.

use proc_macro2::LineColumn;
use quote::ToTokens;
use std::fs;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, Item, TraitItem};

/// A file of a crate.
pub(super) struct Source {
    /// Its path below the crate's `src`, without the ending.
    pub(super) name: String,
    /// Its module, from the crate's root.
    pub(super) module: Vec<String>,
    /// Its lines that stand before its tests.
    pub(super) lines: usize,
    /// Its items.
    pub(super) items: Vec<Item>,
}

/// A thing that can be too large, and how large it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sized {
    /// Fields, or lines.
    pub(super) size: usize,
    /// Where it is, and its name.
    pub(super) name: String,
}

/// All files of the crate with this root.
pub(super) fn of_crate(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let directory = root.parent().expect("a directory");
    read(root, directory, directory, Vec::new(), &mut found);
    found
}

/// Reads the file of a module, whose own modules are files in `inside`, and then those.
fn read(path: &Path, source: &Path, inside: &Path, module: Vec<String>, found: &mut Vec<Source>) {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.with_extension("").strip_prefix(source).expect("below the source").to_string_lossy().into_owned();
    let read_one = parsed(name, module.clone(), &text);
    let declared: Vec<String> = declared(&read_one.items).collect();
    found.push(read_one);
    for child in declared {
        let (flat, folder) = (inside.join(format!("{child}.rs")), inside.join(&child));
        let path: PathBuf = if flat.exists() { flat } else { folder.join("mod.rs") };
        let module = module.iter().cloned().chain([child]).collect();
        read(&path, source, &folder, module, found);
    }
}

/// A file with this text.
pub(super) fn parsed(name: String, module: Vec<String>, text: &str) -> Source {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let tests =
        file.items.iter().find(|item| is_for_tests(item) && matches!(item, Item::Mod(inline) if inline.content.is_some()));
    let lines = tests.map_or(text.lines().count(), |tests| start(tests).line - 1);
    let items = file.items.into_iter().filter(|item| !is_for_tests(item)).collect();
    Source { name, module, lines, items }
}

fn start(item: &Item) -> LineColumn {
    item.span().start()
}

/// The modules that these items declare and that are files.
fn declared(items: &[Item]) -> impl Iterator<Item = String> {
    items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() => Some(module.ident.to_string()),
        _ => None,
    })
}

/// Whether an item is only there in tests: `#[cfg(test)]`, `#[cfg(any(test, ...))]` is not.
pub(super) fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Const(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    };
    attributes.iter().any(|attribute| attribute.to_token_stream().to_string().replace(' ', "") == "#[cfg(test)]")
}

/// All structs with how many fields they have.
pub(super) fn structs(sources: &[Source]) -> Vec<Sized> {
    let mut found = Vec::new();
    each_item(sources, &mut |name, item| {
        if let Item::Struct(item) = item {
            found.push(Sized { size: item.fields.len(), name: format!("{name}::{}", item.ident) });
        }
    });
    found.sort();
    found
}

/// All functions with how many lines they have, from their `fn` to their end.
pub(super) fn functions(sources: &[Source]) -> Vec<Sized> {
    let mut found = Vec::new();
    let mut add = |name: &str, signature: &syn::Signature, block: &syn::Block| {
        let lines = block.span().end().line + 1 - signature.span().start().line;
        found.push(Sized { size: lines, name: format!("{name}::{}", signature.ident) });
    };
    each_item(sources, &mut |name, item| match item {
        Item::Fn(item) => add(name, &item.sig, &item.block),
        Item::Impl(item) => item.items.iter().for_each(|item| {
            if let ImplItem::Fn(item) = item {
                add(name, &item.sig, &item.block);
            }
        }),
        Item::Trait(item) => item.items.iter().for_each(|item| {
            if let TraitItem::Fn(syn::TraitItemFn { sig, default: Some(block), .. }) = item {
                add(name, sig, block);
            }
        }),
        _ => {}
    });
    found.sort();
    found
}

/// All files with their lines.
pub(super) fn lengths(sources: &[Source]) -> Vec<Sized> {
    let mut found: Vec<_> = sources.iter().map(|source| Sized { size: source.lines, name: source.name.clone() }).collect();
    found.sort();
    found
}

/// Does something with every item, also those of modules inside a file.
fn each_item<'a>(sources: &'a [Source], act: &mut impl FnMut(&'a str, &'a Item)) {
    fn each<'a>(name: &'a str, items: &'a [Item], act: &mut impl FnMut(&'a str, &'a Item)) {
        for item in items.iter().filter(|item| !is_for_tests(item)) {
            act(name, item);
            if let Item::Mod(syn::ItemMod { content: Some((_, items)), .. }) = item {
                each(name, items, act);
            }
        }
    }
    for source in sources {
        each(&source.name, &source.items, act);
    }
}
