//! Options of a socket.

use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};

use super::code_of;
use super::socket::TcpSocket;
use crate::types::nanoseconds;

/// The longest that Linux takes: anything above is as good as never.
const KEEP_ALIVE_SECONDS_MAX: u64 = 32_767;
const KEEP_ALIVE_COUNT_MAX: u32 = 127;

impl TcpSocket {
    pub(super) fn keep_alive_enabled(&self) -> Result<bool, ErrorCode> {
        sockopt::socket_keepalive(self.fd()?).map_err(code)
    }

    pub(super) fn set_keep_alive_enabled(&self, value: bool) -> Result<(), ErrorCode> {
        sockopt::set_socket_keepalive(self.fd()?, value).map_err(code)
    }

    pub(super) fn keep_alive_idle_time(&self) -> Result<u64, ErrorCode> {
        sockopt::tcp_keepidle(self.fd()?).map(nanoseconds).map_err(code)
    }

    pub(super) fn set_keep_alive_idle_time(&self, value: u64) -> Result<(), ErrorCode> {
        sockopt::set_tcp_keepidle(self.fd()?, keep_alive_time(positive(value)?)).map_err(code)
    }

    pub(super) fn keep_alive_interval(&self) -> Result<u64, ErrorCode> {
        sockopt::tcp_keepintvl(self.fd()?).map(nanoseconds).map_err(code)
    }

    pub(super) fn set_keep_alive_interval(&self, value: u64) -> Result<(), ErrorCode> {
        sockopt::set_tcp_keepintvl(self.fd()?, keep_alive_time(positive(value)?)).map_err(code)
    }

    pub(super) fn keep_alive_count(&self) -> Result<u32, ErrorCode> {
        sockopt::tcp_keepcnt(self.fd()?).map_err(code)
    }

    pub(super) fn set_keep_alive_count(&self, value: u32) -> Result<(), ErrorCode> {
        sockopt::set_tcp_keepcnt(self.fd()?, positive(value)?.min(KEEP_ALIVE_COUNT_MAX)).map_err(code)
    }

    pub(super) fn hop_limit(&self) -> Result<u8, ErrorCode> {
        match self.family {
            IpAddressFamily::Ipv4 => {
                let limit = sockopt::ip_ttl(self.fd()?).map_err(code)?;
                u8::try_from(limit).map_err(|_| ErrorCode::NotSupported)
            }
            IpAddressFamily::Ipv6 => sockopt::ipv6_unicast_hops(self.fd()?).map_err(code),
        }
    }

    pub(super) fn set_hop_limit(&self, value: u8) -> Result<(), ErrorCode> {
        let value = positive(value)?;
        match self.family {
            IpAddressFamily::Ipv4 => sockopt::set_ip_ttl(self.fd()?, value.into()).map_err(code),
            IpAddressFamily::Ipv6 => sockopt::set_ipv6_unicast_hops(self.fd()?, Some(value)).map_err(code),
        }
    }

    pub(super) fn receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        sockopt::socket_recv_buffer_size(self.fd()?).map(asked_for).map_err(code)
    }

    pub(super) fn set_receive_buffer_size(&self, value: u64) -> Result<(), ErrorCode> {
        as_a_hint(sockopt::set_socket_recv_buffer_size(self.fd()?, buffer_size(positive(value)?)))
    }

    pub(super) fn send_buffer_size(&self) -> Result<u64, ErrorCode> {
        sockopt::socket_send_buffer_size(self.fd()?).map(asked_for).map_err(code)
    }

    pub(super) fn set_send_buffer_size(&self, value: u64) -> Result<(), ErrorCode> {
        as_a_hint(sockopt::set_socket_send_buffer_size(self.fd()?, buffer_size(positive(value)?)))
    }
}

fn code(error: Errno) -> ErrorCode {
    code_of(error.into())
}

/// WASI has `invalid-argument` for zero.
fn positive<T: Default + PartialEq>(value: T) -> Result<T, ErrorCode> {
    if value == T::default() { Err(ErrorCode::InvalidArgument) } else { Ok(value) }
}

/// Whole seconds, one at least.
fn keep_alive_time(nanoseconds: u64) -> Duration {
    Duration::from_secs((nanoseconds / 1_000_000_000).clamp(1, KEEP_ALIVE_SECONDS_MAX))
}

/// Linux doubles the size that it is asked for, and tells that.
fn asked_for(size: usize) -> u64 {
    (if cfg!(target_os = "linux") { size / 2 } else { size }) as u64
}

fn buffer_size(size: u64) -> usize {
    i32::try_from(size).map_or(i32::MAX as usize, |size| size as usize)
}

/// A size that some systems refuse is clamped by the others.
fn as_a_hint(outcome: Result<(), Errno>) -> Result<(), ErrorCode> {
    match outcome {
        Ok(()) | Err(Errno::NOBUFS) => Ok(()),
        Err(error) => Err(code(error)),
    }
}
