//! Which connection carries the next request: a decision over values, without I/O.

/// A connection of the origin, as the pool sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Requests on it without a complete answer.
    pub length: u32,
    /// It accepts requests.
    pub accepts: bool,
    /// A request that can be pipelined would leave at once.
    pub ready: bool,
}

/// Where the next request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// To the candidate at this index.
    Use(usize),
    /// To a connection that is opened for it.
    Open,
    /// Nowhere: no connection accepts it, and none may be opened.
    Refuse,
}

/// Chooses an idle connection, else the one with the shortest queue that can pipeline the request now, else a new one, else the shortest
/// queue there is. `pipelines`: the request may stand beside others; `may_open`: the limits allow another connection.
pub fn choose(candidates: impl Iterator<Item = Candidate> + Clone, pipelines: bool, may_open: bool) -> Choice {
    let accepting = candidates.enumerate().filter(|(_, candidate)| candidate.accepts);
    let shortest = |ready_only: bool| {
        accepting
            .clone()
            .filter(|(_, candidate)| candidate.length == 0 || !ready_only || (pipelines && candidate.ready))
            .min_by_key(|(_, candidate)| candidate.length)
            .map(|(index, _)| Choice::Use(index))
    };
    match shortest(true) {
        Some(choice) => choice,
        None if may_open => Choice::Open,
        None => shortest(false).unwrap_or(Choice::Refuse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Candidate = Candidate { length: 0, accepts: true, ready: true };
    const PIPELINING: Candidate = Candidate { length: 3, accepts: true, ready: true };
    const BUSY: Candidate = Candidate { length: 1, accepts: true, ready: false };
    const CLOSED: Candidate = Candidate { length: 0, accepts: false, ready: false };

    fn chosen(candidates: &[Candidate], pipelines: bool, may_open: bool) -> Choice {
        choose(candidates.iter().copied(), pipelines, may_open)
    }

    #[test]
    fn an_idle_connection_comes_first() {
        assert_eq!(chosen(&[CLOSED, PIPELINING, IDLE], true, true), Choice::Use(2));
        assert_eq!(chosen(&[BUSY, IDLE], false, true), Choice::Use(1));
    }

    #[test]
    fn then_the_shortest_pipeline_for_a_request_that_can_be_pipelined() {
        let shorter = Candidate { length: 2, ..PIPELINING };
        assert_eq!(chosen(&[PIPELINING, shorter, BUSY], true, true), Choice::Use(1));
        assert_eq!(chosen(&[PIPELINING, shorter, BUSY], false, true), Choice::Open);
    }

    #[test]
    fn then_a_new_one_and_at_the_limit_the_shortest_queue() {
        assert_eq!(chosen(&[BUSY], true, true), Choice::Open);
        assert_eq!(chosen(&[PIPELINING, BUSY], false, false), Choice::Use(1));
        assert_eq!(chosen(&[CLOSED], true, false), Choice::Refuse);
        assert_eq!(chosen(&[], true, true), Choice::Open);
    }
}
