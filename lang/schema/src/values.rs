//! Defaults, and the conditions that they must keep.

use crate::types::is_plain;
use dax_core::Decimal;
use dax_syntax::ast::BinaryOp;
use dax_syntax::write::{Condition, Expr, Layout, Type, decimal};
use serde_json::Value as Json;

/// Characters of a `pattern` beyond which it is left to the system that owns the schema.
const LONGEST_PATTERN: usize = 200;
/// Parts of ECMA-262 that mean something else here, or nothing: look-around and back references.
const OTHERWISE: [&str; 8] = ["(?=", "(?!", "(?<", "\\1", "\\2", "\\/", "\\p", "\\u"];

/// A `pattern` as a condition, where it means the same here.
pub(crate) fn condition(pattern: &str) -> Option<Condition> {
    let portable = pattern.len() <= LONGEST_PATTERN
        && !OTHERWISE.iter().any(|part| pattern.contains(part))
        && regex_lite::Regex::new(pattern).is_ok();
    portable.then(|| Condition::Matches(pattern.to_owned()))
}

/// A default as dax writes it; nothing for what its type would not take.
pub(crate) fn literal(value: &Json, ty: &Type) -> Option<Expr> {
    match (value, ty) {
        (value, Type::Where(base, conditions)) => {
            let written = literal(value, base)?;
            conditions.iter().all(|condition| holds(condition, value)).then_some(written)
        }
        (Json::Bool(value), ty) if is_plain(ty, &["bool", "any"]) => Some(Expr::Bool(*value)),
        (Json::Number(number), ty) if is_plain(ty, &["int", "any"]) => {
            number.as_i64().map(Expr::number)
        }
        (Json::Number(number), ty) if is_plain(ty, &["number"]) => {
            decimal(&number.to_string()).map(Expr::Number)
        }
        (Json::Number(number), Type::Range(base, low, high)) => {
            let written = decimal(&number.to_string())?;
            let whole = base.as_str() != "int" || number.is_i64();
            let inside = Decimal::from(*low) <= written && written <= Decimal::from(*high);
            (whole && inside).then_some(Expr::Number(written))
        }
        (Json::String(text), ty) if is_plain(ty, &["string", "any"]) => Some(Expr::str(text)),
        (Json::String(text), Type::Literal(literal)) => (text == literal).then(|| Expr::str(text)),
        (value, Type::Union(all)) => all.iter().find_map(|one| literal(value, one)),
        (value, Type::Optional(inner)) => literal(value, inner),
        (Json::Array(items), Type::Of(name, _)) if ["List", "Set"].contains(&name.as_str()) => {
            items.is_empty().then(|| Expr::list([]))
        }
        (Json::Object(map), Type::Of(name, _)) if name.as_str() == "Map" => {
            map.is_empty().then(|| Expr::Map(Vec::new(), Layout::Inline))
        }
        _ => None,
    }
}

/// Whether a value keeps a condition.
fn holds(condition: &Condition, value: &Json) -> bool {
    let compared = |op: BinaryOp, left: Decimal, right: Decimal| match op {
        BinaryOp::GreaterEqual => left >= right,
        BinaryOp::LessEqual => left <= right,
        _ => false,
    };
    match (condition, value) {
        (Condition::Matches(pattern), Json::String(text)) => {
            regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
        }
        (Condition::Length(op, bound), Json::String(text)) => {
            compared(*op, Decimal::from(text.chars().count()), Decimal::from(*bound))
        }
        (Condition::Value(op, bound), Json::Number(number)) => decimal(&number.to_string())
            .is_some_and(|number| compared(*op, number, Decimal::from(*bound))),
        _ => false,
    }
}
