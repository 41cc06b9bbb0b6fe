//! Markdown as GitHub, GitLab and Bitbucket read it.
//!
//! Lines of changes stand in `diff` fences whose fence is longer than any run of backticks inside; everything
//! outside of fences is escaped. A text that is too long loses whole sections, those of least weight first, and
//! says so: nothing is ever cut inside a fence, a tag or a character.

use crate::tree::{Block, Line, Section, Tone};
use dax_core::printable;
use std::fmt::Write;

/// Whose Markdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// GitHub: folds, comments of at most 65,536 characters.
    GitHub,
    /// GitLab: folds, notes of at most 1,000,000 characters.
    GitLab,
    /// Bitbucket: no HTML, so nothing folds; comments of at most 32,768 characters.
    Bitbucket,
}

impl Flavour {
    /// Bytes that fit where the text goes, with some room for what stands around it.
    pub const fn budget(self) -> usize {
        match self {
            Self::GitHub => 60_000,
            Self::GitLab => 900_000,
            Self::Bitbucket => 30_000,
        }
    }

    const fn folds(self) -> bool {
        !matches!(self, Self::Bitbucket)
    }
}

/// What nobody sees, and what parts that are read as one no longer are.
const BETWEEN: &str = "&#8203;";

/// Room for what is said of what was left out.
const REMARK: usize = 400;

/// Renders as Markdown of at most so many bytes.
pub fn markdown(blocks: &[Block], flavour: Flavour, budget: usize) -> String {
    let of = |parts: &[Part]| -> usize {
        parts.iter().filter(|part| part.weight.is_none()).map(|part| part.text.len()).sum()
    };
    let mut parts: Vec<Part> = blocks.iter().map(|block| Part::of(block, flavour)).collect();
    let mut fixed = of(&parts);
    if fixed > budget.saturating_sub(REMARK) {
        // What is always there is too long already: lists of conditions, or one line about ten thousand services.
        parts = blocks.iter().map(|block| Part::of(&shortened(block), flavour)).collect();
        fixed = of(&parts);
    }
    let mut shown: Vec<Shown> = parts.iter().map(|_| Shown::Whole).collect();
    let mut size: usize = parts.iter().map(|part| part.text.len()).sum();
    let mut sections: Vec<usize> =
        (0..parts.len()).filter(|at| parts[*at].weight.is_some()).collect();
    // Of equal weight the later one goes first.
    sections.sort_by_key(|at| (parts[*at].weight, std::cmp::Reverse(*at)));
    let room = budget.saturating_sub(REMARK).max(fixed);
    let steps = [(Shown::Whole, Shown::Head), (Shown::Head, Shown::Nothing)];
    for (from, to) in steps {
        for at in &sections {
            if size <= room {
                break;
            }
            size -= parts[*at].size(from) - parts[*at].size(to);
            shown[*at] = to;
        }
    }
    let mut out = String::new();
    for (part, shown) in parts.iter().zip(&shown) {
        out.push_str(match shown {
            Shown::Whole => &part.text,
            Shown::Head => &part.head,
            Shown::Nothing => "",
        });
    }
    let count = |wanted: Shown| shown.iter().filter(|shown| **shown == wanted).count();
    let (folded, gone) = (count(Shown::Head), count(Shown::Nothing));
    if folded + gone > 0 {
        let _ = writeln!(
            out,
            "\n_This is not all: {folded} of the less risky changes are shown without their details and {gone} not at all. \
             `dax show` of the saved plan has everything._"
        );
    }
    out
}

/// Lines of a list that is too long.
const LINES: usize = 15;
/// Characters of a line that is too long.
const CHARACTERS: usize = 300;

/// The beginning of a list that is too long, and how much more there is.
fn shortened(block: &Block) -> Block {
    let Block::Lines(lines) = block else { return block.clone() };
    let mut kept: Vec<Line> = lines.iter().take(LINES).map(short_line).collect();
    if lines.len() > LINES {
        kept.push(
            Line::at(0).with(Tone::Warn, format!("… and {} lines more", lines.len() - LINES)),
        );
    }
    Block::Lines(kept)
}

