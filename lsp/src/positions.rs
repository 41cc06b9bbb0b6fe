//! Positions of the protocol and bytes of a text.
//!
//! A client and the server agree on what a column counts: bytes, units of UTF-16, or characters. A position behind the end of
//! its line means that end, and a line behind the last one the end of the text, as the protocol has it.

use gen_lsp_types::{Position, PositionEncodingKind, Range};
use line_index::{LineIndex, TextSize};
use std::sync::Arc;

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16,
    Utf32,
}

impl Encoding {
    /// The best of what a client knows: bytes, which need no conversion. One that says nothing counts in UTF-16.
    pub(crate) fn agreed(offered: Option<&[PositionEncodingKind]>) -> Self {
        let offered = offered.unwrap_or_default();
        match () {
            () if offered.contains(&PositionEncodingKind::UTF8) => Self::Utf8,
            () if offered.contains(&PositionEncodingKind::UTF32) => Self::Utf32,
            () => Self::Utf16,
        }
    }

    pub(crate) const fn name(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// A text that knows its lines.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) text: Arc<str>,
    lines: Arc<LineIndex>,
}

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.into(), lines: Arc::new(LineIndex::new(text)) }
    }

    /// The byte that a position means.
    pub(crate) fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let Some(range) = self.lines.line(position.line) else { return self.text.len() };
        let (start, end) = (usize::from(range.start()), usize::from(range.end()));
        let line = self.text.get(start..end).unwrap_or_default();
        let line =
            line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        let mut left = position.character as usize;
        for (at, c) in line.char_indices() {
            let width = encoding.width(c);
            if left < width {
                return start + at;
            }
            left -= width;
        }
        start + line.len()
    }

    /// The position of a byte.
    pub(crate) fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let at = self.lines.line_col(TextSize::new(u32::try_from(offset).unwrap_or(u32::MAX)));
        let start = offset - at.col as usize;
        let before = self.text.get(start..offset).unwrap_or_default();
        let column: usize = before.chars().map(|c| encoding.width(c)).sum();
        Position { line: at.line, character: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    /// The range of some bytes.
    pub(crate) fn range(&self, bytes: &std::ops::Range<usize>, encoding: Encoding) -> Range {
        Range {
            start: self.position(bytes.start, encoding),
            end: self.position(bytes.end, encoding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_as_was_agreed_and_positions_behind_the_end_mean_it() {
        let text = Text::new("a = \"🦀ä\"\r\nb\n");
        let at = text.text.find('ä').unwrap();
        let columns = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32].map(|encoding| {
            let position = text.position(at, encoding);
            assert_eq!(text.offset(position, encoding), at);
            position.character
        });
        assert_eq!(columns, [9, 7, 6]);
        let offset = |line, character| text.offset(Position { line, character }, Encoding::Utf16);
        assert_eq!(
            (offset(0, 99), offset(1, 99), offset(9, 0)),
            (text.text.find('\r').unwrap(), text.text.len() - 1, text.text.len())
        );
        // In the middle of a pair: the character itself.
        assert_eq!(offset(0, 6), text.text.find('🦀').unwrap());
    }

    #[test]
    fn the_best_encoding_that_both_know_is_agreed_upon() {
        assert_eq!(Encoding::agreed(None), Encoding::Utf16);
        assert_eq!(
            Encoding::agreed(Some(&[PositionEncodingKind::UTF16, PositionEncodingKind::UTF8])),
            Encoding::Utf8
        );
        assert_eq!(Encoding::agreed(Some(&[PositionEncodingKind::UTF32])), Encoding::Utf32);
    }
}
