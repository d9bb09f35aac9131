//! `wasi:sockets/tcp` and `wasi:sockets/tcp-create-socket`.

use std::net::Shutdown;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Network};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, subscribe};

use super::socket::TcpSocket;
use crate::bindings::tcp::{Host, HostTcpSocket, ShutdownType};
use crate::bindings::tcp_create_socket;
use crate::wasi::faults::Import;
use crate::wasi::state::State;

type Socket = Resource<TcpSocket>;
type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;
type Accepted = (Socket, Resource<DynInputStream>, Resource<DynOutputStream>);

impl State {
    fn socket(&mut self, socket: &Socket) -> wasmtime::Result<&mut TcpSocket> {
        Ok(self.table.get_mut(socket)?)
    }
}

impl tcp_create_socket::Host for State {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> Answer<Socket> {
        if let Err(code) = self.faults.check(Import::CreateTcpSocket) {
            return Ok(Err(code));
        }
        // Those count, too, that the component has dropped, and that still send.
        if self.streams.usage.descriptors() >= self.sockets_max {
            return Ok(Err(ErrorCode::NewSocketLimit));
        }
        let socket = match TcpSocket::new(family, &self.streams.usage) {
            Ok(socket) => self.table.push(socket)?,
            Err(code) => return Ok(Err(code)),
        };
        self.sockets_open += 1;
        Ok(Ok(socket))
    }
}

impl Host for State {}

impl HostTcpSocket for State {
    fn start_bind(&mut self, socket: Socket, network: Resource<Network>, address: IpSocketAddress) -> Answer<()> {
        // Only whoever has a network may use it.
        self.table.get(&network)?;
        Ok(self.table.get_mut(&socket)?.start_bind(address.into(), &*self.outside))
    }

    fn finish_bind(&mut self, socket: Socket) -> Answer<()> {
        Ok(self.socket(&socket)?.finish_bind())
    }

    fn start_connect(&mut self, socket: Socket, network: Resource<Network>, address: IpSocketAddress) -> Answer<()> {
        self.table.get(&network)?;
        let socket = self.table.get_mut(&socket)?;
        let start = |()| socket.start_connect(address.into(), &mut *self.outside);
        Ok(self.faults.check(Import::StartConnect).and_then(start))
    }

    fn finish_connect(&mut self, socket: Socket) -> Answer<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let finished = self.table.get_mut(&socket)?;
        let established = match self.faults.check(Import::FinishConnect).and_then(|()| finished.finish_connect()) {
            Ok(established) => established,
            Err(code) => return Ok(Err(code)),
        };
        let (streams, connection) = (established.streams(), established.connection().cloned());
        let input = self.table.push_child(streams.0, &socket)?;
        let output = self.table.push_child(streams.1, &socket)?;
        if let Some(connection) = connection {
            self.streams.insert(&mut self.watch, &connection, input.rep(), output.rep());
        }
        Ok(Ok((input, output)))
    }

    fn start_listen(&mut self, socket: Socket) -> Answer<()> {
        Ok(self.socket(&socket)?.start_listen())
    }

    fn finish_listen(&mut self, socket: Socket) -> Answer<()> {
        self.socket(&socket)?;
        Ok(Err(ErrorCode::NotInProgress))
    }

    fn accept(&mut self, socket: Socket) -> Answer<Accepted> {
        self.socket(&socket)?;
        Ok(Err(ErrorCode::InvalidState))
    }

    fn local_address(&mut self, socket: Socket) -> Answer<IpSocketAddress> {
        let socket = self.table.get(&socket)?;
        let address = self.faults.check(Import::LocalAddress).and_then(|()| socket.local_address());
        Ok(address.map(IpSocketAddress::from))
    }

    fn remote_address(&mut self, socket: Socket) -> Answer<IpSocketAddress> {
        let socket = self.table.get(&socket)?;
        let address = self.faults.check(Import::RemoteAddress).and_then(|()| socket.remote_address());
        Ok(address.map(IpSocketAddress::from))
    }

    fn is_listening(&mut self, socket: Socket) -> wasmtime::Result<bool> {
        self.socket(&socket)?;
        Ok(false)
    }

    fn address_family(&mut self, socket: Socket) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.socket(&socket)?.family)
    }

    fn set_listen_backlog_size(&mut self, socket: Socket, connections: u64) -> Answer<()> {
        Ok(self.socket(&socket)?.set_backlog(connections))
    }

    fn keep_alive_enabled(&mut self, socket: Socket) -> Answer<bool> {
        Ok(self.socket(&socket)?.keep_alive_enabled())
    }

    fn set_keep_alive_enabled(&mut self, socket: Socket, value: bool) -> Answer<()> {
        Ok(self.socket(&socket)?.set_keep_alive_enabled(value))
    }

    fn keep_alive_idle_time(&mut self, socket: Socket) -> Answer<u64> {
        Ok(self.socket(&socket)?.keep_alive_idle_time())
    }

    fn set_keep_alive_idle_time(&mut self, socket: Socket, value: u64) -> Answer<()> {
        Ok(self.socket(&socket)?.set_keep_alive_idle_time(value))
    }

    fn keep_alive_interval(&mut self, socket: Socket) -> Answer<u64> {
        Ok(self.socket(&socket)?.keep_alive_interval())
    }

    fn set_keep_alive_interval(&mut self, socket: Socket, value: u64) -> Answer<()> {
        Ok(self.socket(&socket)?.set_keep_alive_interval(value))
    }

    fn keep_alive_count(&mut self, socket: Socket) -> Answer<u32> {
        Ok(self.socket(&socket)?.keep_alive_count())
    }

    fn set_keep_alive_count(&mut self, socket: Socket, value: u32) -> Answer<()> {
        Ok(self.socket(&socket)?.set_keep_alive_count(value))
    }

    fn hop_limit(&mut self, socket: Socket) -> Answer<u8> {
        Ok(self.socket(&socket)?.hop_limit())
    }

    fn set_hop_limit(&mut self, socket: Socket, value: u8) -> Answer<()> {
        Ok(self.socket(&socket)?.set_hop_limit(value))
    }

    fn receive_buffer_size(&mut self, socket: Socket) -> Answer<u64> {
        Ok(self.socket(&socket)?.receive_buffer_size())
    }

    fn set_receive_buffer_size(&mut self, socket: Socket, value: u64) -> Answer<()> {
        Ok(self.socket(&socket)?.set_receive_buffer_size(value))
    }

    fn send_buffer_size(&mut self, socket: Socket) -> Answer<u64> {
        Ok(self.socket(&socket)?.send_buffer_size())
    }

    fn set_send_buffer_size(&mut self, socket: Socket, value: u64) -> Answer<()> {
        Ok(self.socket(&socket)?.set_send_buffer_size(value))
    }

    fn subscribe(&mut self, socket: Socket) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, socket)
    }

    fn shutdown(&mut self, socket: Socket, how: ShutdownType) -> Answer<()> {
        let how = match how {
            ShutdownType::Receive => Shutdown::Read,
            ShutdownType::Send => Shutdown::Write,
            ShutdownType::Both => Shutdown::Both,
        };
        let socket = self.table.get(&socket)?;
        Ok(self.faults.check(Import::Shutdown).and_then(|()| socket.shut_down(how)))
    }

    fn drop(&mut self, socket: Socket) -> wasmtime::Result<()> {
        self.sockets_open = self.sockets_open.saturating_sub(1);
        self.table.delete(socket)?;
        Ok(())
    }
}
