//! Bytes of a file as text: UTF-8, with or without a byte order mark.

/// Why bytes are no text of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotText {
    /// The first byte that is none.
    pub at: usize,
    /// What they are instead.
    pub why: String,
}

impl std::fmt::Display for NotText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

/// Reads UTF-8; a byte order mark at its start is left out.
///
/// # Errors
/// [`NotText`] says what it is instead, such as UTF-16.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotText> {
    let wide = match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // Without a mark: every other byte of plain text is zero.
        [low, 0, next, 0, ..] if *low != 0 && *next != 0 => Some("UTF-16"),
        [0, low, 0, next, ..] if *low != 0 && *next != 0 => Some("UTF-16"),
        _ => None,
    };
    if let Some(wide) = wide {
        return Err(NotText { at: 0, why: format!("it is {wide}; save it as UTF-8") });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(without_mark(&text).map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(NotText { at, why: format!("byte {at} starts no character; save it as UTF-8") })
        }
    }
}

/// A text without its byte order mark, if it has one.
pub fn without_mark(text: &str) -> Option<&str> {
    text.strip_prefix('\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf8_is_named() {
        let told = |bytes: &[u8]| match decode(bytes.to_vec()) {
            Ok(text) => format!("{text:?}"),
            Err(found) => format!("{}: {found}", found.at),
        };
        assert_eq!(told(b"\xef\xbb\xbflet a = 1\n"), r#""let a = 1\n""#);
        assert_eq!(told("\u{e9}".as_bytes()), "\"\u{e9}\"");
        assert_eq!(told(b"ab\xff"), "2: byte 2 starts no character; save it as UTF-8");
        for bytes in [&b"\xff\xfel\0"[..], b"\xfe\xff\0l", b"l\0e\0t\0", b"\0l\0e\0t"] {
            assert_eq!(told(bytes), "0: it is UTF-16; save it as UTF-8");
        }
        assert_eq!(told(b"\xff\xfe\0\0l\0\0\0"), "0: it is UTF-32; save it as UTF-8");
        assert_eq!(told(b""), r#""""#);
    }
}
