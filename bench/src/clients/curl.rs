//! curl's multi interface, through the curl crate, with the library that the crate brings.

use super::{Client, Kept, Times};
use crate::work::Work;
use anyhow::Context;
use curl::easy::{Easy2, Handler, ReadError, WriteError};
use curl::multi::{Easy2Handle, Multi};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a wait lasts at most.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The library as the crate builds it waits by `select(2)`, which knows 1024 descriptors.
const CONNECTIONS_MAX: u32 = 900;

#[derive(Default)]
pub struct Curl {
    open: Kept<Open>,
}

struct Open {
    multi: Multi,
    idle: Vec<Easy2<Content>>,
}

/// What a transfer receives, and what it sends.
struct Content {
    gathered: Vec<u8>,
    octets: u64,
    streamed: bool,
    upload: usize,
    sent: usize,
}

impl Handler for Content {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        if !self.streamed {
            self.gathered.extend_from_slice(data);
        }
        self.octets += data.len() as u64;
        Ok(data.len())
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        let octets = into.len().min(self.upload - self.sent);
        into[..octets].fill(b'u');
        self.sent += octets;
        Ok(octets)
    }
}

impl Client for Curl {
    fn name(&self) -> &'static str {
        "curl"
    }

    fn about(&self) -> String {
        format!(
            "libcurl {} by its multi interface, native; it does not pipeline: one request at a time on each connection",
            curl::Version::get().version()
        )
    }

    fn does(&self, work: &Work) -> bool {
        work.connections <= CONNECTIONS_MAX
    }

    fn run(&mut self, work: &Work, server: SocketAddr, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        if !self.open.fits(work, server) {
            self.open.clear();
            self.open.put(work, server, Open { multi: Multi::new(), idle: Vec::new() });
        }
        let open = self.open.get()?;
        let idle = (0..work.connections).map(|_| transfer(work, server)).collect::<anyhow::Result<Vec<_>>>()?;
        open.idle = idle;
        open.run(exchanges, times)
    }
}

fn transfer(work: &Work, server: SocketAddr) -> anyhow::Result<Easy2<Content>> {
    let content = Content { gathered: Vec::new(), octets: 0, streamed: work.streamed, upload: work.upload, sent: 0 };
    let mut easy = Easy2::new(content);
    easy.url(&format!("http://{server}{}", work.target))?;
    easy.tcp_nodelay(true)?;
    easy.buffer_size(1 << 18)?;
    if work.upload > 0 {
        easy.upload(true)?;
        easy.in_filesize(work.upload as u64)?;
        easy.upload_buffer_size(1 << 18)?;
        let mut fields = curl::easy::List::new();
        fields.append("Expect:")?;
        easy.http_headers(fields)?;
    }
    Ok(easy)
}

impl Open {
    fn run(&mut self, exchanges: u32, times: &mut Times) -> anyhow::Result<u64> {
        let mut under_way: Vec<Option<Easy2Handle<Content>>> = Vec::new();
        let (mut begun, mut ended, mut octets) = (0, 0, 0);
        let mut moment = None;
        while let Some(easy) = self.idle.pop() {
            moment = times.begin();
            under_way.push(Some(self.begin(easy, under_way.len())?));
            begun += 1;
        }
        while ended < exchanges {
            self.multi.perform()?;
            let mut done = Vec::new();
            self.multi.messages(|message| done.extend(message.token().ok().zip(message.result())));
            for (token, result) in &done {
                result.clone()?;
                let handle = under_way.get_mut(*token).and_then(Option::take).context("an unknown transfer")?;
                let mut easy = self.multi.remove2(handle)?;
                anyhow::ensure!(easy.response_code()? == 200, "status {}", easy.response_code()?);
                ended += 1;
                octets += std::mem::take(&mut easy.get_mut().octets);
                times.end(moment);
                // The caller takes the content as its own, as from every other client.
                drop(std::mem::take(&mut easy.get_mut().gathered));
                easy.get_mut().sent = 0;
                if begun < exchanges {
                    moment = times.begin();
                    under_way[*token] = Some(self.begin(easy, *token)?);
                    begun += 1;
                }
            }
            if done.is_empty() {
                self.multi.wait(&mut [], WAIT_MAX)?;
            }
        }
        Ok(octets)
    }

    fn begin(&self, easy: Easy2<Content>, token: usize) -> anyhow::Result<Easy2Handle<Content>> {
        let mut handle = self.multi.add2(easy)?;
        handle.set_token(token)?;
        Ok(handle)
    }
}
