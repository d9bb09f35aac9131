//! The exchanges of a connection, by id.

use crate::exchange::Exchange;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Names an exchange of one connection. Never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExchangeId {
    slot: u32,
    generation: u32,
}

/// A table of exchanges whose size follows the number of those that live.
#[derive(Debug, Default)]
pub struct Exchanges {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    exchange: Option<Box<Exchange>>,
}

impl Exchanges {
    /// Adds one.
    pub fn insert(&mut self, exchange: Exchange) -> ExchangeId {
        let exchange = Some(Box::new(exchange));
        if let Some(slot) = self.free.pop()
            && let Some(free) = self.slots.get_mut(slot as usize)
        {
            free.exchange = exchange;
            return ExchangeId { slot, generation: free.generation };
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, exchange });
        ExchangeId { slot, generation: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// The one with this id, while it lives.
    pub fn get(&self, id: ExchangeId) -> Option<&Exchange> {
        let slot = self.slots.get(id.slot as usize)?;
        slot.exchange.as_deref().filter(|_| slot.generation == id.generation)
    }

    /// The one with this id, while it lives.
    pub fn get_mut(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        slot.exchange.as_deref_mut().filter(|_| slot.generation == id.generation)
    }

    /// Removes it; its id names nothing any more.
    pub fn remove(&mut self, id: ExchangeId) -> Option<Box<Exchange>> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        let exchange = slot.exchange.take()?;
        // A slot whose generations are used up is not used again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.slot);
        }
        Some(exchange)
    }
}

#[cfg(test)]
impl ExchangeId {
    /// An id for a test that has no exchange.
    pub(crate) fn test(slot: u32) -> ExchangeId {
        ExchangeId { slot, generation: 0 }
    }
}
