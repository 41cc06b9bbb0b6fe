//! The words of a text for the formatter, told apart by what the tree says about their place.

use crate::tree::{Kind, Tree};
use std::collections::BTreeMap;

/// What matters about a token for spacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    /// A name in an expression, whatever the word means elsewhere: a bracket right behind it is a call or an index.
    Name,
    Open,
    Close,
    Assign,
    Prefix,
    /// No blank on either side: `.`, `..`, the `<` of type arguments.
    Tight,
    /// No blank before: the `>` of type arguments.
    TightEnd,
    Comment,
    NewLine,
}

/// A token; `glued` when no blank stood before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    pub(super) glued: bool,
}

impl Token<'_> {
    /// Whether it is an operator or a separator, behind which a bracket opens a value and no call or index.
    pub(super) fn is_operator(&self) -> bool {
        !self.text.ends_with(|c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | ')' | ']' | '}')
        }) || matches!(self.text, "and" | "or" | "in" | "not" | "if" | "then" | "else")
    }
}

/// Whether a line that ends with this word goes on in the next.
pub(super) fn is_infix(word: &str) -> bool {
    matches!(
        word,
        "=" | "+"
            | "-"
            | "*"
            | "/"
            | "=="
            | "!="
            | "<"
            | "<="
            | ">"
            | ">="
            | "??"
            | "&&"
            | "||"
            | "and"
            | "or"
            | "in"
            | "then"
            | "else"
            | "|"
    )
}

/// Cuts a text that parsed without faults.
pub(super) fn tokenize<'a>(text: &'a str, tree: &Tree) -> Vec<Token<'a>> {
    let places = places(text, tree);
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut glued = false;
    while let Some(first) = text[at..].chars().next() {
        if first == '\n' {
            tokens.push(Token { kind: TokenKind::NewLine, text: "\n", glued: false });
            at += 1;
            glued = false;
            continue;
        }
        if matches!(first, ' ' | '\t' | '\r') {
            at += 1;
            glued = false;
            continue;
        }
        let (kind, end) = match places.get(&at) {
            Some((kind, end)) => (*kind, *end),
            None => plain(text, at, first),
        };
        let piece = &text[at..end];
        let piece = if kind == TokenKind::Comment { piece.trim_end() } else { piece };
        tokens.push(Token { kind, text: piece, glued });
        glued = true;
        at = end;
    }
    tokens
}

/// Tokens whose meaning only the tree knows, by where they start.
fn places(text: &str, tree: &Tree) -> BTreeMap<usize, (TokenKind, usize)> {
    let mut places = BTreeMap::new();
    for node in &tree.nodes {
        let (start, end) = (node.start as usize, node.end as usize);
        match node.kind {
            Kind::string => {
                places.entry(start).or_insert((TokenKind::Word, end));
            }
            Kind::name => {
                places.entry(start).or_insert((TokenKind::Name, end));
            }
            Kind::COMMENT => {
                places.insert(start, (TokenKind::Comment, end));
            }
            Kind::assign => {
                places.insert(start, (TokenKind::Assign, end));
            }
            Kind::op | Kind::number => {
                places.insert(start, (TokenKind::Word, end));
            }
            Kind::prefix | Kind::minus => {
                let word = text[start..end].trim_end();
                let kind = if word == "not" { TokenKind::Word } else { TokenKind::Prefix };
                places.insert(start, (kind, start + word.len()));
            }
            Kind::ty_args | Kind::ty_params => {
                places.insert(start, (TokenKind::Tight, start + 1));
                let close = text[start..end].trim_end().len() + start - 1;
                places.insert(close, (TokenKind::TightEnd, close + 1));
            }
            _ => {}
        }
    }
    places
}

fn plain(text: &str, at: usize, first: char) -> (TokenKind, usize) {
    let rest = &text[at..];
    match first {
        '{' | '[' | '(' => (TokenKind::Open, at + 1),
        '}' | ']' | ')' => (TokenKind::Close, at + 1),
        '.' if rest.starts_with("...") => (TokenKind::Word, at + 3),
        '?' if rest.starts_with("?.") => (TokenKind::Tight, at + 2),
        '.' => (TokenKind::Tight, at + if rest.starts_with("..") { 2 } else { 1 }),
        '-' if rest.starts_with("->") => (TokenKind::Word, at + 2),
        c if c.is_ascii_alphanumeric() || c == '_' => {
            let end =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (TokenKind::Word, at + end)
        }
        c => (TokenKind::Word, at + c.len_utf8()),
    }
}
