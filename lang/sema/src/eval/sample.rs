//! Values made up for properties: the edges of each type first, then whatever comes, always the same for a seed.

use super::Evaluator;
use crate::ty::Type;
use dax_core::{Decimal, Name, Quantity, Span, Unit, Value};
use dax_syntax::ast::{BinaryOp, Expr, ExprKind};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeMap;

/// Values thrown away before a condition counts as one that nothing meets.
const TRIES: u32 = 300;

/// A source of values (SplitMix64, Steele, Lea and Flood 2014).
pub(super) struct Samples {
    state: u64,
}

/// Whether a value is of its type, conditions included.
pub(super) fn fits<'a>(evaluator: &Evaluator<'_, 'a>, value: &Value, ty: &Type<'a>) -> bool {
    let before = evaluator.context.diagnostics.take();
    let result =
        evaluator.conform(super::expr::from_value(value.clone(), Span::default()), ty).is_ok();
    evaluator.context.diagnostics.replace(before);
    result
}

/// Simpler values to try in place of one that fails, the simplest first.
pub(super) fn smaller(value: &Value) -> Vec<Value> {
    match value {
        Value::Int(0) | Value::None | Value::Bool(false) => Vec::new(),
        Value::Int(number) => {
            let mut all =
                vec![Value::Int(0), Value::Int(number / 2), Value::Int(number - number.signum())];
            all.dedup();
            all.retain(|one| one != value);
            all
        }
        Value::Bool(true) => vec![Value::Bool(false)],
        Value::Str(text) if !text.is_empty() => {
            let chars: Vec<char> = text.chars().collect();
            let half: String = chars[..chars.len() / 2].iter().collect();
            let shorter: String = chars[..chars.len() - 1].iter().collect();
            vec![Value::str(""), Value::str(half), Value::str(shorter)]
        }
        Value::List(items) if !items.is_empty() => {
            vec![Value::List(Vec::new()), Value::List(items[..items.len() - 1].to_vec())]
        }
        Value::Quantity(quantity) if !quantity.base.is_zero() => {
            let half = (quantity.base / Decimal::TWO).trunc();
            [Decimal::ZERO, half]
                .into_iter()
                .filter(|base| *base != quantity.base)
                .map(|base| Value::Quantity(Quantity::new(quantity.unit, base)))
                .collect()
        }
        _ => Vec::new(),
    }
}

