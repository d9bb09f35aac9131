# Recipes. Run them through ./dev, which installs what they need; `./dev` alone lists them.
#
# Two target directories: `target` for this machine, `target/guest` for the component's builds, so that neither build undoes the other.
#
# Two native profiles. What contains wasmtime is built and tested in `release`: compiled once (about three minutes on two
# cores), for the program, the tests and the benchmarks. The core depends on next to nothing, so its own tests run in `dev`,
# with overflow checks and debug assertions.

set positional-arguments
set shell := ["bash", "-euo", "pipefail", "-c"]

tools := env("SANDPIPER_TOOLS", cache_directory() / "sandpiper/tools")
export PATH := env("PATH") + ":" + tools / "bin"

# Empty, or the PATH of a toolchain that must compile the wasm standard library from source (./dev decides).
wasm_path := env("SANDPIPER_WASM", "")
guest_flags := "--package sandpiper-guest --target wasm32-unknown-unknown --profile component"
# What is larger than its call stays a call, but where `#[inline]` asks for more: with LLVM's own limit the component would be a twentieth
# larger, and no faster than by a hundredth. The cryptography is left alone.
guest_inlining := "-C llvm-args=-inline-threshold=5"
# What contains wasmtime: always built together, or the features that each asks for would give two builds of it.
native := "--package sandpiper-host --package sandpiper-cli --package sandpiper-tests"
# The core alone, checked as in `dev`, but fast: hundreds of thousands of steps a second.
simulated := "--config profile.dev.package.sandpiper-guest.opt-level=2 --config profile.dev.package.sandpiper-tests.opt-level=2"

# Lists the recipes.
[private]
default:
    @just --justfile "{{ justfile() }}" --list --unsorted

# target/component/*.wasm and target/release/sandpiper
[group('build')]
build: component
    cargo build --release {{ native }}

# The component alone, in its three builds, and the one with TLS for hosts; left untouched when nothing changed
[group('build')]
component:
    @just --justfile "{{ justfile() }}" _component

