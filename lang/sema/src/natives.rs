//! Functions that dax cannot express in itself: those declared `= native` in the standard library.
//!
//! Their types stand there; here is only what they compute. All are pure and total, and none makes a text
//! longer than [`MAX_TEXT`] or a list longer than [`MAX_ELEMENTS`].

mod checked;
mod collections;
mod encoding;
mod regex;
mod text;
mod time;
mod version;

pub(crate) use checked::why_not;

use crate::codes;
use crate::limits::{MAX_ELEMENTS, MAX_TEXT};
use dax_core::{Code, Decimal, Name, Value};

/// What a function makes of its arguments, or why it cannot.
pub(crate) type Outcome = Result<Value, (Code, String)>;

/// The function behind a native declaration.
pub(crate) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    [
        text::find,
        collections::find,
        encoding::find,
        regex::find,
        version::find,
        time::find,
        checked::find,
    ]
    .into_iter()
    .find_map(|find| find(name))
}

/// Functions of the standard library that look at the shape of values only, never at what they say: secrets pass.
const BLIND: &[&str] = &[
    "length",
    "reverse",
    "flatten",
    "chunks",
    "merge",
    "first",
    "last",
    "rest",
    "take",
    "drop",
    "keys",
    "values",
    "entries",
    "from_entries",
    "get",
    "pick",
    "omit",
    "prefix_keys",
];

/// Whether a function of the standard library may see secrets.
pub(crate) fn is_blind(name: &str) -> bool {
    BLIND.contains(&name)
}

/// A value inside a text: strings without quotes, everything else as it is written.
pub(crate) fn display(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        other => other.to_string(),
    }
}

/// The text of an argument; the checker has seen to it that it is one.
fn text(args: &[Value], at: usize) -> &str {
    args.get(at).and_then(Value::as_str).unwrap_or("")
}

fn int(args: &[Value], at: usize) -> i64 {
    args.get(at).and_then(Value::as_int).unwrap_or(0)
}

/// A number as the language holds it: whole ones as `int`.
fn number(value: Decimal) -> Value {
    match i64::try_from(value) {
        Ok(whole) if value.fract().is_zero() => Value::Int(whole),
        _ => Value::Decimal(value.normalize()),
    }
}

fn texts<S: AsRef<str>>(all: impl IntoIterator<Item = S>) -> Value {
    Value::List(all.into_iter().map(Value::str).collect())
}

fn record(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (Name::new_static(name), value)).collect())
}

/// A text that is not too long.
fn bounded(text: String) -> Outcome {
    if text.len() > MAX_TEXT { too_long() } else { Ok(Value::str(text)) }
}

fn too_long() -> Outcome {
    Err((codes::OUT_OF_FUEL, format!("the text would be longer than {MAX_TEXT} bytes")))
}

fn too_many() -> Outcome {
    Err((codes::OUT_OF_FUEL, format!("more than {MAX_ELEMENTS} elements")))
}

fn bad(detail: impl Into<String>) -> Outcome {
    Err((codes::BAD_ARGUMENT, detail.into()))
}
