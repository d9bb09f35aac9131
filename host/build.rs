//! Embeds the three builds of the component: writes, for each, a Rust expression with `include_bytes!` and its absolute path
//! into `OUT_DIR`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The files that `./dev component` writes, and the variables that name others to be used instead.
const BUILDS: [(&str, &str); 3] = [
    ("sandpiper", "SANDPIPER_COMPONENT"),
    ("sandpiper-tls-admin", "SANDPIPER_COMPONENT_TLS"),
    (HOST_TLS, "SANDPIPER_COMPONENT_HOST_TLS"),
];

/// With the feature of this name alone.
const HOST_TLS: &str = "sandpiper-host-tls";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for (name, variable) in BUILDS {
        if name == HOST_TLS && env::var_os("CARGO_FEATURE_HOST_TLS").is_none() {
            continue;
        }
        println!("cargo::rerun-if-env-changed={variable}");
        let component = component_path(name, variable);
        println!("cargo::rerun-if-changed={}", component.display());
        match component.canonicalize() {
            Ok(path) if path.is_file() => embed(name, &path),
            _ => println!("cargo::error=there is no component at {}: run `./dev component` first", component.display()),
        }
    }
}

/// Where a build of the component is, or should be.
fn component_path(name: &str, variable: &str) -> PathBuf {
    match env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => manifest_dir().join(format!("../target/component/{name}.wasm")),
    }
}

fn manifest_dir() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default())
}

fn embed(name: &str, component: &Path) {
    let generated = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(format!("{name}.rs"));
    let source = format!("include_bytes!({:?})\n", component.display().to_string());
    if let Err(error) = fs::write(&generated, source) {
        println!("cargo::error=cannot write {}: {error}", generated.display());
    }
}
