//! Responses that other projects test their parsers with. They are read where they lie: in `$SANDPIPER_VECTORS`, or in `shared/vectors` beside the
//! workspace.

use sandpiper_tests::message::{options, request};
use sandpiper_tests::native::{Cuts, Native};
use sandpiper_tests::random::Random;
use sandpiper_tests::story::Chunk;
use sandpiper_tests::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let directory = std::env::var_os("SANDPIPER_VECTORS").map_or_else(beside, PathBuf::from);
    directory.is_dir().then_some(directory)
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The octets of every case of every file, by id.
fn responses(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        if entry.path().extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        for case in read(&entry.path())["cases"].as_array().into_iter().flatten() {
            if let (Some(id), Some(octets)) = (case["id"].as_str(), case["raw_response_b64"].as_str()) {
                found.insert(id.to_owned(), base64(octets));
            }
        }
    }
    found
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |octet: u8| match octet {
        b'A'..=b'Z' => u32::from(octet - b'A'),
        b'a'..=b'z' => u32::from(octet - b'a') + 26,
        b'0'..=b'9' => u32::from(octet - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> = text.bytes().filter(|octet| *octet != b'=').map(digit).collect();
    let mut octets = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, digit| (bits << 6) | digit) << (6 * (4 - group.len()));
        octets.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    octets
}

/// What becomes of a request of this method when the peer sends these octets and FIN: the status and how much content, or the error.
fn outcome(method: &str, octets: &[u8], cuts: Cuts) -> Result<(u16, usize), String> {
    let mut world = Native::new(cuts, Cuts::Nowhere);
    world.connect(options());
    let target = if method == "CONNECT" { "example.test:80" } else { "/" };
    world.send_all(1, vec![request(method, target)]).remove(0).map_err(|failure| failure.to_string())?;
    world.settle();
    world.peer_sends(octets);
    world.peer_ends();
    world.settle();
    let mut content = 0;
    let status = world.head(1).map_err(|failure| failure.to_string())?.map_or(0, |head| head.status);
    loop {
        match world.read(1, u64::MAX).map_err(|failure| failure.to_string())? {
            Chunk::Data(octets) => content += octets.len(),
            Chunk::End(_) => return Ok((status, content)),
            Chunk::WouldBlock => return Err("it never ends".to_owned()),
        }
        world.settle();
    }
}

#[test]
fn what_five_implementations_agree_on_is_agreed_with_however_it_is_cut() {
    let Some(directory) = directory() else {
        sandpiper_tests::skipped("no vectors; SANDPIPER_VECTORS names their directory");
        return;
    };
    let responses = responses(&directory);
    let mut wrong = Vec::new();
    let mut cases = 0;
    for case in read(&directory.join("unanimous.json"))["cases"].as_array().expect("cases") {
        let id = case["id"].as_str().expect("an id");
        let method = case["request_method"].as_str().unwrap_or("GET");
        let octets = &responses[id];
        let whole = outcome(method, octets, Cuts::Nowhere);
        let expected = case["accept"].as_bool().expect("accept").then(|| {
            let length = case["body_len"].as_u64().and_then(|length| usize::try_from(length).ok());
            (case["status"].as_u64().and_then(|status| u16::try_from(status).ok()), length)
        });
        let agrees = match (&whole, expected) {
            (Ok((status, length)), Some((expected, octets))) => {
                expected.is_none_or(|expected| expected == *status) && octets.is_none_or(|octets| octets == *length)
            }
            (Err(_), None) => true,
            _ => false,
        };
        if !agrees {
            wrong.push(format!("{id}: {whole:?}, not {expected:?}: {:.300}", octets.escape_ascii().to_string()));
        }
        let mut check = |how: &str, cuts: Cuts| {
            let cut = outcome(method, octets, cuts);
            if cut != whole {
                wrong.push(format!("{id}, {how}: {cut:?}, not {whole:?}"));
            }
        };
        check("octet by octet", Cuts::Everywhere);
        if octets.len() <= 2_048 {
            for position in 1..octets.len() {
                check(&format!("cut at {position}"), Cuts::At(position));
            }
        } else {
            for seed in 0..64 {
                check(&format!("cut at random, seed {seed}"), Cuts::Random(Random::new(seed)));
            }
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 100, "only {cases} cases");
}
