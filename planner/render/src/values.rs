//! How values and their differences read.

use crate::tree::{Line, Tone};
use dax_core::{SecretPart, SecretRef, Value};
use similar::{Algorithm, ChangeTag, DiffOp, capture_diff_slices};

/// A duration in words of the language: `90s`, `1h`.
pub fn millis(ms: u64) -> String {
    dax_core::Quantity::new(dax_core::Unit::Duration, dax_core::Decimal::from(ms)).to_string()
}

/// The lines that show how a leaf changes; the first one goes behind its name.
pub(crate) fn change(
    before: Option<&Value>,
    after: Option<&Value>,
    indent: usize,
) -> (Line, Vec<Line>) {
    let head = Line::at(0);
    match (before, after) {
        (Some(Value::List(old)), Some(Value::List(new))) => (list(head, old, new), Vec::new()),
        (Some(Value::Str(old)), Some(Value::Str(new))) => {
            if let (Some(old), Some(new)) = (json(old), json(new)) {
                let mut lines = Vec::new();
                structure("", &old, &new, indent, &mut lines);
                // What differs only as a text, as in the order of its keys, is shown as one.
                if !lines.is_empty() {
                    return (head.with(Tone::Dim, "JSON"), lines);
                }
            }
            if old.contains('\n') || new.contains('\n') {
                return (head.with(Tone::Dim, "text"), text(old, new, indent));
            }
            (arrow(head, before, after), Vec::new())
        }
        _ => (arrow(head, before, after), Vec::new()),
    }
}

/// Where the secrets of a value come from: `env:TOKEN`; nothing where it has none.
pub(crate) fn secrets(value: &Value) -> Option<String> {
    let mut found = Vec::new();
    value.secrets(&mut found);
    let mut places = std::collections::BTreeSet::new();
    found.into_iter().for_each(|secret| collect(secret, &mut places));
    let places: Vec<String> = places.into_iter().collect();
    (!places.is_empty()).then(|| places.join(", "))
}

fn collect(secret: &SecretRef, into: &mut std::collections::BTreeSet<String>) {
    if secret.parts.is_empty() {
        into.insert(format!("{}:{}", secret.source, secret.key));
    }
    for part in &secret.parts {
        match part {
            SecretPart::Secret(inner) => collect(inner, into),
            SecretPart::Text(text) => drop(into.insert(format!("{text:?}"))),
        }
    }
}

fn arrow(line: Line, before: Option<&Value>, after: Option<&Value>) -> Line {
    match (before, after) {
        (None, Some(after)) => line.with(Tone::Add, after.to_string()),
        (Some(before), None) => line.with(Tone::Remove, before.to_string()),
        (Some(before), Some(after)) => line
            .with(Tone::Remove, before.to_string())
            .with(Tone::Dim, " → ")
            .with(Tone::Add, after.to_string()),
        (None, None) => line,
    }
}

fn list(mut line: Line, old: &[Value], new: &[Value]) -> Line {
    line = line.with(Tone::Dim, "[");
    let mut first = true;
    let mut put = |line: Line, tone: Tone, mark: &str, text: String| {
        let gap = if std::mem::take(&mut first) { "" } else { " " };
        line.with(Tone::Plain, gap).with(tone, format!("{mark}{text}"))
    };
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        let (old_range, new_range) = (op.old_range(), op.new_range());
        match op {
            DiffOp::Equal { len, .. } if len > 3 => {
                line = put(line, Tone::Dim, "", format!("({len} unchanged)"))
            }
            DiffOp::Equal { .. } => {
                for value in &old[old_range] {
                    line = put(line, Tone::Dim, "", value.to_string());
                }
            }
            _ => {
                for value in &old[old_range] {
                    line = put(line, Tone::Remove, "-", value.to_string());
                }
                for value in &new[new_range] {
                    line = put(line, Tone::Add, "+", value.to_string());
                }
            }
        }
    }
    line.with(Tone::Dim, "]")
}

fn text(old: &str, new: &str, indent: usize) -> Vec<Line> {
    let diff = similar::TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(2) {
        for op in group {
            for change in diff.iter_changes(&op) {
                let (tone, mark) = match change.tag() {
                    ChangeTag::Delete => (Tone::Remove, "- "),
                    ChangeTag::Insert => (Tone::Add, "+ "),
                    ChangeTag::Equal => (Tone::Dim, "  "),
                };
                lines.push(
                    Line::at(indent)
                        .with(tone, format!("{mark}{}", change.value().trim_end_matches('\n'))),
                );
            }
        }
    }
    lines
}

/// JSON texts that hold an object or a list.
fn json(text: &str) -> Option<serde_json::Value> {
    let starts = text.trim_start().starts_with(['{', '[']);
    if starts { serde_json::from_str(text).ok() } else { None }
}

fn structure(
    path: &str,
    old: &serde_json::Value,
    new: &serde_json::Value,
    indent: usize,
    lines: &mut Vec<Line>,
) {
    use serde_json::Value as Json;
    if old == new {
        return;
    }
    let mut step = |key: String, old: Option<&Json>, new: Option<&Json>| {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        match (old, new) {
            (Some(old), Some(new)) => structure(&path, old, new, indent, lines),
            (Some(old), None) => {
                lines.push(Line::at(indent).with(Tone::Remove, format!("- {path}: {old}")))
            }
            (None, Some(new)) => {
                lines.push(Line::at(indent).with(Tone::Add, format!("+ {path}: {new}")))
            }
            (None, None) => {}
        }
    };
    match (old, new) {
        (Json::Object(a), Json::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().for_each(|key| step(key.clone(), a.get(key), b.get(key)));
        }
        (Json::Array(a), Json::Array(b)) => {
            (0..a.len().max(b.len())).for_each(|at| step(at.to_string(), a.get(at), b.get(at)));
        }
        _ => lines.push(
            Line::at(indent)
                .with(Tone::Change, format!("~ {path}: "))
                .with(Tone::Remove, old.to_string())
                .with(Tone::Dim, " → ")
                .with(Tone::Add, new.to_string()),
        ),
    }
}
