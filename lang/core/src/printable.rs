//! Text from outside in a form that can be shown: no character of it acts on a terminal or hides
//! from the eye.
//!
//! Names, messages, reasons, log lines and source text come from people and programs that dax does
//! not know. A terminal obeys control characters in them, and bidirectional or invisible characters
//! show one thing where another stands (CVE-2021-42574). Each such character becomes its visible
//! escape.
//!
//! Invariant: a [`Line`] and a [`Text`] hold no character for which [`is_hidden`] is true, but for
//! line breaks and tabs in a [`Text`] and for those that join what is visible (see [`is_hidden`]).
//! Only the functions here make them, so whoever takes one takes the proof with it.

use std::fmt::Write;

/// One line of printable text: line breaks and tabs are escapes too.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(String);

/// Printable text of any number of lines: `\n` and tab stay what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

/// A printable text that knows the place of each byte of the text that it was made from.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// The printable form.
    pub text: Text,
    /// End of each replaced character in the original and in the printable form.
    ends: Vec<(usize, usize)>,
}

/// Reports whether a character acts or hides instead of being seen.
///
/// These are the control characters (C0, DEL, C1), line and paragraph separators, and what Unicode
/// calls Default_Ignorable_Code_Point: bidirectional controls, zero-width characters, variation
/// selectors, tag characters, fillers and soft hyphens; and the interlinear annotations.
///
/// Escaped text keeps two kinds of them, where they shape what is visible and nothing else:
/// variation selectors 15 and 16 behind an emoji or in a keycap, and joiners (U+200C, U+200D)
/// between two emoji or between two characters of a script that joins its letters.
///
/// Source: Unicode 17 DerivedCoreProperties.txt; UTS #39 section 3.1.1; UTS #55; UAX #31 rules A1,
/// A2, B.
pub const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Reports whether a character changes the direction in which text around it is read.
///
/// Source: UAX #9 section 2, the explicit embeddings, overrides and isolates; CVE-2021-42574.
pub const fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Line {
    /// Escapes a text to one line.
    ///
    /// An escape reads as in the language, `\n` or `\u{202e}`; a backslash stays a backslash,
    /// because what is shown is for eyes and is never read back.
    ///
    /// ```
    /// # use dax_core::printable::Line;
    /// assert_eq!(Line::new("ok\n\u{1b}[2J").as_str(), r"ok\n\u{1b}[2J");
    /// ```
    pub fn new(text: &str) -> Self {
        Self(escaped(text, false, |_, _, _| {}))
    }

    /// The printable text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text {
    /// Escapes a text of several lines; a carriage return that ends a line goes.
    ///
    /// ```
    /// # use dax_core::printable::Text;
    /// assert_eq!(Text::new("a\r\nb\rc").as_str(), "a\nb\\rc");
    /// ```
    pub fn new(text: &str) -> Self {
        Self(escaped(text, true, |_, _, _| {}))
    }

    /// Escapes serialised JSON with the escapes of JSON, so that it stays equal JSON.
    ///
    /// ```
    /// # use dax_core::printable::Text;
    /// assert_eq!(Text::json("{\"a\":\"\u{202e}\"}").as_str(), r#"{"a":"\u202e"}"#);
    /// ```
    pub fn json(serialised: &str) -> Self {
        if !serialised.contains(acts) {
            return Self(serialised.to_owned());
        }
        let mut out = String::with_capacity(serialised.len());
        for c in serialised.chars() {
            if acts(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            } else {
                out.push(c);
            }
        }
        Self(out)
    }

    /// The printable text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.0.lines().map(|line| Line(line.replace('\t', "\\t")))
    }
}

impl Mapped {
    /// Escapes a text as [`Text::new`] does.
    pub fn new(text: &str) -> Self {
        let mut ends = Vec::new();
        let text = Text(escaped(text, true, |at, c, to| ends.push((at + c.len_utf8(), to))));
        Self { text, ends }
    }

