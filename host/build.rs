//! Embeds the component: writes its absolute path, as a Rust string literal's `include_bytes!`, into `OUT_DIR`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A path to use instead of the one that `./dev component` writes.
const OVERRIDE: &str = "SANDPIPER_COMPONENT";

fn main() {
    println!("cargo::rerun-if-env-changed={OVERRIDE}");
    println!("cargo::rerun-if-changed=build.rs");
    let component = component_path();
    println!("cargo::rerun-if-changed={}", component.display());
    match component.canonicalize() {
        Ok(path) if path.is_file() => embed(&path),
        _ => println!("cargo::error=there is no component at {}: run `./dev component` first", component.display()),
    }
}

/// Where the component is, or should be.
fn component_path() -> PathBuf {
    match env::var_os(OVERRIDE) {
        Some(path) => PathBuf::from(path),
        None => manifest_dir().join("../target/component/sandpiper.wasm"),
    }
}

fn manifest_dir() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default())
}

fn embed(component: &Path) {
    let generated = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("component.rs");
    let source = format!("include_bytes!({:?})\n", component.display().to_string());
    if let Err(error) = fs::write(&generated, source) {
        println!("cargo::error=cannot write {}: {error}", generated.display());
    }
}
