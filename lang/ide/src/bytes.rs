//! Places in one text.

/// Bytes of a text.
pub type Bytes = std::ops::Range<usize>;