    /// The byte of the printable form that stands for a byte of the original.
    pub fn offset(&self, at: usize) -> usize {
        let before = self.ends.partition_point(|(from, _)| *from <= at);
        let (from, to) = before.checked_sub(1).map_or((0, 0), |last| self.ends[last]);
        to + (at - from)
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Line> for Text {
    fn from(line: Line) -> Self {
        Self(line.0)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// The characters of a text that [`Text::new`] escapes, each with its place.
///
/// ```
/// # use dax_core::printable::hidden;
/// assert_eq!(hidden("a\r\n\u{200b}"), [(3, '\u{200b}')]);
/// ```
pub fn hidden(text: &str) -> Vec<(usize, char)> {
    let mut found = Vec::new();
    escaped(text, true, |at, c, _| {
        if c != '\r' || !text[at..].starts_with("\r\n") {
            found.push((at, c));
        }
    });
    found
}

/// Hidden, and no line break.
fn acts(c: char) -> bool {
    is_hidden(c) && c != '\n'
}

/// The one escaping; tells each character that it replaces, with its place and the length of what
/// it made so far.
fn escaped(text: &str, lines: bool, mut replaced: impl FnMut(usize, char, usize)) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        if !is_hidden(c) || (lines && matches!(c, '\n' | '\t')) || shapes(before, c, next) {
            out.push(c);
            before = Some(c);
            continue;
        }
        before = None;
        match c {
            '\r' if lines && next == Some('\n') => {}
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.extend(c.escape_unicode()),
        }
        replaced(at, c, out.len());
    }
    out
}

/// Reports whether a hidden character only shapes its visible neighbours.
fn shapes(before: Option<char>, c: char, next: Option<char>) -> bool {
    let Some(before) = before else { return false };
    match c {
        '\u{fe0e}' | '\u{fe0f}' => {
            is_picture(before)
                || (matches!(before, '0'..='9' | '#' | '*') && next == Some('\u{20e3}'))
        }
        '\u{200c}' => joins(before) && next.is_some_and(joins),
        '\u{200d}' => {
            let pictures = is_picture(before) || before == '\u{fe0f}';
            (pictures && next.is_some_and(is_picture)) || (joins(before) && next.is_some_and(joins))
        }
        _ => false,
    }
}

/// Blocks that hold the emoji that take selectors and joiners. Source:
/// emoji-variation-sequences.txt.
const fn is_picture(c: char) -> bool {
    matches!(
        c,
        '\u{a9}'
            | '\u{ae}'
            | '\u{203c}'
            | '\u{2049}'
            | '\u{2122}'
            | '\u{2139}'
            | '\u{2190}'..='\u{21ff}'
            | '\u{2300}'..='\u{23ff}'
            | '\u{24c2}'
            | '\u{25a0}'..='\u{27bf}'
            | '\u{2900}'..='\u{297f}'
            | '\u{2b00}'..='\u{2bff}'
            | '\u{3030}'
            | '\u{303d}'
            | '\u{3297}'
            | '\u{3299}'
            | '\u{1f000}'..='\u{1faff}'
    )
}

/// Scripts whose letters join: Arabic to Myanmar, Khmer, Mongolian.
const fn joins(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{109f}' | '\u{1780}'..='\u{18af}') && !is_hidden(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed sequence of numbers: xorshift64.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u32) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            u32::try_from(self.0 % u64::from(end)).unwrap()
        }

        /// A text of characters of all planes, a good part of them such as act.
        fn text(&mut self) -> String {
            const LIKELY: &str = "a \\\n\r\t\u{1b}\u{7}\u{7f}\u{85}\u{9b}\u{ad}\u{200b}\u{200c}\
                \u{200d}\u{200f}\u{2028}\u{202e}\u{2066}\u{2069}\u{feff}\u{fe0f}\u{e0041}\u{2764}\
                \u{1f468}1\u{20e3}\u{645}\u{6cc}";
            let likely: Vec<char> = LIKELY.chars().collect();
            let length = self.below(24);
            (0..length)
                .map(|_| {
                    if self.below(2) == 0 {
                        likely[self.below(u32::try_from(likely.len()).unwrap()) as usize]
                    } else {
                        char::from_u32(self.below(0x11_0000)).unwrap_or('\u{d7ff}')
                    }
                })
                .collect()
        }
    }

