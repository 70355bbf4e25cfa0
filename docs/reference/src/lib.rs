//! Writes what is said of the programs from the programs themselves, so that it is never another thing than they do. It
//! knows what their libraries tell of themselves, and nothing of how they are packed. The same tree gives the same bytes:
//! no date, no host.

mod completions;
pub mod configuration;
mod error;
mod man;
mod programs;

pub mod cli;

pub use error::Error;
