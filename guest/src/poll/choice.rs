//! Which connection carries the next request: a decision over values.

/// A busy connection of the origin that could take one more request now, as the pool sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipeline<K> {
    /// Which one.
    pub conn: K,
    /// Requests on it without a complete answer.
    pub length: u32,
    /// Much of the response in front is still to come.
    pub heavy: bool,
}

/// What else there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The limits allow another connection.
    pub may_open: bool,
    /// One is on its way that nobody waits for yet, or a verdict is awaited.
    pub comes: bool,
}

/// Where the next request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<K> {
    /// Onto this connection.
    Use(K),
    /// Onto a connection that is opened for it; if none can be, onto this one.
    Open(Option<K>),
    /// Nowhere yet.
    Wait,
}

/// Chooses an idle connection, else the shortest pipeline without much to come, else a new connection, else the shortest pipeline.
pub fn choose<K: Copy>(idle: Option<K>, pipelines: impl Iterator<Item = Pipeline<K>>, room: Room) -> Choice<K> {
    if let Some(conn) = idle {
        return Choice::Use(conn);
    }
    match pipelines.min_by_key(|pipeline| (pipeline.heavy, pipeline.length)) {
        Some(light) if !light.heavy => Choice::Use(light.conn),
        _ if room.comes => Choice::Wait,
        heavy if room.may_open => Choice::Open(heavy.map(|heavy| heavy.conn)),
        Some(heavy) => Choice::Use(heavy.conn),
        None => Choice::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Room = Room { may_open: true, comes: false };
    const FULL: Room = Room { may_open: false, comes: false };
    const COMING: Room = Room { may_open: true, comes: true };

    fn light(conn: u8, length: u32) -> Pipeline<u8> {
        Pipeline { conn, length, heavy: false }
    }

    fn heavy(conn: u8, length: u32) -> Pipeline<u8> {
        Pipeline { conn, length, heavy: true }
    }

    #[test]
    fn an_idle_connection_comes_first() {
        assert_eq!(choose(Some(7), [light(1, 1)].into_iter(), OPEN), Choice::Use(7));
    }

    #[test]
    fn then_the_shortest_pipeline() {
        assert_eq!(choose(None, [light(1, 3), light(2, 2), light(3, 4)].into_iter(), OPEN), Choice::Use(2));
    }

    #[test]
    fn then_a_new_connection_unless_one_comes() {
        assert_eq!(choose::<u8>(None, [].into_iter(), OPEN), Choice::Open(None));
        assert_eq!(choose::<u8>(None, [].into_iter(), COMING), Choice::Wait);
        assert_eq!(choose::<u8>(None, [].into_iter(), FULL), Choice::Wait);
    }

    #[test]
    fn a_pipeline_with_much_to_come_is_joined_only_when_no_connection_can_be_opened() {
        assert_eq!(choose(None, [heavy(1, 1), light(2, 9)].into_iter(), OPEN), Choice::Use(2));
        assert_eq!(choose(None, [heavy(1, 1)].into_iter(), OPEN), Choice::Open(Some(1)));
        assert_eq!(choose(None, [heavy(1, 1)].into_iter(), COMING), Choice::Wait);
        assert_eq!(choose(None, [heavy(1, 2), heavy(2, 1)].into_iter(), FULL), Choice::Use(2));
    }
}
