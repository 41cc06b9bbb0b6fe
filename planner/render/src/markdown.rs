//! Markdown as GitHub, GitLab and Bitbucket read it.
//!
//! Lines of changes stand in `diff` fences whose fence is longer than any run of backticks inside;
//! everything outside of fences is escaped. A text that is too long loses steps first, then leaves,
//! then equal changes share a line, and it says so: nothing is ever cut inside a fence, a tag or a
//! character.

mod fit;

pub use fit::{Cut, Fitted, fitted, markdown};

use crate::tree::{Block, Line, Section, Steps, Tone};
use dax_core::printable;
use std::fmt::Write;

/// A dialect of Markdown, by the code host that reads it.
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

/// An invisible character that keeps two parts from being read as one.
const BETWEEN: &str = "&#8203;";

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
        Block::Section(section) => write_section(out, section, flavour, true),
        Block::Picture(_) | Block::Chart(_) => {}
    }
}

/// A section; its steps are folded away where that can be.
fn write_section(out: &mut String, section: &Section, flavour: Flavour, open: bool) {
    if section.body.is_empty() && section.steps.is_none() {
        let _ = writeln!(out, "- {}\n", escape(&section.head.plain()));
        return;
    }
    if flavour.folds() {
        let head = escape_html(&section.head.plain());
        let open = if open { " open" } else { "" };
        let _ = writeln!(out, "<details{open}><summary>{head}</summary>\n");
    } else {
        let _ = writeln!(out, "### {}\n", escape(&section.head.plain()));
    }
    section.body.iter().for_each(|block| write_block(out, block, flavour));
    section.steps.iter().for_each(|steps| write_steps(out, steps, flavour));
    if flavour.folds() {
        out.push_str("</details>\n\n");
    }
}

fn write_steps(out: &mut String, steps: &Steps, flavour: Flavour) {
    // A single line says as much as a fold would.
    if flavour.folds() && steps.lines.len() > 1 {
        let head = escape_html(&steps.head.plain());
        let _ = writeln!(out, "<details><summary>{head}</summary>\n");
        fence(out, &steps.lines);
        out.push_str("</details>\n\n");
    } else {
        fence(out, &steps.lines);
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
        Some(Tone::Warn) => "!",
        _ => " ",
    };
    // The mark of the text itself is the same one for terminals, which colour by it and have no
    // first column.
    let text = line.plain();
    let own: &[&str] = match mark {
        "!" => &["! "],
        "+" => &["+ "],
        "-" => &["- ", "! "],
        _ => &[],
    };
    let text = own.iter().find_map(|own| text.strip_prefix(own)).unwrap_or(&text);
    format!("{mark} {}{text}", "  ".repeat(line.indent))
}

/// Printable text that means itself in a block of HTML, where Markdown's own escapes are not read.
fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut escapes = escape(text);
    escapes.push(' ');
    let mut chars = escapes.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => {
                out.extend(chars.next());
            }
            _ => out.push(c),
        }
    }
    out.pop();
    out
}

/// Printable text that means itself in Markdown: no markup, no HTML, no mention, no link.
///
/// Mentions, references and bare addresses are looked for in what was rendered, where a character
/// that is written as an entity is that character again; so nothing but something between their
/// characters keeps them from being found.
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
