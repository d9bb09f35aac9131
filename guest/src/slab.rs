//! Values by id, in constant time, with memory that follows the most that lived at once.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Names one value of one slab. Never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    slot: u32,
    generation: u32,
}

/// A table of values, each with its id.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<Box<T>>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Adds one.
    pub fn insert(&mut self, value: T) -> Id {
        self.insert_boxed(Box::new(value))
    }

    /// Adds one that is in a box already.
    pub fn insert_boxed(&mut self, value: Box<T>) -> Id {
        if let Some(slot) = self.free.pop()
            && let Some(free) = self.slots.get_mut(slot as usize)
        {
            free.value = Some(value);
            return Id { slot, generation: free.generation };
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Id { slot, generation: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// The one with this id, while it lives.
    #[cfg_attr(target_family = "wasm", inline(never))] // Many call it: as a call it is 4 KB less of the component.
    pub fn get(&self, id: Id) -> Option<&T> {
        let slot = self.slots.get(id.slot as usize)?;
        slot.value.as_deref().filter(|_| slot.generation == id.generation)
    }

    /// The one with this id, while it lives.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        slot.value.as_deref_mut().filter(|_| slot.generation == id.generation)
    }

    /// Removes it; its id names nothing any more.
    pub fn remove(&mut self, id: Id) -> Option<Box<T>> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        let value = slot.value.take()?;
        // A slot whose generations are used up is not used again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.slot);
        }
        Some(value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let id = Id { slot: index, generation: slot.generation };
            Some((id, slot.value.as_deref()?))
        })
    }
}

#[cfg(test)]
impl Id {
    /// An id for a test that has no value.
    pub(crate) fn test(slot: u32) -> Id {
        Id { slot, generation: 0 }
    }
}
