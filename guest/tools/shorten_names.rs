//! Makes the names inside a component as short as they can be, and removes its custom sections: a tenth of its size, which the linker cannot
//! leave out. Compiled by the recipe `component` of the justfile; usage: `shorten_names FROM TO [WITHOUT]`. The export `WITHOUT` is left out.
//!
//! The component's imports and exports are untouched. Names that only its own parts know are those of core modules, of what these import
//! and export, and of the imports of the components inside, which wit-component makes to repeat the types of an export. Each of these names
//! becomes the same other one wherever it stands, so that what fitted fits.
//!
//! These components also repeat the cases of each enum that their interface mentions. An enum is nothing but the names of its cases, so an alias of
//! the enum that the component is given says the same. Records and variants refer to types that the component has to import by itself: their
//! definitions stay.
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
    pub const TYPE: u8 = 7;
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
        let shared = hidden.and_then(|component| share_enums(&component));
        shared.and_then(|component| shorten(&component)).map_err(str::to_owned)
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

/// The types that a component inside is given: their indices, by the names of its imports.
type Given<'a> = HashMap<&'a [u8], usize>;

/// The component, with the enums of the components inside taken from around them.
fn share_enums(component: &[u8]) -> Result<Vec<u8>, Problem> {
    let given = given(component)?;
    let mut inside = 0..;
    sections(component, |id, section| {
        let given = if id == component::COMPONENT { inside.next().and_then(|index| given.get(&index)) } else { None };
        given.map_or_else(|| Ok(section.to_vec()), |given| share_enums_of(section, given)).map(Some)
    })
}

/// What each component inside is given, by its index.
fn given(component: &[u8]) -> Result<HashMap<usize, Given<'_>>, Problem> {
    let mut all = HashMap::new();
    sections(component, |id, section| {
        if id == component::INSTANCE {
            Copy::of(section).each(|read| {
                if read.octet()? != 0 {
                    return Err("an unknown instance");
                }
                let given: &mut Given<'_> = all.entry(read.number()?).or_default();
                read.each(|read| {
                    let name = read.text()?;
                    let is_type = read.unread.first() == Some(&TYPE);
                    sort(read)?;
                    let index = read.number()?;
                    if is_type {
                        given.insert(name, index);
                    }
                    Ok(())
                })
            })?;
        }
        Ok(None)
    })?;
    Ok(all)
}

/// wit-component defines an enum in a section of its own, directly before the import of which the enum is the type.
fn share_enums_of(component: &[u8], given: &Given<'_>) -> Result<Vec<u8>, Problem> {
    const ONE_ENUM: [u8; 2] = [1, 0x6d];
    const ONE_ALIAS_OF_A_TYPE_AROUND: [u8; 4] = [1, TYPE, 2, 1];
    let mut all = Vec::new();
    let mut copy = Copy {
        unread: &[],
        written: sections(component, |id, section| {
            all.push((id, section));
            Ok(None)
        })?,
    };
    for (at, &(id, section)) in all.iter().enumerate() {
        let around = match all.get(at + 1) {
            Some(&(component::IMPORT, import)) if id == component::TYPE && section.starts_with(&ONE_ENUM) => {
                given.get(first_name(import)?).copied()
            }
            _ => None,
        };
        match around {
            Some(around) => {
                let mut alias = Copy { unread: &[], written: ONE_ALIAS_OF_A_TYPE_AROUND.to_vec() };
                alias.push_number(around);
                copy.push_section(component::ALIAS, &alias.written);
            }
            None => copy.push_section(id, section),
        }
    }
    Ok(copy.written)
}

/// The name of the first import of a section.
fn first_name(imports: &[u8]) -> Result<&[u8], Problem> {
    let mut read = Copy::of(imports);
    read.number()?;
    read.octet()?;
    read.text()
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

/// The sort of a type.
const TYPE: u8 = 3;

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
            copy.push_section(id, &section);
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

    fn push_section(&mut self, id: u8, section: &[u8]) {
        self.written.push(id);
        self.push_number(section.len());
        self.written.extend_from_slice(section);
    }

    fn push_number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.written.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.written.push(number as u8);
    }
}
