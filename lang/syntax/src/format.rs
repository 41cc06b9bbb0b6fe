//! The one canonical form of a text.
//!
//! Line breaks stay where the author put them; indentation, spacing, alignment of `=`, blank lines and
//! separators are settled here. An item that does not parse is left as it is, so nothing is ever lost.
//! Invariant: formatting twice gives the same text, and the formatted text has the same syntax tree.

mod tokens;

use crate::split;
use crate::tree::{Kind, Tree};
use tokens::{Token, TokenKind};

/// The mark that some editors put at the start of a file; it says nothing in UTF-8.
const MARK: char = '\u{feff}';

/// Formats a whole text; its lines end as the first of them does, and a byte order mark goes.
pub fn format(text: &str) -> String {
    let text = text.trim_start_matches(MARK);
    let Some(first) = text.find('\n').filter(|_| text.contains("\r\n")) else {
        return format_lines(text);
    };
    let wide = text[..first].ends_with('\r');
    let mut plain = text.replace("\r\n", "\n");
    while plain.contains("\r\n") {
        plain = plain.replace("\r\n", "\n");
    }
    let formatted = format_lines(&plain);
    if wide { formatted.replace('\n', "\r\n") } else { formatted }
}

/// Formats a text whose lines end in `\n`.
fn format_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in split::split(text) {
        let tree = Tree::parse(text, &chunk);
        let source = &text[chunk.start..chunk.end];
        if tree.nodes.iter().any(|node| is_fault(node.kind)) || is_malformed(source, &tree) {
            out.push_str(source);
        } else {
            let tokens = tokens::tokenize(source, &tree);
            write_lines(&mut out, &lines(&tokens));
        }
    }
    let trimmed = out.trim_end_matches('\n').len();
    out.truncate(trimmed);
    if !out.is_empty() {
        out.push('\n');
    }
    let leading = out.len() - out.trim_start_matches('\n').len();
    out.drain(..leading);
    // What stood behind a mark starts a line now, and is perhaps an item.
    if out.starts_with(MARK) { format(&out) } else { out }
}

fn is_fault(kind: Kind) -> bool {
    matches!(kind, Kind::bad_item | Kind::bad_member | Kind::stray | Kind::no_close)
}

/// Whether an item says `fn` or `type` and is neither, so that it was taken for a command.
fn is_malformed(source: &str, tree: &Tree) -> bool {
    let command = tree
        .nodes
        .iter()
        .find(|node| !matches!(node.kind, Kind::chunk | Kind::COMMENT))
        .filter(|node| node.kind == Kind::cmd);
    let word = command.map_or("", |node| {
        source[node.start as usize..]
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap_or("")
    });
    matches!(word, "fn" | "type")
}

/// A line with its indentation and the place of the `=` that may be aligned.
struct Line {
    indent: usize,
    text: String,
    align: Option<usize>,
    /// Whether its last word opens a bracket; a comment never does.
    opens: bool,
}

