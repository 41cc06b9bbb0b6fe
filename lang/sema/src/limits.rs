//! How large values may become.

/// Longest text that a function may make, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// Elements that one list or map may hold.
pub(crate) const MAX_ELEMENTS: usize = 1_000_000;
