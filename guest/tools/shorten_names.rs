//! Makes the names inside a component as short as they can be, and removes its custom sections: a tenth of its size, which the linker cannot
//! leave out. Compiled by the recipe `component` of the justfile; usage: `shorten_names FROM TO [WITHOUT]`. The export `WITHOUT` is left out.
//!
//! The component's imports and exports are untouched. Names that only its own parts know are those of core modules, of what these import
//! and export, and of the imports of the components inside, which wit-component makes to repeat the types of an export. Each of these names
//! becomes the same other one wherever it stands, so that what fitted fits.
//!
//! The format: <https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md>.

use std::collections::HashMap;
use std::process::ExitCode;

/// Why a component cannot be read.
type Problem = &'static str;

/// The preamble of a module or a component: magic number, version, layer.
const PREAMBLE: usize = 8;

/// Sections of a core module.
mod module {
    pub const CUSTOM: u8 = 0;
    pub const IMPORT: u8 = 2;
    pub const EXPORT: u8 = 7;
}

/// Sections of a component.
mod component {
    pub const CUSTOM: u8 = 0;
    pub const CORE_MODULE: u8 = 1;
    pub const CORE_INSTANCE: u8 = 2;
    pub const COMPONENT: u8 = 4;
    pub const INSTANCE: u8 = 5;
    pub const ALIAS: u8 = 6;
    pub const IMPORT: u8 = 10;
    pub const EXPORT: u8 = 11;
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        eprintln!("usage: shorten_names FROM TO [WITHOUT]");
        return ExitCode::from(2);
    };
    let without = args.next();
    let shortened = std::fs::read(&from).map_err(|error| error.to_string()).and_then(|component| {
        let hidden = without.map_or_else(|| Ok(component.clone()), |name| hide(&component, name.as_bytes()));
        hidden.and_then(|component| shorten(&component)).map_err(str::to_owned)
    });
    match shortened.and_then(|component| std::fs::write(&to, component).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("shorten_names: {from}: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The component without the export of that name, which must be the last thing in it: an export takes the next index of its sort, so that
/// whatever came behind would have to be numbered anew.
fn hide(component: &[u8], name: &[u8]) -> Result<Vec<u8>, Problem> {
    let (mut found, mut behind) = (false, false);
    let hidden = sections(component, |id, section| {
        behind |= found && id != component::CUSTOM;
        if id != component::EXPORT {
            return Ok(Some(section.to_vec()));
        }
        let mut read = Copy::of(section);
        let mut kept = Copy::of(&[]);
        let count = read.read_number()?;
        kept.push_number(count);
        for _ in 0..count {
            behind |= found;
            let start = read.written.len();
            if export(&mut read)? == name {
                found = true;
            } else {
                kept.written.extend_from_slice(&read.written[start..]);
            }
        }
        if !found {
            return Ok(Some(section.to_vec()));
        }
        // The number of those that are kept has as many octets: there are fewer than 128.
        kept.written[0] -= 1;
        read.end()?;
        Ok((count > 1).then_some(kept.written))
    })?;
    match (found, behind) {
        (false, _) => Err("there is no such export to leave out"),
        (true, true) => Err("the export to leave out is not the last thing in the component"),
        (true, false) => Ok(hidden),
    }
}

/// An export of a component; its name.
fn export<'a>(copy: &mut Copy<'a>) -> Result<&'a [u8], Problem> {
    if copy.octet()? > 1 {
        return Err("an unknown form of an export's name");
    }
    let name = copy.text()?;
    sort(copy)?;
    copy.number()?;
    match copy.octet()? {
        0 => {}
        // The type of a function or an instance.
        1 => match copy.octet()? {
            1 | 5 => copy.number().map(drop)?,
            _ => return Err("an unknown type of an export"),
        },
        _ => return Err("an unknown export"),
    }
    Ok(name)
}

fn shorten(component: &[u8]) -> Result<Vec<u8>, Problem> {
    Shortener::default().component(component, true)
}

/// Names of core modules, and names of components: the two never meet.
#[derive(Default)]
struct Shortener<'a> {
    core: Names<'a>,
    component: Names<'a>,
}

