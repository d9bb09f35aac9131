//! One connection: scenarios on the core and through the component alike, files of responses, simulations.

mod call_orders;
mod cancellation;
mod content;
mod deadlines;
mod dialling;
#[cfg(feature = "sandboxed")]
mod differential;
mod early_responses;
mod faults;
mod leniency;
mod limits;
mod oracles;
mod pipelining;
mod scripts;
mod sequence;
mod shutdown;
mod simulation;
mod truncation;
mod tunnel;
mod unsolicited;
mod upload;
mod vectors;
mod vulnerabilities;
