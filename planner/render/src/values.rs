//! Values and their differences as text.

use crate::shorten::{self, VALUE};
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
        (Some(Value::List(old)), Some(Value::List(new))) if old.len() + new.len() <= ITEMS => {
            (list(head, old, new), Vec::new())
        }
        (Some(Value::Str(old_text)), Some(Value::Str(new_text))) => {
            if let (Some(old), Some(new)) = (json(old_text), json(new_text)) {
                let mut lines = Vec::new();
                structure("", &old, &new, indent, &mut lines);
                // What differs only as a text, as in the order of its keys, is shown as one.
                if !lines.is_empty() {
                    return whole(head.with(Tone::Dim, "JSON"), lines, (old_text, new_text));
                }
            }
            if old_text.contains('\n') || new_text.contains('\n') {
                let lines = text(old_text, new_text, indent);
                return whole(head.with(Tone::Dim, "text"), lines, (old_text, new_text));
            }
            (arrow(head, before, after), Vec::new())
        }
        _ => (arrow(head, before, after), Vec::new()),
    }
}

/// Items of two lists that are held against one another; longer ones are shown as they begin.
const ITEMS: usize = 100;
/// Items of two lists that are not in the other one; nothing where only their order differs.
pub(crate) fn items(old: &[Value], new: &[Value]) -> Option<(Vec<Value>, Vec<Value>)> {
    if old.len() + new.len() > ITEMS {
        return None;
    }
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        if !matches!(op, DiffOp::Equal { .. }) {
            gone.extend_from_slice(&old[op.old_range()]);
            come.extend_from_slice(&new[op.new_range()]);
        }
    }
    (gone.iter().all(|item| !come.contains(item))).then_some((gone, come))
}

/// Lines that are shown of a text of many.
const LINES: usize = 40;

/// The first of many lines, and what is said of the texts that have more.
fn whole(head: Line, mut lines: Vec<Line>, texts: (&str, &str)) -> (Line, Vec<Line>) {
    let more = lines.len().saturating_sub(LINES);
    if more == 0 {
        return (head, lines);
    }
    lines.truncate(LINES);
    let of = |text: &str| {
        let count = shorten::grouped(text.chars().count());
        format!("{count} characters, {}", shorten::digest(text))
    };
    let more = shorten::grouped(more);
    let said = format!("  {more} more lines ({} → {})", of(texts.0), of(texts.1));
    (head.with(Tone::Warn, said), lines)
}

fn short(text: &str) -> String {
    shorten::text(text, VALUE)
}

/// Sources of the secrets of a value: `env:TOKEN`; nothing where it has none.
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
        (None, Some(after)) => line.with(Tone::Add, shorten::value(after)),
        (Some(before), None) => line.with(Tone::Remove, shorten::value(before)),
        (Some(before), Some(after)) => line
            .with(Tone::Remove, shorten::value(before))
            .with(Tone::Dim, " → ")
            .with(Tone::Add, shorten::value(after)),
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
                    line = put(line, Tone::Dim, "", shorten::value(value));
                }
            }
            _ => {
                for value in &old[old_range] {
                    line = put(line, Tone::Remove, "-", shorten::value(value));
                }
                for value in &new[new_range] {
                    line = put(line, Tone::Add, "+", shorten::value(value));
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
                    Line::at(indent).with(
                        tone,
                        format!("{mark}{}", short(change.value().trim_end_matches('\n'))),
                    ),
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
            (Some(old), None) => lines.push(
                Line::at(indent)
                    .with(Tone::Remove, format!("- {path}: {}", short(&old.to_string()))),
            ),
            (None, Some(new)) => lines.push(
                Line::at(indent).with(Tone::Add, format!("+ {path}: {}", short(&new.to_string()))),
            ),
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
                .with(Tone::Remove, short(&old.to_string()))
                .with(Tone::Dim, " → ")
                .with(Tone::Add, short(&new.to_string())),
        ),
    }
}