impl<'a> Shortener<'a> {
    /// `outermost`: its imports are not ours to name.
    fn component(&mut self, octets: &'a [u8], outermost: bool) -> Result<Vec<u8>, Problem> {
        sections(octets, |id, section| {
            let mut copy = Copy::of(section);
            match id {
                component::CUSTOM => return Ok(None),
                component::CORE_MODULE => return self.module(section).map(Some),
                component::COMPONENT => return self.component(section, false).map(Some),
                component::CORE_INSTANCE => copy.each(|copy| self.core_instance(copy))?,
                component::INSTANCE => copy.each(|copy| self.instance(copy))?,
                component::ALIAS => copy.each(|copy| self.alias(copy))?,
                component::IMPORT if !outermost => copy.each(|copy| self.import(copy))?,
                _ => copy.rest(),
            }
            copy.end().map(Some)
        })
    }

    fn module(&mut self, octets: &'a [u8]) -> Result<Vec<u8>, Problem> {
        sections(octets, |id, section| {
            let mut copy = Copy::of(section);
            match id {
                module::CUSTOM => return Ok(None),
                module::IMPORT => copy.each(|copy| {
                    self.core.shorten(copy)?;
                    self.core.shorten(copy)?;
                    core_type(copy)
                })?,
                module::EXPORT => copy.each(|copy| {
                    self.core.shorten(copy)?;
                    copy.octet()?;
                    copy.number().map(drop)
                })?,
                _ => copy.rest(),
            }
            copy.end().map(Some)
        })
    }

    fn core_instance(&mut self, copy: &mut Copy<'a>) -> Result<(), Problem> {
        match copy.octet()? {
            // Instantiates a module, with arguments by name.
            0 => copy.number().map(drop)?,
            // Exports by name.
            1 => {}
            _ => return Err("an unknown core instance"),
        }
        copy.each(|copy| {
            self.core.shorten(copy)?;
            copy.octet()?;
            copy.number().map(drop)
        })
    }

    fn instance(&mut self, copy: &mut Copy<'a>) -> Result<(), Problem> {
        match copy.octet()? {
            // Instantiates a component, with arguments by name.
            0 => {
                copy.number()?;
                copy.each(|copy| {
                    self.component.shorten(copy)?;
                    sort(copy)?;
                    copy.number().map(drop)
                })
            }
            _ => Err("an unknown instance"),
        }
    }

    fn alias(&mut self, copy: &mut Copy<'a>) -> Result<(), Problem> {
        sort(copy)?;
        match copy.octet()? {
            // An export of an instance.
            0 => {
                copy.number()?;
                copy.text().map(drop)
            }
            // An export of a core instance.
            1 => {
                copy.number()?;
                self.core.shorten(copy)
            }
            // Something of a component around it.
            2 => {
                copy.number()?;
                copy.number().map(drop)
            }
            _ => Err("an unknown alias"),
        }
    }

    /// An import of a component inside.
    fn import(&mut self, copy: &mut Copy<'a>) -> Result<(), Problem> {
        if copy.octet()? > 1 {
            return Err("an unknown form of an import's name");
        }
        self.component.shorten(copy)?;
        match copy.octet()? {
            // A core module.
            0 => copy.octet().map(drop)?,
            // A function, a component, an instance.
            1 | 4 | 5 => {}
            // A type: equal to another one, or a resource.
            3 => match copy.octet()? {
                0 => {}
                1 => return Ok(()),
                _ => return Err("an unknown bound of a type"),
            },
            _ => return Err("an unknown import"),
        }
        copy.number().map(drop)
    }
}

/// Each name with its short name.
#[derive(Default)]
struct Names<'a>(HashMap<&'a [u8], Vec<u8>>);

impl<'a> Names<'a> {
    fn shorten(&mut self, copy: &mut Copy<'a>) -> Result<(), Problem> {
        let name = copy.read_text()?;
        let next = self.0.len();
        let short = self.0.entry(name).or_insert_with(|| short(next));
        copy.push_number(short.len());
        copy.written.extend_from_slice(short);
        Ok(())
    }
}

/// The name with this number: a letter, then letters and digits, which is a name everywhere.
fn short(mut number: usize) -> Vec<u8> {
    const OCTETS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut name = vec![OCTETS[number % 26]];
    number /= 26;
    while number > 0 {
        number -= 1;
        name.push(OCTETS[number % 36]);
        number /= 36;
    }
    name
}

