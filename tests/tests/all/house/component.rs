//! What the built component can reach, and how large it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

/// The most that `sandpiper.wasm` may have: 224 KiB. Its parts are in `docs/evidence/performance.md`.
const OCTETS_MAX: u64 = 224 << 10;

fn component() -> Option<PathBuf> {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/component/sandpiper.wasm");
    let path = std::env::var_os("SANDPIPER_COMPONENT").map_or_else(built, PathBuf::from);
    if !path.is_file() {
        sandpiper_tests::skipped(&format!("no component at {}", path.display()));
        return None;
    }
    Some(path)
}

fn wit() -> (Resolve, wit_parser::PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).expect("a WIT package");
    (resolve, package)
}

fn names<'a>(resolve: &Resolve, items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>) -> BTreeSet<String> {
    items.map(|(key, _)| resolve.name_world_key(key)).collect()
}

#[test]
fn the_component_imports_only_what_its_world_lists_and_exports_all_of_it() {
    let Some(path) = component() else { return };
    let octets = std::fs::read(path).expect("readable");
    let DecodedWasm::Component(built, world) = wit_component::decode(&octets).expect("a component") else {
        panic!("not a component");
    };
    let (listed, package) = wit();
    let wanted = listed.select_world(&[package], Some("client-component")).expect("the world");
    let imports = names(&built, built.worlds[world].imports.iter());
    let foreign: Vec<_> = imports.difference(&names(&listed, listed.worlds[wanted].imports.iter())).cloned().collect();
    assert!(foreign.is_empty(), "imports that the world does not list: {foreign:?}");
    let expected = names(&listed, listed.worlds[wanted].exports.iter());
    assert_eq!(names(&built, built.worlds[world].exports.iter()), expected);
    assert!(imports.iter().all(|name| !name.starts_with("wasi:cli") && !name.starts_with("wasi:filesystem")), "{imports:?}");
}

#[test]
fn the_component_stays_small() {
    let Some(path) = component() else { return };
    let octets = std::fs::metadata(path).expect("readable").len();
    assert!(octets <= OCTETS_MAX, "{octets} octets, {OCTETS_MAX} at most");
}

/// wit-component repeats the types of each interface that is exported; `guest/tools` shares the enums.
#[test]
fn the_cases_of_an_enum_stand_in_the_component_once() {
    let Some(path) = component() else { return };
    let octets = std::fs::read(path).expect("readable");
    let (resolve, package) = wit();
    let types = &resolve.interfaces[resolve.packages[package].interfaces["types"]].types;
    let enums = types.values().filter_map(|id| match &resolve.types[*id].kind {
        wit_parser::TypeDefKind::Enum(cases) => Some(cases),
        _ => None,
    });
    let mut count = 0;
    for cases in enums {
        // As the binary format has them: each with its length in front.
        let list: Vec<u8> = cases
            .cases
            .iter()
            .flat_map(|case| [&[u8::try_from(case.name.len()).unwrap()], case.name.as_bytes()].concat())
            .collect();
        let places = octets.windows(list.len()).filter(|window| *window == list).count();
        assert!(places <= 1, "{:?} stand {places} times", cases.cases.iter().map(|case| &case.name).collect::<Vec<_>>());
        count += places;
    }
    assert!(count > 10, "{count} enums");
}

#[test]
fn the_main_interface_uses_nothing_of_wasi() {
    let (resolve, package) = wit();
    for name in ["types", "client"] {
        let interface = &resolve.interfaces[resolve.packages[package].interfaces[name]];
        for (type_name, id) in &interface.types {
            let mut id = *id;
            // Through every `use`, to the interface that defines the type.
            while let wit_parser::TypeDefKind::Type(wit_parser::Type::Id(used)) = resolve.types[id].kind {
                id = used;
            }
            let owner = match resolve.types[id].owner {
                wit_parser::TypeOwner::Interface(owner) => resolve.interfaces[owner].package,
                _ => None,
            };
            assert_eq!(owner, Some(package), "{name} uses {type_name}, which is defined elsewhere");
        }
    }
}
