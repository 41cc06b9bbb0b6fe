//! Texts and numbers.

use super::{Outcome, bad, bounded, display, int, number, text, texts, too_long};
use crate::limits::MAX_TEXT;
use crate::operators::decimal;
use dax_core::{Decimal, Value};

pub(super) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    Some(match name {
        "starts_with" => |a| Ok(Value::Bool(text(a, 0).starts_with(text(a, 1)))),
        "ends_with" => |a| Ok(Value::Bool(text(a, 0).ends_with(text(a, 1)))),
        "contains" => |a| Ok(Value::Bool(text(a, 0).contains(text(a, 1)))),
        "length" => length,
        "lower" => |a| bounded(text(a, 0).to_lowercase()),
        "upper" => |a| bounded(text(a, 0).to_uppercase()),
        "trim" => |a| Ok(Value::str(text(a, 0).trim())),
        "replace" => replace,
        "split" => split,
        "lines" => |a| Ok(texts(text(a, 0).lines())),
        "characters" => {
            |a| Ok(Value::List(text(a, 0).chars().map(|c| Value::str(c.to_string())).collect()))
        }
        "join" => join,
        "repeat" => repeat,
        "substring" => substring,
        "position" => position,
        "string" => |a| bounded(display(&a[0])),
        "to_int" => |a| Ok(text(a, 0).trim().parse().map_or(Value::None, Value::Int)),
        "to_number" => {
            |a| Ok(Decimal::from_str_exact(text(a, 0).trim()).map_or(Value::None, number))
        }
        "floor" => |a| whole(&a[0], |d| d.floor()),
        "ceil" => |a| whole(&a[0], |d| d.ceil()),
        "round" => |a| {
            whole(&a[0], |d| {
                d.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
            })
        },
        "power" => power,
        _ => return None,
    })
}

fn length(args: &[Value]) -> Outcome {
    let length = match &args[0] {
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        other => other.as_str().unwrap_or("").chars().count(),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn replace(args: &[Value]) -> Outcome {
    let (whole, part, by) = (text(args, 0), text(args, 1), text(args, 2));
    let count = whole.matches(part).count();
    if whole.len().saturating_add(count.saturating_mul(by.len())) > MAX_TEXT {
        return too_long();
    }
    bounded(whole.replace(part, by))
}

fn split(args: &[Value]) -> Outcome {
    if text(args, 1).is_empty() {
        return bad("the separator is empty; `characters` gives the characters of a text");
    }
    Ok(texts(text(args, 0).split(text(args, 1))))
}

fn join(args: &[Value]) -> Outcome {
    let (items, separator) = (args[0].items(), text(args, 1));
    let length: usize =
        items.iter().map(|item| item.as_str().unwrap_or("").len() + separator.len()).sum();
    if length > MAX_TEXT + separator.len() {
        return too_long();
    }
    bounded(items.iter().map(display).collect::<Vec<_>>().join(separator))
}

fn repeat(args: &[Value]) -> Outcome {
    let times = usize::try_from(int(args, 1)).unwrap_or(0);
    if text(args, 0).len().saturating_mul(times) > MAX_TEXT {
        return too_long();
    }
    bounded(text(args, 0).repeat(times))
}

fn substring(args: &[Value]) -> Outcome {
    let from = usize::try_from(int(args, 1)).unwrap_or(0);
    let to = usize::try_from(int(args, 2)).unwrap_or(0);
    Ok(Value::str(
        text(args, 0).chars().skip(from).take(to.saturating_sub(from)).collect::<String>(),
    ))
}

fn position(args: &[Value]) -> Outcome {
    let at = text(args, 0).find(text(args, 1)).map(|at| text(args, 0)[..at].chars().count());
    Ok(at.map_or(Value::None, |at| Value::Int(i64::try_from(at).unwrap_or(i64::MAX))))
}

fn whole(value: &Value, by: fn(Decimal) -> Decimal) -> Outcome {
    let Some(value) = decimal(value) else { return bad("this is no number") };
    match i64::try_from(by(value)) {
        Ok(whole) => Ok(Value::Int(whole)),
        Err(_) => bad(format!("{value} is too large for a whole number")),
    }
}

fn power(args: &[Value]) -> Outcome {
    let base = decimal(&args[0]).unwrap_or_default();
    let mut result = Some(Decimal::ONE);
    for _ in 0..int(args, 1) {
        result = result.and_then(|so_far| so_far.checked_mul(base));
    }
    result
        .map(number)
        .map_or_else(|| bad(format!("{base} to the power of {} is too large", int(args, 1))), Ok)
}
