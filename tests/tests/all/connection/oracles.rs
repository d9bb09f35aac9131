//! The corpus of the fuzz targets, given to their oracles. `./dev fuzz` looks for more.

use sandpiper_tests::oracles;
use sandpiper_tests::random::Random;
use std::path::Path;

#[test]
fn what_the_corpus_holds_breaks_no_law() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, check) in oracles::ALL {
        let entries = std::fs::read_dir(corpus.join(target)).unwrap_or_else(|error| panic!("{target}: {error}"));
        let mut files = 0;
        for entry in entries {
            let path = entry.expect("an entry").path();
            let octets = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            println!("{}", path.display());
            check(&octets);
            files += 1;
        }
        assert!(files >= 10, "{target}: {files} files");
    }
}

#[test]
fn octets_by_chance_break_no_law() {
    let mut random = Random::new(7);
    for _ in 0..200 {
        let octets: Vec<u8> = (0..random.below(400)).map(|_| u8::try_from(random.below(256)).unwrap_or(0)).collect();
        for (_, check) in oracles::ALL {
            check(&octets);
        }
    }
}
