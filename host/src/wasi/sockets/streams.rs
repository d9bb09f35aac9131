//! The streams of a connection, as the table holds them, and which streams of the table are ours.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError};

use super::connection::{Connection, SendHalf};
use super::usage::Usage;
use crate::wasi::watch::{Place, Source, Watch};

/// Streams of the table that are connections of ours, by their number there: what the component does most goes straight to them.
pub(crate) struct Streams {
    /// Does nobody but the component take streams out of the table? The host's TLS does; then none of them is known here.
    stay: bool,
    by_number: Vec<Option<Stream>>,
    pub(super) usage: Arc<Usage>,
}

/// One direction of a connection.
pub(super) struct Stream {
    pub(super) connection: Arc<Connection>,
    pub(super) place: Place,
}

impl Streams {
    pub(crate) fn new(stay: bool) -> Self {
        Self { stay, by_number: Vec::new(), usage: Arc::default() }
    }

    pub(super) fn get(&self, stream: u32) -> Option<&Stream> {
        self.by_number.get(stream as usize)?.as_ref()
    }

    /// Has the two streams of a connection watched.
    pub(super) fn insert(&mut self, watch: &mut Watch, connection: &Arc<Connection>, input: u32, output: u32) {
        if !self.stay {
            return;
        }
        let (place, waker) = watch.add(Arc::new(Readable(Arc::clone(connection))));
        let _ = connection.input_waker.set(waker);
        self.put(input, Stream { connection: Arc::clone(connection), place });
        let (place, waker) = watch.add(Arc::new(Writable(Arc::clone(connection))));
        let _ = connection.output_waker.set(waker);
        self.put(output, Stream { connection: Arc::clone(connection), place });
    }

    fn put(&mut self, number: u32, stream: Stream) {
        let number = number as usize;
        if self.by_number.len() <= number {
            self.by_number.resize_with(number + 1, || None);
        }
        self.by_number[number] = Some(stream);
    }

    /// The stream leaves the table.
    pub(crate) fn forget(&mut self, watch: &mut Watch, stream: u32) {
        if let Some(stream) = self.by_number.get_mut(stream as usize).and_then(Option::take) {
            watch.release(stream.place);
        }
    }
}

struct Readable(Arc<Connection>);
struct Writable(Arc<Connection>);

impl Source for Readable {
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(context)
    }
}

impl Source for Writable {
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_writable(context)
    }
}

/// The incoming direction.
pub(super) struct Input(Arc<Connection>);
/// The outgoing direction.
pub(super) struct Output(Arc<SendHalf>);

/// The streams of a connection.
pub(super) fn streams_of(half: &Arc<SendHalf>) -> (DynInputStream, DynOutputStream) {
    (Box::new(Input(Arc::clone(&half.0))), Box::new(Output(Arc::clone(half))))
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        // Whoever waits here takes the place of the watch's waker.
        self.0.ask_anew();
        poll_fn(|context| self.0.poll_readable(context)).await;
    }
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        self.0.read(size as u64).map(Bytes::from)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        self.0.0.ask_anew();
        poll_fn(|context| self.0.0.poll_writable(context)).await;
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, octets: Bytes) -> Result<(), StreamError> {
        self.0.0.write(&octets)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.0.0.flush()
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        self.0.0.check_write()
    }

    /// Waits until all has left.
    async fn cancel(&mut self) {
        poll_fn(|context| self.0.0.poll_all_sent(context)).await;
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.0.0.stop_sending();
    }
}
