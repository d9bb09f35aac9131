//! Memory, counted: what each thread has allocated and not freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with a count for each thread.
#[derive(Debug)]
pub struct Counted;

fn count(octets: isize) {
    // A thread that is ending counts no more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + octets);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

fn size(octets: usize) -> isize {
    isize::try_from(octets).unwrap_or(isize::MAX)
}

#[allow(unsafe_code, reason = "the trait is unsafe; every call goes to the system's allocator as it came")]
// SAFETY: as the system's allocator, which does the work.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Octets that this thread holds more than at its beginning; less than 0 when it has freed what others allocated.
pub fn held() -> isize {
    HELD.get()
}

/// The most that this thread has held since [`reset_peak`].
pub fn peak() -> isize {
    PEAK.get()
}

/// Begins to look for the most anew.
pub fn reset_peak() {
    PEAK.set(HELD.get());
}
