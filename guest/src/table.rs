//! State machines as two-dimensional tables: a row per state, a column per input.

/// An input that a table does not have: a broken invariant. It ends the connection with `internal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Illegal;

impl Illegal {
    /// Where a table has no step. The core's own tests stop here.
    #[track_caller]
    pub(crate) fn step() -> Illegal {
        debug_assert!(false, "an input that the table does not have");
        Illegal
    }
}

/// Declares an enum that can index a table, in the order of its variants.
macro_rules! table_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// All of them, in the order of the table.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];
        }
    };
}
pub(crate) use table_enum;
