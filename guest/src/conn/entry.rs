//! How a request becomes an exchange, and how an exchange that was collected ends: for connections, and for the lines of a pool.

use crate::exchange::Exchange;
use crate::protocol::Protocol;
use crate::request;
use crate::settings::Settings;
use crate::slab::Id;
use crate::timer::Instant;
use crate::types::{Error, ExchangeTiming, Failure, Limit, Misuse, PackedResponse, Request};
use alloc::boxed::Box;

/// The exchange of a request that can be sent to this authority, with these options. `collects`: the most octets of content that are
/// collected; `None`: the caller reads.
///
/// Errors: `api-misuse`; `limit-exceeded(request-head-octets)`.
pub(crate) fn exchange(
    request: Request,
    token: u64,
    collects: Option<u64>,
    authority: &str,
    settings: &Settings,
    now: Instant,
) -> Result<Box<Exchange>, Error> {
    let checked = request::check(&request, authority)?;
    if !Protocol::head_fits(&request, &checked, authority, settings.limits.request_head_octets_max) {
        return Err(Error::LimitExceeded(Limit::RequestHeadOctets));
    }
    let bounds = settings.of_exchange(request.options.as_ref())?;
    let mut exchange = Box::new(Exchange::new(request, checked, bounds, token, now));
    if let Some(octets_max) = collects {
        if exchange.sending.may_switch() {
            return Err(Error::ApiMisuse(Misuse::Tunnel));
        }
        exchange.complete(octets_max);
    }
    Ok(exchange)
}

/// Whether the content of a request may wait beside so many octets that wait already.
///
/// Errors: `limit-exceeded(queued-octets)`.
pub(crate) fn check_queued_octets(request: &Request, waiting: u64, settings: &Settings) -> Result<(), Error> {
    if waiting.saturating_add(request::content_octets(request)) > settings.limits.queued_octets_max {
        return Err(Error::LimitExceeded(Limit::QueuedOctets));
    }
    Ok(())
}

/// The end of an exchange that was collected for `poll.take-completions`.
#[derive(Debug)]
pub struct Completed {
    /// The caller's number for it.
    pub token: u64,
    /// The job of a pool that it carried out.
    pub job: Option<Id>,
    /// The response, or why there is none.
    pub outcome: Result<PackedResponse, Failure>,
    /// When its steps happened.
    pub timing: ExchangeTiming,
    /// Whether the request may be repeated although the server may have acted on it.
    pub idempotent: bool,
    /// How often it was sent again by itself.
    pub resent: u32,
}

impl Completed {
    /// The end of this exchange, which has ended; `internal`: the failure if it has neither a response nor a failure.
    pub(crate) fn of(exchange: &mut Exchange, internal: Failure) -> Completed {
        Completed {
            token: exchange.token,
            job: exchange.job,
            outcome: match exchange.failure {
                Some(failure) => Err(failure),
                None => exchange.take_response().ok_or(internal),
            },
            timing: exchange.timing,
            idempotent: exchange.sending.checked.idempotent,
            resent: exchange.resent,
        }
    }
}
