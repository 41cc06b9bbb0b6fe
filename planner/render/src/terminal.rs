//! The terminal: ANSI colours when asked for; it reads the same without.

use crate::tree::{Block, Line, Tone};
use dax_core::printable;
use std::fmt::Write;

const RESET: &str = "\x1b[0m";
/// Looks like a blank and is none of its category.
const BLANK_BRAILLE: char = '\u{2800}';

const fn code(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Add => "\x1b[32m",
        Tone::Remove => "\x1b[31m",
        Tone::Change => "\x1b[33m",
        Tone::Warn => "\x1b[1;33m",
        Tone::Dim => "\x1b[2m",
        Tone::Strong => "\x1b[1m",
    }
}

/// Renders for a terminal.
pub fn terminal(blocks: &[Block], colour: bool) -> String {
    let mut out = String::new();
    write_blocks(&mut out, blocks, colour);
    out
}

fn write_blocks(out: &mut String, blocks: &[Block], colour: bool) {
    let mut section = false;
    for block in blocks {
        let apart = matches!(block, Block::Heading(..) | Block::Table(..) | Block::Section(_));
        if !out.is_empty() && (apart || std::mem::take(&mut section)) {
            out.push('\n');
        }
        match block {
            Block::Section(one) => {
                section = true;
                write_line(out, &one.head, colour);
                write_blocks(out, &one.body, colour);
                let steps = one.steps.iter().flat_map(|steps| &steps.lines);
                steps.for_each(|line| write_line(out, line, colour));
            }
            Block::Picture(_) | Block::Chart(_) => {}
            Block::Heading(_, line) => write_line(out, line, colour),
            Block::Lines(lines) => lines.iter().for_each(|line| write_line(out, line, colour)),
            Block::Table(heads, rows) => table(out, heads, rows),
        }
    }
}

fn write_line(out: &mut String, line: &Line, colour: bool) {
    for _ in 0..line.indent {
        out.push_str("  ");
    }
    for piece in &line.pieces {
        match (colour, code(piece.tone)) {
            (true, code) if !code.is_empty() => {
                let _ = write!(out, "{code}{}{RESET}", piece.text);
            }
            _ => out.push_str(piece.text.as_str()),
        }
    }
    out.push('\n');
}

/// Columns stand two blanks apart, and no cell holds two blanks in a row: what a cell says is never
/// read as another.
fn table(out: &mut String, heads: &[&str], rows: &[Vec<printable::Line>]) {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(single_spaced).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    for row in std::iter::once(&heads).chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str("  ");
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
}

/// A cell whose blanks are single ones between words; others become escapes.
fn single_spaced(cell: &printable::Line) -> String {
    let mut out = String::with_capacity(cell.as_str().len());
    let mut blank = true;
    let mut chars = cell.as_str().chars().peekable();
    while let Some(c) = chars.next() {
        let single = c == ' ' && !blank && chars.peek().is_some();
        if (c.is_whitespace() || c == BLANK_BRAILLE) && !single {
            out.extend(c.escape_unicode());
            blank = false;
        } else {
            out.push(c);
            blank = c == ' ';
        }
    }
    out
}
