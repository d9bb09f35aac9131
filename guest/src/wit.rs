//! The WIT package as Rust: the one place that names `wit_bindgen`.
//!
//! Its values ([`types`]) are the core's own value types too, natively and in the component, so that each is defined and
//! documented once, in `wit/`, and nothing is converted at the boundary. Its resources are implemented in `component/`.

macro_rules! bind {
    ($world:literal) => {
        #[allow(
            unsafe_code,
            missing_docs,
            unreachable_pub,
            unused_qualifications,
            unused_imports,
            dead_code,
            clippy::all,
            clippy::allow_attributes_without_reason,
            clippy::cast_possible_truncation,
            clippy::semicolon_if_nothing_returned,
            clippy::undocumented_unsafe_blocks,
            reason = "generated"
        )]
        pub(crate) mod generated {
            wit_bindgen::generate!({
                path: "../wit",
                world: $world,
                generate_all,
                additional_derives: [PartialEq, Eq],
                additional_derives_ignore: ["parts", "subscription", "stream-error", "source"],
                pub_export_macro: true,
            });
        }
    };
}

#[cfg(not(any(feature = "tls", feature = "host-tls")))]
bind!("client-component");
#[cfg(feature = "tls")]
bind!("client-tls-admin-component");
#[cfg(all(feature = "host-tls", not(feature = "tls")))]
bind!("client-host-tls-component");

pub(crate) use generated::exports::sandpiper::http::client;
#[cfg(any(feature = "tls", feature = "host-tls"))]
pub(crate) use generated::exports::sandpiper::http::tls;
/// The values of the package: of `types`, and of the optional interfaces `packed` and `log`.
pub mod types {
    pub use super::generated::exports::sandpiper::http::log::{Entry as LogEntry, Event as LogEvent};
    pub use super::generated::exports::sandpiper::http::packed::{PackedCompletion, PackedHead, PackedResponse};
    pub use super::generated::sandpiper::http::types::*;
}
#[cfg(all(feature = "tls", target_family = "wasm"))]
pub(crate) use generated::exports::sandpiper::http::tls_admin;
#[cfg(target_family = "wasm")]
pub(crate) use generated::{
    export,
    exports::sandpiper::http::{log, packed, streams},
    wasi,
};

use alloc::vec::Vec;
use types::{ConnOptions, ExchangeTiming, Leniency, RequestOptions, Reuse};

/// Nothing has happened yet.
pub(crate) const NO_TIMING: ExchangeTiming = ExchangeTiming {
    request_started: None,
    request_sent: None,
    response_started: None,
    response_head: None,
    response_ended: None,
};

impl Default for RequestOptions {
    fn default() -> RequestOptions {
        RequestOptions {
            idempotent: None,
            hold_pipeline: false,
            expect_continue: false,
            limits: Vec::new(),
            deadlines: Vec::new(),
            reuse: Reuse::empty(),
        }
    }
}

impl Default for ConnOptions {
    fn default() -> ConnOptions {
        ConnOptions {
            persistence: None,
            limits: Vec::new(),
            deadlines: Vec::new(),
            leniency: Leniency::empty(),
            half_close: false,
        }
    }
}

#[cfg(any(feature = "tls", feature = "host-tls"))]
impl tls::TlsInfo {
    /// Of a handshake that has only begun.
    pub(crate) fn begun(connection: u64, server_name: alloc::string::String) -> tls::TlsInfo {
        tls::TlsInfo {
            connection,
            server_name,
            version: None,
            cipher_suite: None,
            group: None,
            protocol: None,
            resumed: false,
            duration: None,
            certificates: Vec::new(),
            refusal: None,
            alert: None,
            detail: None,
        }
    }
}
