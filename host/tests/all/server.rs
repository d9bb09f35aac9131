//! A server on the loopback interface that says what it was told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How long a test waits for what has to come. No measure of speed: whoever waits so long waits in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Answers every request head, on every connection, with the same octets. Ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn answering(response: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let response: Arc<[u8]> = response.into();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&response)));
            }
        });
        Self { address, task }
    }

    /// Accepts connections and never answers.
    pub(crate) async fn silent() -> Self {
        Self::answering(b"").await
    }

    /// `http://ADDRESS`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A rule that admits this server alone.
    pub(crate) fn rule(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, response: Arc<[u8]>) {
    let mut received = Vec::new();
    loop {
        match stream.read_buf(&mut received).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while let Some(end) = received.windows(4).position(|octets| octets == b"\r\n\r\n") {
            received.drain(..end + 4);
            if stream.write_all(&response).await.is_err() {
                return;
            }
        }
    }
}
