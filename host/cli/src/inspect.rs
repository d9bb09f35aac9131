//! `sandpiper inspect`: what a component may reach, what it offers, how large it is. Any component, also one that cannot run here.

use std::io::{self, Write};

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::args::Inspect;
use super::component::out_of_reach;
use super::{USAGE, tell};

/// The exit status.
pub(crate) fn run(inspect: &Inspect) -> u8 {
    let text = match describe(inspect) {
        Ok(text) => text,
        Err(message) => {
            tell(&format!("sandpiper: {message}\n"));
            return USAGE;
        }
    };
    // A reader that has gone has seen enough.
    _ = io::stdout().write_all(text.as_bytes());
    0
}

fn describe(inspect: &Inspect) -> Result<String, String> {
    let component = inspect.component();
    let (octets, name) = (component.octets()?, component.name());
    let engine = Engine::default();
    let component = Component::from_binary(&engine, &octets).map_err(|error| {
        let reason = error.root_cause().to_string();
        format!("{name} is not a component in binary form: {}", reason.lines().next().unwrap_or_default())
    })?;
    let world = component.component_type();
    let imports: Vec<String> =
        world.imports(&engine).map(|(name, item)| format!("{name}{}", remark(&item.ty, &engine))).collect();
    let exports: Vec<String> = world.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    let reach = out_of_reach(&imports).join(", ");
    let lines = [
        vec![format!("{name}: {} octets", octets.len()), "imports, which are all that it can reach:".to_owned()],
        indented(&imports),
        vec![format!("out of its reach: {reach}"), "exports:".to_owned()],
        indented(&exports),
    ];
    Ok(lines.concat().join("\n") + "\n")
}

/// An instance without functions and resources gives nothing to reach anything with.
fn remark(item: &ComponentItem, engine: &Engine) -> &'static str {
    let ComponentItem::ComponentInstance(instance) = item else {
        return "";
    };
    let reaches = |item: ComponentItem| matches!(item, ComponentItem::ComponentFunc(_) | ComponentItem::Resource(_));
    if instance.exports(engine).any(|(_, item)| reaches(item.ty)) { "" } else { "   (types only: nothing to call)" }
}

fn indented(names: &[String]) -> Vec<String> {
    match names {
        [] => vec!["  none".to_owned()],
        names => names.iter().map(|name| format!("  {name}")).collect(),
    }
}
