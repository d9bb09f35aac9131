//! Option records with every field at its default, so that `..Default::default()` works.

use crate::types::{ConnOptions, Deadlines, Leniency, Limits, PollOptions, RequestContent, RequestOptions, TlsOptions};

/// Implements `Default` for records of options: `None` in a field is the component's default.
macro_rules! none_by_default {
    ($($record:ident { $($field:ident),* $(,)? })*) => {$(
        impl Default for $record {
            fn default() -> Self {
                Self { $($field: None),* }
            }
        }
    )*};
}

none_by_default! {
    ConnOptions { persistence, pipeline_depth_max, limits, deadlines, leniency, half_close, log_entries_max }
    Deadlines { queue, connect, await_continue, first_octet, between_octets, total, idle, drain, lifetime, pipeline_stall }
    Limits {
        head_octets_max, field_lines_max, interim_responses_max, trailer_octets_max, chunk_extension_octets_max,
        receive_buffer_octets_max, send_buffer_octets_max, request_head_octets_max, queued_octets_max, queue_length_max,
        drain_octets_max, requests_max,
    }
    PollOptions {
        connections_max, connections_per_origin_max, queue_length_max, idle_connections_max, retries_max, completion_octets_max,
        names_kept,
    }
    RequestOptions { idempotent, hold_pipeline, expect_continue, content_octets_max, deadlines, reuse }
    TlsOptions {
        server_name, roots_pem, with_builtin_roots, identity_pem, alpn, version_min, spki_pins, resumption, key_log, accept_any_certificate,
    }
}

impl Default for RequestContent {
    /// No content.
    fn default() -> Self {
        Self::None
    }
}

impl Leniency {
    /// Every leniency by its name in the WIT package.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("bare-lf", Self::BARE_LF),
        ("line-folding", Self::LINE_FOLDING),
        ("space-before-colon", Self::SPACE_BEFORE_COLON),
        ("skip-invalid-lines", Self::SKIP_INVALID_LINES),
        ("equal-content-lengths", Self::EQUAL_CONTENT_LENGTHS),
        ("space-after-chunk-size", Self::SPACE_AFTER_CHUNK_SIZE),
        ("leading-empty-line", Self::LEADING_EMPTY_LINE),
        ("http09", Self::HTTP09),
    ];
}
