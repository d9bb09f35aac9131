//! How files are laid out in the library for hosts and in the program: one convention each for folders and for imports.

use super::sources::{Source, of_crate, parsed};
use std::path::Path;
use syn::{Item, ItemUse, UseTree, Visibility};

const ROOTS: [&str; 2] = ["host/src/lib.rs", "host/cli/src/main.rs"];

/// Where an import stands: std, then other packages, then our own modules.
fn rank(import: &ItemUse, modules: &[String]) -> u8 {
    let first = match &import.tree {
        UseTree::Path(path) => path.ident.to_string(),
        UseTree::Name(name) => name.ident.to_string(),
        _ => String::new(),
    };
    match first.as_str() {
        "std" | "core" | "alloc" => 0,
        "crate" | "self" | "super" => 2,
        name if modules.iter().any(|module| module == name) => 2,
        _ => 1,
    }
}

/// Are the private imports of a file in order?
fn is_in_order(source: &Source) -> bool {
    let declared = source.items.iter().filter_map(|item| match item {
        Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    });
    let modules: Vec<String> = declared.collect();
    let imports = source.items.iter().filter_map(|item| match item {
        Item::Use(import) if matches!(import.vis, Visibility::Inherited) => Some(rank(import, &modules)),
        _ => None,
    });
    imports.collect::<Vec<_>>().is_sorted()
}

#[test]
fn imports_stand_in_one_order_and_a_folders_own_file_is_in_it() {
    let mut wrong = Vec::new();
    for root in ROOTS {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(root);
        let inside = root.parent().expect("a directory");
        for source in of_crate(&root) {
            if !is_in_order(&source) {
                wrong.push(format!("{}: imports are not in the order std, other packages, our own", source.name));
            }
            if inside.join(&source.name).is_dir() {
                wrong.push(format!("{}: the file of a folder is its mod.rs", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn another_order_is_found() {
    let of = |text| is_in_order(&parsed("a".to_owned(), Vec::new(), text));
    assert!(of("mod b;\nuse std::fmt;\nuse serde::Serialize;\nuse b::B;\nuse crate::C;\npub use std::io;"));
    assert!(!of("use serde::Serialize;\nuse std::fmt;"));
    assert!(!of("mod b;\nuse b::B;\nuse serde::Serialize;"));
    assert!(!of("use crate::C;\nuse std::fmt;"));
}
