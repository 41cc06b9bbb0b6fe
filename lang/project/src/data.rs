//! Data files: YAML, JSON and TOML as values whose every part knows its place in the file.

use dax_core::printable::Line;
use dax_core::{Decimal, Diagnostic, FileId, Name, Span, Value};
use dax_ir::{Data, Layer, Node, Origin, Via};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

use crate::codes::BAD_FILE;

/// Largest data file, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// Reads a data file by the ending of its name.
pub(crate) fn read(path: &str, file: FileId, text: &str) -> Result<Node, Box<Diagnostic>> {
    let whole = Span { file, start: 0, end: 0 };
    let fault = |span: Span, detail: String| Box::new(Diagnostic::new(BAD_FILE, span, detail));
    if text.len() > MOST_BYTES {
        return Err(fault(
            whole,
            format!("data files have at most {MOST_BYTES} bytes, this has {}", text.len()),
        ));
    }
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "json" => {
            if let Err(error) = serde_json::from_str::<de::IgnoredAny>(text) {
                let start = byte_of(text, error.line(), error.column());
                let why = error.to_string();
                // The place is marked.
                let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
                return Err(fault(
                    Span { file, start, end: start },
                    format!("this is no JSON: {why}"),
                ));
            }
            yaml(file, text).map_err(|(span, why)| fault(span, format!("this is no JSON: {why}")))
        }
        "yaml" | "yml" => {
            yaml(file, text).map_err(|(span, why)| fault(span, format!("this is no YAML: {why}")))
        }
        "toml" => {
            let places = Places::new(file, text);
            let read = match toml_span::parse(text) {
                Ok(mut value) => from_toml(&places, &mut value),
                Err(error) => {
                    let (start, end) = (offset(error.span.start), offset(error.span.end));
                    Err((Span { file, start, end }, error.to_string()))
                }
            };
            read.map_err(|(span, why)| fault(span, format!("this is no TOML: {why}")))
        }
        other => Err(fault(
            whole,
            format!("there is no reader for `.{other}` files; data is `.yaml`, `.json` or `.toml`"),
        )),
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The byte of a line and column, both from 1.
fn byte_of(text: &str, line: usize, column: usize) -> u32 {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    offset((start + column.saturating_sub(1)).min(text.len()))
}

fn origin(span: Span) -> Origin {
    Origin { span, layer: Layer::Plain, via: Via::Item }
}

/// What is wrong, and where.
type Fault = (Span, String);

fn yaml(file: FileId, text: &str) -> Result<Node, Fault> {
    let places = Places::new(file, text);
    match serde_saphyr::from_str::<Spanned<Piece>>(text) {
        Ok(piece) => from_yaml(&places, piece),
        Err(error) => {
            let at = error.location().map_or(0, |location| {
                byte_of(text, location.line() as usize, location.column() as usize)
            });
            Err((Span { file, start: at, end: at }, said(error.without_snippet())))
        }
    }
}

/// An error of the reader in words for whoever wrote the file.
fn said(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` stands here twice", Line::new(key))
        }
        Error::DuplicateMappingKey { key: None, .. } => "a key stands here twice".to_owned(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "it has more values, or more of them in each other, than are read".to_owned()
        }
        Error::NonFiniteFloat { .. } => "this is no number of the language".to_owned(),
        Error::MultipleDocuments { .. } => "it holds several documents; data is one".to_owned(),
        other => {
            let message = UserMessageFormatter.format_message(other);
            message.lines().next().unwrap_or("it cannot be read").to_owned()
        }
    }
}

/// Lines of a text, to find the bytes of lines and columns.
struct Places<'t> {
    file: FileId,
    text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Places<'t> {
    fn new(file: FileId, text: &'t str) -> Self {
        let lines =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, lines }
    }

    /// What is written at a place of the reader.
    fn slice(&self, at: serde_saphyr::Span) -> &'t str {
        let start = at.byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
        let length = at.byte_len().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
        let written = self.text.get(start..start + length).unwrap_or("");
        written.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'')
    }

    /// The span from a line and column on, to the end of what stands there.
    fn span(&self, line: u64, column: u64) -> Span {
        let at = usize::try_from(line).unwrap_or(1).saturating_sub(1);
        let Some(start) = self.lines.get(at).copied() else {
            return Span { file: self.file, start: 0, end: 0 };
        };
        let rest = &self.text[start..];
        let skip: usize = rest
            .chars()
            .take(usize::try_from(column).unwrap_or(1).saturating_sub(1))
            .map(char::len_utf8)
            .sum();
        let from = start + skip;
        let line_end = self.text[from..].find('\n').map_or(self.text.len(), |end| from + end);
        let end = from + self.text[from..line_end].trim_end_matches(['\r', ' ', ',']).len();
        Span { file: self.file, start: offset(from), end: offset(end) }
    }
}

/// A value as the reader gives it.
enum Piece {
    None,
    Bool(bool),
    Int(i64),
    /// A number that is read from its own text, because the reader would lose digits.
    Number,
    Text(String),
    List(Vec<Spanned<Piece>>),
    Map(Vec<(String, Spanned<Piece>)>),
}

struct PieceVisitor;

impl<'de> Visitor<'de> for PieceVisitor {
    type Value = Piece;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Piece, E> {
        Ok(Piece::None)
    }

    fn visit_none<E>(self) -> Result<Piece, E> {
        Ok(Piece::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Piece, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Piece, E> {
        Ok(Piece::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Piece, E> {
        Ok(Piece::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Piece, E> {
        Ok(i64::try_from(value).map_or(Piece::Number, Piece::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Piece, E> {
        Ok(Piece::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Piece, E> {
        Ok(Piece::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Piece, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Piece::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Piece, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Piece::Map(entries))
    }
}

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PieceVisitor)
    }
}

/// A number as it is written, with all of its digits; nothing where it has more than can be held.
fn decimal(text: &str) -> Option<Decimal> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let number = Decimal::from_str_exact(digits.strip_prefix('+').unwrap_or(digits)).ok()?;
    let number = number.normalize();
    if number.is_zero() {
        return Some(Decimal::ZERO);
    }
    let scale = i64::from(number.scale()).checked_sub(exponent)?;
    let (mantissa, scale) = match u32::try_from(scale) {
        Ok(scale) => (number.mantissa(), scale),
        Err(_) => {
            let zeros = u32::try_from(scale.checked_neg()?).ok()?;
            (number.mantissa().checked_mul(10_i128.checked_pow(zeros)?)?, 0)
        }
    };
    Decimal::try_from_i128_with_scale(mantissa, scale).ok().map(|number| number.normalize())
}

fn exact(text: &str, span: Span) -> Result<Data, Fault> {
    match decimal(text) {
        Some(number) => Ok(Data::Leaf(Value::Decimal(number))),
        None => {
            let shown: String = text.chars().take(60).collect();
            let shown = Line::new(&shown);
            Err((
                span,
                format!("`{shown}` has more digits than a number can hold; write it as a text"),
            ))
        }
    }
}

fn from_yaml(places: &Places<'_>, piece: Spanned<Piece>) -> Result<Node, Fault> {
    let at = piece.referenced;
    let span = places.span(at.line(), at.column());
    let data = match piece.value {
        Piece::None => Data::Leaf(Value::None),
        Piece::Bool(value) => Data::Leaf(Value::Bool(value)),
        Piece::Int(value) => Data::Leaf(Value::Int(value)),
        Piece::Number => exact(places.slice(piece.defined.span()), span)?,
        Piece::Text(value) => Data::Leaf(Value::str(value)),
        Piece::List(items) => {
            let items = items.into_iter().map(|item| from_yaml(places, item));
            Data::List(items.collect::<Result<_, _>>()?)
        }
        Piece::Map(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, item)| Ok((Name::new(key), from_yaml(places, item)?)));
            Data::Map(entries.collect::<Result<_, Fault>>()?)
        }
    };
    Ok(Node { data, origin: origin(span) })
}

fn from_toml(places: &Places<'_>, value: &mut toml_span::Value<'_>) -> Result<Node, Fault> {
    use toml_span::value::ValueInner;
    let (start, end) = (value.span.start, value.span.end);
    let span = Span { file: places.file, start: offset(start), end: offset(end) };
    let written = places.text.get(start..end).unwrap_or("");
    let data = match value.take() {
        // A checkout with other line ends holds the same text.
        ValueInner::String(text) if written.contains("\r\n") => {
            Data::Leaf(Value::str(text.replace("\r\n", "\n")))
        }
        ValueInner::String(text) => Data::Leaf(Value::str(text)),
        ValueInner::Integer(number) => Data::Leaf(Value::Int(number)),
        ValueInner::Float(_) => exact(&written.replace('_', ""), span)?,
        ValueInner::Boolean(value) => Data::Leaf(Value::Bool(value)),
        ValueInner::Array(items) => {
            let items = items.into_iter().map(|mut item| from_toml(places, &mut item));
            Data::List(items.collect::<Result<_, _>>()?)
        }
        ValueInner::Table(table) => {
            let entries = table
                .into_iter()
                .map(|(key, mut item)| Ok((Name::new(&key.name), from_toml(places, &mut item)?)));
            Data::Map(entries.collect::<Result<BTreeMap<_, _>, Fault>>()?)
        }
    };
    Ok(Node { data, origin: origin(span) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> String {
        match read(path, FileId::default(), text) {
            Ok(node) => format!("{:?}", node.value()),
            Err(fault) => fault.detail,
        }
    }

    #[test]
    fn numbers_keep_their_digits_or_are_refused() {
        let forms = ["a.json", "a.yaml"];
        let kept = [
            ("12345678901234567890123", "12345678901234567890123"),
            ("18446744073709551615", "18446744073709551615"),
            ("-18446744073709551615", "-18446744073709551615"),
            ("0.1234567890123456789", "0.1234567890123456789"),
            ("1.50", "1.5"),
            ("1.5e3", "1500"),
            ("25E-2", "0.25"),
            ("-1e20", "-100000000000000000000"),
        ];
        for form in forms {
            for (written, wanted) in kept {
                let number = Decimal::from_str_exact(wanted).unwrap();
                let text = format!("[{written}]");
                assert_eq!(told(form, &text), format!("{:?}", list(number)), "{form} {written}");
            }
            for written in
                ["1e30", "123456789012345678901234567890123", "0.12345678901234567890123456789012"]
            {
                let says = told(form, &format!("[{written}]"));
                assert!(says.contains("more digits than a number can hold"), "{form}: {says}");
            }
            assert!(told(form, "[1e400]").contains("no number"), "{}", told(form, "[1e400]"));
        }
        assert!(told("a.yaml", "[.5]").contains("0.5"), "{}", told("a.yaml", "[.5]"));
        assert!(told("a.yaml", "[!!float \"2.5\"]").contains("2.5"));
        let shared = told("a.yaml", "a: &x 0.1234567890123456789\nb: *x\n");
        assert_eq!(shared.matches("0.1234567890123456789").count(), 2, "{shared}");
        assert!(told("a.toml", "a = 0.1234567890123456789").contains("0.1234567890123456789"));
        assert!(told("a.toml", "a = 0.12345678901234567890123456789012").contains("more digits"));
        assert!(told("a.toml", "a = inf").contains("more digits"));
    }

    fn list(number: Decimal) -> Value {
        let node = Node {
            data: Data::List(vec![Node {
                data: Data::Leaf(Value::Decimal(number)),
                origin: origin(Span::default()),
            }]),
            origin: origin(Span::default()),
        };
        node.value()
    }

    #[test]
    fn what_is_wrong_is_said_in_words_of_the_file() {
        let many = format!("[{}]", vec!["1"; 300_000].join(","));
        let deep = "[".repeat(5_000);
        for (path, text, says) in [
            ("a.yaml", "a: 1\na: 2\n", "this is no YAML: the key `a` stands here twice"),
            ("a.json", "{\"a\":1,\"a\":2}", "this is no JSON: the key `a` stands here twice"),
            ("a.json", "{\"a\":", "this is no JSON: EOF while parsing a value"),
            (
                "a.json",
                &many,
                "this is no JSON: it has more values, or more of them in each other, than are read",
            ),
            ("a.yaml", &deep, "this is no YAML: recursion limit exceeded"),
            (
                "a.yaml",
                "a: 1\n---\nb: 2\n",
                "this is no YAML: it holds several documents; data is one",
            ),
        ] {
            assert_eq!(told(path, text), says);
        }
    }

    #[test]
    fn texts_of_toml_are_the_same_with_other_line_ends() {
        let text = "a = \"\"\"\none\ntwo\"\"\"\n";
        assert_eq!(told("a.toml", text), told("a.toml", &text.replace('\n', "\r\n")));
    }
}
