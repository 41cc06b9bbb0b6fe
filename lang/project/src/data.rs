//! Data files: YAML, JSON and TOML as values whose every part knows its place in the file.

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
                return Err(fault(
                    Span { file, start, end: start },
                    format!("this is no JSON: {error}"),
                ));
            }
            yaml(file, text).map_err(|(span, why)| fault(span, format!("this is no JSON: {why}")))
        }
        "yaml" | "yml" => {
            yaml(file, text).map_err(|(span, why)| fault(span, format!("this is no YAML: {why}")))
        }
        "toml" => match toml_span::parse(text) {
            Ok(mut value) => Ok(from_toml(file, text, &mut value)),
            Err(error) => {
                let span =
                    Span { file, start: offset(error.span.start), end: offset(error.span.end) };
                Err(fault(span, format!("this is no TOML: {error}")))
            }
        },
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

fn yaml(file: FileId, text: &str) -> Result<Node, (Span, String)> {
    match serde_saphyr::from_str::<Spanned<Piece>>(text) {
        Ok(piece) => Ok(from_yaml(&Places::new(file, text), piece)),
        Err(error) => {
            let at = error.location().map_or(0, |location| {
                byte_of(text, location.line() as usize, location.column() as usize)
            });
            let message = error.to_string();
            let why = message.lines().next().unwrap_or("").trim_start_matches("error: ").to_owned();
            Err((Span { file, start: at, end: at }, why))
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
    Decimal(Decimal),
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

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Piece, E> {
        i64::try_from(value)
            .map(Piece::Int)
            .map_err(|_| E::custom(format!("the number {value} is too large")))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Piece, E> {
        // The shortest text of a float is the one that was written, for numbers of up to 15 digits.
        decimal(&value.to_string())
            .map(Piece::Decimal)
            .ok_or_else(|| E::custom(format!("`{value}` is no number of the language")))
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

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_scientific(text))
        .ok()
        .map(|number| number.normalize())
}

fn from_yaml(places: &Places<'_>, piece: Spanned<Piece>) -> Node {
    let at = piece.referenced;
    let span = places.span(at.line(), at.column());
    let data = match piece.value {
        Piece::None => Data::Leaf(Value::None),
        Piece::Bool(value) => Data::Leaf(Value::Bool(value)),
        Piece::Int(value) => Data::Leaf(Value::Int(value)),
        Piece::Decimal(value) => Data::Leaf(Value::Decimal(value)),
        Piece::Text(value) => Data::Leaf(Value::str(value)),
        Piece::List(items) => {
            Data::List(items.into_iter().map(|item| from_yaml(places, item)).collect())
        }
        Piece::Map(entries) => Data::Map(
            entries
                .into_iter()
                .map(|(key, item)| (Name::new(key), from_yaml(places, item)))
                .collect(),
        ),
    };
    Node { data, origin: origin(span) }
}

fn from_toml(file: FileId, text: &str, value: &mut toml_span::Value<'_>) -> Node {
    use toml_span::value::ValueInner;
    let span = Span { file, start: offset(value.span.start), end: offset(value.span.end) };
    let written = text.get(value.span.start..value.span.end).unwrap_or("").replace('_', "");
    let data = match value.take() {
        ValueInner::String(text) => Data::Leaf(Value::str(text)),
        ValueInner::Integer(number) => Data::Leaf(Value::Int(number)),
        ValueInner::Float(number) => {
            let exact = decimal(&written).or_else(|| decimal(&number.to_string()));
            Data::Leaf(exact.map_or_else(|| Value::str(number.to_string()), Value::Decimal))
        }
        ValueInner::Boolean(value) => Data::Leaf(Value::Bool(value)),
        ValueInner::Array(items) => {
            Data::List(items.into_iter().map(|mut item| from_toml(file, text, &mut item)).collect())
        }
        ValueInner::Table(table) => {
            let entries = table
                .into_iter()
                .map(|(key, mut item)| (Name::new(&key.name), from_toml(file, text, &mut item)));
            Data::Map(entries.collect::<BTreeMap<_, _>>())
        }
    };
    Node { data, origin: origin(span) }
}
