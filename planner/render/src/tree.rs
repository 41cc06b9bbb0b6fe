//! The tree that every target renders.

/// What a piece of text means; targets choose how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// What comes.
    Add,
    /// What goes.
    Remove,
    /// What changes.
    Change,
    /// What deserves a second look.
    Warn,
    /// What stands in the background.
    Dim,
    /// What leads.
    Strong,
}

/// A run of text of one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How it is meant.
    pub tone: Tone,
    /// The text, neutralised.
    pub text: String,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Levels of indentation.
    pub indent: usize,
    /// Its text.
    pub pieces: Vec<Piece>,
}

/// A part of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading: its level from one, and its text.
    Heading(usize, Line),
    /// Lines that belong together.
    Lines(Vec<Line>),
    /// A table: heads and rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// What can be folded away.
    Section(Section),
    /// A picture in SVG, for targets that show one.
    Picture(String),
}

/// A part of the page that can be folded away, or left out where there is no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub head: Line,
    /// What it says.
    pub body: Vec<Block>,
    /// How much a reviewer would miss it: of two, the one with less goes first.
    pub weight: u32,
}

impl Line {
    /// A line without text.
    pub fn at(indent: usize) -> Self {
        Self { indent, pieces: Vec::new() }
    }

    /// Adds text.
    #[must_use]
    pub fn with(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.pieces.push(Piece { tone, text: neutral(text.as_ref()) });
        self
    }

    /// Its text without tones.
    pub fn plain(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }
}

/// Text without what could act on a terminal or turn the reading order: each such character becomes its escape.
pub(crate) fn neutral(text: &str) -> String {
    let hostile = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(hostile) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if hostile(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}
