//! The allocator of the component: small blocks that were freed are kept by their size, over `talc` for everything else.
//!
//! Every exchange takes and frees the same few dozen small blocks. To take one that is kept is to take the head of a list; `talc`, like any
//! allocator that joins what is free side by side, needs about ten times as many instructions for it.
//!
//! The octets of freed blocks are bounded in all. Freed blocks are not joined with their neighbours, so the memory may grow by that bound, once.

#![no_std]
#![allow(unsafe_code, reason = "an allocator hands out memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::{copy_nonoverlapping, null_mut};

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: Recycler<talc::wasm::WasmDynamicTalc> = Recycler::new(talc::wasm::new_wasm_dynamic_allocator());

/// The most octets that are kept, in all: one page of WebAssembly.
pub const KEPT_OCTETS_MAX: usize = 64 << 10;
/// The largest block that is kept.
pub const SMALL_OCTETS_MAX: usize = octets_of(LISTS - 1);

const LISTS: usize = 16;
/// The step between the sizes of blocks: the step of `talc`.
const STEP: usize = 16;
/// The least alignment of every block.
const ALIGNMENT: usize = 8;

/// The list of the smallest blocks that have room for so many octets.
const fn list_for(octets: usize) -> usize {
    (octets + STEP - 1 - SMALLEST) / STEP
}

/// The octets of the blocks of each list.
const fn octets_of(list: usize) -> usize {
    list * STEP + SMALLEST
}

/// The octets of the smallest block of `talc`, as far as allocations of words need them.
const SMALLEST: usize = 12;

/// The beginning of a block that is kept.
struct Kept {
    next: *mut Kept,
}

/// Keeps small blocks of the allocator below that were freed.
pub struct Recycler<A> {
    lists: [Cell<*mut Kept>; LISTS],
    kept_octets: Cell<usize>,
    below: A,
}

// SAFETY: without atomics there is one thread.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
unsafe impl<A> Sync for Recycler<A> {}

impl<A> Recycler<A> {
    /// Nothing is kept yet.
    pub const fn new(below: A) -> Recycler<A> {
        Recycler { lists: [const { Cell::new(null_mut()) }; LISTS], kept_octets: Cell::new(0), below }
    }
}

/// Where a block of this layout is kept; `None`: it is not.
const fn list_of(layout: Layout) -> Option<usize> {
    if layout.size() <= SMALL_OCTETS_MAX && layout.align() <= ALIGNMENT { Some(list_for(layout.size())) } else { None }
}

/// The layout that is requested from the allocator below: blocks of one list are all alike.
const fn block_for(layout: Layout) -> Layout {
    match list_of(layout) {
        // SAFETY: the alignment is a power of two, and the size is small.
        Some(list) => unsafe { Layout::from_size_align_unchecked(octets_of(list), ALIGNMENT) },
        None => layout,
    }
}

impl<A: GlobalAlloc> Recycler<A> {
    #[cold]
    #[inline(never)]
    fn take_below(&self, layout: Layout) -> *mut u8 {
        // SAFETY: no block is empty.
        unsafe { self.below.alloc(block_for(layout)) }
    }

    /// # Safety
    /// `start` is the start of a block of this layout that nobody uses any more.
    #[cold]
    #[inline(never)]
    unsafe fn give_below(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; the allocator below knows the block by the layout that it was asked for.
        unsafe { self.below.dealloc(start, block_for(layout)) }
    }
}

// SAFETY: a block has one owner at a time: the block is in a list, or it is not; and the blocks of a list have room for the layouts of that list.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Recycler<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(list) = list_of(layout) {
            let first = self.lists[list].get();
            if !first.is_null() {
                // SAFETY: a block in a list begins with a `Kept`.
                self.lists[list].set(unsafe { (*first).next });
                self.kept_octets.set(self.kept_octets.get() - octets_of(list));
                return first.cast();
            }
        }
        self.take_below(layout)
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if let Some(list) = list_of(layout) {
            let kept_octets = self.kept_octets.get() + octets_of(list);
            if kept_octets <= KEPT_OCTETS_MAX {
                let first = start.cast::<Kept>();
                // SAFETY: nobody uses the block any more, and every block has room for a pointer, and its alignment.
                unsafe { first.write(Kept { next: self.lists[list].get() }) };
                self.lists[list].set(first);
                self.kept_octets.set(kept_octets);
                return;
            }
        }
        // SAFETY: as the caller promises.
        unsafe { self.give_below(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, octets: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        let wanted = unsafe { Layout::from_size_align_unchecked(octets, layout.align()) };
        match (list_of(layout), list_of(wanted)) {
            // SAFETY: as the caller promises; both are layouts that the allocator below knows.
            (None, None) => unsafe { self.below.realloc(start, layout, octets) },
            (before, after) if before == after => start,
            // SAFETY: as the caller promises; the two blocks do not overlap.
            _ => unsafe {
                let moved = self.alloc(wanted);
                if !moved.is_null() {
                    copy_nonoverlapping(start, moved, layout.size().min(octets));
                    self.dealloc(start, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests;
