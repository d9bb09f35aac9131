//! State machines as two-dimensional tables: a row per state, a column per input.

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
