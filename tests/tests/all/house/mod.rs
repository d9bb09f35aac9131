//! The house itself: documents that name what exists, and what the built component imports and weighs.

mod component;
mod documents;