fn lines(tokens: &[Token<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut brackets: Vec<(char, usize)> = Vec::new(); // bracket, indentation of its line
    let mut continues = false; // the line before ends where a value must follow
    for tokens in tokens.split(|t| t.kind == TokenKind::NewLine) {
        let mut tokens = tokens;
        let closes = tokens.iter().take_while(|t| t.kind == TokenKind::Close).count();
        let indent = match closes {
            0 => brackets.last().map_or(0, |(_, indent)| indent + 1) + usize::from(continues),
            n => brackets.len().checked_sub(n).map_or(0, |at| brackets[at].1),
        };
        if let Some(last) = tokens.iter().rev().find(|t| t.kind != TokenKind::Comment) {
            continues = last.kind == TokenKind::Assign
                || last.kind == TokenKind::Word && tokens::is_infix(last.text);
        }
        let trailing = match tokens {
            [head @ .., last] if last.text == "," => {
                tokens = head;
                true
            }
            _ => false,
        };
        let mut line = Line { indent, text: String::new(), align: None, opens: false };
        let depth = brackets.len();
        for (i, token) in tokens.iter().enumerate() {
            // The blank behind a word that starts items is what the splitter knows it by.
            let starts_item = i == 1
                && brackets.is_empty()
                && !token.glued
                && split::ITEM_WORDS.contains(&tokens[0].text);
            if i > 0 && (starts_item || spaced(&tokens[i - 1], token)) {
                line.text.push(' ');
            }
            if token.kind == TokenKind::Assign
                && brackets.len() == depth
                && depth > 0
                && line.align.is_none()
            {
                line.align = Some(line.text.len());
            }
            match token.kind {
                TokenKind::Open => {
                    brackets.push((token.text.chars().next().unwrap_or(' '), indent))
                }
                TokenKind::Close => {
                    brackets.pop();
                }
                _ => {}
            }
            line.text.push_str(token.text);
        }
        // Between arguments a line break does not separate, everywhere else it does.
        if trailing && brackets.last().is_some_and(|(open, _)| *open == '(') {
            line.text.push(',');
        }
        line.opens =
            tokens.last().is_some_and(|token| token.kind == TokenKind::Open && token.text != "(");
        if brackets.len() != depth || line.text.contains('\n') {
            line.align = None;
        }
        lines.push(line);
    }
    lines
}

/// Whether a blank stands between two tokens of a line.
fn spaced(before: &Token<'_>, after: &Token<'_>) -> bool {
    use TokenKind::{Close, Comment, Open, Prefix, Tight, TightEnd};
    match (before.kind, after.kind) {
        (_, Comment) => true,
        (Open, Close) | (Prefix | Tight, _) | (_, Tight | TightEnd) => false,
        (Open, _) => before.text == "{",
        (_, Close) => after.text == "}",
        (TokenKind::Name, Open) if after.glued && after.text != "{" => false,
        (TightEnd, Open) if after.glued && after.text == "(" => false,
        (TokenKind::Word | Close, Open) if after.glued && after.text != "{" => before.is_operator(),
        _ if matches!(after.text, "," | ";" | ":" | "?") => false,
        _ => true,
    }
}

fn write_lines(out: &mut String, lines: &[Line]) {
    let mut widths = vec![0; lines.len()];
    let mut start = 0;
    while start < lines.len() {
        let mut end = start;
        while end < lines.len()
            && lines[end].align.is_some()
            && lines[end].indent == lines[start].indent
        {
            end += 1;
        }
        let width = lines[start..end].iter().filter_map(|l| l.align).max().unwrap_or(0);
        widths[start..end].fill(width);
        start = end.max(start + 1);
    }
    for (i, (line, width)) in lines.iter().zip(widths).enumerate() {
        if line.text.is_empty() {
            let previous = out.trim_end_matches(' ');
            let opened =
                lines[..i].iter().rev().find(|l| !l.text.is_empty()).is_some_and(|l| l.opens);
            let after_open = opened || previous.ends_with("\n\n");
            let next = lines[i + 1..].iter().find(|l| !l.text.is_empty());
            let before_close = next.is_some_and(|l| l.text.starts_with(['}', ']', ')']));
            if i + 1 < lines.len() && !after_open && !before_close {
                out.push('\n');
            }
            continue;
        }
        for _ in 0..line.indent {
            out.push_str("  ");
        }
        match line.align {
            Some(at) => {
                out.push_str(line.text[..at].trim_end());
                let used = line.text[..at].trim_end().len();
                for _ in used..width {
                    out.push(' ');
                }
                if line.text[..at].trim_end().len() == at {
                    out.push(' ');
                }
                out.push_str(&line.text[at..]);
            }
            None => out.push_str(&line.text),
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn spacing_alignment_and_indentation_are_settled_and_comments_stay() {
        let text = "service  web{\n# why\nimage=\"a\"   # tail\n    replicas   = default   2,\n\n\n  env={A:1,B:\"${ x }\"}\n health http \"/\" {every=2s , timeout = -1s}\n  bind a to b [ \"x\" ]\n list = [\n1,\n2\n]\n}\n";
        let once = format(text);
        assert_eq!(format(&once), once);
        insta::assert_snapshot!(once, @r#"
        service web {
          # why
          image    = "a" # tail
          replicas = default 2

          env = { A: 1, B: "${ x }" }
          health http "/" { every = 2s, timeout = -1s }
          bind a to b ["x"]
          list = [
            1
            2
          ]
        }
        "#);
    }

    #[test]
    fn an_item_that_does_not_parse_is_left_as_it_is() {
        assert_eq!(
            format("let  a=1\nservice x {\n ! bad   {\n}\n"),
            "let a = 1\nservice x {\n ! bad   {\n}\n"
        );
    }
}
