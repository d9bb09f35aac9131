//! Which connection a waiting request goes onto, within the bounds.
//!
//! Two rules keep this from standing still. The request that standard output lacks first can always have a connection: requests behind it in
//! the order of the URLs leave one to it. And an origin leaves connections to the origins that have none, so that one whose server
//! answers nothing cannot keep them all.

use super::super::bounds::Bounds;
use super::super::link::Link;
use super::Engine;

/// Where the next requests of an origin may go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// So many onto this connection.
    Link(u64, usize),
    /// So many onto a new connection.
    New(usize),
    /// Nowhere, until something changes on a connection of their own origin.
    Later,
    /// Nowhere, until something changes on any connection.
    Blocked,
}

impl Engine<'_> {
    /// An idle connection comes before a new one, and that before the one that has the fewest requests.
    pub(super) fn place(&self, origin: usize, next: usize) -> Place {
        let Bounds { connections, per_origin, window, .. } = self.settings.bounds;
        let own = || self.links.values().filter(|link| link.origin == origin);
        let usable = || own().filter(|link| link.accepting && !self.is_behind(link, next));
        let busy = self.links.values().filter(|link| !link.is_idle()).count();
        let own_busy = own().filter(|link| !link.is_idle()).count();
        let part = self.origins[origin].jobs.len().div_ceil(per_origin.saturating_sub(own_busy).max(1));
        let count = |free: usize, busy: usize| part.min(free).min(self.movable(origin, free, busy));

        let further = count(window, busy + 1);
        let yields = own_busy > 0 && !self.is_ordered(next) && self.has_unserved(connections.saturating_sub(busy));
        let more = own().count() < if self.origins[origin].is_full { 1 } else { per_origin };
        match usable().find(|link| link.is_idle()) {
            Some(_) if further == 0 || yields => return Place::Blocked,
            Some(idle) => return Place::Link(idle.id, further),
            None if more && further > 0 && !yields && self.has_room(busy) => return Place::New(further),
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

    /// Behind what waits for it, a request would wait for ever.
    fn is_behind(&self, link: &Link, next: usize) -> bool {
        !self.settings.form.json && link.load() > 0 && link.active.last().is_some_and(|&last| last > next)
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
