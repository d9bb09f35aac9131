//! All the runs of one case.
//!
//! On the core: whole, one octet at a time, cut in two at every position; and all of that again with a second response behind it. Through the
//! component, over a real socket: whole, with the second response, and cut in two at some positions: each costs an instance, a connection and
//! a wait until the first piece has been taken in. The component is the same core, so what a cut can add there is in its glue. Who has the time
//! has it cut at every position and octet by octet.

use super::case::Case;
use super::judge::{self, Difference, Verdict};
use super::play::{Cut, Outcome, play};
use super::script::Script;
use super::second::{self, Expected};
use super::stance::Stance;
use crate::net::Cuts;
use crate::scenario::native::Native;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A long case is cut at fewer positions, so that all its runs together take in about this many octets.
const OCTETS_MAX: usize = 32 << 20;
/// And at no more positions than this.
const POSITIONS_MAX: usize = 4_096;
/// Through the component, a case is cut where that many equal parts of it meet.
const COMPONENT_PARTS: usize = 8;
/// Faults of one case that are told in full.
const FAULTS_TOLD_MAX: usize = 3;

/// How much of a case is run through the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Nothing.
    Nothing,
    /// The case as it is, and with a second response.
    Whole,
    /// That, and the case cut at some positions.
    Cut,
    /// That, cut at every position, and one octet at a time.
    CutEverywhere,
}

/// What the runs of one case gave.
#[derive(Debug)]
pub struct Trial {
    /// What became of the octets.
    pub verdict: Verdict,
    /// What was seen in the first run.
    pub outcome: Option<Outcome>,
    /// What is not as the source says.
    pub differences: Vec<Difference>,
    /// What may never be: runs that differ, a second response that is not intact, a panic.
    pub faults: Vec<String>,
    /// What must become of a second response.
    pub second: Option<Expected>,
    /// What becomes of the octets with the usual settings, where the case asks for others.
    pub strict: Option<Verdict>,
    /// Runs on the core.
    pub runs: usize,
    /// Runs through the component.
    pub component_runs: usize,
}

impl Trial {
    /// Runs a case.
    pub fn of(case: &Case, stance: Option<&Stance>, component: Component) -> Trial {
        let mut trial = Trial {
            verdict: Verdict::Waits,
            outcome: None,
            differences: Vec::new(),
            faults: Vec::new(),
            second: None,
            strict: None,
            runs: 0,
            component_runs: 0,
        };
        let run = catch_unwind(AssertUnwindSafe(|| trial.run(case, stance, component)));
        if let Err(panic) = run {
            let text =
                panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            trial.faults.push(format!("panicked: {}", text.unwrap_or_default()));
        }
        let told = trial.faults.len().min(FAULTS_TOLD_MAX);
        let more = trial.faults.split_off(told).len();
        if more > 0 {
            trial.faults.push(format!("and {more} more"));
        }
        trial
    }

