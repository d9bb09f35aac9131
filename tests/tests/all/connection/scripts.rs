//! The scripts of `tests/peers`, each a test: see [`sandpiper_tests::scenario::script`].

use sandpiper_tests::scenario::scene::Scene;
use sandpiper_tests::scenario::script::play;
use std::path::Path;

macro_rules! scripts {
    ($($name:ident)+) => {
        $(mod $name {
            fn scenario(scene: &mut super::Scene) {
                super::play(
                    concat!(stringify!($name), ".peer"),
                    include_str!(concat!("../../../peers/", stringify!($name), ".peer")),
                    scene,
                );
            }

            #[test]
            fn native() {
                sandpiper_tests::scenario::native(scenario);
            }

            #[cfg(feature = "sandboxed")]
            #[test]
            fn sandboxed() {
                sandpiper_tests::scenario::sandboxed(scenario);
            }
        })+

        const SCRIPTS: &[&str] = &[$(stringify!($name)),+];
    };
}

scripts! {
    accepts_and_says_nothing
    answers_half_of_it_and_resets
    closes_with_the_second_of_three
    dribbles_a_head_for_ever
    dribbles_interim_responses
    ends_as_the_next_request_comes
    ends_behind_an_error_response
    ends_instead_of_100
    is_answered_while_shutting_down
    reads_nothing_and_answers
    refuses_a_connect
    resets_after_two_of_four
    resets_before_the_answer
    says_100_too_late
    says_100_twice
    says_401_before_the_content
    says_413_and_resets
    says_417
    sends_empty_lines_behind_a_response
    speaks_first
    speaks_once_more_while_idle
    stalls_between_chunks
    stops_reading_and_is_cancelled
}

#[test]
fn every_script_is_played() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let entries = std::fs::read_dir(directory).expect("the scripts").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".peer")?.to_owned())).collect();
    found.sort();
    assert_eq!(found, SCRIPTS);
}
