//! The tree that every target renders; every text in it is printable by its type.

use dax_core::printable;

/// The meaning of a piece of text; targets choose how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// Something new.
    Add,
    /// Something that goes.
    Remove,
    /// Something that changes.
    Change,
    /// Something that deserves a second look.
    Warn,
    /// Background.
    Dim,
    /// Something that leads.
    Strong,
}

/// A run of text of one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its meaning.
    pub tone: Tone,
    /// The text.
    pub text: printable::Line,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Levels of indentation.
    pub indent: usize,
    /// Its text.
    pub pieces: Vec<Piece>,
    /// True for the first line of a changed field; further lines of the field stand deeper.
    pub field: bool,
    /// True for a line that is shown however short its section has to be.
    pub vital: bool,
}

/// A part of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading: its level from one, and its text.
    Heading(usize, Line),
    /// Lines that belong together.
    Lines(Vec<Line>),
    /// A table: heads and rows.
    Table(Vec<&'static str>, Vec<Vec<printable::Line>>),
    /// A part that can be folded away.
    Section(Section),
    /// A picture in SVG, for targets that show one.
    Picture(String),
    /// A drawing with its table, for targets that show one.
    Chart(Chart),
}

/// A part of the page that can be folded away.
///
/// In a short budget its steps go first, then its body shows as many fields as fit, then it shares
/// a line with those that do the same, which says what decides about them; its name goes last, and
/// that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its subject.
    pub head: Line,
    /// Its content.
    pub body: Vec<Block>,
    /// The steps that do it.
    pub steps: Option<Steps>,
    /// The group in which it shares a line; nothing where it is one of its kind.
    pub group: Option<Group>,
    /// Its weight for a reviewer: of two, the one with less is shortened first.
    pub weight: u32,
}

/// The steps of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Their number, in a few words.
    pub head: Line,
    /// The steps.
    pub lines: Vec<Line>,
}

/// The group of sections that do the same and may share a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The words for what all of them do: `- delete`, `~ roll out, image 1 → 2`.
    pub what: printable::Line,
    /// The name of this one.
    pub name: printable::Line,
}

/// A drawing with the same as a table, for those who do not see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// The drawing, by this crate alone: an SVG element.
    pub svg: String,
    /// Heads of the table.
    pub heads: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<printable::Line>>,
}

impl Line {
    /// A line without text.
    pub fn at(indent: usize) -> Self {
        Self { indent, ..Self::default() }
    }

    /// The same line as the first one of a changed field.
    #[must_use]
    pub fn of_field(self) -> Self {
        Self { field: true, ..self }
    }

    /// The same line as one that is shown in any case.
    #[must_use]
    pub fn vital(self) -> Self {
        Self { vital: true, ..self }
    }

    /// Adds text.
    #[must_use]
    pub fn with(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.pieces.push(Piece { tone, text: text.as_ref().into() });
        self
    }

    /// Its text without tones.
    pub fn plain(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }
}

/// The rows of a table from texts of any kind.
pub fn rows(rows: &[Vec<String>]) -> Vec<Vec<printable::Line>> {
    let cells = |row: &Vec<String>| row.iter().map(|cell| cell.as_str().into()).collect();
    rows.iter().map(cells).collect()
}
