//! Options that are one list together, in the order of the command line.

use clap::ArgMatches;

/// The values of several options, each list with the name that the grammar has for it, in the order in which they were given.
pub(super) fn in_order<T>(matches: &ArgMatches, lists: impl IntoIterator<Item = (&'static str, Vec<T>)>) -> Vec<T> {
    let mut all: Vec<(usize, T)> = Vec::new();
    for (name, values) in lists {
        all.extend(matches.indices_of(name).into_iter().flatten().zip(values));
    }
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, value)| value).collect()
}

/// Implements the traits of clap for a list whose options `$options` describes. `$collect` makes the list from them.
macro_rules! in_order_of {
    ($list:ty, $options:ty, $collect:expr) => {
        impl clap::FromArgMatches for $list {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                let collect: fn(&clap::ArgMatches, $options) -> Self = $collect;
                <$options as clap::FromArgMatches>::from_arg_matches(matches).map(|options| collect(matches, options))
            }

            fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
                Self::from_arg_matches(matches).map(|list| *self = list)
            }
        }

        impl clap::Args for $list {
            fn augment_args(command: clap::Command) -> clap::Command {
                <$options as clap::Args>::augment_args(command)
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                <$options as clap::Args>::augment_args_for_update(command)
            }
        }
    };
}
pub(super) use in_order_of;