_component *FLAGS:
    #!/usr/bin/env bash
    set -euo pipefail
    shorten=target/tools/shorten_names
    mkdir -p target/component/named "${shorten%/*}"
    [[ "$shorten" -nt guest/tools/shorten_names.rs ]] || rustc --edition 2024 -O -o "$shorten" guest/tools/shorten_names.rs
    # Each build, and the feature that it is built with.
    for build in sandpiper: sandpiper-tls:tls sandpiper-host-tls:host-tls; do
        name=${build%:*}
        # A directory for each: they would undo each other.
        cargo=(cargo rustc {{ guest_flags }} --target-dir "target/guest/$name" --features "${build#*:}" --lib --crate-type cdylib "$@")
        # SHA-256, and what the compiler makes of the ciphers, take four fifths of the time with it.
        if [[ "$name" == sandpiper-tls ]]; then
            cargo+=(--config 'target.wasm32-unknown-unknown.rustflags=["-C", "target-feature=+simd128"]')
            # The rest of rustls is compiled with the core.
            cargo+=(--config 'profile.component.package.sandpiper-guest.opt-level="z"')
        else
            cargo+=(-- {{ guest_inlining }})
        fi
        just --justfile "{{ justfile() }}" _wasm "${cargo[@]}"
        component=target/component/$name.wasm
        # For tests that look for a function by its name.
        named=target/component/named/$name.wasm
        cp "target/guest/$name/wasm32-unknown-unknown/component/sandpiper_guest.wasm" "$named"
        # What only a host may allow is no export of the component that plugins are composed with.
        if [[ "$name" == sandpiper-tls ]]; then
            "$shorten" "$named" "target/component/$name-admin.wasm.new"
            "$shorten" "$named" "$component.new" sandpiper:http/tls-admin@0.2.0
        else
            "$shorten" "$named" "$component.new"
        fi
    done
    # A new time stamp would relink the host.
    for new in target/component/*.wasm.new; do
        if cmp -s "$new" "${new%.new}"; then rm "$new"; else mv "$new" "${new%.new}"; fi
    done

# With a toolchain that can build for wasm.
_wasm *COMMAND:
    @{{ if wasm_path == "" { '"$@"' } else { 'env -u RUSTUP_TOOLCHAIN PATH="' + wasm_path + '" RUSTC_BOOTSTRAP=1 "$@" -Zbuild-std=std,panic_abort' } }}

# Builds before a command of the program: says nothing unless it takes long.
_fresh:
    #!/usr/bin/env bash
    set -euo pipefail
    quiet=()
    [[ ! -x target/release/sandpiper ]] || quiet=(--quiet)
    just --justfile "{{ justfile() }}" _component "${quiet[@]}" >&2
    cargo build --release {{ native }} "${quiet[@]}" >&2

# A tour: a local server, and the component talking to it
[group('run')]
[no-cd]
[no-exit-message]
demo *ARGS: _fresh
    @"{{ justfile_directory() }}/target/release/sandpiper" demo "$@"

# Requests URLs, as `curl` does: `./dev fetch URL -o FILE`
[group('run')]
[no-cd]
[no-exit-message]
fetch *ARGS: _fresh
    @"{{ justfile_directory() }}/target/release/sandpiper" fetch "$@"

# Any command of the program, also as `./dev COMMAND`
[group('run')]
[no-cd]
[no-exit-message]
sandpiper *ARGS: _fresh
    @"{{ justfile_directory() }}/target/release/sandpiper" "$@"

# Every test: of the core, of the component in its host, against real servers, in other languages
[group('check')]
test: component test-servers
    @echo '=== the core, natively'
    cargo test --package sandpiper-guest --package sandpiper-allocator --package sandpiper-server-name --features tls
    @echo '=== the library, the program, and scenarios on the core and through the component'
    cargo test --release {{ native }}
    @echo '=== other languages'
    tests/languages/run

# The tests in Rust that have NAME in their name, with options for `cargo test`
[group('check')]
test-only *ARGS: component test-servers
    cargo test --package sandpiper-guest --package sandpiper-allocator --package sandpiper-server-name --features tls "$@"
    cargo test --release {{ native }} "$@"

# The component in Node, Python and QuickJS, and composed with guests in these
[group('check')]
test-languages *ARGS: component
    tests/languages/run "$@"

# The core's own tests: seconds
[group('check')]
test-core *ARGS:
    cargo test --package sandpiper-guest --package sandpiper-allocator --package sandpiper-server-name --features tls "$@"

# The model of the pool, for this many steps, from a seed on
[group('check')]
model-pool STEPS SEED="0":
    SANDPIPER_POOL_STEPS={{ STEPS }} SANDPIPER_POOL_SEED={{ SEED }} CARGO_TARGET_DIR=target/core cargo test --release --package sandpiper-tests --no-default-features --test all whatever_happens_in_a_pool -- --nocapture

# Measures so many connections in one instance, and prints the table of docs/evidence/connections.md
[group('check')]
connections COUNT: component
    SANDPIPER_CONNECTIONS={{ COUNT }} cargo test --release {{ native }} thousands_of_connections -- --nocapture

# The pool against a real nginx that is reloaded again and again, for so long
[group('check')]
soak SECONDS: component test-servers
    SANDPIPER_SOAK_SECONDS={{ SECONDS }} cargo test --release {{ native }} while_a_real_server_is_reloaded -- --nocapture

# Real servers for the tests, from Debian's packages; nothing is installed into the system and nothing is left running
[group('check')]
test-servers:
    @SANDPIPER_TOOLS="{{ tools }}" tests/servers/install

# Real servers, each with what it can do, through the component: writes docs/evidence/servers.md. With NAMES, tries those alone
[group('check')]
servers *NAMES: component test-servers
    cargo build --release {{ native }}
    SANDPIPER_TOOLS="{{ tools }}" target/release/servers "$@"

# Servers with TLS, good and bad, through every client: writes the table of docs/evidence/tls-matrix.md. With WORDS, tries the cases that have these in their name
[group('check')]
tls-matrix *WORDS: component test-servers
    cargo build --release {{ native }}
    SANDPIPER_TOOLS="{{ tools }}" target/release/tls_matrix "$@"

# Handshakes and contents by TLS inside, of the host, and natively: writes the other table of docs/evidence/tls-matrix.md
[group('check')]
tls-speed: component
    cargo build --release {{ native }}
    target/release/tls_speed

# The same responses through other clients: explains every difference in docs/evidence/differential.md, and fails where one is new
[group('check')]
differential: component test-servers
    cargo build --release {{ native }}
    SANDPIPER_TOOLS="{{ tools }}" target/release/differential

# Response vectors: those of the project, and those in a folder: `./dev vectors DIR`; see docs/evidence/vectors.md
[group('check')]
[no-cd]
[no-exit-message]
vectors *ARGS: component
    @cd "{{ justfile_directory() }}" && cargo build --release {{ native }} --quiet
    @"{{ justfile_directory() }}/target/release/vectors" "$@"

# The first CASES_MAX response vectors through the component over sockets, cut at every position and octet by octet
[group('check')]
[no-cd]
[no-exit-message]
vectors-over-sockets CASES_MAX="50": component
    @cd "{{ justfile_directory() }}" && cargo build --release {{ native }} --quiet
    @"{{ justfile_directory() }}/target/release/vectors" --every-cut "{{ CASES_MAX }}"

# Plays runs that seeds give until STEPS steps have been taken; a run that fails is made small and shown (docs/evidence/simulation.md)
[group('check')]
simulate STEPS="1000000" SEED="0":
    @cargo run --quiet {{ simulated }} --package sandpiper-tests --no-default-features --bin simulate -- "{{ STEPS }}" "{{ SEED }}"

# Looks for octets that break a law of tests/src/oracles, for SECONDS in all; of one TARGET; or gives it this FILE again
[group('check')]
fuzz SECONDS="60" TARGET="" FILE="": (_tool "cargo-fuzz" "cargo-fuzz" "0.13.2" "")
    @fuzz/run "{{ SECONDS }}" "{{ TARGET }}" "{{ FILE }}"

# Sandpiper beside other HTTP clients: `./dev bench small --rounds 3`. A run of everything writes docs/evidence/bench.* and the tables of docs/evidence/performance.md
[group('check')]
bench *ARGS: test-servers _bench
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release {{ native }} --quiet
    if ! command -v npm >/dev/null || ! npm --prefix bench/undici ci --silent --no-audit --no-fund; then
        echo "bench: undici SKIPPED: there is no npm, or it cannot install it" >&2
    fi
    RUST_BACKTRACE=0 SANDPIPER_TOOLS="{{ tools }}" target/bench/release/sandpiper-bench run "$@"

# What does not depend on the machine: instructions, allocations, host calls, fuel; fails where one got worse. `--accept` keeps them
[group('check')]
bench-counts *ARGS: _bench
    @RUST_BACKTRACE=0 target/bench/release/sandpiper-bench counts "$@"

# One client in one workload, for a profiler: `perf record -g target/bench/release/sandpiper-bench only sandpiper small/1`
_bench: component
    @just --justfile "{{ justfile() }}" _wasm cargo build --quiet --manifest-path bench/Cargo.toml --package sandpiper-bench-guests --examples --target wasm32-unknown-unknown --profile guest --target-dir target/bench-guests
    cargo build --release --manifest-path bench/Cargo.toml --target-dir target/bench --package sandpiper-bench

# The core's own tests under Miri, but for those that try every octet in every place; under valgrind where no toolchain has Miri
[group('check')]
miri *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    if (cd / && RUSTUP_AUTO_INSTALL=0 cargo +nightly miri --version) >/dev/null 2>&1; then
        (($#)) || set -- -- --skip every_octet --skip every_change
        exec cargo +nightly miri test --package sandpiper-guest --package sandpiper-allocator --package sandpiper-server-name --target-dir target/miri "$@"
    fi
    echo "miri: SKIPPED: no toolchain here has it (rustup toolchain install nightly --component miri,rust-src)" >&2
    command -v valgrind >/dev/null || { echo "miri: valgrind in its place SKIPPED: it is not installed" >&2; exit 0; }
    echo "miri: valgrind in its place" >&2
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-exitcode=9" cargo test --package sandpiper-guest --package sandpiper-allocator --package sandpiper-server-name --lib "$@"

# Licences, sources and doubles of the packages that we build on, and what is known against them
[group('check')]
deny: (_tool "cargo-deny" "cargo-deny" "0.20.2" "")
    #!/usr/bin/env bash
    set -euo pipefail
    cargo deny --all-features check --hide-inclusion-graph bans licenses sources
    if ! cargo deny --all-features fetch db >/dev/null 2>&1; then
        echo "deny: known vulnerabilities SKIPPED: the list of them cannot be had from here" >&2
        exit
    fi
    cargo deny --all-features check --hide-inclusion-graph advisories

# Formats everything
[group('check')]
fmt:
    cargo fmt --all
    cargo fmt --all --manifest-path bench/Cargo.toml

# Fails where `fmt` would change something
[group('check')]
check-fmt:
    cargo fmt --all --check
    cargo fmt --all --manifest-path bench/Cargo.toml --check

# Clippy, warnings as errors: native, and the component's own code
[group('check')]
lint: component
    cargo clippy --release --workspace --all-targets -- -D warnings
    # Without the host's TLS. A directory of its own: other packages have other features then.
    cargo check --release --package sandpiper-host --no-default-features --target-dir target/no-tls
    {{ if wasm_path == "" { "for build in '' tls host-tls; do cargo clippy " + guest_flags + " --target-dir target/guest/lint --features \"$build\" --lib -- -D warnings; done" } else { "echo 'lint: the component glue SKIPPED: the toolchain that builds it has no clippy' >&2" } }}

# API documentation, warnings as errors
[group('docs')]
docs: component
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# Writes docs/reference/wit.md from the WIT package
[group('docs')]
wit-docs: _wit-docs
    cp target/wit-docs/reference.md docs/reference/wit.md

# Draws the pictures of docs/concepts.md from the core's tables; a test fails where one is stale
[group('docs')]
states:
    mkdir -p docs/concepts
    SANDPIPER_STATES=1 CARGO_TARGET_DIR=target/core cargo test --release --package sandpiper-tests --no-default-features --test all the_pictures_of_the_concepts

# Fails where `wit-docs` would change something
[group('docs')]
check-wit-docs: _wit-docs
    @diff target/wit-docs/reference.md docs/reference/wit.md >&2 || { echo "check-wit-docs: docs/reference/wit.md is stale: run ./dev wit-docs" >&2; exit 1; }

# One page for the world that has everything; the others would repeat it.
_wit-docs: (_tool "wit-bindgen" "wit-bindgen-cli" "0.63.0" "markdown")
    rm -rf target/wit-docs
    wit-bindgen markdown wit --world reference --out-dir target/wit-docs
    rm target/wit-docs/*.html

# A tool that cargo installs, unoptimised: the compile time is what one waits for.
_tool program crate version features:
    @[[ "$({{ program }} --version 2>/dev/null)" == *" {{ version }}" ]] || { echo "compiling {{ crate }} {{ version }} (once, about a minute)" >&2; cargo install {{ crate }} --version {{ version }} --locked --quiet --force --profile dev --no-default-features --features "{{ features }}" --root "{{ tools }}" --target-dir target/tools; }

# Everything that must hold before a commit lands
[group('check')]
ci: check-fmt lint docs check-wit-docs test
