use sandpiper_host::types::HttpVersion;

use super::super::args::tests::fetch;
use super::super::listing::Listed;
use super::super::target::Target;
use super::*;

fn head(status: u16) -> ResponseHead {
    let fields = vec![("A".to_owned(), b"\xff".to_vec()), ("a".to_owned(), Vec::new())];
    ResponseHead { version: HttpVersion::Http11, status, reason: b"Why".to_vec(), fields }
}

fn incoming(form: Form, file: &std::path::Path) -> Incoming {
    let fetch = fetch(&["-o", file.to_str().unwrap(), "http://h/"]).unwrap();
    let listed = Listed { url: "http://h/".to_owned(), target: Target::parse("http://h/").unwrap(), output: None };
    let destination = Destination::assign(&fetch.output, &[listed]).unwrap().remove(0).0;
    Incoming::new(form, destination, None, 0, Unfinished::new(Arc::from([])))
}

const PLAIN: Form = Form { json: false, heads: false, errors: Errors::Written, remove: false, dump: None, tunnel: Tunnel::Never };

#[test]
fn heads_are_written_as_they_came() {
    assert_eq!(on_the_wire(&head(200)), b"HTTP/1.1 200 Why\r\nA: \xff\r\na: \r\n\r\n");
}

#[test]
fn contents_go_where_they_should() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let write = |form: Form, status: u16| {
        _ = std::fs::remove_file(&file);
        let mut incoming = incoming(form, &file);
        incoming.take_interim(vec![head(103)]).unwrap();
        incoming.take_head(head(status), b"HTTP/1.1  as it came\r\n\r\n").unwrap();
        incoming.take_content(b"content".to_vec()).unwrap();
        incoming.finish().unwrap();
        std::fs::read(&file).ok()
    };
    assert_eq!(write(PLAIN, 404).unwrap(), b"content");
    assert_eq!(write(Form { errors: Errors::Discarded, ..PLAIN }, 404), None);
    assert_eq!(write(Form { errors: Errors::Discarded, ..PLAIN }, 399).unwrap(), b"content");
    assert_eq!(write(Form { errors: Errors::Failed, ..PLAIN }, 404).unwrap(), b"content");
    assert_eq!(write(Form { json: true, ..PLAIN }, 200), None);
    let whole = [on_the_wire(&head(103)), b"HTTP/1.1  as it came\r\n\r\n".to_vec(), b"content".to_vec()].concat();
    assert_eq!(write(Form { heads: true, ..PLAIN }, 200).unwrap(), whole);
}

#[test]
fn a_content_that_has_not_changed_leaves_its_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "before").unwrap();
    let mut incoming = incoming(PLAIN, file.path());
    incoming.take_head(head(304), b"").unwrap();
    incoming.finish().unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"before");
}

#[test]
fn a_signal_removes_no_file_that_is_whole() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let fetch = fetch(&["--in-place", "-o", file.path().to_str().unwrap(), "http://h/"]).unwrap();
    let listed = Listed { url: "http://h/".to_owned(), target: Target::parse("http://h/").unwrap(), output: None };
    let destination = Destination::assign(&fetch.output, &[listed]).unwrap().remove(0).0;
    let unfinished = Unfinished::new(Arc::from([]));
    let mut incoming = Incoming::new(Form { remove: true, ..PLAIN }, destination, None, 0, unfinished.clone());
    incoming.take_head(head(200), b"").unwrap();
    incoming.take_content(b"content".to_vec()).unwrap();
    incoming.finish().unwrap();
    assert_eq!(unfinished.remove_temporaries(), 0);
    assert_eq!(std::fs::read(&file).unwrap(), b"content");
}

#[test]
fn an_empty_response_makes_an_empty_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let mut incoming = incoming(PLAIN, &file);
    incoming.take_head(head(200), b"").unwrap();
    incoming.finish().unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"");
}
