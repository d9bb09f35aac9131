//! The field `Host`.

use super::*;

fn hosts(head: &str) -> Vec<&str> {
    let host = |line: &'_ str| line.to_ascii_lowercase().starts_with("host:");
    head.lines().filter(|line| host(line)).collect()
}

#[test]
fn host_is_written_exactly_once() {
    let plain = get("/", &[]);
    assert_eq!(hosts(&written(&plain)), ["Host: origin.example:8080"]);
    let named = with_authority(plain, "other.example");
    assert_eq!(hosts(&written(&named)), ["Host: other.example"]);
    let given = with_authority(get("/", &[("HOST", "given.example")]), "not used");
    assert_eq!(hosts(&written(&given)), ["HOST: given.example"]);
    for lines in [[("Host", "a"), ("Host", "a")], [("Host", "a"), ("hOST", "b")]] {
        refuses(&get("/", &lines), Misuse::InvalidAuthority);
    }
}

#[test]
fn host_is_first_unless_the_caller_has_placed_it() {
    let head = written(&get("/", &[("A", "b")]));
    assert_eq!(head.lines().nth(1), Some("Host: origin.example:8080"));
    let head = written(&get("/", &[("A", "b"), ("host", "c"), ("D", "e")]));
    assert_eq!(head, "GET / HTTP/1.1\r\nA: b\r\nhost: c\r\nD: e\r\n\r\n");
}

#[test]
fn host_is_the_authority_of_the_target_where_it_has_one() {
    assert_eq!(hosts(&written(&get("http://a.example:81/x", &[]))), ["Host: a.example:81"]);
    assert_eq!(hosts(&written(&get("https://A.example?x", &[]))), ["Host: A.example"]);
    let agreeing = with_authority(get("http://A.example/", &[]), "a.EXAMPLE");
    assert_eq!(hosts(&written(&agreeing)), ["Host: a.EXAMPLE"]);
    refuses(&with_authority(get("http://a/", &[]), "b"), Misuse::InvalidAuthority);
    refuses(&with_authority(get("http://a/", &[]), ""), Misuse::InvalidAuthority);
    refuses(&get("http://a/", &[("Host", "b")]), Misuse::InvalidAuthority);
    let connect = request("CONNECT", "a:443", &[("Host", "a")], RequestContent::None);
    assert_eq!(hosts(&written(&connect)), ["Host: a"]);
    refuses(&with_authority(request("CONNECT", "a:443", &[], RequestContent::None), ""), Misuse::InvalidAuthority);
}

#[test]
fn userinfo_is_refused_in_target_authority_and_host() {
    for target in ["http://user@a/", "http://user:password@a:80/", "https://@a"] {
        refuses(&get(target, &[]), Misuse::InvalidRequestTarget);
    }
    let connect = request("CONNECT", "user@a:80", &[], RequestContent::None);
    refuses(&connect, Misuse::InvalidRequestTarget);
    refuses(&with_authority(get("/", &[]), "user@a"), Misuse::InvalidAuthority);
    refuses(&get("/", &[("Host", "user:password@a")]), Misuse::InvalidAuthority);
    assert_eq!(plan(&get("/", &[]), "user@a", LIMIT), misuse(Misuse::InvalidAuthority));
    // Behind the authority it is a path like any other.
    assert!(planned(&get("http://a/@b:c@", &[])).is_ok());
}

#[test]
fn an_authority_is_a_host_and_perhaps_a_port() {
    for authority in ["a", "a:80", "a:0", "127.0.0.1", "[::1]", "[::ffff:1.2.3.4]:443", "a_b.%C3%A4", "A.B."] {
        let expected = format!("Host: {authority}");
        assert_eq!(hosts(&written(&with_authority(get("/", &[]), authority))), [&expected]);
        assert_eq!(hosts(&written(&get("/", &[("Host", authority)]))), [&expected]);
    }
    for authority in [
        "a:",
        ":80",
        "a:65536",
        "a:-1",
        "a:80:80",
        "a/",
        "a?b",
        "a#b",
        "a b",
        "a\r\nX: y",
        "a\0",
        "[::1",
        "::1",
        "[]",
        "[::1]a",
        "http://a",
        "\u{e4}",
        "%4",
        "%zz",
    ] {
        refuses(&with_authority(get("/", &[]), authority), Misuse::InvalidAuthority);
        assert_eq!(plan(&get("/", &[]), authority, LIMIT), misuse(Misuse::InvalidAuthority));
        assert!(planned(&get("/", &[("Host", authority)])).is_err());
    }
}

#[test]
fn host_is_empty_where_there_is_no_authority() {
    assert_eq!(hosts(&written(&with_authority(get("/", &[]), ""))), ["Host:"]);
    assert_eq!(hosts(&written(&get("/", &[("Host", "")]))), ["Host:"]);
}