fn short_line(line: &Line) -> Line {
    let mut left = CHARACTERS;
    let mut kept = Line::at(line.indent);
    for piece in &line.pieces {
        let text: String = piece.text.as_str().chars().take(left).collect();
        let cut = text.len() < piece.text.as_str().len();
        left -= text.chars().count();
        kept = kept.with(piece.tone, text);
        if cut {
            return kept.with(Tone::Warn, " …");
        }
    }
    kept
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Whole,
    Head,
    Nothing,
}

/// A block as text: whole, and by its head alone.
struct Part {
    text: String,
    head: String,
    weight: Option<u32>,
}

impl Part {
    fn of(block: &Block, flavour: Flavour) -> Self {
        let mut text = String::new();
        write_block(&mut text, block, flavour);
        match block {
            Block::Section(section) => Self {
                text,
                head: format!("- {}\n", escape(&section.head.plain())),
                weight: Some(section.weight),
            },
            _ => Self { text, head: String::new(), weight: None },
        }
    }

    fn size(&self, shown: Shown) -> usize {
        match shown {
            Shown::Whole => self.text.len(),
            Shown::Head => self.head.len(),
            Shown::Nothing => 0,
        }
    }
}

fn write_block(out: &mut String, block: &Block, flavour: Flavour) {
    match block {
        Block::Heading(level, line) => {
            let _ = writeln!(out, "{} {}\n", "#".repeat(level + 1), escape(&line.plain()));
        }
        Block::Lines(lines) => fence(out, lines),
        Block::Table(heads, rows) => {
            let _ = writeln!(out, "| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()));
            for row in rows {
                let cells: Vec<String> = row.iter().map(|cell| escape(cell.as_str())).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
            out.push('\n');
        }
        Block::Section(section) => write_section(out, section, flavour),
        Block::Picture(_) => {}
    }
}

fn write_section(out: &mut String, section: &Section, flavour: Flavour) {
    let head = escape(&section.head.plain());
    if flavour.folds() {
        let _ = writeln!(out, "<details open><summary>{head}</summary>\n");
    } else {
        let _ = writeln!(out, "### {head}\n");
    }
    section.body.iter().for_each(|block| write_block(out, block, flavour));
    if flavour.folds() {
        out.push_str("</details>\n\n");
    }
}

fn fence(out: &mut String, lines: &[Line]) {
    let text: Vec<String> = lines.iter().map(diff_line).collect();
    let longest =
        text.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "{fence}diff\n{}\n{fence}\n", text.join("\n"));
}

/// A line with the mark that `diff` fences colour in its first column.
fn diff_line(line: &Line) -> String {
    let mark = match line.pieces.first().map(|piece| piece.tone) {
        Some(Tone::Add) => "+",
        Some(Tone::Remove) => "-",
        Some(Tone::Change | Tone::Warn) => "!",
        _ => " ",
    };
    // The mark of the text itself is the same one for terminals, which colour by it and have no first column.
    let text = line.plain();
    let own = match mark {
        "!" => "~ ",
        "+" => "+ ",
        "-" => "- ",
        _ => "",
    };
    let text = text.strip_prefix(own).unwrap_or(&text);
    format!("{mark} {}{text}", "  ".repeat(line.indent))
}

/// Printable text that means itself in Markdown: no markup, no HTML, no mention, no link.
///
/// Mentions, references and bare addresses are looked for in what was rendered, where a character that is written as an
/// entity is that character again; so nothing but something between their characters keeps them from being found.
pub fn escape(text: &str) -> String {
    let text = printable::Text::new(text);
    let mut out = String::with_capacity(text.as_str().len());
    let mut chars = text.as_str().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '@' | '#' => {
                out.push(c);
                out.push_str(BETWEEN);
            }
            ':' if chars.peek() == Some(&'/') => {
                out.push(':');
                out.push_str(BETWEEN);
            }
            '.' if out.ends_with("www") => {
                out.push_str(BETWEEN);
                out.push('.');
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
