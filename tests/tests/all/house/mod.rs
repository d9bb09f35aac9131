//! The house itself: its shape, documents that name what exists, and what the built component imports and weighs.

mod circles;
mod component;
mod documents;
mod imports;
mod order;
mod prose;
mod seam;
mod shape;
mod snippets;
mod sources;
mod states;
