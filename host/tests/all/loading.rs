//! Which components run here, what is said of the others, and what a start costs.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use sandpiper_host::{Build, COMPONENT, CompiledCache, HostError, Sandbox};

use crate::hostile::{empty, importing};

/// At least so many instances are made while one component is compiled.
const INSTANCES_MIN: u32 = 20;

fn refusal(bytes: impl Into<Vec<u8>>) -> HostError {
    match Sandbox::builder().component_bytes(bytes).cache(CompiledCache::Off).build() {
        Err(error) => error,
        Ok(sandbox) => panic!("{sandbox:?}"),
    }
}

/// The interfaces of WASI that a world of `wit/world.wit` imports, with those of the world that it includes.
fn imports_of_world(world: &str) -> BTreeSet<String> {
    let body = WORLDS.split(&format!("world {world} {{")).nth(1).unwrap().split('}').next().unwrap();
    let of = |keyword: &str| {
        let lines = body.lines().filter_map(move |line| line.trim().strip_prefix(keyword)?.strip_suffix(';'));
        lines.map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    };
    let included = of("include").iter().flat_map(|world| imports_of_world(world)).collect::<BTreeSet<_>>();
    of("import").into_iter().filter(|name| name.starts_with("wasi:")).chain(included).collect()
}

const WORLDS: &str = include_str!("../../../wit/world.wit");

fn imports_of(build: Build) -> BTreeSet<String> {
    let imports = Sandbox::builder().component(build).build().unwrap().imports();
    imports.into_iter().filter(|import| import.starts_with("wasi:")).collect()
}

#[test]
fn each_build_imports_its_world() {
    let world = imports_of_world("client-component");
    assert!(world.len() == 9 && world.contains("wasi:sockets/tcp@0.2.12"), "{world:?}");
    assert_eq!(imports_of(Build::Plain), world);
    assert_eq!(imports_of(Build::Tls), imports_of_world("client-tls-component"));
    assert_eq!(imports_of(Build::HostTls), imports_of_world("client-host-tls-component"));
    assert_eq!(
        Sandbox::builder().build().unwrap().imports(),
        Sandbox::builder().component(Build::Plain).build().unwrap().imports()
    );
}

#[test]
fn the_components_with_tls_export_it() {
    for build in Build::ALL {
        assert_eq!(Sandbox::builder().component(build).build().unwrap().has_tls(), build.has_tls(), "{build}");
    }
}

/// A component is given what it imports: of what the builds import, anything; of what they do not, nothing.
#[test]
fn a_component_of_ones_own_may_have_what_the_builds_have() {
    for interface in ["wasi:random/random@0.2.12", "wasi:clocks/wall-clock@0.2.12", "wasi:tls/types@0.2.0-draft"] {
        // It is given, but is no function of this type; and the component would lack the client.
        match refusal(importing(interface, "no-such-function")) {
            HostError::ForeignImports { reason: Some(_), .. } => {}
            other => panic!("{interface}: {other}"),
        }
    }
    for interface in ["wasi:random/insecure@0.2.12", "wasi:clocks/timezone@0.2.12"] {
        match refusal(importing(interface, "no-such-function")) {
            HostError::ForeignImports { imports, reason: None } => assert_eq!(imports, [interface]),
            other => panic!("{interface}: {other}"),
        }
    }
}

#[test]
fn what_is_no_component_is_told_from_one() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "less than eight octets"),
        (b"\0asm\x01\0\0\0", "a core module"),
        (b"(component)", "WebAssembly text"),
        (b"#!/bin/sh\n", "another kind of file"),
        (b"\0asm\x0d\0\x01\0garbage", "cannot be compiled"),
    ];
    for (bytes, expected) in cases {
        let error = refusal(bytes);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_component_that_wants_more_is_refused_by_name() {
    match refusal(importing("wasi:cli/environment@0.2.12", "get-arguments")) {
        HostError::ForeignImports { imports, reason: None } => assert_eq!(imports, ["wasi:cli/environment@0.2.12"]),
        other => panic!("{other}"),
    }
}

#[test]
fn a_component_that_knows_another_type_is_refused() {
    match refusal(importing("wasi:clocks/monotonic-clock@0.2.12", "now")) {
        HostError::ForeignImports { reason: Some(reason), .. } => assert!(reason.contains("now"), "{reason}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_component_that_lacks_the_client_is_refused() {
    let error = refusal(empty());
    assert!(matches!(error, HostError::WrongExports(_)), "{error}");
}

#[test]
fn a_file_is_read_when_the_sandbox_is_built() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("component.wasm");
    let missing = Sandbox::builder().component_file(&path).build();
    assert!(matches!(&missing, Err(HostError::Unreadable { path, .. }) if path.ends_with("component.wasm")));
    fs::write(&path, COMPONENT).unwrap();
    assert!(Sandbox::builder().component_file(&path).build().is_ok());
}

#[test]
fn a_cache_that_cannot_be_used_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").unwrap();
    for unusable in [file, "relative/path".into()] {
        assert!(Sandbox::builder().cache(CompiledCache::Directory(unusable)).build().is_ok());
    }
}

/// The second start takes the compiled component from the cache, and an instance takes next to nothing: both are compared with what
/// compiling takes on the same machine at the same time.
#[tokio::test]
async fn a_later_start_is_quick() {
    let directory = tempfile::tempdir().unwrap();
    let build = || {
        let begin = Instant::now();
        let sandbox = Sandbox::builder().cache(CompiledCache::Directory(directory.path().to_owned())).build().unwrap();
        (sandbox, begin.elapsed())
    };
    let (first, compiling) = build();
    drop(first);
    let (sandbox, cached) = build();
    let mut times = Vec::new();
    for _ in 0..100 {
        let begin = Instant::now();
        let client = sandbox.instantiate().await.unwrap();
        times.push(begin.elapsed());
        drop(client);
    }
    times.sort();
    println!("compiling {compiling:?}, from the cache {cached:?}, instance {:?} (median), {:?} (slowest)", times[50], times[99]);
    assert!(cached < compiling, "{cached:?} {compiling:?}");
    // An instance that compiled anything would take about as long as compiling; on a busy machine some of them wait for their turn.
    assert!(times[10] * INSTANCES_MIN < compiling, "{times:?} {compiling:?}");
}
