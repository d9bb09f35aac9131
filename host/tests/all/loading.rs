//! Which components run here, what is said of the others, and what a start costs.

use std::fs;
use std::time::{Duration, Instant};

use sandpiper_host::{COMPONENT, CompiledCache, HostError, Sandbox};

use crate::hostile::{empty, importing};

fn refusal(bytes: impl Into<Vec<u8>>) -> HostError {
    match Sandbox::builder().component_bytes(bytes).cache(CompiledCache::Off).build() {
        Err(error) => error,
        Ok(sandbox) => panic!("{sandbox:?}"),
    }
}

#[test]
fn the_component_imports_nothing_but_its_world() {
    let imports = Sandbox::builder().build().unwrap().imports();
    let names: Vec<&str> = imports.iter().map(|import| import.split('@').next().unwrap()).collect();
    let world = [
        "sandpiper:http/types",
        "wasi:io/error",
        "wasi:io/poll",
        "wasi:io/streams",
        "wasi:clocks/monotonic-clock",
        "wasi:sockets/network",
        "wasi:sockets/instance-network",
        "wasi:sockets/ip-name-lookup",
        "wasi:sockets/tcp",
        "wasi:sockets/tcp-create-socket",
    ];
    for name in &names {
        assert!(world.contains(name), "{name}");
    }
    assert!(names.contains(&"wasi:sockets/tcp"));
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

/// The second start takes the compiled component from the cache, and an instance takes next to nothing. The bounds are
/// for a machine with other work to do.
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
    assert!(times[50] < Duration::from_millis(5), "{times:?}");
}
