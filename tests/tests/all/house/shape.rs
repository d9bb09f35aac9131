//! The shape of the house: no circle of imports, no wide struct, no long function, no long file. Each test prints what is largest.

use super::circles::circles;
use super::sources::{self, Sized, Source, functions, lengths, parsed, structs};
use std::path::Path;

/// A crate, and what it may have at most.
struct Room {
    name: &'static str,
    root: &'static str,
    circles: usize,
    fields: usize,
    function_lines: usize,
    file_lines: usize,
}

const ROOMS: [Room; 3] = [
    Room { name: "guest", root: "guest/src/lib.rs", circles: 0, fields: 20, function_lines: 50, file_lines: 500 },
    Room { name: "host", root: "host/src/lib.rs", circles: 0, fields: 15, function_lines: 50, file_lines: 450 },
    Room { name: "program", root: "host/cli/src/main.rs", circles: 0, fields: 23, function_lines: 50, file_lines: 450 },
];

fn sources_of(room: &Room) -> Vec<Source> {
    sources::of_crate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(room.root))
}

/// Prints the largest, and checks it.
fn check(room: &Room, what: &str, found: &[Sized], size_max: usize, wrong: &mut Vec<String>) {
    let largest: Vec<String> = found.iter().rev().take(3).map(|one| format!("{} in {}", one.size, one.name)).collect();
    println!("{}: most {what}: {}", room.name, largest.join(", "));
    let larger = found.iter().filter(|one| one.size > size_max);
    wrong.extend(larger.map(|one| format!("{}: {} has {} {what}, {size_max} may be", room.name, one.name, one.size)));
}

#[test]
fn no_file_is_in_a_circle_of_imports() {
    let mut wrong = Vec::new();
    for room in &ROOMS {
        let sources = sources_of(room);
        let found = circles(&sources);
        println!("{}: {} files, {} circles", room.name, sources.len(), found.len());
        for circle in &found {
            println!("  {}", circle.join(", "));
        }
        if found.len() > room.circles {
            wrong.push(format!("{}: {} circles: {found:?}", room.name, found.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_struct_is_wide_and_no_function_and_no_file_is_long() {
    let mut wrong = Vec::new();
    for room in &ROOMS {
        let sources = sources_of(room);
        check(room, "fields", &structs(&sources), room.fields, &mut wrong);
        check(room, "lines of a function", &functions(&sources), room.function_lines, &mut wrong);
        check(room, "lines of a file", &lengths(&sources), room.file_lines, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A made crate: modules with their texts. `""` is the root.
fn made(files: &[(&str, &str)]) -> Vec<Source> {
    let module = |name: &str| name.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    files.iter().map(|(name, text)| parsed((*name).to_owned(), module(name), text)).collect()
}

fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    circles(&made(files)).iter().map(|circle| circle.join(" ")).collect()
}

#[test]
fn a_circle_is_found_over_uses_paths_macros_and_what_is_passed_on() {
    let over_uses =
        [("", "mod a; mod b; mod c;"), ("a", "use crate::b::B;"), ("b", "use super::c::{C, D};"), ("c", "use crate::{a, b};")];
    assert_eq!(circles_of(&over_uses), ["a b c"]);
    let over_paths = [("", "mod a; mod b;"), ("a", "fn f() { matches!(1, crate::b::ONE); }"), ("b", "fn g(of: &super::a::A) {}")];
    assert_eq!(circles_of(&over_paths), ["a b"]);
    let passed_on = [("", "mod a; mod b; pub use a::A;"), ("a", "use crate::b::B;"), ("b", "use crate::A;")];
    assert_eq!(circles_of(&passed_on), ["a b"]);
    let behind_a_parent = [
        ("", "mod address; mod h1;"),
        ("address", "use crate::h1::number;"),
        ("h1", "mod check; fn number() { check::all(); }"),
        ("h1/check", "use crate::address::V6; use super::number;"),
    ];
    assert_eq!(circles_of(&behind_a_parent), ["address h1 h1/check"]);
}

#[test]
fn a_module_with_its_parts_is_no_circle_and_tests_make_none() {
    let parts = [("", "mod a;"), ("a", "mod part; use part::P; struct A;"), ("a/part", "use super::A; impl A {}")];
    assert_eq!(circles_of(&parts), [""; 0]);
    let tests = [("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", "#[cfg(test)] mod tests { use crate::a::A; }")];
    assert_eq!(circles_of(&tests), [""; 0]);
    let words =
        [("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", "/// [`crate::a::A`]\nfn f() { \"crate::a::A\"; std::a::A; }")];
    assert_eq!(circles_of(&words), [""; 0]);
}

#[test]
fn sizes_are_counted_without_tests() {
    let sources = made(&[(
        "",
        "struct A {\n a: u8,\n b: u8,\n}\nimpl A {\n fn f() {\n  g();\n }\n}\n#[cfg(test)]\nmod tests {\n struct B(u8, u8, u8);\n}\n",
    )]);
    let of = |found: Vec<Sized>| found.into_iter().map(|one| (one.size, one.name)).collect::<Vec<_>>();
    assert_eq!(of(structs(&sources)), [(2, "::A".to_owned())]);
    assert_eq!(of(functions(&sources)), [(3, "::f".to_owned())]);
    assert_eq!(of(lengths(&sources)), [(9, String::new())]);
}
