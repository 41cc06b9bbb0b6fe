//! Positions in source text: files by number, spans by byte, lines and columns only when shown.
//!
//! Invariant: a [`FileId`] is an index into the [`Sources`] that handed it out.

use line_index::{LineIndex, TextSize};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// A file of one [`Sources`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct FileId(pub u32);

/// Bytes `start..end` of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that covers both; `self` when they lie in different files.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span at the end of this one.
    #[must_use]
    pub fn end_point(self) -> Self {
        Self { start: self.end, ..self }
    }
}

/// Line and column, both counted from one; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

#[derive(Debug)]
struct SourceFile {
    name: Arc<str>,
    text: Arc<str>,
    lines: OnceLock<LineIndex>,
}

/// The texts of one run, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a text under the name that messages show.
    pub fn add(&mut self, name: &str, text: Arc<str>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("fewer than 2^32 files"));
        self.files.push(SourceFile { name: name.into(), text, lines: OnceLock::new() });
        id
    }

    /// Puts another text in place of a file's.
    pub fn replace(&mut self, file: FileId, text: Arc<str>) {
        if let Some(source) = self.files.get_mut(file.0 as usize) {
            source.text = text;
            source.lines = OnceLock::new();
        }
    }

    /// The file with a name.
    pub fn find(&self, name: &str) -> Option<FileId> {
        let at = self.files.iter().position(|file| &*file.name == name)?;
        u32::try_from(at).ok().map(FileId)
    }

    /// The name that messages show; empty for a file of another run.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |f| &f.name)
    }

    /// The text; empty for a file of another run.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |f| &f.text)
    }

    /// The bytes of a span, or nothing when it does not fit its file.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// All files in order.
    pub fn ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..u32::try_from(self.files.len()).unwrap_or(u32::MAX)).map(FileId)
    }

    /// Where a byte stands.
    pub fn line_column(&self, file: FileId, offset: u32) -> LineColumn {
        let Some(source) = self.files.get(file.0 as usize) else {
            return LineColumn { line: 1, column: 1 };
        };
        let index = source.lines.get_or_init(|| LineIndex::new(&source.text));
        let offset = (offset as usize).min(source.text.len());
        let at = index.line_col(TextSize::new(u32::try_from(offset).unwrap_or(u32::MAX)));
        let line_start = offset - at.col as usize;
        let column =
            source.text.get(line_start..offset).map_or(at.col as usize, |s| s.chars().count());
        LineColumn {
            line: at.line + 1,
            column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    /// `file:line:column` of where a span starts.
    pub fn location(&self, span: Span) -> String {
        let at = self.line_column(span.file, span.start);
        format!("{}:{}:{}", self.name(span.file), at.line, at.column)
    }
}
