//! Secrets, for those who may have them.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use rustls::KeyLog;
use spin::Mutex;

/// Lines that wait to be taken; further ones are lost.
const LINES_MAX: usize = 4096;

/// Lines of a key log, as NSS writes them: `LABEL CLIENT-RANDOM SECRET`.
#[derive(Debug, Default)]
pub struct KeyLines(Mutex<VecDeque<String>>);

impl KeyLines {
    /// None yet.
    pub const fn new() -> KeyLines {
        KeyLines(Mutex::new(VecDeque::new()))
    }

    /// Takes up to `lines_max` lines, oldest first.
    pub fn take(&self, lines_max: usize) -> Vec<String> {
        let mut lines = self.0.lock();
        let count = lines.len().min(lines_max);
        lines.drain(..count).collect()
    }
}

impl KeyLog for &'static KeyLines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut lines = self.0.lock();
        if lines.len() >= LINES_MAX {
            return;
        }
        let mut line = String::with_capacity(label.len() + 2 * (client_random.len() + secret.len() + 1));
        line.push_str(label);
        for value in [client_random, secret] {
            line.push(' ');
            push_hex(value, &mut line);
        }
        lines.push_back(line);
    }
}

fn push_hex(octets: &[u8], out: &mut String) {
    for octet in octets {
        out.extend([octet >> 4, octet & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
}
