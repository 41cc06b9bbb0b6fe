//! Characters of a program that a reader does not see, or that show him another program than the
//! one there is.
//!
//! A direction override makes `# } if admin` of what is code, a line separator or a lone carriage
//! return makes a line of what is a comment, and two names may differ by what nobody sees
//! (CVE-2021-42574). Written as escapes in a text they do no harm, because then they are seen.

use crate::split::{self, Chunk};
use crate::tree::{Kind, Tree};
use dax_core::{Code, Diagnostic, FileId, Span, printable};

/// Text that reads differently from what it is. Explained in docs/diagnostics/DAX1013.md.
pub const DECEIVES: Code = Code::error(1013, "a hidden character changes how the program reads");

/// A hidden character of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// The character.
    pub character: char,
    /// Its place.
    pub span: Span,
    /// Reports whether it stands in a text, where an escape says the same.
    pub in_text: bool,
}

impl Hidden {
    /// Reports whether it changes how what stands around it is read, so that no program may hold
    /// it.
    pub fn deceives(&self) -> bool {
        let c = self.character;
        printable::is_direction(c) || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
    }

    /// A finding about it, with the edit that makes it visible or takes it away.
    pub fn finding(&self, code: Code) -> Diagnostic {
        let escape = format!("\\u{{{:x}}}", u32::from(self.character));
        let number = format!("U+{:04X}", u32::from(self.character));
        let found =
            Diagnostic::new(code, self.span, format!("{number} stands here and is not seen"));
        if self.in_text {
            found.help(format!("write it as `{escape}`")).fix(self.span, escape)
        } else {
            found.help("take it away").fix(self.span, "")
        }
    }
}

/// Hidden characters of a text in order, without those that only shape visible ones.
pub fn hidden(file: FileId, text: &str) -> Vec<Hidden> {
    let plain = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    if text.bytes().all(plain) {
        return Vec::new();
    }
    let found = printable::hidden(text);
    if found.is_empty() {
        return Vec::new();
    }
    let chunks = split::split(text);
    let mut parsed: Option<(Chunk, Tree)> = None;
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    found
        .into_iter()
        .map(|(at, character)| {
            let span = Span { file, start: offset(at), end: offset(at + character.len_utf8()) };
            let chunk = chunks[chunks.partition_point(|chunk| chunk.end <= at)];
            let (_, tree) = match parsed.take() {
                Some((old, tree)) if old == chunk => parsed.insert((old, tree)),
                _ => parsed.insert((chunk, Tree::parse(text, &chunk))),
            };
            Hidden { character, span, in_text: in_text(tree, at - chunk.start) }
        })
        .collect()
}

/// Reports whether a byte of a chunk belongs to the characters of a text.
fn in_text(tree: &Tree, at: usize) -> bool {
    let covers = |node: &&crate::tree::Node| {
        matches!(node.kind, Kind::chunk1 | Kind::chunk3)
            && (node.start as usize..node.end as usize).contains(&at)
    };
    tree.nodes.iter().any(|node| covers(&node))
}

/// What no program may hold, as diagnostics.
pub(crate) fn check(file: FileId, text: &str, diagnostics: &mut Vec<Diagnostic>) {
    let found = hidden(file, text).into_iter().filter(Hidden::deceives);
    diagnostics.extend(found.map(|one| one.finding(DECEIVES)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with every fix of a hidden character applied.
    fn fixed(text: &str) -> String {
        let mut out = text.to_owned();
        for one in hidden(FileId(0), text).iter().rev() {
            let fix = one.finding(DECEIVES).fix.expect("a fix");
            out.replace_range(fix.span.start as usize..fix.span.end as usize, &fix.replacement);
        }
        out
    }

    #[test]
    fn texts_get_an_escape_and_everything_else_loses_what_is_not_seen() {
        assert_eq!(fixed("let a = \"x\u{202e}\" # \u{202e}y\n"), "let a = \"x\\u{202e}\" # y\n");
        assert_eq!(
            fixed("let b = 1\nlet a = \"\"\"\n  \u{2066}${b}\u{7}\n  \"\"\"\n"),
            "let b = 1\nlet a = \"\"\"\n  \\u{2066}${b}\\u{7}\n  \"\"\"\n"
        );
        assert_eq!(fixed("let a\u{200b} = 1\n"), "let a = 1\n");
        assert_eq!(fixed("let a = 1\rlet b = 2\r\n"), "let a = 1let b = 2\r\n");
        assert_eq!(fixed("# ❤\u{fe0f}\nlet a = \"é\"\n"), "# ❤\u{fe0f}\nlet a = \"é\"\n");
    }

    #[test]
    fn only_what_turns_or_breaks_its_surroundings_is_an_error() {
        let errors = |text| {
            let mut found = Vec::new();
            check(FileId(0), text, &mut found);
            found.len()
        };
        assert_eq!(errors("# \u{202e} \u{2069} \u{1b} \u{85} \u{2028} \rx\n"), 6);
        assert_eq!(errors("# \u{200b}\u{ad}\u{feff}\u{e0041}\r\n"), 0);
    }
}
