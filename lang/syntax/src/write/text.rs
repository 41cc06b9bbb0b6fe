//! Texts from outside as the language writes them: strings, lines of comments, lines of
//! documentation.

use dax_core::printable::{Line, is_hidden};

/// Characters of a line of a doc comment.
const WIDTH: usize = 100;
/// The words by which a comment allows a finding of lint; no text from outside says them.
const PERMISSION: &str = "dax: allow";

fn escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
    }
}

/// A text in quotes, so that reading it gives the text again.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' if chars.peek() != Some(&'{') => out.push('$'),
            '"' | '\\' | '$' => out.extend(['\\', c]),
            c if is_hidden(c) => escape(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    no_permission(out)
}

/// Whoever looks for permissions of lint looks at lines, and so into strings as well.
fn no_permission(text: String) -> String {
    if text.contains(PERMISSION) { text.replace(PERMISSION, "dax\\u{3a} allow") } else { text }
}

/// A text on one line: what would end, turn or hide a part of the line is escaped.
///
/// ```
/// assert_eq!(dax_syntax::write::one_line("a\nlet b = 1"), "a\\nlet b = 1");
/// ```
pub fn one_line(text: &str) -> String {
    no_permission(Line::new(&text.trim_end().replace('\t', " ")).to_string())
}

/// A description as lines of a doc comment, long ones broken between words.
pub(super) fn doc_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let breaks = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
    for line in text.trim().replace("\r\n", "\n").split(breaks) {
        let line = one_line(line);
        let mut rest = line.as_str();
        while let Some((limit, _)) = rest.char_indices().nth(WIDTH) {
            let Some(at) = rest[..limit].rfind(' ').filter(|at| *at > 0) else { break };
            lines.push(rest[..at].trim_end().to_owned());
            rest = rest[at..].trim_start();
        }
        lines.push(rest.to_owned());
    }
    if text.trim().is_empty() { Vec::new() } else { lines }
}
