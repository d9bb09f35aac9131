//! What `-w` is to say about an exchange that has ended.

use std::sync::Arc;

use super::super::plan::Job;
use super::super::write_out::Facts;
use super::{Active, Engine, Stop};

impl Engine<'_> {
    /// Before its connection is let go. `error`: why it counts as failed.
    pub(super) async fn write_out(
        &mut self,
        job: usize,
        active: Option<&Active>,
        link: u64,
        error: Option<String>,
    ) -> Result<(), Stop> {
        let Some(write_out) = self.settings.write_out.as_ref().map(Arc::clone) else {
            return Ok(());
        };
        let timing = match active {
            Some(active) => Some(active.exchange.timing(&mut self.client).await?),
            None => None,
        };
        let connection = match self.links.get(&link) {
            Some(link) => Some(link.conn.info(&mut self.client).await?),
            None => None,
        };
        let tls = if link > 0 { self.client.tls_info(link).await? } else { None };
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
                .or_else(|| u64::try_from(active?.began.elapsed().as_nanos()).ok())
                .unwrap_or(0),
            timing,
            connection,
            tls,
            first_after: self
                .links
                .get(&link)
                .filter(|link| link.carried <= 1)
                .and_then(|link| u64::try_from(active?.began.saturating_duration_since(link.opened).as_nanos()).ok()),
            repeats: self.states[job].resent,
            file: file.map(|file| file.display().to_string()),
            error,
        };
        Ok(self.report.progress.suspend(|| write_out.write(&facts))?)
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
