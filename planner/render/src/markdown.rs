//! Markdown as GitHub, GitLab and Bitbucket read it.
//!
//! Lines of changes stand in `diff` fences whose fence is longer than any run of backticks inside; everything
//! outside of fences is escaped.

use crate::tree::{Block, Line, Tone};
use std::fmt::Write;

/// Renders as Markdown.
pub fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        match block {
            Block::Heading(level, line) => {
                let _ = writeln!(out, "{} {}\n", "#".repeat(level + 1), escape(&line.plain()));
            }
            Block::Lines(lines) => fence(&mut out, lines),
            Block::Table(heads, rows) => {
                let _ = writeln!(out, "| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()));
                for row in rows {
                    let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
                    let _ = writeln!(out, "| {} |", cells.join(" | "));
                }
                out.push('\n');
            }
        }
    }
    out
}

fn fence(out: &mut String, lines: &[Line]) {
    let text: Vec<String> = lines.iter().map(diff_line).collect();
    let longest = text.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
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
    format!("{mark}{}{}", "  ".repeat(line.indent), line.plain())
}

/// Text that means itself in Markdown: no markup, no HTML, no mention, no link.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