impl Samples {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of.get(at)
    }

    /// A value of a type; the first cases are its edges.
    pub(super) fn of<'a>(
        &mut self,
        evaluator: &Evaluator<'_, 'a>,
        ty: &Type<'a>,
        case: u32,
    ) -> Option<Value> {
        match ty {
            Type::None | Type::Any => Some(Value::None),
            Type::Unset => Some(Value::Unset),
            Type::Bool => Some(Value::Bool(self.below(2) == 1)),
            Type::Int => Some(self.between(-1000, 1000, case)),
            Type::Number => Some(Value::Decimal(
                Decimal::new(i64::try_from(self.below(2_000_000)).unwrap_or(0) - 1_000_000, 3)
                    .normalize(),
            )),
            Type::String => Some(self.text()),
            Type::Unit(unit) => {
                Some(Value::Quantity(Quantity::new(*unit, Decimal::from(self.below(most(*unit))))))
            }
            Type::Literal(text) => Some(Value::Str(text.clone())),
            Type::Union(all) => {
                let one = self.pick(all)?.clone();
                self.of(evaluator, &one, case)
            }
            Type::Optional(inner) => match self.below(4) {
                0 => Some(Value::None),
                _ => self.of(evaluator, inner, case),
            },
            Type::List(inner) | Type::Set(inner) | Type::Keyed(inner, _) => {
                let element =
                    inner.element().filter(|_| matches!(ty, Type::Keyed(..))).unwrap_or(inner);
                let count = if case == 0 { 0 } else { self.below(5) };
                let items = (0..count)
                    .map(|_| self.of(evaluator, element, case))
                    .collect::<Option<Vec<_>>>()?;
                Some(Value::List(items))
                    .filter(|value| !matches!(ty, Type::Keyed(..)) || fits(evaluator, value, ty))
            }
            Type::Map(inner) => {
                let count = if case == 0 { 0 } else { self.below(4) };
                let entries = (0..count).map(|at| {
                    Some((Name::new(format!("key{at}")), self.of(evaluator, inner, case)?))
                });
                Some(Value::Map(entries.collect::<Option<BTreeMap<_, _>>>()?))
            }
            Type::Record(record) => {
                let mut map = BTreeMap::new();
                for (name, field) in &record.fields {
                    let left_out = field.may_lack() && self.below(2) == 0;
                    if !left_out {
                        map.insert(name.clone(), self.of(evaluator, &field.ty, case)?);
                    }
                }
                Some(Value::Map(map))
            }
            Type::Phase(_, inner) => self.of(evaluator, inner, case),
            Type::Named(name, inner) => match known(name) {
                Some(values) if matches!(**inner, Type::Where(..)) => {
                    self.pick(values).map(Value::str)
                }
                _ => self.of(evaluator, inner, case),
            },
            Type::Range(base, low, high) => match (low, high) {
                (Value::Int(low), Value::Int(high)) => Some(self.between(*low, *high, case)),
                (Value::Quantity(low), Value::Quantity(high)) => {
                    let base = self.decimal(low.base, high.base, case);
                    Some(Value::Quantity(Quantity::new(low.unit, base)))
                }
                (Value::Decimal(low), Value::Decimal(high)) => {
                    Some(Value::Decimal(self.decimal(*low, *high, case)))
                }
                _ => {
                    let value = self.of(evaluator, base, case)?;
                    fits(evaluator, &value, ty).then_some(value)
                }
            },
            Type::Where(base, condition, _) => {
                let pattern = pattern(condition).and_then(|text| regex_syntax::parse(text).ok());
                (0..TRIES).find_map(|_| {
                    let value = match &pattern {
                        Some(pattern) if matches!(base.core(), Type::String) => {
                            let mut text = String::new();
                            self.matching(pattern, &mut text);
                            Value::str(text)
                        }
                        _ => self.of(evaluator, base, case)?,
                    };
                    fits(evaluator, &value, ty).then_some(value)
                })
            }
            Type::Error
            | Type::Var(_)
            | Type::Secret(_)
            | Type::Ref(_)
            | Type::Query
            | Type::Condition => None,
        }
    }

    fn between(&mut self, low: i64, high: i64, case: u32) -> Value {
        let width =
            u64::try_from(i128::from(high) - i128::from(low)).unwrap_or(u64::MAX).saturating_add(1);
        Value::Int(match case {
            0 => low,
            1 => high,
            _ => low.saturating_add(i64::try_from(self.below(width)).unwrap_or(0)),
        })
    }

    fn decimal(&mut self, low: Decimal, high: Decimal, case: u32) -> Decimal {
        match case {
            0 => low,
            1 => high,
            _ => (low
                + (high - low) * Decimal::new(i64::try_from(self.below(1000)).unwrap_or(0), 3))
            .trunc()
            .max(low)
            .normalize(),
        }
    }

    fn text(&mut self) -> Value {
        const PIECES: &[&str] = &[
            "a", "Z", "0", "-", "_", " ", "é", "漢", "/", ".", "\"", "\\", "$", "#", "\n", "web",
            "v1",
        ];
        let count = self.below(8);
        let mut text = String::new();
        for _ in 0..count {
            text.push_str(self.pick(PIECES).copied().unwrap_or(""));
        }
        Value::str(text)
    }

    /// A text that a regular expression matches.
    fn matching(&mut self, hir: &Hir, out: &mut String) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => out.push_str(&String::from_utf8_lossy(&literal.0)),
            HirKind::Class(class) => {
                let ranges: Vec<(u32, u32)> = match class {
                    Class::Unicode(class) => class
                        .ranges()
                        .iter()
                        .map(|range| (range.start().into(), range.end().into()))
                        .collect(),
                    Class::Bytes(class) => class
                        .ranges()
                        .iter()
                        .map(|range| (range.start().into(), range.end().into()))
                        .collect(),
                };
                let ascii: Vec<(u32, u32)> =
                    ranges.iter().copied().filter(|(start, _)| *start < 128).collect();
                let from = if ascii.is_empty() { &ranges } else { &ascii };
                if let Some((start, end)) = self.pick(from).copied() {
                    let end = if ascii.is_empty() { end } else { end.min(126) };
                    let at = start
                        + u32::try_from(self.below(u64::from(end.saturating_sub(start)) + 1))
                            .unwrap_or(0);
                    out.extend(char::from_u32(at));
                }
            }
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(repetition.min + 4).min(repetition.min + 12);
                let count = repetition.min
                    + u32::try_from(self.below(u64::from(most - repetition.min) + 1)).unwrap_or(0);
                for _ in 0..count {
                    self.matching(&repetition.sub, out);
                }
            }
            HirKind::Capture(capture) => self.matching(&capture.sub, out),
            HirKind::Concat(all) => all.iter().for_each(|one| self.matching(one, out)),
            HirKind::Alternation(all) => {
                if let Some(one) = self.pick(all).cloned() {
                    self.matching(&one, out);
                }
            }
        }
    }
}

/// The pattern of `matches(self, "…")` in a condition.
fn pattern(condition: &Expr) -> Option<&str> {
    match &condition.kind {
        ExprKind::Call(function, args) => match (&function.kind, args.as_slice()) {
            (
                ExprKind::Name(name),
                [(_, subject), (_, Expr { kind: ExprKind::Literal(Value::Str(pattern)), .. })],
            ) if name == "matches"
                && matches!(&subject.kind, ExprKind::Name(name) if name == "self") =>
            {
                Some(pattern)
            }
            _ => None,
        },
        ExprKind::Binary(BinaryOp::And, left, right) => pattern(left).or_else(|| pattern(right)),
        _ => None,
    }
}

/// Values of the standard library's checked texts.
fn known(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "Url" => &[
            "https://example.com",
            "http://127.0.0.1:8080/x?y=z#f",
            "postgres://db.internal:5432/app",
            "https://example.com/%20",
        ],
        "ImageRef" => &[
            "nginx",
            "ghcr.io/acme/web:1.2.3",
            "localhost:5000/a/b:latest",
            "a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ],
        "Cron" => &["* * * * *", "*/5 0-6 1 1,7 1-5", "0 0 * * 0"],
        "Regex" => &["", "^a+$", "[0-9]{1,3}", "(?i)x|y"],
        "Version" => &["0.0.1", "1.2.3", "10.20.30-rc.1+build.5"],
        "Instant" => {
            &["2026-01-01T00:00:00Z", "2024-02-29T23:59:59+14:00", "2026-10-25T02:30:00+02:00"]
        }
        "TimeZone" => &["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"],
        _ => return None,
    })
}

fn most(unit: Unit) -> u64 {
    match unit {
        Unit::Duration => 86_400_000,
        Unit::Bytes => 1 << 40,
        Unit::Percent => 100,
        Unit::Cpu => 64_000,
        Unit::Rate => 100_000,
    }
}
