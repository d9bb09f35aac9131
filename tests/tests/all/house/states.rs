//! The pictures of `docs/concepts.md`, drawn from the core's tables. `./dev states` writes the pictures; the test fails where one is stale.

use sandpiper_guest::exchange::{RequestHalf, RequestInput, ResponseHalf, ResponseInput};
use sandpiper_guest::h1::state::{ReadInput, ReadSide, Shown, learn};
use sandpiper_guest::types::{Delivery, PersistenceLearnt};
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::fs;
use std::path::Path;

/// States and what leads from one to another.
#[derive(Debug, Default)]
struct Machine {
    states: Vec<String>,
    /// From, to, and the inputs.
    edges: BTreeMap<(usize, usize), Vec<String>>,
    /// Inputs that lead to one state from every state but that one.
    always: Vec<(String, usize)>,
}

/// A name in words: `HeadOnly` is `head only`.
fn words(name: &dyn Debug) -> String {
    let mut text = String::new();
    let name = format!("{name:?}");
    for (at, letter) in name.rsplit("::").next().unwrap_or(&name).chars().enumerate() {
        if at > 0 && letter.is_uppercase() {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The machine of a table. An input that changes nothing is left out.
fn machine<S: Copy + Debug + PartialEq, I: Copy + Debug>(
    states: &[S],
    inputs: &[I],
    next: impl Fn(S, I) -> Option<S>,
) -> Machine {
    let place = |state: S| states.iter().position(|other| *other == state).expect("a state");
    let mut made = Machine { states: states.iter().map(|state| words(state)).collect(), ..Machine::default() };
    for input in inputs {
        let all = states.iter().filter_map(|state| Some((place(*state), place(next(*state, *input)?))));
        let moves: Vec<(usize, usize)> = all.filter(|(from, to)| from != to).collect();
        let same = moves.first().filter(|(_, to)| moves.len() + 1 >= states.len() && moves.iter().all(|(_, other)| other == to));
        match same {
            Some((_, to)) if states.len() > 2 => made.always.push((words(input), *to)),
            _ => moves.into_iter().for_each(|edge| made.edges.entry(edge).or_default().push(words(input))),
        }
    }
    made
}

/// The steps of a request that decide how much is known about it. Not a table of the core: the core compares two numbers.
fn delivery() -> Machine {
    let all = [Delivery::NotSent, Delivery::Unprocessed, Delivery::Unanswered, Delivery::ResponseStarted];
    // A case that is new in the WIT package has no place here, and does not compile.
    let place = |delivery: Delivery| match delivery {
        Delivery::NotSent => 0,
        Delivery::Unanswered => 1,
        Delivery::ResponseStarted => 2,
        Delivery::Unprocessed => 3,
    };
    let mut states = vec![String::new(); all.len()];
    all.iter().for_each(|delivery| states[place(*delivery)] = words(delivery).replace(' ', "-"));
    let steps = [
        (Delivery::NotSent, Delivery::Unanswered, "an octet of the request leaves"),
        (Delivery::Unanswered, Delivery::ResponseStarted, "an octet of the response comes"),
        (Delivery::Unanswered, Delivery::Unprocessed, "the server declares it"),
    ];
    let edges = steps.map(|(from, to, why)| ((place(from), place(to)), vec![why.to_owned()]));
    Machine { states, edges: edges.into(), always: Vec::new() }
}

/// The states of a response, by the conditions that may hold there.
fn readiness() -> Machine {
    let conditions = ResponseHalf::ALL.iter().map(|half| match half {
        ResponseHalf::Head => "interim",
        ResponseHalf::Content => "head, readable",
        ResponseHalf::Done => "readable, complete",
        ResponseHalf::Tunnel => "readable, writable",
        ResponseHalf::Failed => "failed",
    });
    Machine {
        states: conditions.map(str::to_owned).collect(),
        ..machine(ResponseHalf::ALL, ResponseInput::ALL, ResponseHalf::next)
    }
}

/// The places of a request of a pool.
fn pool() -> Machine {
    let states = ["waiting line", "queued on a connection", "outstanding", "ended"].map(str::to_owned).into();
    let edges = [
        ((0, 1), "a connection is free"),
        ((1, 2), "written"),
        ((2, 3), "response or failure"),
        ((1, 0), "the connection ends"),
        ((2, 0), "the connection ends, and delivery allows it"),
        ((0, 3), "deadline, cancel"),
    ];
    Machine { states, edges: edges.map(|(edge, why)| (edge, vec![why.to_owned()])).into(), always: Vec::new() }
}

/// The machines by the names of their pictures.
fn machines() -> [(&'static str, Machine); 7] {
    let known =
        [PersistenceLearnt::Unknown, PersistenceLearnt::Sequential, PersistenceLearnt::Pipelining, PersistenceLearnt::Closing];
    [
        ("request", machine(RequestHalf::ALL, RequestInput::ALL, RequestHalf::next)),
        ("response", machine(ResponseHalf::ALL, ResponseInput::ALL, ResponseHalf::next)),
        ("read-side", machine(ReadSide::ALL, ReadInput::ALL, ReadSide::next)),
        ("persistence", machine(&known, Shown::ALL, |state, shown| Some(learn(state, shown)))),
        ("delivery", delivery()),
        ("pool", pool()),
        ("readiness", readiness()),
    ]
}

const BOX_HEIGHT: usize = 34;
const MARGIN: usize = 16;
/// How much higher an arc is for each state that it passes.
const RISE: usize = 32;
const LINE: usize = 16;
/// Of a letter, about.
const LETTER_WIDTH: usize = 7;

/// Text for XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Where the boxes are.
struct Row {
    box_width: usize,
    /// From one box to the next.
    pitch: usize,
    top: usize,
}

impl Row {
    fn of(machine: &Machine) -> Self {
        let letters = machine.states.iter().map(|state| state.chars().count()).max().unwrap_or(0);
        let box_width = (letters * (LETTER_WIDTH + 1)).max(80) + MARGIN;
        // A label between neighbours does not reach into the next one.
        let near = machine.edges.iter().filter(|((from, to), _)| from.abs_diff(*to) == 1);
        let label = near.map(|(_, inputs)| inputs.join(", ").chars().count()).max().unwrap_or(0);
        let pitch = (label * LETTER_WIDTH + MARGIN).max(box_width + 3 * MARGIN);
        Self { box_width, pitch, top: MARGIN + reach(machine, true) }
    }

    fn middle(&self, state: usize) -> usize {
        MARGIN + state * self.pitch + self.box_width / 2
    }
}

/// How far the arcs reach above the boxes, or below, with their labels.
fn reach(machine: &Machine, above: bool) -> usize {
    let spans = machine.edges.keys().filter(|(from, to)| (from < to) == above).map(|(from, to)| from.abs_diff(*to));
    spans.max().map_or(0, |span| span * RISE + LINE)
}

/// Boxes in a row; arcs above lead on, arcs below lead back. Below: what leads to a state from all others.
fn svg(machine: &Machine) -> String {
    let row = Row::of(machine);
    let width = MARGIN * 2 + (machine.states.len() - 1) * row.pitch + row.box_width;
    let bottom = row.top + BOX_HEIGHT + reach(machine, false);
    let height = bottom + MARGIN + machine.always.len() * LINE;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0 L8 4 L0 8 z\" fill=\"#444\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for ((from, to), inputs) in &machine.edges {
        arc(&mut text, &row, (*from, *to), &inputs.join(", "));
    }
    for (at, state) in machine.states.iter().enumerate() {
        let _ = writeln!(
            text,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{BOX_HEIGHT}\" rx=\"6\" fill=\"#eef3fa\" stroke=\"#345\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>",
            MARGIN + at * row.pitch,
            row.top,
            row.box_width,
            row.middle(at),
            row.top + BOX_HEIGHT / 2 + 4,
            escaped(state)
        );
    }
    for (at, (input, to)) in machine.always.iter().enumerate() {
        let (y, state) = (bottom + LINE + at * LINE, &machine.states[*to]);
        let _ = writeln!(
            text,
            "<text x=\"{MARGIN}\" y=\"{y}\">from every state: {input} → <tspan font-weight=\"bold\">{state}</tspan></text>"
        );
    }
    text + "</svg>\n"
}

/// One arc with its label. Arcs begin right of a box's middle and end left of the next box's middle, so that no arc covers another.
fn arc(text: &mut String, row: &Row, (from, to): (usize, usize), label: &str) {
    let (forward, span) = (from < to, from.abs_diff(to));
    let rise = span * RISE;
    let spread = row.box_width / 5 + 4 * span;
    let (start, end, edge) = if forward {
        (row.middle(from) + spread, row.middle(to) - spread, row.top)
    } else {
        (row.middle(from) - spread, row.middle(to) + spread, row.top + BOX_HEIGHT)
    };
    // A curve reaches three quarters of the way to its control points.
    let control = if forward { edge.saturating_sub(rise * 5 / 4) } else { edge + rise * 5 / 4 };
    let label_y = if forward { edge - rise * 15 / 16 - 4 } else { edge + rise * 15 / 16 + 13 };
    let _ = writeln!(
        text,
        "<path d=\"M{start} {edge} C{start} {control} {end} {control} {end} {edge}\" fill=\"none\" stroke=\"#444\" \
         marker-end=\"url(#tip)\"/><text x=\"{}\" y=\"{label_y}\" text-anchor=\"middle\" fill=\"#222\" stroke=\"#fff\" \
         stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
        (start + end) / 2,
        escaped(label)
    );
}

#[test]
fn the_pictures_of_the_concepts_are_drawn_from_the_tables() {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(documents.join("concepts.md")).expect("docs/concepts.md");
    let writes = std::env::var_os("SANDPIPER_STATES").is_some();
    let mut wrong = Vec::new();
    for (name, machine) in machines() {
        let path = documents.join(format!("concepts/{name}.svg"));
        let drawn = svg(&machine);
        if writes {
            fs::write(&path, &drawn).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        if fs::read_to_string(&path).unwrap_or_default() != drawn {
            wrong.push(format!("docs/concepts/{name}.svg is stale: run ./dev states"));
        }
        if !page.contains(&format!("](concepts/{name}.svg)")) {
            wrong.push(format!("docs/concepts.md does not show {name}.svg"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_picture_has_every_state_and_every_input_that_leads_elsewhere() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum State {
        One,
        Two,
        Three,
    }
    #[derive(Clone, Copy, Debug)]
    enum Input {
        StepOn,
        End,
        Stay,
    }
    let next = |state, input| match (state, input) {
        (State::One, Input::StepOn) => Some(State::Two),
        (_, Input::End) => Some(State::Three),
        (state, Input::Stay) => Some(state),
        _ => None,
    };
    let made = machine(&[State::One, State::Two, State::Three], &[Input::StepOn, Input::End, Input::Stay], next);
    assert_eq!(made.edges, BTreeMap::from([((0, 1), vec!["step on".to_owned()])]));
    assert_eq!(made.always, [("end".to_owned(), 2)]);
    let drawn = svg(&made);
    for part in [">one<", ">two<", ">three<", ">step on<", "from every state: end"] {
        assert!(drawn.contains(part), "{part} is not in {drawn}");
    }
}
