//! `wasi:sockets/ip-name-lookup` under the policy: wasmtime's own allows every name or none.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::vec;

use tokio::sync::Semaphore;
use url::Host;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::bindings::ip_name_lookup;
use crate::policy::Reach;
use crate::state::State;

/// Lookups of one client that run at once; each occupies a thread of the runtime. The others wait.
pub(crate) const LOOKUPS_MAX: usize = 16;

/// Resolves a name, in the background.
pub(crate) type Resolver = Arc<dyn Fn(String) -> Answers + Send + Sync>;
pub(crate) type Answers = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

type Outcome = Result<vec::IntoIter<IpAddr>, ErrorCode>;

/// A `resolve-address-stream`: the answers that have not been taken.
#[expect(unreachable_pub, reason = "the generated bindings export it again, within the crate")]
pub struct Lookup(Progress);

enum Progress {
    Running(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    Done(Outcome),
}

impl Lookup {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<&mut Outcome> {
        if let Progress::Running(lookup) = &mut self.0 {
            match lookup.as_mut().poll(context) {
                Poll::Ready(outcome) => self.0 = Progress::Done(outcome),
                Poll::Pending => return Poll::Pending,
            }
        }
        match &mut self.0 {
            Progress::Done(outcome) => Poll::Ready(outcome),
            Progress::Running(_) => Poll::Pending,
        }
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        std::future::poll_fn(|context| self.poll(context).map(drop)).await;
    }
}

/// The resolver of this machine.
pub(crate) fn system_resolver() -> Resolver {
    Arc::new(|name| Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) }))
}

/// Begins to look up a name, which is an address perhaps.
fn start(name: &str, reach: &Arc<Reach>, resolver: &Resolver, slots: &Arc<Semaphore>) -> Result<Lookup, ErrorCode> {
    let host = match parse(name) {
        Some(Host::Domain(host)) => host,
        // No lookup happens for an address; whether it may be connected to is asked at the connect.
        Some(Host::Ipv4(address)) => return Ok(Lookup(Progress::Done(Ok(vec![IpAddr::V4(address)].into_iter())))),
        Some(Host::Ipv6(address)) => return Ok(Lookup(Progress::Done(Ok(vec![IpAddr::V6(address)].into_iter())))),
        None => return Err(ErrorCode::InvalidArgument),
    };
    if !reach.may_look_up(&host) {
        return Err(ErrorCode::AccessDenied);
    }
    let (reach, answers, slots) = (Arc::clone(reach), resolver(host.clone()), Arc::clone(slots));
    // A task of its own, so that it goes on while the component does something else.
    let task = wasmtime_wasi::runtime::spawn(async move {
        let _slot = slots.acquire().await;
        finish(&host, &answers.await.map_err(|error| code_of(&error))?, &reach)
    });
    Ok(Lookup(Progress::Running(Box::pin(task))))
}

fn finish(host: &str, answers: &[IpAddr], reach: &Reach) -> Outcome {
    if answers.is_empty() {
        return Err(ErrorCode::NameUnresolvable);
    }
    let usable = reach.admit_answers(host, answers);
    match usable.is_empty() {
        true => Err(ErrorCode::AccessDenied),
        false => Ok(usable.into_iter()),
    }
}

fn parse(name: &str) -> Option<Host> {
    match Host::parse(name) {
        Ok(host) => Some(host),
        // An IPv6 address without brackets.
        Err(_) => std::net::Ipv6Addr::from_str(name).ok().map(Host::Ipv6),
    }
}

/// The standard library gives the resolver's problem as text only. These are the words of glibc, musl and macOS for
/// `EAI_AGAIN`.
fn code_of(error: &io::Error) -> ErrorCode {
    let text = error.to_string();
    let temporary = ["Temporary failure", "Try again", "nodename nor servname provided, or not known (temporary)"];
    match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
        io::ErrorKind::TimedOut => ErrorCode::TemporaryResolverFailure,
        _ if temporary.iter().any(|words| text.contains(words)) => ErrorCode::TemporaryResolverFailure,
        _ => ErrorCode::NameUnresolvable,
    }
}

impl ip_name_lookup::Host for State {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Lookup>, ErrorCode>> {
        // Only whoever has a network may look up.
        self.table.get(&network)?;
        match start(&name, &self.reach, &self.resolver, &self.lookup_slots) {
            Ok(lookup) => Ok(Ok(self.table.push(lookup)?)),
            Err(code) => Ok(Err(code)),
        }
    }
}

impl ip_name_lookup::HostResolveAddressStream for State {
    fn resolve_next_address(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<Result<Option<IpAddress>, ErrorCode>> {
        let lookup = self.table.get_mut(&lookup)?;
        Ok(match lookup.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(answers)) => Ok(answers.next().map(IpAddress::from)),
            Poll::Ready(Err(code)) => Err(*code),
            Poll::Pending => Err(ErrorCode::WouldBlock),
        })
    }

    fn subscribe(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, lookup)
    }

    fn drop(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<()> {
        self.table.delete(lookup)?;
        Ok(())
    }
}
