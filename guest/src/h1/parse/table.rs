//! The table of the scan: what every octet does in every place of a head or trailer section.

use crate::abnf::{is_field_value_octet, is_tchar};
use crate::types::Misbehaviour;

/// What the scan expects next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// LF of the empty line that is skipped before a status line.
    LeadingLf,
    /// More of the reason phrase, or its end.
    Reason,
    /// LF of the status line.
    StatusLf,
    /// A field line, or the empty line.
    Start,
    /// More of a field name, or the colon.
    Name,
    /// The colon, behind whitespace.
    Colon,
    /// More of a field value, or its end.
    Value,
    /// LF of a field line.
    ValueLf,
    /// The end of a line that is left out.
    Skip,
    /// LF of a line that is left out.
    SkipLf,
    /// LF of the empty line.
    LastLf,
    /// An octet of the status line, up to the one behind the status code. Not in the table: see [`status_line_step`].
    #[default]
    StatusLine,
}

/// The octet classes of the table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class {
    /// `tchar`.
    Tchar,
    /// The colon.
    Colon,
    /// SP and HTAB.
    Space,
    /// What else may stand in a field value.
    Text,
    Cr,
    Lf,
    /// NUL: never left out with its line (RFC 9110 §5.5).
    Nul,
    /// Other control octets.
    Control,
}

/// What an octet does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Is taken; this is expected next.
    To(State),
    /// Begins a field line.
    Line,
    /// Whitespace begins a line: folding, or no field line.
    Fold,
    /// Whitespace ends a field name.
    Space,
    /// The colon ends a field name.
    Colon,
    /// Shows that this is no field line; if that is tolerated, this is expected next.
    Invalid(State),
    /// Is refused.
    Refuse(Misbehaviour),
    /// Is refused: another major version.
    Version,
    /// LF without CR.
    BareLf,
    EndLeading,
    EndStatusLine,
    EndLine,
    EndSkipped,
    EndSection,
}

/// What an octet of a [`Class`] does in a [`State`].
#[rustfmt::skip]
pub(super) static NEXT: [[Step; 8]; 11] = {
    use Misbehaviour::{InvalidFieldLine, InvalidFieldValue, InvalidLineEnding, InvalidStatusLine};
    use State::{LastLf, Name, Reason, Skip, SkipLf, StatusLf, Value, ValueLf};
    use Step::{BareLf, Colon, EndLeading, EndLine, EndSection, EndSkipped, EndStatusLine, Fold, Invalid, Line, Refuse, Space, To};
    const STATUS: Step = Refuse(InvalidStatusLine);
    const FIELD: Step = Refuse(InvalidFieldLine);
    const VALUE: Step = Refuse(InvalidFieldValue);
    const CR: Step = Refuse(InvalidLineEnding);
    const BAD: Step = Invalid(Skip);
    const END: Step = Invalid(SkipLf);
    [
//                  Tchar       Colon       Space           Text        Cr            Lf             Nul     Control
/* LeadingLf */    [CR,         CR,         CR,             CR,         CR,           EndLeading,    CR,     CR      ],
/* Reason    */    [To(Reason), To(Reason), To(Reason),     To(Reason), To(StatusLf), BareLf,        STATUS, STATUS  ],
/* StatusLf  */    [CR,         CR,         CR,             CR,         CR,           EndStatusLine, CR,     CR      ],
/* Start     */    [Line,       BAD,        Fold,           BAD,        To(LastLf),   BareLf,        FIELD,  BAD     ],
/* Name      */    [To(Name),   Colon,      Space,          BAD,        END,          BareLf,        FIELD,  BAD     ],
/* Colon     */    [BAD,        Colon,      To(State::Colon), BAD,      END,          BareLf,        FIELD,  BAD     ],
/* Value     */    [To(Value),  To(Value),  To(Value),      To(Value),  To(ValueLf),  BareLf,        VALUE,  BAD     ],
/* ValueLf   */    [CR,         CR,         CR,             CR,         CR,           EndLine,       CR,     CR      ],
/* Skip      */    [To(Skip),   To(Skip),   To(Skip),       To(Skip),   To(SkipLf),   BareLf,        FIELD,  To(Skip)],
/* SkipLf    */    [CR,         CR,         CR,             CR,         CR,           EndSkipped,    CR,     CR      ],
/* LastLf    */    [CR,         CR,         CR,             CR,         CR,           EndSection,    CR,     CR      ],
    ]
};

/// The class of every octet.
pub(super) static CLASSES: [Class; 256] = {
    let mut classes = [Class::Control; 256];
    let mut octet = 0_u8;
    loop {
        classes[octet as usize] = class_of(octet);
        if octet == u8::MAX {
            break classes;
        }
        octet += 1;
    }
};

const fn class_of(octet: u8) -> Class {
    match octet {
        b':' => Class::Colon,
        b' ' | b'\t' => Class::Space,
        b'\r' => Class::Cr,
        b'\n' => Class::Lf,
        0 => Class::Nul,
        _ if is_tchar(octet) => Class::Tchar,
        _ if is_field_value_octet(octet) => Class::Text,
        _ => Class::Control,
    }
}

/// What an octet of the status line does, at its offset in the line: as a pattern, `HTTP/1.` DIGIT SP 3DIGIT, then SP or the end.
///
/// Everything else is refused where it shows, so that a peer of another protocol is known by its first octet.
pub(super) fn status_line_step(offset: usize, octet: u8) -> Step {
    const NAME: &[u8] = b"HTTP/";
    let take = Step::To(State::StatusLine);
    match (offset, octet) {
        (0..=4, _) if NAME.get(offset) == Some(&octet) => take,
        (0..=4, _) => Step::Refuse(Misbehaviour::NotHttp),
        (5, b'1') | (6, b'.') | (7, b'0'..=b'9') | (8, b' ') => take,
        (5, b'0'..=b'9') => Step::Version,
        (9, b'1'..=b'9') | (10 | 11, b'0'..=b'9') => take,
        (9 | 12, b'0'..=b'9') => Step::Refuse(Misbehaviour::InvalidStatusCode),
        (12, b' ') => Step::To(State::Reason),
        // The grammar has a space here, but servers that have no reason phrase leave it out, and nobody is misled.
        (12, b'\r') => Step::To(State::StatusLf),
        (12, b'\n') => Step::BareLf,
        _ => Step::Refuse(Misbehaviour::InvalidStatusLine),
    }
}
