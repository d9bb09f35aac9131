//! Durations as the WIT package has them.

use std::time::Duration;

use crate::types::Nanoseconds;

/// A duration for a field in nanoseconds. One that does not fit, of more than 584 years, counts as the longest: as the value of a deadline,
/// 2^63 and more mean that there is none.
pub fn nanoseconds(span: Duration) -> Nanoseconds {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
