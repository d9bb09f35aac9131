//! Stands in front of a server and changes, cuts or holds back what it writes, record by record.

use super::edit::Edit;
use super::serving::{PATIENCE, Serving};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A record, with its header.
pub type Record = Vec<u8>;

/// What is done with what the server writes.
pub enum Change {
    /// Each record becomes these octets; the number counts from 0.
    Records(fn(usize, Record) -> Vec<u8>),
    /// The messages of one type in records that are not encrypted.
    Messages(Edit),
    /// Nothing from this octet on: the connection ends there.
    Cut(usize),
    /// Nothing from this octet on: the connection stays.
    Hold(usize),
    /// One octet at a time.
    Dribble,
    /// One octet has all its bits changed.
    Flip(usize),
}

/// Starts one in front of this server.
pub fn start(inner: Serving, change: Change) -> Serving {
    let address = inner.address;
    let proxy = Serving::start(move |client, _| {
        let Ok(server) = TcpStream::connect(address) else { return };
        let _ = server.set_nodelay(true);
        let _ = server.set_read_timeout(Some(PATIENCE));
        let (Ok(mut from), Ok(mut to)) = (client.try_clone(), server.try_clone()) else { return };
        let up = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        if !down(&server, &client, &change).unwrap_or(false) {
            end_of(&client, &change);
        }
        let _ = client.shutdown(Shutdown::Write);
        let _ = up.join();
        let _ = server.shutdown(Shutdown::Both);
    });
    proxy.in_front_of(inner)
}

/// A held connection stays until the client ends it; the thread that reads it sees that.
fn end_of(client: &TcpStream, change: &Change) {
    if matches!(change, Change::Hold(_)) {
        let mut octet = [0];
        let _ = client.set_read_timeout(Some(PATIENCE));
        while matches!(client.peek(&mut octet), Ok(count) if count > 0) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Passes on what the server writes; true if it ended by itself.
fn down(server: &TcpStream, client: &TcpStream, change: &Change) -> std::io::Result<bool> {
    let mut passed = 0;
    let mut number = 0;
    while let Some(record) = read_record(server)? {
        let octets = changed(change, number, passed, record);
        number += 1;
        passed += octets.0.len();
        write(client, &octets.0, matches!(change, Change::Dribble))?;
        if octets.1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a record becomes, and whether that is the last.
fn changed(change: &Change, number: usize, passed: usize, mut record: Record) -> (Vec<u8>, bool) {
    match change {
        Change::Records(change) => (change(number, record), false),
        Change::Messages(edit) if record.first() == Some(&22) => (framed(22, &edit.apply(&record[5..])), false),
        Change::Messages(_) | Change::Dribble => (record, false),
        Change::Cut(at) | Change::Hold(at) => {
            let last = passed + record.len() >= *at;
            record.truncate(at - passed);
            (record, last)
        }
        Change::Flip(at) => {
            if let Some(octet) = at.checked_sub(passed).and_then(|place| record.get_mut(place)) {
                *octet ^= 0xff;
            }
            (record, false)
        }
    }
}

fn write(mut client: &TcpStream, octets: &[u8], slowly: bool) -> std::io::Result<()> {
    if slowly {
        return octets.chunks(1).try_for_each(|octet| client.write_all(octet));
    }
    client.write_all(octets)
}

/// A record that is not encrypted.
pub fn framed(kind: u8, payload: &[u8]) -> Record {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[kind, 3, 3], &length[..], payload].concat()
}

/// The next record, with its header; nothing at the end.
pub fn read_record(mut stream: &TcpStream) -> std::io::Result<Option<Record>> {
    let mut record = vec![0; 5];
    if stream.read(&mut record[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut record[1..])?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    stream.read_exact(&mut record[5..])?;
    Ok(Some(record))
}
