//! Hosts that are written in unusual ways, and reached.

use super::program::run;
use super::server::Server;

/// Answers with the `Host` that it was asked for.
fn telling() -> Server {
    Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let host = request.field("Host").unwrap().to_owned();
            connection.answer(host.as_bytes());
        }
    })
}

#[test]
fn names_below_localhost_are_this_machine() {
    let server = telling();
    for name in ["localhost", "a.localhost", "a.b.localhost", "LOCALHOST"] {
        let place = format!("{name}:{}", server.address.port());
        let run = run(&["fetch", &format!("http://{place}/")]).ended_with(0);
        assert_eq!(run.text(), place.to_lowercase());
    }
    let url = format!("http://a.localhost:{}/", server.address.port());
    run(&["fetch", "--allow", "127.0.0.1", &url]).ended_with(1).complains_of(&["[denied(name-lookup)]"]);
}

#[test]
fn a_label_that_only_looks_like_punycode_is_sent_as_it_is() {
    let server = telling();
    let port = server.address.port();
    let place = format!("xn--a.example.test:{port}");
    let (url, resolve) = (format!("http://{place}/"), format!("{place}:127.0.0.1"));
    assert_eq!(run(&["fetch", "--resolve", &resolve, &url]).ended_with(0).text(), place);
}

/// The zone of a loopback address leads nowhere else; that it reaches the component is seen in the log.
#[test]
#[cfg(target_os = "linux")]
fn the_zone_of_an_address_chooses_the_interface_and_is_not_sent() {
    use std::net::TcpListener;

    use super::server::Connection;

    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("SKIPPED: no IPv6 here");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut connection = Connection::on(stream.unwrap());
            while let Some(request) = connection.request() {
                connection.answer(request.field("Host").unwrap().as_bytes());
            }
        }
    });
    let seen = format!("* connecting to [::1%1]:{port}");
    for arguments in [
        &[format!("http://[::1%25lo]:{port}/")][..],
        &[format!("http://[::1%lo]:{port}/")],
        &[format!("http://[::1%251]:{port}/")],
        &[format!("http://[::1]:{port}/"), "--connect-to".to_owned(), format!("[::1%lo]:{port}")],
        &[format!("http://[::1]:{port}/"), "--resolve".to_owned(), format!("[::1]:{port}:::1%lo")],
    ] {
        let arguments: Vec<&str> = ["fetch", "-v"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let run = run(&arguments).ended_with(0).complains_of(&[&seen]);
        assert_eq!(run.text(), format!("[::1]:{port}"), "{arguments:?}");
    }
    let nowhere = run(&["fetch", &format!("http://[::1%25no-such-if]:{port}/")]).ended_with(2);
    nowhere.complains_of(&["its zone names no network interface of this machine"]);
}

#[test]
fn an_address_that_stands_for_a_denied_one_is_denied() {
    for host in ["[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::ffff:169.254.169.254]"] {
        let run = run(&["fetch", "--allow", "127.0.0.2", &format!("http://{host}:1/")]).ended_with(1);
        run.complains_of(&["[denied(connect)]", "does not allow to connect to"]);
    }
}
