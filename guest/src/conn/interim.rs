//! Interim responses, and how many may come (RFC 9110 §15.2).

use super::{ClientConn, ExchangeId};
use crate::exchange::{Exchange, Reader, RequestHalf, ResponseInput};
use crate::h1::parse::Fault;
use crate::settings::SECOND_NS;
use crate::timer::Instant;
use crate::types::{Error, Limit, LogEvent, PackedHead};

/// How fast interim responses may come: as many octets as the heads of one exchange may have, in this time.
const INTERIM_REFILL_NS: u64 = 10 * SECOND_NS;

impl ClientConn {
    /// An interim response never completes an exchange (RFC 9110 §15.2).
    pub(super) fn receive_interim(&mut self, id: ExchangeId, head: PackedHead, octets: usize, now: Instant) -> Result<(), Fault> {
        let Some(exchange) = self.exchanges.get_mut(id) else { return Ok(()) };
        let limits = &self.settings.limits;
        let too_many = exchange.interim.len() >= limits.interim_responses_max;
        if too_many || !admits_interim(exchange, octets as u64, limits.head_octets_max as u64, now) {
            return Err(Fault { error: Error::LimitExceeded(Limit::InterimResponses), at: 0 });
        }
        exchange.had_interim = true;
        self.log.add(now, Some(exchange.token), || LogEvent::Interim(head.unpacked()));
        exchange.response_input(ResponseInput::Interim);
        let proceeds = head.status == 100 && exchange.sending == RequestHalf::Continue;
        if exchange.reader != Reader::Nobody {
            exchange.interim_octets += octets;
            exchange.interim.push(head);
            self.mark(id);
        }
        if proceeds {
            self.proceed(id, now);
        }
        Ok(())
    }
}

/// Counts an interim response of so many octets, unless that is more than the server may send by now.
fn admits_interim(exchange: &mut Exchange, octets: u64, octets_max: u64, now: Instant) -> bool {
    let passed = now.since(exchange.interim_since).min(INTERIM_REFILL_NS);
    let allowed = octets_max * passed / INTERIM_REFILL_NS;
    exchange.interim_since = now;
    exchange.interim_debt = exchange.interim_debt.saturating_sub(allowed) + octets;
    exchange.interim_debt <= octets_max
}
