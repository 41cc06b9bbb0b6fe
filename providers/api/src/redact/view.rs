//! Views: a text as one kind of writing means it, with each byte's place in the text itself.

/// Bytes that mean something, and the ranges of the text that they stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    pub(super) from: Vec<(usize, usize)>,
}

/// What breaks a line.
pub(super) const BREAKS: &[u8] = b"\r\n";
/// What quotes and escapes are made of.
pub(super) const QUOTES: &[u8] = b"\r\n\"'`\\";
/// What may stand between two groups of hexadecimal digits.
const BETWEEN_HEX: &[u8] = b" \t:-,_.\\x";
/// What may stand between the pieces of a base64 text.
const BLANKS: &[u8] = b" \t\"'\\,";

/// The bytes of a text that are none of `left_out`.
pub(super) fn without(text: &[u8], left_out: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !left_out.contains(byte)).collect()
}

impl View {
    fn push(&mut self, byte: u8, from: (usize, usize)) {
        self.bytes.push(byte);
        self.from.push(from);
    }

    /// Adds a decoded character whose writing takes the bytes `start..end` of another view.
    fn push_char(&mut self, character: char, of: &Self, start: usize, end: usize) {
        let mut buffer = [0; 4];
        let range = (of.from[start].0, of.from[end - 1].1);
        for byte in character.encode_utf8(&mut buffer).bytes() {
            self.push(byte, range);
        }
    }

    /// Marks in the text the bytes `start..end` of this view.
    pub(super) fn mark(&self, start: usize, end: usize, marked: &mut [bool]) {
        if start < end {
            marked[self.from[start].0..self.from[end - 1].1].fill(true);
        }
    }

    /// Whether the byte at `at` is a digit of base64 with at most a line break between it and
    /// `next`.
    pub(super) fn is_digit_beside(&self, text: &[u8], at: usize, next: usize) -> bool {
        let (first, second) = (self.from[at.min(next)].1, self.from[at.max(next)].0);
        let between = text.get(first..second).unwrap_or_default();
        let digit = self.bytes[at].is_ascii_alphanumeric() || b"+/".contains(&self.bytes[at]);
        digit && between.iter().all(|byte| BREAKS.contains(byte))
    }

    fn filter(&self, keep: impl Fn(u8) -> Option<u8>) -> Self {
        let mut view = Self::default();
        for (byte, from) in self.bytes.iter().zip(&self.from) {
            if let Some(byte) = keep(*byte) {
                view.push(byte, *from);
            }
        }
        view
    }
}

/// A line break that was decoded is one: values are looked for without them.
fn unbroken(byte: u8) -> Option<u8> {
    (!BREAKS.contains(&byte)).then_some(byte)
}

/// The text itself, as if it were one line.
pub(super) fn plain(text: &[u8]) -> View {
    let mut view = View::default();
    for (at, byte) in text.iter().enumerate().filter(|(_, byte)| !BREAKS.contains(byte)) {
        view.push(*byte, (at, at + 1));
    }
    view
}

/// Without what quotes and escapes are made of.
pub(super) fn unquoted(view: &View) -> View {
    view.filter(|byte| (!QUOTES.contains(&byte)).then_some(byte))
}

/// As base64 of the usual alphabet, without blanks between its pieces.
pub(super) fn base64(view: &View) -> View {
    view.filter(|byte| match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        blank if BLANKS.contains(&blank) => None,
        other => Some(other),
    })
}

/// As hexadecimal digits, without what stands between groups of them.
pub(super) fn hex(view: &View) -> View {
    let mut hex = View::default();
    let mut at = 0;
    while at < view.bytes.len() {
        // The zero of `0x41` is no digit.
        if view.bytes[at..].starts_with(b"0x") || view.bytes[at..].starts_with(b"0X") {
            at += 2;
        } else {
            if !BETWEEN_HEX.contains(&view.bytes[at]) {
                hex.push(view.bytes[at], view.from[at]);
            }
            at += 1;
        }
    }
    hex
}