    /// No hidden character but those that shape what is visible, each held against its neighbours.
    fn is_safe(text: &str, allowed: &[char]) -> bool {
        let chars: Vec<char> = text.chars().collect();
        chars.iter().enumerate().all(|(at, c)| {
            let before = at.checked_sub(1).map(|before| chars[before]);
            !is_hidden(*c)
                || allowed.contains(c)
                || (matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
                    && shapes(before, *c, chars.get(at + 1).copied()))
        })
    }

    #[test]
    fn no_text_of_any_plane_keeps_a_character_that_acts() {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for _ in 0..50_000 {
            let text = numbers.text();
            let (line, lines) = (Line::new(&text), Text::new(&text));
            assert!(is_safe(line.as_str(), &[]), "{text:?} → {line:?}");
            assert!(is_safe(lines.as_str(), &['\n', '\t']), "{text:?} → {lines:?}");
            assert_eq!(line.as_str().lines().count().max(1), 1);
            assert_eq!(Line::new(line.as_str()), line, "{text:?}");
            assert_eq!(Text::new(lines.as_str()), lines, "{text:?}");
            for line in lines.lines() {
                assert!(is_safe(line.as_str(), &[]));
            }
        }
    }

    #[test]
    fn every_hidden_character_is_escaped_alone_and_between_letters() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| is_hidden(*c)) {
            for text in [c.to_string(), format!("a{c}b"), format!("{c}{c}"), format!(" {c} ")] {
                assert!(!Line::new(&text).as_str().contains(is_hidden), "{text:?}");
            }
        }
        assert!(
            (0..=0x10_ffff).filter_map(char::from_u32).all(|c| !c.is_control() || is_hidden(c))
        );
        assert!(
            (0..=0x10_ffff).filter_map(char::from_u32).all(|c| !is_direction(c) || is_hidden(c))
        );
    }

    #[test]
    fn emoji_and_scripts_that_join_stay_whole() {
        for text in [
            "❤\u{fe0f}",
            "👩\u{200d}🚀",
            "🏳\u{fe0f}\u{200d}🌈",
            "1\u{fe0f}\u{20e3}",
            "می\u{200c}خواهم",
        ] {
            assert_eq!(Line::new(text).as_str(), text);
        }
        assert_eq!(Line::new("pay\u{200d}ments").as_str(), r"pay\u{200d}ments");
        assert_eq!(Line::new("a\u{fe0f}").as_str(), r"a\u{fe0f}");
    }

    #[test]
    fn json_stays_equal_and_holds_nothing_hidden() {
        let mut numbers = Numbers(7);
        for _ in 0..5_000 {
            let text = numbers.text();
            let json = serde_json::to_string_pretty(&serde_json::json!({ "a": [text] })).unwrap();
            let shown = Text::json(&json);
            assert!(!shown.as_str().contains(acts), "{text:?}");
            let read: serde_json::Value = serde_json::from_str(shown.as_str()).unwrap();
            assert_eq!(read["a"][0], text);
        }
    }

    #[test]
    fn places_are_found_again_behind_escapes() {
        let mapped = Mapped::new("a\u{202e}b\r\nc");
        assert_eq!(mapped.text.as_str(), "a\\u{202e}b\nc");
        let at = |offset| &mapped.text.as_str()[mapped.offset(offset)..];
        assert_eq!((at(0), at(1), at(4), at(7)), ("a\\u{202e}b\nc", "\\u{202e}b\nc", "b\nc", "c"));
    }
}
