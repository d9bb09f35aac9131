//! A server for thousands of connections, in a process of its own: the connections of both ends do not fit into one.
//!
//! It writes its port, answers every request with two octets, and ends with its standard input.

use std::io::Read;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

async fn serve(mut stream: tokio::net::TcpStream) {
    let mut received = vec![0; 16_384];
    let mut matched = 0;
    while let Ok(octets @ 1..) = stream.read(&mut received).await {
        let mut answers = Vec::new();
        for octet in &received[..octets] {
            let expected = b"\r\n\r\n"[matched];
            matched = if *octet == expected { matched + 1 } else { usize::from(*octet == b'\r') };
            if matched == 4 {
                matched = 0;
                answers.extend_from_slice(ANSWER);
            }
        }
        if stream.write_all(&answers).await.is_err() {
            return;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse().map_err(std::io::Error::other)?)?;
    let listener = socket.listen(4_096)?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}
