//! The language server as a process.

mod editor;
mod markers;
mod session;
