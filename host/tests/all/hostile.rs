//! Components that do the wrong thing: ours with other instructions in one place, and small ones written
//! out octet by octet.

/// `unreachable`
pub(crate) const TRAP: &[u8] = &[0x00];
/// `loop br 0 end unreachable`
pub(crate) const SPIN: &[u8] = &[0x03, 0x40, 0x0c, 0x00, 0x0b, 0x00];
/// `i32.const 16384 memory.grow drop unreachable`: wants another gibibyte, and gives up without.
pub(crate) const GROW: &[u8] = &[0x41, 0x80, 0x80, 0x01, 0x40, 0x00, 0x1a, 0x00];

/// The function that is replaced, as the core module exports it.
const REPLACED: &str = "sandpiper:http/client@0.2.0#[static]client-conn.connect";

const CLOCK: &str = "wasi:clocks/monotonic-clock@0.2.12";

/// Octets before the first section, of modules and of components.
const PREAMBLE_OCTETS: usize = 8;
/// Number of the section of a component that holds a core module.
const CORE_MODULE: u8 = 1;
// Numbers of the sections of a core module.
const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;
/// The kind of an import or export that is a function.
const FUNCTION: u8 = 0;

/// What the embedded component is made of: in that, no name tells which function is which.
const WITH_NAMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/component/named/sandpiper.wasm");

/// The component, except that `connect` does this. The instructions end where nothing is reached.
pub(crate) fn component(instructions: &[u8]) -> Vec<u8> {
    component_with(|_| instructions.to_vec())
}

/// The component, except that `connect` sets a timer, and polls it without end, also when it has gone off.
pub(crate) fn polling() -> Vec<u8> {
    component_with(|module| {
        let call = |interface, function| [&[0x10][..], &leb128(imported_function(module, interface, function))].concat();
        [
            // `i32.const 1024`, at the far end of the stack: a list of one
            vec![0x41, 0x80, 0x08],
            call(CLOCK, "now"),
            // `i64.const 1000000 i64.add`: in a millisecond
            vec![0x42, 0xc0, 0x84, 0x3d, 0x7c],
            call(CLOCK, "subscribe-instant"),
            // `i32.store loop i32.const 1024 i32.const 1 i32.const 1032`: the list, and where the answer goes
            vec![0x36, 0x02, 0x00, 0x03, 0x40, 0x41, 0x80, 0x08, 0x41, 0x01, 0x41, 0x88, 0x08],
            call("wasi:io/poll@0.2.12", "poll"),
            // `br 0 end unreachable`
            vec![0x0c, 0x00, 0x0b, 0x00],
        ]
        .concat()
    })
}

/// The component with other instructions in `connect`, made for the module that it is in.
fn component_with(instructions: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut found = false;
    let with_names = std::fs::read(WITH_NAMES).expect("what ./dev component leaves behind");
    let component = rewrite(&with_names, |section, content| {
        let function = (section == CORE_MODULE).then(|| defined_function(content, REPLACED)).flatten()?;
        found = true;
        Some(with_body(content, function, &instructions(content)))
    });
    assert!(found, "no module exports {REPLACED}");
    component
}

/// A component that imports an interface, in which there is one function without parameters and results.
pub(crate) fn importing(interface: &str, function: &str) -> Vec<u8> {
    // A component type: of an instance, with a function type, and an export of it.
    let mut types = vec![1, 0x42, 2, 0x01, 0x40, 0, 1, 0, 0x04];
    types.extend(name(function));
    types.extend([0x01, 0]);
    // An import: of an instance of that type.
    let mut imports = vec![1];
    imports.extend(name(interface));
    imports.extend([0x05, 0]);
    let mut component = empty();
    component.extend(section(7, &types));
    component.extend(section(10, &imports));
    component
}

/// A component without anything.
pub(crate) fn empty() -> Vec<u8> {
    b"\0asm\x0d\0\x01\0".to_vec()
}

/// An import or export name, of the kind that has no version of its own.
fn name(name: &str) -> Vec<u8> {
    let mut octets = vec![0];
    octets.extend(leb128(name.len()));
    octets.extend(name.as_bytes());
    octets
}

/// Replaces the content of those sections for which there is another.
fn rewrite(binary: &[u8], mut replacement: impl FnMut(u8, &[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut rewritten = binary[..PREAMBLE_OCTETS].to_vec();
    for (number, content) in sections(binary) {
        rewritten.extend(section(number, replacement(number, content).as_deref().unwrap_or(content)));
    }
    rewritten
}

fn section(number: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![number];
    octets.extend(leb128(content.len()));
    octets.extend(content);
    octets
}

fn sections(binary: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = Reader(&binary[PREAMBLE_OCTETS..]);
    std::iter::from_fn(move || {
        (!rest.0.is_empty()).then(|| {
            let number = rest.octet();
            let length = rest.number();
            (number, rest.take(length))
        })
    })
}

fn content_of(module: &[u8], wanted: u8) -> Reader<'_> {
    Reader(sections(module).find(|(number, _)| *number == wanted).map_or(&[0], |(_, content)| content))
}

/// The number of an exported function among those that the module defines itself.
fn defined_function(module: &[u8], wanted: &str) -> Option<usize> {
    let mut exports = content_of(module, EXPORTS);
    for _ in 0..exports.number() {
        let length = exports.number();
        let (name, kind) = (exports.take(length), exports.octet());
        let index = exports.number();
        if kind == FUNCTION && name == wanted.as_bytes() {
            return Some(index - imported_functions(module));
        }
    }
    None
}

/// How many functions a module imports.
fn imported_functions(module: &[u8]) -> usize {
    imports(module).count()
}

fn imported_function(module: &[u8], interface: &str, function: &str) -> usize {
    let wanted = (interface.as_bytes(), function.as_bytes());
    imports(module).position(|import| import == wanted).unwrap_or_else(|| panic!("no import of {function}"))
}

/// The two names of each import. They are assumed to be functions all: the memory of a module is its own.
fn imports(module: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut imports = content_of(module, IMPORTS);
    let count = imports.number();
    (0..count).map(move |_| {
        let [interface, name] = [(); 2].map(|()| {
            let length = imports.number();
            imports.take(length)
        });
        assert_eq!(imports.octet(), FUNCTION);
        imports.number();
        (interface, name)
    })
}

/// Replaces the body of one function of a module.
fn with_body(module: &[u8], function: usize, instructions: &[u8]) -> Vec<u8> {
    rewrite(module, |number, content| {
        (number == CODE).then(|| {
            let mut bodies = Reader(content);
            let count = bodies.number();
            let mut code = leb128(count);
            for index in 0..count {
                let length = bodies.number();
                let body = bodies.take(length);
                // No local variables, the instructions, the end.
                let replaced = [&[0], instructions, &[0x0b]].concat();
                let body = if index == function { replaced.as_slice() } else { body };
                code.extend(leb128(body.len()));
                code.extend(body);
            }
            code
        })
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn take(&mut self, octets: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(octets);
        self.0 = rest;
        taken
    }

    /// An unsigned number in LEB128.
    fn number(&mut self) -> usize {
        let length = self.0.iter().position(|octet| octet & 0x80 == 0).unwrap() + 1;
        self.take(length).iter().rev().fold(0, |number, octet| (number << 7) | usize::from(octet & 0x7f))
    }
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            octets.push(low);
            return octets;
        }
        octets.push(low | 0x80);
    }
}
