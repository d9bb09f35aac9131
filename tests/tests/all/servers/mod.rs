//! Real servers, through the component.

mod capabilities;
mod nginx;
mod reloading;
