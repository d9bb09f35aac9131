#![no_main]

use sandpiper_tests::memory::Counted;
use sandpiper_tests::oracles::tls;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| tls::check(octets));
