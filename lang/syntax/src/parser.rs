//! Lowers the lossless tree of each item to the typed syntax tree.
//!
//! Invariant: a node that could not be lowered has left a diagnostic, so a file without diagnostics is whole.

mod advice;
mod expr;
mod fast;
mod faults;
mod items;
mod literal;
mod types;

pub use faults::CODES;

use crate::ast::{File, Ident, Item};
use crate::hidden;
use crate::split::{self, Chunk};
use crate::tree::{Kind, Tree};
use dax_core::{Diagnostic, FileId, Name, Span};

/// Parses a whole text; every fault is one diagnostic, in source order.
pub fn parse(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    parse_by(file, text, fast::item)
}

/// Parses a whole text by the grammar alone, the reference that [`parse`] is held against.
pub fn parse_by_grammar(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    parse_by(file, text, |_, _, _| None)
}

fn parse_by(
    file: FileId,
    text: &str,
    short_way: fn(FileId, &str, &Chunk) -> Option<Item>,
) -> (File, Vec<Diagnostic>) {
    let mut items = Vec::new();
    let mut diagnostics = Vec::new();
    for chunk in split::split(text) {
        if let Some(item) = short_way(file, text, &chunk) {
            items.push(item);
            continue;
        }
        let tree = Tree::parse(text, &chunk);
        let mut lower = Lower { file, text, chunk, tree: &tree, diagnostics: &mut diagnostics };
        items.extend(lower.chunk());
    }
    hidden::check(file, text, &mut diagnostics);
    dax_core::diagnostic::sort(&mut diagnostics);
    (File { id: file, items }, diagnostics)
}

/// The lowering of one chunk.
struct Lower<'a> {
    file: FileId,
    text: &'a str,
    chunk: Chunk,
    tree: &'a Tree,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Lower<'a> {
    fn kind(&self, node: usize) -> Kind {
        self.tree.nodes[node].kind
    }

    /// The place of a node without the blanks and comments that the grammar took with it.
    fn span(&self, node: usize) -> Span {
        let at = self.tree.nodes[node];
        let text = self.slice(node);
        let mut length = text.trim_end_matches([' ', '\t', '\r', '\n']).len();
        for inner in self.tree.nodes[node + 1..at.next as usize].iter().rev() {
            // A comment may itself end in the `\r` of its line.
            let said = &text[(inner.start - at.start) as usize..(inner.end - at.start) as usize];
            let end =
                (inner.start - at.start) as usize + said.trim_end_matches([' ', '\t', '\r']).len();
            if inner.kind != Kind::COMMENT || end != length {
                break;
            }
            length = text[..(inner.start - at.start) as usize]
                .trim_end_matches([' ', '\t', '\r', '\n'])
                .len();
        }
        let base = u32::try_from(self.chunk.start).unwrap_or(u32::MAX);
        let end = at.start + u32::try_from(length).unwrap_or(0);
        Span { file: self.file, start: base + at.start, end: base + end }
    }

    fn slice(&self, node: usize) -> &'a str {
        let at = self.tree.nodes[node];
        &self.text[self.chunk.start + at.start as usize..self.chunk.start + at.end as usize]
    }

    fn children(&self, node: usize) -> std::vec::IntoIter<usize> {
        self.tree.children(node).collect::<Vec<_>>().into_iter()
    }

    /// The first child of one of these kinds.
    fn child(&self, node: usize, kind: Kind) -> Option<usize> {
        self.tree.children(node).find(|child| self.kind(*child) == kind)
    }

    fn ident(&self, node: usize) -> Ident {
        Ident { name: Name::new(self.slice(node)), span: self.span(node) }
    }

    fn path(&self, node: usize) -> Vec<Ident> {
        self.tree.children(node).map(|child| self.ident(child)).collect()
    }

    fn doc_above(&self, node: usize) -> Option<Box<str>> {
        doc_above(
            self.text,
            self.chunk.start,
            self.chunk.start + self.tree.nodes[node].start as usize,
        )
    }
}

/// The text of the `##` lines that stand directly above a byte, inside its chunk.
fn doc_above(text: &str, chunk_start: usize, start: usize) -> Option<Box<str>> {
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let mut lines: Vec<&str> = text[chunk_start.min(line_start)..line_start]
        .lines()
        .rev()
        .map_while(|line| line.trim_start().strip_prefix("##"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n").into_boxed_str())
}
