//! The WIT package as Rust: the one place that calls `bindgen!`. Three times: the interfaces `tls` and `tls-admin` are exported by some builds
//! only, and so have worlds of their own here.
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
    pub(super) mod client {
        wasmtime::component::bindgen!({
            path: "../wit",
            world: "client-component",
            // The name lookup is a question of policy, and TCP is our own; the rest is wasmtime's.
            with: {
                "wasi:io": wasmtime_wasi_io::bindings::wasi::io,
                "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
                "wasi:sockets/network": wasmtime_wasi::p2::bindings::sockets::network,
                "wasi:sockets/instance-network": wasmtime_wasi::p2::bindings::sockets::instance_network,
                "wasi:sockets/tcp.tcp-socket": crate::wasi::sockets::socket::TcpSocket,
                "wasi:sockets/ip-name-lookup.resolve-address-stream": crate::wasi::lookup::Lookup,
            },
            imports: { default: trappable },
            require_store_data_send: true,
        });
    }

    pub(super) mod tls {
        wasmtime::component::bindgen!({
            path: "../wit",
            inline: "
                package sandpiper:host;
                world tls-exports {
                    import sandpiper:http/types@0.2.0;
                    export sandpiper:http/tls@0.2.0;
                }
            ",
            world: "sandpiper:host/tls-exports",
            with: { "sandpiper:http/types": crate::bindings::types },
            require_store_data_send: true,
        });
    }

    pub(super) mod tls_admin {
        wasmtime::component::bindgen!({
            path: "../wit",
            inline: "
                package sandpiper:host;
                world tls-admin-exports {
                    export sandpiper:http/tls-admin@0.2.0;
                }
            ",
            world: "sandpiper:host/tls-admin-exports",
            require_store_data_send: true,
        });
    }
}

pub(crate) use generated::client::exports::sandpiper::http::{client, log, packed, streams};

#[allow(unreachable_pub, reason = "the generated code of the other world hands it on as public")]
pub use generated::client::sandpiper::http::types;
pub(crate) use generated::client::wasi::sockets::{ip_name_lookup, tcp, tcp_create_socket};
pub(crate) use generated::client::{ClientComponent, ClientComponentIndices};
pub(crate) use generated::tls::exports::sandpiper::http::tls;
pub(crate) use generated::tls::{TlsExports, TlsExportsIndices};
pub(crate) use generated::tls_admin::exports::sandpiper::http::tls_admin;
pub(crate) use generated::tls_admin::{TlsAdminExports, TlsAdminExportsIndices};

/// The exports, by the names of their resources.
impl ClientComponent {
    pub(crate) fn conn(&self) -> client::GuestClientConn<'_> {
        self.sandpiper_http_client().client_conn()
    }

    pub(crate) fn send(&self) -> client::GuestSend<'_> {
        self.sandpiper_http_client().send()
    }

    pub(crate) fn poll(&self) -> client::GuestPoll<'_> {
        self.sandpiper_http_client().poll()
    }

    pub(crate) fn origin(&self) -> client::GuestOrigin<'_> {
        self.sandpiper_http_client().origin()
    }

    pub(crate) fn packed(&self) -> &packed::Guest {
        self.sandpiper_http_packed()
    }

    pub(crate) fn log(&self) -> &log::Guest {
        self.sandpiper_http_log()
    }

    pub(crate) fn streams(&self) -> &streams::Guest {
        self.sandpiper_http_streams()
    }

    pub(crate) fn subscription(&self) -> streams::GuestSubscription<'_> {
        self.sandpiper_http_streams().subscription()
    }
}