    /// The names of the differences, each once.
    pub fn seen(&self) -> Vec<&str> {
        let mut seen: Vec<&str> = self.differences.iter().map(|difference| difference.what.as_str()).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    fn run(&mut self, case: &Case, stance: Option<&Stance>, component: Component) {
        let script = Script::of(case);
        let whole = self.native(&script, Cut::Whole);
        self.verdict = judge::verdict(case, &whole);
        self.differences = judge::judge(case, &script, &whole);
        self.outcome = Some(whole.clone());
        if !case.options.is_empty() {
            let strict = self.native(&script.strict(), Cut::Whole);
            self.strict = Some(judge::verdict(case, &strict));
        }
        if let Some(named) = stance.and_then(|stance| stance.with.as_deref()) {
            let found = self.run_tolerating(case, &script, named);
            self.faults.extend(found.iter().map(|one| format!("{}: {}", one.what, one.detail)));
        }
        if case.bare_lf && case.accept == Some(false) {
            // What is wrong behind lines that the source takes has to be wrong when they are taken here too.
            let found = self.run_tolerating(case, &script, "bare-lf");
            self.differences.extend(found);
        }
        self.cut_everywhere(&script, &whole, "");
        // What others agree on are cases of theirs, which are cut themselves.
        self.through_component(&script, &whole, if case.agreement { component.min(Component::Whole) } else { component });
        let shorter = self.native(&script.shorter(), Cut::Whole);
        let Some((longer, expected)) = second::behind(&script, &whole, &shorter) else { return };
        let longer_whole = self.native(&longer, Cut::Whole);
        self.faults.extend(second::fault(&expected, &whole, &longer_whole));
        self.cut_everywhere(&longer, &longer_whole, ", with a second response");
        if component != Component::Nothing {
            self.sandboxed(&longer, &longer_whole, Cut::Whole);
        }
        self.second = Some(expected);
    }

    fn native(&mut self, script: &Script, cut: Cut) -> Outcome {
        self.runs += 1;
        play(&mut Native::new(Cuts::Nowhere, Cuts::Nowhere), script, cut)
    }

    /// What is not as the source says when this is tolerated.
    fn run_tolerating(&mut self, case: &Case, script: &Script, named: &str) -> Vec<Difference> {
        let script = script.tolerating(named);
        let outcome = self.native(&script, Cut::Whole);
        self.cut_everywhere(&script, &outcome, "");
        let found = judge::judge(case, &script, &outcome).into_iter();
        found.map(|one| Difference { what: format!("with {named}: {}", one.what), ..one }).collect()
    }

    /// However the octets come, the same is seen of them.
    fn cut_everywhere(&mut self, script: &Script, whole: &Outcome, note: &str) {
        let positions = positions(script.octets.len()).map(Cut::At);
        for cut in std::iter::once(Cut::EveryOctet).chain(positions) {
            let other = self.native(script, cut);
            if other != *whole {
                self.faults.push(format!("{cut}{note}: {other}; not {whole}"));
            }
        }
    }

    #[cfg(feature = "sandboxed")]
    fn sandboxed(&mut self, script: &Script, native: &Outcome, cut: Cut) {
        self.component_runs += 1;
        let outcome = play(&mut crate::scenario::sandboxed::Sandboxed::new(), script, cut);
        if outcome != *native {
            self.faults.push(format!("through the component, {cut}: {outcome}; not {native}"));
        }
    }

    #[cfg(not(feature = "sandboxed"))]
    fn sandboxed(&mut self, _: &Script, _: &Outcome, _: Cut) {}

    fn through_component(&mut self, script: &Script, native: &Outcome, component: Component) {
        let everywhere = || (1..script.octets.len()).map(Cut::At).chain([Cut::EveryOctet]);
        let cuts: Vec<Cut> = match component {
            Component::Nothing => return,
            Component::Whole => Vec::new(),
            Component::Cut => component_positions(&script.octets).into_iter().map(Cut::At).collect(),
            Component::CutEverywhere => everywhere().collect(),
        };
        for cut in std::iter::once(Cut::Whole).chain(cuts) {
            self.sandboxed(script, native, cut);
        }
    }
}

/// Every position in that many octets, or as many as is reasonable, evenly.
fn positions(octets: usize) -> impl Iterator<Item = usize> {
    let most = (OCTETS_MAX / octets.max(1)).clamp(1, POSITIONS_MAX);
    (1..octets).step_by(octets.div_ceil(most).max(1))
}

/// Behind the first octet, between the CR and LF that end the head, before the last octet, and evenly between.
fn component_positions(octets: &[u8]) -> Vec<usize> {
    let head_end = octets.windows(4).position(|four| four == b"\r\n\r\n").map(|position| position + 3);
    let even = (1..COMPONENT_PARTS).map(|part| octets.len() * part / COMPONENT_PARTS);
    let named = [Some(1), head_end, octets.len().checked_sub(1)].into_iter().flatten();
    let mut positions: Vec<usize> = named.chain(even).filter(|position| (1..octets.len()).contains(position)).collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}