fn digits(view: &View, at: usize, count: usize, radix: u32) -> Option<u32> {
    let text = view.bytes.get(at..at + count)?;
    if !text.iter().all(|byte| char::from(*byte).is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok()
}

/// With what is percent-encoded decoded, and in forms also `+` as a blank.
pub(super) fn percent(view: &View, form: bool) -> View {
    let mut decoded = View::default();
    let mut at = 0;
    while at < view.bytes.len() {
        let byte = view.bytes[at];
        let hex = if byte == b'%' { digits(view, at + 1, 2, 16) } else { None };
        if let Some(byte) = hex.and_then(|code| u8::try_from(code).ok()) {
            decoded.push(byte, (view.from[at].0, view.from[at + 2].1));
            at += 3;
        } else {
            decoded.push(if form && byte == b'+' { b' ' } else { byte }, view.from[at]);
            at += 1;
        }
    }
    decoded.filter(unbroken)
}

/// With the escapes of JSON, C and shells decoded.
pub(super) fn escapes(view: &View) -> View {
    decoded(view, b'\\', backslash)
}

/// With the entities of HTML decoded.
pub(super) fn entities(view: &View) -> View {
    decoded(view, b'&', entity)
}

/// Decodes what begins at a place; gives how many bytes that is.
type Decode = fn(&View, usize, &mut View) -> Option<usize>;

fn decoded(view: &View, begin: u8, decode: Decode) -> View {
    let mut decoded = View::default();
    let mut at = 0;
    while at < view.bytes.len() {
        let taken = if view.bytes[at] == begin { decode(view, at, &mut decoded) } else { None };
        match taken {
            Some(taken) => at += taken,
            None => {
                decoded.push(view.bytes[at], view.from[at]);
                at += 1;
            }
        }
    }
    decoded.filter(unbroken)
}

/// Decodes what a backslash begins; gives how many bytes that is.
fn backslash(view: &View, at: usize, decoded: &mut View) -> Option<usize> {
    let range = |count: usize| (view.from[at].0, view.from[at + count - 1].1);
    let next = *view.bytes.get(at + 1)?;
    let simple = match next {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'a' => 7,
        b'e' => 27,
        b'x' => {
            decoded.push(u8::try_from(digits(view, at + 2, 2, 16)?).ok()?, range(4));
            return Some(4);
        }
        b'u' if view.bytes.get(at + 2) == Some(&b'{') => {
            let length = view.bytes[at + 3..].iter().take(8).position(|byte| *byte == b'}')?;
            let code = digits(view, at + 3, length, 16)?;
            decoded.push_char(char::from_u32(code)?, view, at, at + length + 4);
            return Some(length + 4);
        }
        b'u' => return unicode(view, at, decoded),
        b'U' => {
            let code = digits(view, at + 2, 8, 16)?;
            decoded.push_char(char::from_u32(code)?, view, at, at + 10);
            return Some(10);
        }
        b'0'..=b'7' => {
            let count = (1..=3).rev().find(|count| digits(view, at + 1, *count, 8).is_some())?;
            let code = digits(view, at + 1, count, 8)?;
            decoded.push(u8::try_from(code).ok()?, range(count + 1));
            return Some(count + 1);
        }
        other => other,
    };
    decoded.push(simple, range(2));
    Some(2)
}

/// Decodes `\u0041`, also two of them that are one character.
fn unicode(view: &View, at: usize, decoded: &mut View) -> Option<usize> {
    let first = digits(view, at + 2, 4, 16)?;
    if let Some(character) = char::from_u32(first) {
        decoded.push_char(character, view, at, at + 6);
        return Some(6);
    }
    if view.bytes.get(at + 6..at + 8) != Some(b"\\u") {
        return None;
    }
    let second = digits(view, at + 8, 4, 16)?;
    let pair = char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]);
    decoded.push_char(pair.into_iter().next()?.ok()?, view, at, at + 12);
    Some(12)
}

/// Decodes what an ampersand begins; gives how many bytes that is.
fn entity(view: &View, at: usize, decoded: &mut View) -> Option<usize> {
    let length = view.bytes[at..].iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&view.bytes[at + 1..at + length]).ok()?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    decoded.push_char(character, view, at, at + length + 1);
    Some(length + 1)
}
