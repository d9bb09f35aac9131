//! Looking names up, under the policy.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Host;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::outside::LookingUp;
use super::running::Running;
use crate::odd_host::parse_host;
use crate::policy::Reach;

/// Lookups of one client that run at once; each occupies a thread of the runtime. The others wait.
pub(crate) const LOOKUPS_MAX: usize = 16;

/// Resolves a name, in the background. Its slot is free again when it has ended, whether or not somebody still wants its answers.
pub(crate) type Resolver = Arc<dyn Fn(String, OwnedSemaphorePermit) -> Answers + Send + Sync>;
/// The answers with port 0: a link-local one means nothing without its interface.
pub(crate) type Answers = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The resolver of this machine. Its thread cannot be stopped, and keeps the slot. This machine's own names are not for it: it might ask the
/// network, which RFC 6761 §6.3 forbids, and not know them.
pub(crate) fn system_resolver() -> Resolver {
    Arc::new(|name, slot| {
        Box::pin(async move {
            if is_this_machine(&name) {
                return Ok(vec![(Ipv6Addr::LOCALHOST, 0).into(), (Ipv4Addr::LOCALHOST, 0).into()]);
            }
            let look_up = move || {
                let _slot = slot;
                Ok((name.as_str(), 0).to_socket_addrs()?.collect())
            };
            tokio::task::spawn_blocking(look_up).await.map_err(io::Error::other)?
        })
    })
}

/// `localhost`, and every name below it.
fn is_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let domain = name.rsplit_once('.').map_or(name, |(_, last)| last);
    domain.eq_ignore_ascii_case("localhost")
}

/// A resolver of the host's, which ends when its future is dropped.
pub(crate) fn given_resolver<F, A>(resolve: F) -> Resolver
where
    F: Fn(String) -> A + Send + Sync + 'static,
    A: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
{
    Arc::new(move |name, slot| {
        let answers = resolve(name);
        Box::pin(async move {
            let _slot = slot;
            Ok(answers.await?.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect())
        })
    })
}

/// The answers of another resolver that are wished for.
pub(crate) fn filtered(resolver: Resolver, wish: impl Fn(IpAddr) -> bool + Clone + Send + Sync + 'static) -> Resolver {
    Arc::new(move |name, slot| {
        let (answers, wish) = (resolver(name, slot), wish.clone());
        Box::pin(async move { Ok(answers.await?.into_iter().filter(|answer| wish(answer.ip())).collect()) })
    })
}

/// Begins to look a name up, which is an address perhaps.
///
/// # Errors
/// `invalid-argument`, `access-denied`.
pub(crate) fn look_up(
    name: &str,
    reach: &Arc<Reach>,
    resolver: &Resolver,
    slots: &Arc<Semaphore>,
) -> Result<LookingUp, ErrorCode> {
    let known = |address| Ok(Box::new(Running::Ended(Some(Ok(vec![address])))) as LookingUp);
    let host = match parse(name) {
        Some(Host::Domain(host)) => host,
        // No lookup happens for an address; whether it may be connected to is asked at the connect.
        Some(Host::Ipv4(address)) => return known(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => return known(IpAddr::V6(address)),
        None => return Err(ErrorCode::InvalidArgument),
    };
    if let Some(address) = reach.stand_in(&host) {
        return known(address);
    }
    if !reach.may_look_up(&host) {
        return Err(ErrorCode::AccessDenied);
    }
    let (reach, resolver, slots) = (Arc::clone(reach), Arc::clone(resolver), Arc::clone(slots));
    // A task of its own, so that it goes on while the component does something else.
    let task = wasmtime_wasi::runtime::spawn(async move {
        let slot = slots.acquire_owned().await.map_err(|_| ErrorCode::TemporaryResolverFailure)?;
        finish(&host, &resolver(host.clone(), slot).await.map_err(|error| code_of(&error))?, &reach)
    });
    Ok(Box::new(Running::new(task)))
}

fn finish(host: &str, answers: &[SocketAddr], reach: &Reach) -> Result<Vec<IpAddr>, ErrorCode> {
    if answers.is_empty() {
        return Err(ErrorCode::NameUnresolvable);
    }
    answers.iter().for_each(|answer| reach.remember_scope(answer));
    let ips: Vec<IpAddr> = answers.iter().map(SocketAddr::ip).collect();
    let usable = reach.admit_answers(host, &ips);
    if usable.is_empty() { Err(ErrorCode::AccessDenied) } else { Ok(usable) }
}

fn parse(name: &str) -> Option<Host> {
    match parse_host(name) {
        Ok(host) => Some(host),
        // An IPv6 address without brackets.
        Err(_) => Ipv6Addr::from_str(name).ok().map(Host::Ipv6),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_answers_that_are_wished_for_remain_and_their_interfaces_too() {
        let answers: Vec<SocketAddr> = ["[fe80::1%3]:0", "192.0.2.1:0"].map(|answer| answer.parse().unwrap()).into();
        let given: Resolver = Arc::new(move |_, _| Box::pin(std::future::ready(Ok(answers.clone()))));
        let slot = || Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let six = filtered(given, |ip| ip.is_ipv6())("h".to_owned(), slot()).await.unwrap();
        assert_eq!(six, ["[fe80::1%3]:0".parse().unwrap()]);
        let four = filtered(system_resolver(), |ip| ip.is_ipv4())("a.localhost".to_owned(), slot()).await.unwrap();
        assert_eq!(four, ["127.0.0.1:0".parse().unwrap()]);
    }

    #[test]
    fn localhost_and_what_is_below_it_is_this_machine() {
        for name in ["localhost", "localhost.", "LocalHost", "a.localhost", "a.b.localhost."] {
            assert!(is_this_machine(name), "{name}");
        }
        for name in ["localhost.test", "alocalhost", "localhost.localdomain", "", "."] {
            assert!(!is_this_machine(name), "{name}");
        }
    }
}
