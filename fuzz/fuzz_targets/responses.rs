#![no_main]

use sandpiper_tests::memory::Counted;
use sandpiper_tests::oracles::responses;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| responses::check(octets));
