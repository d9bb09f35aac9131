//! The component in its host: connecting, names, many connections, hosts that fail or get tired, hardly any memory.

mod connecting;
mod leftovers;
mod lookups;
mod misuse;
mod one_step;
mod task_budget;
mod thousands;
mod tiny_memory;
mod torture;
