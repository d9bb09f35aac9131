//! What `-w` is to say about an exchange that has ended.

use std::sync::Arc;

use sandpiper_host::types::{ExchangeInfo, ExchangeTiming};

use super::super::plan::Job;
use super::super::write_out::Facts;
use super::{Active, Engine, Stop};

/// What a clock shows at least for what has happened, in nanoseconds.
const CLOCK_STEP: u64 = 1000;

impl Engine<'_> {
    /// `error`: why it counts as failed.
    pub(super) async fn write_out(&mut self, job: usize, active: Option<&Active>, error: Option<String>) -> Result<(), Stop> {
        let Some(write_out) = self.settings.write_out.as_ref().map(Arc::clone) else {
            return Ok(());
        };
        let (timing, info) = self.timing_and_info(active).await?;
        let resent = info.as_ref().map_or(0, |info| info.retries);
        let mut connection = info.and_then(|info| info.connection);
        if let Some(connected) = connection.as_mut().and_then(|connection| connection.connected.as_mut()) {
            // The component's clock stands still during a call, and a connection to this machine is made in less.
            *connected = CLOCK_STEP.max(*connected);
        }
        let id = connection.as_ref().map_or(0, |connection| connection.id);
        let tls = if id > 0 { self.client.tls_info(id).await? } else { None };
        // A connection of the pool has a request only when it can write it: the time of the first one begins with the connection.
        let first = connection.as_ref().filter(|_| self.carried.insert(id));
        let handshake = tls.as_ref().and_then(|tls| tls.duration).unwrap_or(0);
        let first_after = first.map(|connection| connection.connected.unwrap_or(0) + handshake);
        let waited = timing.and_then(|timing| timing.request_started);
        let timing = timing.map(|timing| since(&timing, waited.unwrap_or(0)));
        let incoming = active.map(|active| &active.incoming);
        let urls = Arc::clone(&self.report.urls);
        let destination = incoming.map_or(&self.plan.jobs[job].destination, |incoming| incoming.destination());
        let file = incoming.and_then(|incoming| incoming.finished.file.as_deref()).or(destination.file());
        let facts = Facts {
            index: job,
            url: &urls[job],
            url_effective: self.url_effective(job),
            method: &self.plan.template.method,
            referer: self.plan.template.field("referer").map(|value| String::from_utf8_lossy(value).into_owned()),
            head: incoming.and_then(|incoming| incoming.head()),
            size_header: incoming.map_or(0, |incoming| incoming.head_octets),
            size_download: incoming.map_or(0, |incoming| incoming.content_octets),
            size_upload: active
                .map_or(0, |active| self.uploaded(active, timing.is_some_and(|timing| timing.request_sent.is_some()))),
            time_total: timing
                .and_then(|timing| timing.response_ended)
                .or_else(|| u64::try_from(active?.began.elapsed().as_nanos()).ok()?.checked_sub(waited.unwrap_or(0)))
                .unwrap_or(0),
            timing,
            connection,
            tls,
            first_after,
            repeats: self.states[job].resent + resent,
            file: file.map(|file| file.display().to_string()),
            error,
        };
        Ok(self.report.progress.suspend(|| write_out.write(&facts))?)
    }

    async fn timing_and_info(&mut self, active: Option<&Active>) -> Result<(Option<ExchangeTiming>, Option<ExchangeInfo>), Stop> {
        let Some(Active { exchange, .. }) = active else {
            return Ok((None, None));
        };
        Ok((Some(exchange.timing(&mut self.client).await?), Some(exchange.info(&mut self.client).await?)))
    }

    fn url_effective(&self, job: usize) -> String {
        let Job { authority, request_target, origin, .. } = &self.plan.jobs[job];
        let scheme = self.plan.origins[*origin].name.split(':').next().unwrap_or_default();
        let fragment = self.report.urls[job].split_once('#').map_or(String::new(), |(_, fragment)| format!("#{fragment}"));
        let target = self.plan.template.with_query(request_target);
        format!("{scheme}://{authority}{target}{fragment}")
    }

    /// The same when the instance is gone, which knew most of it.
    pub(super) fn write_out_without_instance(&self, job: usize, active: Option<&Active>, error: &str) -> std::io::Result<()> {
        let Some(write_out) = &self.settings.write_out else {
            return Ok(());
        };
        let facts = Facts {
            index: job,
            url: &self.report.urls[job],
            url_effective: self.url_effective(job),
            method: &self.plan.template.method,
            head: active.and_then(|active| active.incoming.head()),
            size_header: active.map_or(0, |active| active.incoming.head_octets),
            size_download: active.map_or(0, |active| active.incoming.content_octets),
            repeats: self.states[job].resent,
            error: Some(error.to_owned()),
            ..Facts::default()
        };
        write_out.write(&facts)
    }

    /// Octets of content that left: those that were streamed, or all of what was handed over with the request.
    fn uploaded(&self, active: &Active, sent: bool) -> u64 {
        match &active.outgoing {
            Some(outgoing) => outgoing.octets(),
            None if sent => self.plan.template.whole_octets() as u64,
            None => 0,
        }
    }
}

/// When the steps happened, after `start`.
fn since(timing: &ExchangeTiming, start: u64) -> ExchangeTiming {
    let after = |step: Option<u64>| step.map(|step| step.saturating_sub(start));
    ExchangeTiming {
        request_started: after(timing.request_started),
        request_sent: after(timing.request_sent),
        response_started: after(timing.response_started),
        response_head: after(timing.response_head),
        response_ended: after(timing.response_ended),
    }
}
