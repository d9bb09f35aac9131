extern crate std;

use super::*;
use std::alloc::System;
use std::vec::Vec;

/// Counts what is not given back.
struct Below {
    blocks: Cell<isize>,
    octets: Cell<isize>,
}

impl Below {
    fn count(&self, blocks: isize, octets: usize) {
        self.blocks.set(self.blocks.get() + blocks);
        self.octets.set(self.octets.get() + blocks * octets.cast_signed());
    }
}

// SAFETY: it is the system's allocator.
unsafe impl GlobalAlloc for Below {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(1, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        self.count(-1, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(start, layout) }
    }
}

fn recycler() -> Recycler<Below> {
    Recycler::new(Below { blocks: Cell::new(0), octets: Cell::new(0) })
}

fn layout(octets: usize) -> Layout {
    Layout::from_size_align(octets, 1).expect("a layout")
}

/// A block whose octets all are `mark`.
struct Block {
    start: *mut u8,
    layout: Layout,
    mark: u8,
}

impl Block {
    fn new(allocator: &Recycler<Below>, layout: Layout, mark: u8) -> Block {
        // SAFETY: no layout of these tests is empty, and the block is written within its size.
        let start = unsafe { allocator.alloc(layout) };
        assert!(!start.is_null() && start.align_offset(layout.align()) == 0);
        // SAFETY: the block is that large.
        unsafe { start.write_bytes(mark, layout.size()) };
        Block { start, layout, mark }
    }

    fn resize(&mut self, allocator: &Recycler<Below>, octets: usize) {
        let before = self.layout.size();
        // SAFETY: the block is of this allocator, and `octets` is not 0.
        self.start = unsafe { allocator.realloc(self.start, self.layout, octets) };
        self.layout = Layout::from_size_align(octets, self.layout.align()).expect("a layout");
        self.check(before.min(octets));
        // SAFETY: the block is that large now.
        unsafe { self.start.write_bytes(self.mark, octets) };
    }

    fn check(&self, octets: usize) {
        // SAFETY: the block is at least that large, and was written.
        let found = unsafe { core::slice::from_raw_parts(self.start, octets) };
        assert!(found.iter().all(|octet| *octet == self.mark), "somebody else wrote into a block");
    }

    fn free(self, allocator: &Recycler<Below>) {
        self.check(self.layout.size());
        // SAFETY: the block is of this allocator, and nobody has it any more.
        unsafe { allocator.dealloc(self.start, self.layout) }
    }
}

#[test]
fn every_size_has_a_list_with_room_and_no_smaller_one_has() {
    for octets in 1..=SMALL_OCTETS_MAX {
        let list = list_of(layout(octets)).expect("a list");
        assert!(octets_of(list) >= octets && (list == 0 || octets_of(list - 1) < octets), "{octets}");
    }
    assert_eq!(list_of(layout(SMALL_OCTETS_MAX + 1)), None);
    assert_eq!(list_of(Layout::from_size_align(8, ALIGNMENT * 2).expect("a layout")), None);
}

#[test]
fn a_block_that_was_freed_is_given_to_the_next_that_asks_for_its_size() {
    let allocator = recycler();
    let first = Block::new(&allocator, layout(20), 1);
    let start = first.start;
    first.free(&allocator);
    assert_eq!(allocator.kept_octets.get(), 28);
    let second = Block::new(&allocator, layout(28), 2);
    assert_eq!((second.start, allocator.kept_octets.get()), (start, 0));
    let third = Block::new(&allocator, layout(28), 3);
    assert_ne!(third.start, start);
    second.free(&allocator);
    third.free(&allocator);
}

#[test]
fn no_more_is_kept_than_may_be() {
    let allocator = recycler();
    let blocks: Vec<Block> = (0..10_000).map(|_| Block::new(&allocator, layout(100), 7)).collect();
    blocks.into_iter().for_each(|block| block.free(&allocator));
    let kept = allocator.kept_octets.get();
    assert!(kept <= KEPT_OCTETS_MAX && kept + octets_of(list_for(100)) > KEPT_OCTETS_MAX, "{kept}");
    assert_eq!(allocator.below.octets.get(), kept.cast_signed());
}

#[test]
fn large_blocks_and_those_with_a_large_alignment_are_not_kept() {
    let allocator = recycler();
    Block::new(&allocator, layout(SMALL_OCTETS_MAX + 1), 1).free(&allocator);
    Block::new(&allocator, Layout::from_size_align(16, 64).expect("a layout"), 1).free(&allocator);
    assert_eq!((allocator.kept_octets.get(), allocator.below.blocks.get()), (0, 0));
}

#[test]
fn a_block_grows_in_its_place_as_far_as_it_has_room() {
    let allocator = recycler();
    let mut block = Block::new(&allocator, layout(13), 9);
    let start = block.start;
    block.resize(&allocator, 28);
    assert_eq!(block.start, start);
    block.resize(&allocator, 29);
    assert_ne!(block.start, start);
    block.resize(&allocator, 5_000);
    block.resize(&allocator, 6_000);
    block.resize(&allocator, 1);
    block.free(&allocator);
    assert_eq!(allocator.below.octets.get(), allocator.kept_octets.get().cast_signed());
}

#[test]
fn blocks_keep_what_is_in_them_whatever_is_taken_and_freed_beside_them() {
    let allocator = recycler();
    let mut blocks: Vec<Block> = Vec::new();
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    for step in 0..20_000_u32 {
        let octets = 1 + random(SMALL_OCTETS_MAX + 40);
        match (random(3), blocks.len()) {
            (0, 1..) => blocks.swap_remove(random(blocks.len())).free(&allocator),
            (1, 1..) => {
                let index = random(blocks.len());
                blocks[index].resize(&allocator, octets);
            }
            _ => {
                let layout = Layout::from_size_align(octets, 1 << random(6)).expect("a layout");
                blocks.push(Block::new(&allocator, layout, step.to_le_bytes()[0]));
            }
        }
    }
    blocks.into_iter().for_each(|block| block.free(&allocator));
    assert_eq!(allocator.below.octets.get(), allocator.kept_octets.get().cast_signed());
}
