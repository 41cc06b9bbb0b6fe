//! Long texts made short, so that what is shown of a plan has no end that a value could push out.
//!
//! Invariant: two texts that differ are shown differently: whoever is cut says its length and a
//! digest of the whole.

use dax_core::Value;

/// Characters that are shown of a value.
pub(crate) const VALUE: usize = 200;
/// Characters of a name that stands as it is.
const PLAIN: usize = 64;
/// Characters that are shown of any other name.
const NAME: usize = 40;
/// Characters of a path that is shown in its parts.
const PATH: usize = 120;
/// Hexadecimal digits that are shown of a digest.
pub(crate) const DIGITS: usize = 12;

/// A value as a reviewer reads it: at most 200 characters, then the length and a digest of the
/// whole.
pub fn value(value: &Value) -> String {
    value_of(value, VALUE)
}

/// As [`value`], of so many characters.
pub(crate) fn value_of(value: &Value, most: usize) -> String {
    match value {
        Value::Str(text) => match cut(text, most) {
            None => format!("{text:?}"),
            Some((shown, rest)) => format!("\"{}…\"{rest}", quoted(shown)),
        },
        other => self::text(&other.to_string(), most),
    }
}

/// A name from outside, as of a person, a service or a key, in a line that dax makes itself.
///
/// One of up to 64 letters, digits and `_./:@-[]{}` stands as it is. Any other is quoted and
/// shortened like a value, and dax's own separator in it is escaped, so that it passes for nothing
/// that dax says.
pub fn name(text: &str) -> String {
    if (1..=PLAIN).contains(&text.len()) && text.chars().all(is_plain) {
        return text.to_owned();
    }
    inert(&value_of(&Value::Str(text.into()), NAME))
}

/// A path of a field, each part of it as [`name`] has it.
pub(crate) fn path(text: &str) -> String {
    let parts: Vec<String> = text.split('.').map(name).collect();
    let shown = parts.join(".");
    // Many parts are long as well.
    if shown.chars().count() > PATH { name(text) } else { shown }
}

/// A text from outside without dax's own separator.
pub fn unseparated(text: &str) -> String {
    text.replace('·', "\\u{b7}")
}

/// A text from outside without dax's own separator and without what begins or ends code.
pub(crate) fn inert(text: &str) -> String {
    unseparated(text).replace('`', "\\u{60}")
}

/// Whether a text is a reference of an image and nothing else.
pub(crate) fn is_reference(text: &str) -> bool {
    text.chars().all(|c| is_plain(c) || c == '+')
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_./:@-[]{}".contains(c)
}

/// A text of at most so many characters, then the length and a digest of the whole.
pub(crate) fn text(text: &str, most: usize) -> String {
    match cut(text, most) {
        None => text.to_owned(),
        Some((shown, rest)) => format!("{shown}…{rest}"),
    }
}

/// The first characters of a text that has more, and what is said of the whole.
fn cut(text: &str, most: usize) -> Option<(&str, String)> {
    let (at, _) = text.char_indices().nth(most)?;
    let count = grouped(text.chars().count());
    Some((&text[..at], format!(" ({count} characters, {})", digest(text))))
}

fn quoted(text: &str) -> String {
    let debug = format!("{text:?}");
    debug[1..debug.len() - 1].to_owned()
}

/// The first digits of a text's digest.
pub(crate) fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..DIGITS].to_owned()
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{grouped, name, path, value};
    use dax_core::Value;

    #[test]
    fn a_long_value_is_cut_and_two_that_differ_at_their_end_read_differently() {
        let long = |end: &str| value(&Value::Str(format!("{}{end}", "a".repeat(70_000)).into()));
        let (one, other) = (long("x"), long("y"));
        assert_ne!(one, other);
        assert!(
            one.starts_with(&format!("\"{}…\" (70,001 characters, ", "a".repeat(200))),
            "{one}"
        );
        assert!(one.len() < 260, "{}", one.len());
        assert_eq!(value(&Value::Str("short".into())), "\"short\"");
    }

    #[test]
    fn a_name_that_is_not_plain_is_quoted_and_separates_nothing() {
        for plain in ["ann", "team:sre", "acme/sre", "id:{5f0c}", "web[eu-1]", "renovate[bot]"] {
            assert_eq!(name(plain), plain);
        }
        assert_eq!(name("x) · approved by ann"), "\"x) \\u{b7} approved by ann\"");
        assert_eq!(path("env.X · y.z"), "env.\"X \\u{b7} y\".z");
        assert_eq!(name(""), "\"\"");
        for long in ["k".repeat(60_000), "k.".repeat(30_000), "\"".repeat(60_000)] {
            for shown in [name(&long), path(&format!("env.{long}"))] {
                assert!(shown.len() < 150 && shown.contains("…"), "{shown}");
            }
        }
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [1, 999, 1_000, 70_123, 1_234_567].map(grouped).join(" "),
            "1 999 1,000 70,123 1,234,567"
        );
    }
}
