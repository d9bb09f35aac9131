//! Options with everything at the default, so that `..Default::default()` works, and limits and deadlines by name.

use std::time::Duration;

use crate::types::{
    ConnOptions, Leniency, Limit, PollOptions, RequestContent, RequestOptions, Reuse, Timer, TlsOptions, nanoseconds,
};

impl Default for ConnOptions {
    /// Every limit and deadline has its default.
    fn default() -> Self {
        Self { persistence: None, limits: Vec::new(), deadlines: Vec::new(), leniency: Leniency::empty(), half_close: false }
    }
}

impl Default for RequestOptions {
    /// Those of the connection, and by the method.
    fn default() -> Self {
        Self {
            idempotent: None,
            hold_pipeline: false,
            expect_continue: false,
            limits: Vec::new(),
            deadlines: Vec::new(),
            reuse: Reuse::empty(),
        }
    }
}

impl Default for PollOptions {
    /// Every limit has its default.
    fn default() -> Self {
        Self { limits: Vec::new(), names_kept: None }
    }
}

impl Default for TlsOptions {
    /// `None` in a field is the component's default.
    fn default() -> Self {
        Self {
            server_name: None,
            roots_pem: None,
            with_builtin_roots: None,
            identity_pem: None,
            alpn: None,
            version_min: None,
            spki_pins: None,
            resumption: None,
            key_log: None,
            accept_any_certificate: None,
        }
    }
}

/// Gives options a method for one limit, and one for one deadline.
macro_rules! by_name {
    (limit $($options:ident)*) => {$(
        impl $options {
            /// The same with this limit in place of its default: ranges are in `wit/types.wit`.
            #[must_use]
            pub fn limit(mut self, limit: Limit, value: u64) -> Self {
                self.limits.push((limit, value));
                self
            }
        }
    )*};
    (deadline $($options:ident)*) => {$(
        impl $options {
            /// The same with this deadline in place of its default.
            #[must_use]
            pub fn deadline(mut self, timer: Timer, span: Duration) -> Self {
                self.deadlines.push((timer, nanoseconds(span)));
                self
            }

            /// The same without this deadline.
            #[must_use]
            pub fn without_deadline(mut self, timer: Timer) -> Self {
                self.deadlines.push((timer, u64::MAX));
                self
            }
        }
    )*};
}

by_name! { limit ConnOptions RequestOptions PollOptions }
by_name! { deadline ConnOptions RequestOptions }

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
