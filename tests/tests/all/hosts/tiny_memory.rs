//! The component with hardly any memory: an instance takes little more than its stack; what callers commonly do succeeds as always, or the
//! instance ends and says that it wanted memory.

use sandpiper_host::{DeathCause, HostError, Sandbox};
use sandpiper_tests::errands::{ERRANDS, Told};
use sandpiper_tests::peer::server::Server;
use sandpiper_tests::scenario::sandboxed::runtime;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const PAGE_OCTETS: usize = 64 << 10;
/// The stack takes 1 MiB; an instance takes hardly more than that.
const INSTANCE_OCTETS_MAX: usize = 1_179_648;
/// The cap under which everything works.
const ENOUGH_OCTETS: usize = 3 << 20;

fn sandbox(memory_octets_max: usize) -> Sandbox {
    let builder = Sandbox::builder().dangerous_allow_any_address().call_time_max(Duration::from_secs(30));
    let builder = builder.resolver(|_| async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) });
    builder.memory_octets_max(memory_octets_max).build().expect("a component that compiles")
}

/// The instance ended because it wanted more memory than it may have.
fn is_refused(error: &HostError, octets_max: usize) -> bool {
    match error {
        HostError::Dead(death) => matches!(death.cause, DeathCause::Memory { wanted_octets, octets_max: told }
            if told == octets_max && wanted_octets > octets_max),
        _ => false,
    }
}

/// Which errands succeed under this cap, each in an instance of its own; `None`: not even the instance fits.
async fn succeed(octets_max: usize, server: SocketAddr, expected: &[Vec<Told>]) -> Option<Vec<&'static str>> {
    let sandbox = sandbox(octets_max);
    let mut names = Vec::new();
    for (errand, expected) in ERRANDS.iter().zip(expected) {
        let mut client = match sandbox.instantiate().await {
            Ok(client) => client,
            Err(error) => {
                assert!(is_refused(&error, octets_max), "{error}");
                return None;
            }
        };
        match errand.run(&mut client, server, None).await {
            Ok(told) => {
                assert_eq!(&told, expected, "{errand:?} in {octets_max} octets");
                assert!(client.memory_octets() <= octets_max);
                names.push(errand.name);
            }
            Err(error) => {
                assert!(is_refused(&error, octets_max), "{errand:?} in {octets_max} octets: {error}");
                let again = errand.run(&mut client, server, None).await.expect_err("it stays ended");
                assert_eq!(again.to_string(), error.to_string());
            }
        }
    }
    Some(names)
}

#[test]
fn under_every_cap_errands_succeed_or_the_instance_says_that_it_wanted_memory() {
    runtime().block_on(async {
        let server = Server::start().await;
        let enough = sandbox(64 << 20);
        let mut expected = Vec::new();
        for errand in ERRANDS {
            let mut client = enough.instantiate().await.expect("an instance");
            expected.push(errand.run(&mut client, server.address, None).await.expect("an instance that lives"));
        }
        let mut smallest = None;
        for octets_max in (PAGE_OCTETS..=ENOUGH_OCTETS).step_by(PAGE_OCTETS) {
            let names = succeed(octets_max, server.address, &expected).await;
            if let (Some(names), None) = (&names, smallest) {
                println!(
                    "{octets_max} octets are the fewest that an instance takes; then {} errands succeed: {names:?}",
                    names.len()
                );
                smallest = Some(octets_max);
            }
            println!("{octets_max} octets: {:?} errands succeed", names.as_ref().map(Vec::len));
            assert!(names.is_some() || smallest.is_none(), "more memory is worse: {octets_max}");
            if octets_max == ENOUGH_OCTETS {
                assert_eq!(names.map(|names| names.len()), Some(ERRANDS.len()));
            }
            assert!(server.take_wrong().is_empty(), "the server got what is no request");
        }
        let smallest = smallest.expect("a cap under which there is an instance");
        assert!(smallest <= INSTANCE_OCTETS_MAX, "an instance takes {smallest} octets");
        // The host, and its other instances, have noticed nothing.
        let mut client = enough.instantiate().await.expect("an instance");
        assert_eq!(ERRANDS[0].run(&mut client, server.address, None).await.expect("alive"), expected[0]);
    });
}
