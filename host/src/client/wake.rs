//! What ends a wait of the component from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;

/// A flag that the waits of a [`Poll`](crate::Poll) look at: see [`Poll::wake_on`](crate::Poll::wake_on). Clones are the same flag.
///
/// Whoever waits clears it *before* looking for what it stands for: what is set after that ends the next wait.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    set: AtomicBool,
    changed: Notify,
}

impl Wake {
    /// One that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it: the wait in progress ends, and so does every later one until it is cleared.
    pub fn wake(&self) {
        self.0.set.store(true, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// Waits go on again.
    pub fn clear(&self) {
        self.0.set.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl Pollable for Wake {
    async fn ready(&mut self) {
        loop {
            let changed = self.0.changed.notified();
            if self.0.set.load(Ordering::SeqCst) {
                return;
            }
            changed.await;
        }
    }
}
