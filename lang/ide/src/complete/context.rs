//! What stands around the cursor, read from the text alone: it need not be whole.

use crate::bytes::is_word;
use dax_syntax::split;

/// A bracket that is open at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// `{`, `[`, `(`, or `$` for an interpolation.
    pub(crate) bracket: char,
    /// Where it stands.
    pub(crate) at: usize,
    /// Where the member begins that opened it.
    pub(crate) member: usize,
}

/// A text that is open at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// Its first quote.
    pub(crate) at: usize,
    /// How many quotes open it, one or three.
    pub(crate) quotes: usize,
}

/// What stands around the cursor.
#[derive(Debug)]
pub(crate) struct Context {
    /// The item that it is in.
    pub(crate) item: std::ops::Range<usize>,
    /// Where the word begins that is being written.
    pub(crate) word: usize,
    /// The cursor.
    pub(crate) at: usize,
    /// Open brackets, outermost first.
    pub(crate) open: Vec<Opened>,
    /// Where the innermost member begins.
    pub(crate) member: usize,
    /// The text that is being written.
    pub(crate) quoted: Option<Quoted>,
    /// Whether this is a comment.
    pub(crate) comment: bool,
}

impl Context {
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let chunk = split::split(text).into_iter().rfind(|chunk| chunk.start <= at);
        let item = chunk.map_or(0..text.len(), |chunk| chunk.start..chunk.end.max(at));
        // Behind the last item, in column 0, the next one begins.
        let mut context = Self {
            item: item.clone(),
            word: at,
            at,
            open: Vec::new(),
            member: item.start,
            quoted: None,
            comment: false,
        };
        context.scan(text);
        let written = &text[item.start..at];
        let word = written.len() - written.trim_end_matches(is_word).len();
        context.word = at - word;
        context
    }

    fn scan(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = self.item.start;
        // Texts that an interpolation interrupts.
        let mut around: Vec<Quoted> = Vec::new();
        while at < self.at {
            let (byte, here) = (bytes[at], &bytes[at..]);
            if let Some(quoted) = self.quoted {
                let end = if quoted.quotes == 3 {
                    here.starts_with(b"\"\"\"")
                } else {
                    byte == b'"' || byte == b'\n'
                };
                if byte == b'\\' {
                    at += 2;
                    continue;
                }
                if here.starts_with(b"${") {
                    around.push(quoted);
                    self.quoted = None;
                    self.open.push(Opened { bracket: '$', at: at + 1, member: self.member });
                    self.member = at + 2;
                    at += 2;
                    continue;
                }
                if end {
                    self.quoted = None;
                    at += if byte == b'\n' { 0 } else { quoted.quotes };
                    continue;
                }
                at += 1;
                continue;
            }
            match byte {
                b'#' => {
                    let end = here
                        .iter()
                        .position(|byte| *byte == b'\n')
                        .map_or(text.len(), |end| at + end);
                    if end >= self.at {
                        self.comment = true;
                        return;
                    }
                    at = end;
                    continue;
                }
                b'"' => {
                    let quotes = if here.starts_with(b"\"\"\"") { 3 } else { 1 };
                    self.quoted = Some(Quoted { at, quotes });
                    at += quotes;
                    continue;
                }
                b'{' | b'[' | b'(' => {
                    self.open.push(Opened { bracket: char::from(byte), at, member: self.member });
                    self.member = at + 1;
                }
                b'}' | b']' | b')' => {
                    if let Some(closed) = self.open.pop() {
                        self.member = closed.member;
                        if closed.bracket == '$' {
                            self.quoted = around.pop();
                        }
                    }
                }
                b'\n' | b',' | b';' => self.member = at + 1,
                _ => {}
            }
            at += 1;
        }
    }

    /// The word that begins the item.
    pub(crate) fn outer<'t>(&self, text: &'t str) -> &'t str {
        let mut lines = text[self.item.start..].lines();
        let first = lines
            .find(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
            .unwrap_or_default();
        first.split(|c: char| !is_word(c)).next().unwrap_or_default()
    }

    /// What closes everything that is open.
    pub(crate) fn closers(&self) -> String {
        let close = |open: &Opened| match open.bracket {
            '{' => "\n}",
            '[' => "]",
            '(' => ")",
            _ => "}\"",
        };
        self.open.iter().rev().map(close).collect()
    }

    /// What stands in the member before the word.
    pub(crate) fn head<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.member.min(self.word)..self.word).unwrap_or_default()
    }

    /// The words of a piece of text; what is in brackets is a part of its word.
    pub(crate) fn words(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        let (mut depth, mut start) = (0, None);
        for (at, c) in text.char_indices() {
            match c {
                '{' | '[' | '(' => depth += 1,
                '}' | ']' | ')' => depth -= 1,
                _ => {}
            }
            if c.is_whitespace() && depth == 0 {
                all.extend(start.take().map(|start: usize| &text[start..at]));
            } else if start.is_none() {
                start = Some(at);
            }
        }
        all.extend(start.map(|start| &text[start..]));
        all
    }

    /// Whether the innermost brace holds entries and not members.
    pub(crate) fn in_map(&self, text: &str) -> bool {
        let Some(last) = self.open.last().filter(|last| last.bracket == '{') else { return false };
        let before = text[..last.at].trim_end();
        before.ends_with(['=', ':', '(', '[', ',', '+'])
            || ["default", "override", "sealed", "then", "else"]
                .iter()
                .any(|word| before.ends_with(word))
            || self.open.len() > 1 && self.open[self.open.len() - 2].bracket != '{'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let at = text.find('|').expect("a cursor");
        let text = text.replacen('|', "", 1);
        let context = Context::of(&text, at);
        let open: String = context.open.iter().map(|open| open.bracket).collect();
        let quoted = context
            .quoted
            .map_or(String::new(), |quoted| format!(" in {:?}", &text[quoted.at..context.at]));
        let comment = if context.comment { " comment" } else { "" };
        format!(
            "{open:?} {:?} + {:?}{quoted}{comment}",
            context.head(&text),
            &text[context.word..context.at]
        )
    }

    #[test]
    fn the_cursor_knows_what_is_open_and_what_was_written_before_it() {
        let all = [
            "let a = 1\n|",
            "service w|",
            "service web {\n  rep|",
            "service web {\n  env = { A: \"1\", B: v|",
            "service web {\n  image = \"a:${ta|",
            "service web {\n  image = \"a:${tag}/|",
            "environment dev {\n  bind [a, b] to |",
            "let a = \"x\" # so|",
            "let a = f(1, [2, |",
        ];
        insta::assert_snapshot!(all.map(shown).join("\n"), @r#"
        "" "" + ""
        "" "service " + "w"
        "{" "  " + "rep"
        "{{" " B: " + "v"
        "{$" "" + "ta"
        "{" "  image = \"a:${tag}/" + "" in "\"a:${tag}/"
        "{" "  bind [a, b] to " + ""
        "" "let a = \"x\" # " + "so" comment
        "([" " " + ""
        "#);
    }
}
