//! `docs/evidence/bench.svg`: how fast the clients are beside each other, and how costs grow.

use crate::outcome::Outcome;
use crate::work::Axis;
use std::fmt::Write;

const WIDTH: f64 = 960.0;
/// Where the rows of the upper part begin, from the left and from the top.
const LEFT: f64 = 190.0;
const TOP: f64 = 96.0;
const ROW: f64 = 24.0;
/// The panels of the lower part.
const PANEL_WIDTH: f64 = 440.0;
const PANEL_HEIGHT: f64 = 200.0;

/// One colour for each client, legible on light and on dark.
const COLOURS: [(&str, &str); 8] = [
    ("sandpiper", "#e4572e"),
    ("hyper", "#4c78a8"),
    ("core", "#b58900"),
    ("curl", "#2f9e8f"),
    ("undici", "#8e6bbf"),
    ("guest, sandpiper", "#d6619a"),
    ("guest, wasi:http", "#7a8a3a"),
    ("pump", "#888888"),
];
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#777}.title{font-weight:600;font-size:14px}\
.grid{stroke:#888;stroke-opacity:.25}.one{stroke:#888;stroke-opacity:.8}.end{text-anchor:end}.middle{text-anchor:middle}";

fn colour(client: &str) -> &'static str {
    COLOURS.iter().find(|(name, _)| *name == client).map_or("#888888", |(_, colour)| colour)
}

/// The whole drawing.
pub fn svg(outcome: &Outcome) -> String {
    let panels = TOP + ROW * outcome.works.len() as f64 + 60.0;
    let height = panels + 2.0 * (PANEL_HEIGHT + 70.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
         aria-label=\"HTTP clients beside hyper\">\n<style>{STYLE}</style>\n"
    );
    legend(&mut svg, outcome);
    ratios(&mut svg, outcome);
    for (index, axis) in Axis::ALL.into_iter().enumerate() {
        let column = f64::from(u8::from(index % 2 == 1));
        let row = f64::from(u8::from(index >= 2));
        growth(&mut svg, outcome, axis, 50.0 + column * (PANEL_WIDTH + 30.0), panels + row * (PANEL_HEIGHT + 70.0));
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, outcome: &Outcome) {
    let mut x = 16.0;
    for client in &outcome.clients {
        let _ = writeln!(svg, "<circle cx=\"{x:.0}\" cy=\"20\" r=\"5\" fill=\"{}\"/>", colour(&client.name));
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"24\">{}</text>", x + 9.0, client.name);
        x += 30.0 + 7.2 * client.name.len() as f64;
    }
}

/// A scale of logarithms between two values.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        let part = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + (self.to - self.from) * part
    }

    /// The powers of ten within.
    fn tens(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        (-9..12).map(|power| 10f64.powi(power)).filter(move |ten| *ten >= low * 0.999 && *ten <= high * 1.001)
    }
}

/// How many times as fast as the reference, every workload a row.
fn ratios(svg: &mut String, outcome: &Outcome) {
    let all = || outcome.works.iter().flat_map(|work| &work.clients).filter_map(|client| client.ratio);
    let low = all().fold(1.0, f64::min).min(0.5) * 0.9;
    let scale = Scale { low, high: all().fold(2.0, f64::max) * 1.1, from: LEFT, to: WIDTH - 20.0 };
    let bottom = TOP + ROW * outcome.works.len() as f64;
    let _ = writeln!(svg, "<text class=\"title\" x=\"16\" y=\"56\">Exchanges per second, as multiples of hyper's</text>");
    for ratio in [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]
        .into_iter()
        .filter(|ratio| *ratio >= low && *ratio <= scale.high)
    {
        let x = scale.place(ratio);
        let class = if (ratio - 1.0).abs() < 1e-9 { "one" } else { "grid" };
        let _ =
            writeln!(svg, "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{bottom:.0}\"/>", TOP - 12.0);
        let _ = writeln!(svg, "<text class=\"middle\" x=\"{x:.1}\" y=\"{:.0}\">{ratio}</text>", TOP - 18.0);
    }
    for (index, work) in outcome.works.iter().enumerate() {
        let y = TOP + ROW * index as f64 + 6.0;
        let _ = writeln!(svg, "<text class=\"end\" x=\"{:.0}\" y=\"{:.1}\">{}</text>", LEFT - 12.0, y + 4.0, work.name);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", WIDTH - 20.0);
        // Ours is drawn last, above the others.
        let ours = |name: &str| name == "sandpiper";
        let ordered = work
            .clients
            .iter()
            .filter(|client| !ours(&client.client))
            .chain(work.clients.iter().filter(|client| ours(&client.client)));
        for client in ordered {
            let Some(ratio) = client.ratio else { continue };
            let radius = if ours(&client.client) { 6 } else { 4 };
            let (x, fill) = (scale.place(ratio), colour(&client.client));
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{fill}\"><title>{}: {ratio:.2}</title></circle>",
                client.client
            );
        }
    }
}

/// What an exchange costs, over what grows.
fn growth(svg: &mut String, outcome: &Outcome, axis: Axis, left: f64, top: f64) {
    let mut points: Vec<(&str, f64, f64)> = Vec::new();
    for work in &outcome.works {
        let Some((_, size)) = work.grows.as_ref().filter(|(title, _)| title == axis.title()) else { continue };
        for client in work.clients.iter().filter(|client| client.median > 0.0) {
            if ["sandpiper", "core", "hyper", "curl"].contains(&client.client.as_str()) {
                points.push((&client.client, *size as f64, 1e6 / client.median));
            }
        }
    }
    let range = |value: fn(&(&str, f64, f64)) -> f64| {
        let values = points.iter().map(value);
        (values.clone().fold(f64::MAX, f64::min), values.fold(f64::MIN_POSITIVE, f64::max))
    };
    let (sizes, costs) = (range(|point| point.1), range(|point| point.2));
    let _ = writeln!(svg, "<text class=\"title\" x=\"{left:.0}\" y=\"{:.0}\">Time, by {}</text>", top - 10.0, axis.title());
    if points.is_empty() || sizes.0 >= sizes.1 {
        return;
    }
    let across = Scale { low: sizes.0, high: sizes.1, from: left + 60.0, to: left + PANEL_WIDTH - 20.0 };
    let down = Scale { low: decade_below(costs.0), high: decade_above(costs.1), from: top + PANEL_HEIGHT, to: top };
    for ten in down.tens() {
        let y = down.place(ten);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{left:.0}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", across.to);
        let _ = writeln!(svg, "<text class=\"end\" x=\"{:.0}\" y=\"{:.1}\">{ten} µs</text>", left + 46.0, y - 3.0);
    }
    for name in ["curl", "hyper", "core", "sandpiper"] {
        let of_one = points.iter().filter(|point| point.0 == name);
        let line: Vec<String> =
            of_one.map(|(_, size, cost)| format!("{:.1},{:.1}", across.place(*size), down.place(*cost))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
            line.join(" "),
            colour(name)
        );
    }
    let mut sizes: Vec<f64> = points.iter().map(|point| point.1).collect();
    sizes.dedup();
    for size in sizes {
        let _ = writeln!(
            svg,
            "<text class=\"middle\" x=\"{:.1}\" y=\"{:.0}\">{size}</text>",
            across.place(size),
            top + PANEL_HEIGHT + 18.0
        );
    }
}

fn decade_below(value: f64) -> f64 {
    10f64.powf(value.log10().floor())
}

fn decade_above(value: f64) -> f64 {
    10f64.powf(value.log10().ceil())
}
