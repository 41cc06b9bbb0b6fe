//! Places in one text.

/// Bytes of a text.
pub type Bytes = std::ops::Range<usize>;

/// Whether a character can be a part of a name.
pub(crate) const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
