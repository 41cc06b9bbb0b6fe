//! The item splitter: cuts a text into one chunk per item without parsing it.
//!
//! Every item starts with a word in column 0, so the chunk is the unit of recovery and of incremental
//! work. Invariant: the chunks cover the text without gap or overlap.

/// Brackets may nest this deep; the parser is never called on more.
pub const MAX_DEPTH: usize = 96;

/// One item with the comments and blank lines above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Whether brackets nest deeper than [`MAX_DEPTH`], and where they begin to.
    pub too_deep: Option<usize>,
}

/// Words that start an item, even where a bracket above was left open.
pub const ITEM_WORDS: &[&str] = &[
    "import",
    "param",
    "let",
    "fn",
    "type",
    "secret",
    "provider",
    "service",
    "resource",
    "strategy",
    "environment",
    "patch",
    "moved",
    "removed",
    "policy",
    "test",
];

/// Cuts `text` into chunks.
pub fn split(text: &str) -> Vec<Chunk> {
    let bytes = text.as_bytes();
    let mut scan = Scan { bytes, at: 0, stack: Vec::new(), too_deep: None };
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut trivia = 0; // where the comments above the next item begin
    let mut seen_item = false;
    while scan.at < bytes.len() {
        let line = scan.at;
        if !scan.stack.contains(&Open::Block) && starts_item(text, line, scan.stack.is_empty()) {
            if seen_item {
                chunks.push(Chunk { start, end: trivia, too_deep: scan.too_deep.take() });
                start = trivia;
            }
            seen_item = true;
            scan.stack.clear();
        }
        scan.line();
        let first = bytes[line..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
        let blank_or_comment = matches!(first, Some(b'#' | b'\n') | None);
        if !(scan.stack.is_empty() && blank_or_comment) {
            trivia = scan.at;
        }
    }
    if start < bytes.len() {
        chunks.push(Chunk { start, end: bytes.len(), too_deep: scan.too_deep });
    }
    chunks
}

fn starts_item(text: &str, line: usize, top_level: bool) -> bool {
    let first = text.as_bytes()[line];
    if !(first.is_ascii_alphabetic() || first == b'_') {
        return false;
    }
    top_level || {
        let rest = &text[line..];
        let word =
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
        let after = &rest[word.len()..];
        ITEM_WORDS.contains(&word)
            && (after.is_empty() || after.starts_with([' ', '\t', '\r', '\n']))
    }
}

/// What is open at a place in the text.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Bracket,
    Interpolation,
    String,
    Block,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Open>,
    too_deep: Option<usize>,
}

impl Scan<'_> {
    fn push(&mut self, open: Open) {
        self.stack.push(open);
        if self.stack.len() > MAX_DEPTH && self.too_deep.is_none() {
            self.too_deep = Some(self.at);
        }
    }

    /// Moves past the next line break; a `"` string that is still open ends there.
    fn line(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            let in_string = matches!(self.stack.last(), Some(Open::String | Open::Block));
            match byte {
                b'\n' => {
                    self.at += 1;
                    if let Some(open) = self.stack.iter().position(|o| *o == Open::String) {
                        self.stack.truncate(open);
                    }
                    return;
                }
                b'\\' if in_string => self.at += 1,
                b'"' => self.quote(),
                b'$' if in_string && self.bytes.get(self.at + 1) == Some(&b'{') => {
                    self.at += 1;
                    self.push(Open::Interpolation);
                }
                _ if in_string => {}
                b'#' => {
                    while self.bytes.get(self.at + 1).is_some_and(|b| *b != b'\n') {
                        self.at += 1;
                    }
                }
                b'{' | b'[' | b'(' => self.push(Open::Bracket),
                b'}' | b']' | b')' => {
                    self.stack.pop();
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.bytes.len());
    }

    fn quote(&mut self) {
        let triple = self.bytes[self.at..].starts_with(b"\"\"\"");
        match (self.stack.last(), triple) {
            (Some(Open::String), _) => {
                self.stack.pop();
            }
            (Some(Open::Block), true) => {
                self.stack.pop();
                self.at += 2;
            }
            (Some(Open::Block), false) => {}
            (_, true) => {
                self.push(Open::Block);
                self.at += 2;
            }
            (_, false) => self.push(Open::String),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        split(text).iter().map(|c| &text[c.start..c.end]).collect()
    }

    #[test]
    fn comments_belong_to_the_item_below_and_nothing_is_lost() {
        let text = "let a = 1\n\n## doc\nlet b = {\n  x: 1\n}\n# end\n";
        assert_eq!(pieces(text), ["let a = 1\n", "\n## doc\nlet b = {\n  x: 1\n}\n# end\n"]);
        assert_eq!(pieces(text).concat(), text);
    }

    #[test]
    fn an_item_word_in_column_0_ends_an_item_that_was_left_open() {
        assert_eq!(
            pieces("service a {\n  x = [1\nservice b {\n}\n"),
            ["service a {\n  x = [1\n", "service b {\n}\n"]
        );
    }

    #[test]
    fn words_inside_block_strings_start_no_item() {
        assert_eq!(pieces("let a = \"\"\"\nlet b = 1\n\"\"\"\nlet c = 1\n").len(), 2);
    }
}
