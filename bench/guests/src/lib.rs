//! Plugins that `sandpiper-bench` measures: see `examples/`.
#![no_std]
