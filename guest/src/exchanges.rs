//! The exchanges of a connection, by id.

use crate::exchange::Exchange;
use crate::slab::{Id, Slab};

/// Names an exchange of one connection. Never used again for another one.
pub type ExchangeId = Id;

/// A table of exchanges whose size follows the number of those that live.
pub type Exchanges = Slab<Exchange>;
