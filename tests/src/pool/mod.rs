//! The pool on the core alone: transports in memory, virtual time, peers that do what a seed says, and a small model that knows what must be
//! true of every request.
//!
//! | file | holds |
//! |---|---|
//! | [`network`] | the transports; what a peer has heard, and what it answers |
//! | [`asked`] | a request as the model knows it, and what its end must agree with |
//! | [`options`] | what a seed chooses for a poll, its origins and its requests |
//! | [`episode`] | a poll, its caller and its peers, step by step |
//! | [`check`] | what must hold after every step |
//! | [`finish`] | the end: everybody does what is expected of them, and nothing is left |

pub mod asked;
pub mod check;
pub mod episode;
pub mod finish;
pub mod network;
pub mod options;

pub use episode::Episode;
