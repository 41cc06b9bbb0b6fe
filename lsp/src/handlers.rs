//! Requests: each is a short way from the protocol to `dax-ide` and back.

pub(crate) mod complete;
pub(crate) mod edits;
pub(crate) mod hover;
pub(crate) mod look;
pub(crate) mod navigate;
pub(crate) mod pull;
pub(crate) mod text;
pub(crate) mod tokens;
