//! Removes the custom section `component-name` from a component: names of its inner parts, for debuggers, a twentieth of its size. The
//! linker cannot leave it out. Compiled by the recipe `component` of the justfile; usage: `strip_names FROM TO`.

use std::process::ExitCode;

const CUSTOM: u8 = 0;
const NAME: &[u8] = b"\x0ecomponent-name";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        eprintln!("usage: strip_names FROM TO");
        return ExitCode::from(2);
    };
    let stripped = std::fs::read(&from).map_err(|error| error.to_string()).and_then(|component| strip(&component));
    match stripped.and_then(|component| std::fs::write(&to, component).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("strip_names: {from}: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// A component is a preamble of eight octets, then sections: an id, a length as LEB128, and the octets.
fn strip(component: &[u8]) -> Result<Vec<u8>, String> {
    let (preamble, mut rest) = component.split_at_checked(8).ok_or("too short")?;
    let mut kept = preamble.to_vec();
    while let Some(&id) = rest.first() {
        let (length, length_octets) = leb128(&rest[1..]).ok_or("a section without a length")?;
        let end = 1 + length_octets + length;
        let (section, behind) = rest.split_at_checked(end).ok_or("a section longer than the file")?;
        if id != CUSTOM || !section[1 + length_octets..].starts_with(NAME) {
            kept.extend_from_slice(section);
        }
        rest = behind;
    }
    Ok(kept)
}

fn leb128(octets: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, octet) in octets.iter().take(5).enumerate() {
        value |= usize::from(octet & 0x7f) << (7 * index);
        if octet & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}
