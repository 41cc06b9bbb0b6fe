//! Numbers with units, and texts with escapes and interpolations.

use super::{Lower, faults};
use crate::ast::{Expr, ExprKind, Part};
use crate::tree::Kind;
use dax_core::{Decimal, Diagnostic, Name, Quantity, Value, quantity, suggest};
use std::borrow::Cow;

impl Lower<'_> {
    pub(super) fn number(&mut self, node: usize) -> Option<Value> {
        let text = self.slice(node);
        if let Some(value) = read_number(text) {
            return Some(value);
        }
        let split = text.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(text.len());
        let (digits, suffix) = text.split_at(split);
        let digits: Cow<'_, str> =
            if digits.contains('_') { digits.replace('_', "").into() } else { digits.into() };
        let span = self.span(node);
        if Decimal::from_str_exact(&digits).is_err() {
            let detail = format!("`{digits}` has more digits than a number can hold");
            self.diagnostics.push(Diagnostic::new(faults::NUMBER_TOO_LARGE, span, detail));
            return None;
        };
        let known: Vec<_> = quantity::suffixes().collect();
        if known.contains(&suffix) {
            let detail = format!("`{text}` is more than can be held");
            self.diagnostics.push(Diagnostic::new(faults::NUMBER_TOO_LARGE, span, detail));
            return None;
        }
        let mut diagnostic =
            Diagnostic::new(faults::UNKNOWN_UNIT, span, format!("`{suffix}` is no unit"))
                .help(format!("units are {}", known.join(", ")));
        let same = known.iter().copied().find(|unit| unit.eq_ignore_ascii_case(suffix));
        let other_name = OTHER_NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(suffix))
            .map(|(_, unit)| *unit);
        if let Some(meant) = same
            .or(other_name)
            .or_else(|| suggest::nearest(&suffix.to_lowercase(), known.iter().copied()))
        {
            diagnostic = diagnostic.fix(span, format!("{digits}{meant}"));
        }
        self.diagnostics.push(diagnostic);
        None
    }

    pub(super) fn signed(&mut self, node: usize) -> Option<Value> {
        let negative = self.child(node, Kind::minus).is_some();
        let value = self.number(self.child(node, Kind::number)?)?;
        Some(if negative { negate(value) } else { value })
    }

    pub(super) fn string(&mut self, node: usize) -> Option<Expr> {
        let span = self.span(node);
        let mut parts = self.parts(node);
        let kind = match parts.as_mut_slice() {
            [Part::Text(text)] => ExprKind::Literal(Value::Str(std::mem::take(text))),
            _ => ExprKind::Template(parts),
        };
        Some(Expr { kind, span })
    }

    /// The pieces of a text, at least one.
    pub(super) fn parts(&mut self, node: usize) -> Vec<Part> {
        let block = self.slice(node).starts_with("\"\"\"");
        let mut parts = Vec::new();
        let mut text = String::new();
        for child in self.children(node) {
            match self.kind(child) {
                Kind::esc => text.push_str(&self.escape(child)),
                Kind::interp => {
                    if let Some(expr) = self.child(child, Kind::expr).and_then(|e| self.expr(e)) {
                        if !text.is_empty() {
                            parts.push(Part::Text(Name::new(std::mem::take(&mut text))));
                        }
                        parts.push(Part::Expr(expr));
                    }
                }
                // A checkout with other line ends holds the same text.
                _ if block => text.push_str(&self.slice(child).replace("\r\n", "\n")),
                _ => text.push_str(self.slice(child)),
            }
        }
        if !text.is_empty() || parts.is_empty() {
            parts.push(Part::Text(Name::new(text)));
        }
        if block {
            dedent(&mut parts);
        }
        parts
    }

    fn escape(&mut self, node: usize) -> String {
        let text = self.slice(node);
        match &text[1..] {
            "n" => "\n".to_owned(),
            "t" => "\t".to_owned(),
            "r" => "\r".to_owned(),
            "\\" | "\"" | "$" => text[1..].to_owned(),
            braced if braced.starts_with("u{") => {
                let digits = braced[2..].trim_end_matches('}');
                match u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) {
                    Some(c) => c.to_string(),
                    None => {
                        let detail = format!("`{digits}` is the number of no character");
                        self.diagnostics.push(
                            Diagnostic::new(faults::UNKNOWN_ESCAPE, self.span(node), detail)
                                .help("write it in hexadecimal, as in `\\u{e9}`"),
                        );
                        String::new()
                    }
                }
            }
            other => {
                let detail = format!("`\\{other}` is no escape");
                let help = r#"escapes are \n \t \r \\ \" \$ \u{e9}"#;
                self.diagnostics.push(
                    Diagnostic::new(faults::UNKNOWN_ESCAPE, self.span(node), detail).help(help),
                );
                other.to_owned()
            }
        }
    }
}

/// What units are called elsewhere.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("Ki", "KiB"),
    ("Mi", "MiB"),
    ("Gi", "GiB"),
    ("Ti", "TiB"),
    ("k", "KB"),
    ("G", "GB"),
    ("bytes", "B"),
    ("percent", "%"),
    ("pct", "%"),
    ("cores", "cpu"),
    ("millicpu", "mcpu"),
    ("millicores", "mcpu"),
    ("qps", "rps"),
];

/// A number with or without a unit; nothing when it is too large or the unit is not known.
pub(super) fn read_number(text: &str) -> Option<Value> {
    let split = text.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let digits: Cow<'_, str> =
        if digits.contains('_') { digits.replace('_', "").into() } else { digits.into() };
    if suffix.is_empty()
        && let Ok(whole) = digits.parse::<i64>()
    {
        return Some(Value::Int(whole));
    }
    let number = Decimal::from_str_exact(&digits).ok()?;
    if suffix.is_empty() {
        return Some(Value::Decimal(number.normalize()));
    }
    Quantity::from_suffix(number, suffix).map(Value::Quantity)
}

/// The value with the other sign; values without a sign stay as they are.
pub(super) fn negate(value: Value) -> Value {
    match value {
        Value::Int(number) => Value::Int(number.wrapping_neg()),
        Value::Decimal(number) => Value::Decimal(-number),
        Value::Quantity(quantity) => Value::Quantity(Quantity::new(quantity.unit, -quantity.base)),
        other => other,
    }
}

/// Takes from a `"""` text its first line break, the white space common to its lines, and its last line if blank.
fn dedent(parts: &mut [Part]) {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let mut common = usize::MAX;
    for part in parts.iter() {
        if let Part::Text(text) = part {
            let last = text.matches('\n').count();
            for (i, line) in text.split('\n').enumerate().skip(1) {
                let blank = line.trim().is_empty();
                if !blank || i == last {
                    common = common.min(indent(line));
                }
            }
        }
    }
    let count = parts.len();
    for (i, part) in parts.iter_mut().enumerate() {
        if let Part::Text(text) = part {
            let mut lines: Vec<&str> = text.split('\n').collect();
            for line in lines.iter_mut().skip(1) {
                *line = line.get(common.min(indent(line))..).unwrap_or("");
            }
            if i == 0 && lines.len() > 1 && lines[0].trim().is_empty() {
                lines.remove(0);
            }
            if i + 1 == count
                && lines.len() > 1
                && lines.last().is_some_and(|line| line.trim().is_empty())
            {
                lines.pop();
            }
            *text = Name::new(lines.join("\n"));
        }
    }
}
