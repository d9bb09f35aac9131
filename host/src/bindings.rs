//! The WIT package as Rust: the one place that calls `bindgen!`.
//!
//! The world is bound in sync mode. With async exports the resource `send`, which becomes the type alias `Send`, takes
//! the place of the trait of that name in the generated code, and it does not compile. The `func_*` accessors of sync
//! mode give a `TypedFunc` all the same, whose `call_async` is what [`Client`](crate::Client) uses.

#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned,
    clippy::undocumented_unsafe_blocks,
    reason = "generated"
)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "client-component",
        // Everything but the name lookup is wasmtime's own; the lookup is a question of policy.
        with: {
            "wasi:io": wasmtime_wasi_io::bindings::wasi::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:sockets/network": wasmtime_wasi::p2::bindings::sockets::network,
            "wasi:sockets/instance-network": wasmtime_wasi::p2::bindings::sockets::instance_network,
            "wasi:sockets/tcp": wasmtime_wasi::p2::bindings::sockets::tcp,
            "wasi:sockets/tcp-create-socket": wasmtime_wasi::p2::bindings::sockets::tcp_create_socket,
            "wasi:sockets/ip-name-lookup.resolve-address-stream": crate::lookup::Lookup,
        },
        imports: { default: trappable },
        require_store_data_send: true,
    });
}

pub(crate) use generated::exports::sandpiper::http::{client, streams};
pub(crate) use generated::sandpiper::http::types;
pub(crate) use generated::wasi::sockets::ip_name_lookup;
pub(crate) use generated::{ClientComponent, ClientComponentPre};