/// The kind of thing that an index refers to.
fn sort(copy: &mut Copy<'_>) -> Result<(), Problem> {
    const CORE: u8 = 0;
    if copy.octet()? == CORE {
        copy.octet()?;
    }
    Ok(())
}

/// An import of a core module.
fn core_type(copy: &mut Copy<'_>) -> Result<(), Problem> {
    match copy.octet()? {
        // A function.
        0 => copy.number().map(drop),
        // A table.
        1 => {
            copy.octet()?;
            limits(copy)
        }
        // A memory.
        2 => limits(copy),
        // A global.
        3 => {
            copy.octet()?;
            copy.octet().map(drop)
        }
        _ => Err("an unknown import of a module"),
    }
}

fn limits(copy: &mut Copy<'_>) -> Result<(), Problem> {
    const WITH_MAXIMUM: u8 = 1;
    let flags = copy.octet()?;
    copy.number()?;
    if flags & WITH_MAXIMUM != 0 {
        copy.number()?;
    }
    Ok(())
}

/// A module or component: its preamble, then sections: an id, a length, and the octets. `each` returns the octets in their place.
fn sections<'a>(
    octets: &'a [u8],
    mut each: impl FnMut(u8, &'a [u8]) -> Result<Option<Vec<u8>>, Problem>,
) -> Result<Vec<u8>, Problem> {
    let (preamble, sections) = octets.split_at_checked(PREAMBLE).ok_or("too short")?;
    let mut copy = Copy { unread: sections, written: preamble.to_vec() };
    while let Some((&id, behind)) = copy.unread.split_first() {
        copy.unread = behind;
        let section = copy.read_text()?;
        if let Some(section) = each(id, section)? {
            copy.written.push(id);
            copy.push_number(section.len());
            copy.written.extend(section);
        }
    }
    Ok(copy.written)
}

/// The input, and the output so far.
struct Copy<'a> {
    unread: &'a [u8],
    written: Vec<u8>,
}

impl<'a> Copy<'a> {
    fn of(octets: &'a [u8]) -> Copy<'a> {
        Copy { unread: octets, written: Vec::with_capacity(octets.len()) }
    }

    fn octet(&mut self) -> Result<u8, Problem> {
        let (&octet, behind) = self.unread.split_first().ok_or("it ends too early")?;
        self.unread = behind;
        self.written.push(octet);
        Ok(octet)
    }

    fn number(&mut self) -> Result<usize, Problem> {
        let number = self.read_number()?;
        self.push_number(number);
        Ok(number)
    }

    fn text(&mut self) -> Result<&'a [u8], Problem> {
        let text = self.read_text()?;
        self.push_number(text.len());
        self.written.extend_from_slice(text);
        Ok(text)
    }

    /// A number of things, then each of them.
    fn each(&mut self, mut one: impl FnMut(&mut Copy<'a>) -> Result<(), Problem>) -> Result<(), Problem> {
        for _ in 0..self.number()? {
            one(self)?;
        }
        Ok(())
    }

    fn rest(&mut self) {
        self.written.extend_from_slice(self.unread);
        self.unread = &[];
    }

    fn end(self) -> Result<Vec<u8>, Problem> {
        if self.unread.is_empty() { Ok(self.written) } else { Err("a section longer than what is in it") }
    }

    /// Octets behind their length.
    fn read_text(&mut self) -> Result<&'a [u8], Problem> {
        let length = self.read_number()?;
        let (text, behind) = self.unread.split_at_checked(length).ok_or("it ends too early")?;
        self.unread = behind;
        Ok(text)
    }

    /// LEB128.
    fn read_number(&mut self) -> Result<usize, Problem> {
        let mut number = 0;
        for (index, &octet) in self.unread.iter().take(5).enumerate() {
            number |= usize::from(octet & 0x7f) << (7 * index);
            if octet & 0x80 == 0 {
                self.unread = &self.unread[index + 1..];
                return Ok(number);
            }
        }
        Err("a number without an end")
    }

    fn push_number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.written.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.written.push(number as u8);
    }
}
