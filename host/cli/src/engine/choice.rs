//! Which connection a waiting request goes onto, within the bounds.
//!
//! Two rules keep this from standing still. The request that standard output lacks first can always have a connection: requests behind it in
//! the order of the URLs leave one to it. And an origin leaves connections to the origins that have none, so that one whose server
//! answers nothing cannot keep them all.

use std::time::Instant;

use super::super::bounds::Bounds;
use super::super::gate::Entry;
use super::super::link::{Known, Link};
use super::Engine;

/// Where the next requests of an origin may go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// So many onto this connection.
    Link(u64, usize),
    /// So many onto a new connection.
    New(usize),
    /// So many onto a new connection, for which this idle one makes room.
    Instead(u64, usize),
    /// Nowhere, until something changes on a connection of their own origin.
    Later,
    /// Nowhere, until that or this moment.
    At(Instant),
    /// Nowhere, until something changes on any connection.
    Blocked,
}

/// The next request is there when the one before it has been answered.
const UNPIPELINED_WINDOW: usize = 2;

impl Engine<'_> {
    /// An idle connection comes before a new one, and that before the one that has the fewest requests.
    pub(super) fn place(&self, origin: usize, next: usize) -> Place {
        let Bounds { connections, per_origin, .. } = self.settings.bounds;
        let window = self.window(origin);
        let fresh = self.states[next].went_again;
        let own = || self.links.values().filter(|link| link.origin == origin);
        let usable = || own().filter(|link| link.accepting && !self.is_behind(link, next));
        let busy = self.links.values().filter(|link| !link.is_idle()).count();
        let own_busy = own().filter(|link| !link.is_idle()).count();
        let part = self.origins[origin].jobs.len().div_ceil(per_origin.saturating_sub(own_busy).max(1));
        let together = self.together(origin, window);
        let count = |free: usize, busy: usize| part.min(free).min(together).min(self.movable(origin, free, busy));

        let further = count(window, busy + 1);
        let yields = own_busy > 0 && !self.is_ordered(next) && self.has_unserved(connections.saturating_sub(busy));
        let more = own().count() < if self.origins[origin].is_full { 1 } else { per_origin };
        let opens = more && further > 0 && !yields && self.has_room(busy);
        match usable().find(|link| link.is_idle()) {
            Some(_) if further == 0 || yields => return Place::Blocked,
            Some(_) if fresh && opens => return Place::New(further),
            Some(idle) if fresh => return Place::Instead(idle.id, further),
            Some(idle) => return Place::Link(idle.id, further),
            None if opens => match self.gate(origin) {
                Entry::Now => return Place::New(further),
                Entry::At(time) => return Place::At(time),
                Entry::Later => return Place::Later,
            },
            None => {}
        }
        let fewest = usable().min_by_key(|link| link.load()).map(|link| (link.id, window.saturating_sub(link.load())));
        match fewest.filter(|(_, free)| 2 * free >= window) {
            Some((id, free)) => match count(free, busy) {
                0 => Place::Blocked,
                count => Place::Link(id, count),
            },
            None if more => Place::Blocked,
            None => Place::Later,
        }
    }

    /// Requests handed to one connection and not ended.
    fn window(&self, origin: usize) -> usize {
        let Bounds { window, .. } = self.settings.bounds;
        match self.origins[origin].known() {
            Known::Unpipelined => window.min(UNPIPELINED_WINDOW),
            Known::Nothing | Known::Ended => window,
        }
    }

    /// How many may go onto one connection together: one that wants a fresh connection is the first on it.
    fn together(&self, origin: usize, window: usize) -> usize {
        let behind = self.origins[origin].jobs.iter().take(window).skip(1);
        1 + behind.take_while(|&&job| !self.states[job].went_again).count()
    }

    /// Behind what waits for it, a request would wait for ever.
    fn is_behind(&self, link: &Link, next: usize) -> bool {
        !self.settings.form.json && link.load() > 0 && link.line.values().any(|&other| other > next)
    }

    /// How many of an origin's waiting requests may go, up to `most`, when so many connections are `busy` with them.
    fn movable(&self, origin: usize, most: usize, busy: usize) -> usize {
        if busy < self.settings.bounds.connections {
            return most;
        }
        // The last connection is for those that standard output lacks first.
        let mut lacking = self.ordered.iter();
        let jobs = self.origins[origin].jobs.iter().take(most);
        jobs.take_while(|&job| !self.is_ordered(*job) || lacking.next() == Some(job)).count()
    }

    /// Do as many origins wait without any connection?
    fn has_unserved(&self, free: usize) -> bool {
        let waiting = self.hungry.iter().copied().chain(self.blocked.iter().map(|rank| rank.origin));
        let unserved = waiting.filter(|&origin| self.origins[origin].links == 0 && !self.origins[origin].jobs.is_empty());
        unserved.take(free).count() == free
    }

    /// May another connection be opened, perhaps in place of an idle one?
    fn has_room(&self, busy: usize) -> bool {
        let most = self.settings.bounds.connections;
        let replaced = usize::from(self.links.len() >= most);
        // Names whose addresses are being tried hold more than one socket.
        busy < most && (busy == 0 || self.client.sockets_open() < most + replaced)
    }
}
