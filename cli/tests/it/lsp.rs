//! The language server as a process.

mod editor;
mod editors;
mod markers;
mod session;
