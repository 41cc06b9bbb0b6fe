//! What operators do: one table of types for the checker and one of values for the evaluator.

use crate::codes;
use crate::ty::Type;
use dax_core::{Code, Decimal, Quantity, Value};
use dax_syntax::ast::BinaryOp;

/// The type of `left op right`, or nothing when the two do not go together.
pub(crate) fn binary_type<'a>(op: BinaryOp, left: &Type<'a>, right: &Type<'a>) -> Option<Type<'a>> {
    use Type::{Any, Bool, Error, Int, List, Literal, Map, Number, String, Unit};
    let (l, r) = (left.core(), right.core());
    if matches!(l, Error | Any) || matches!(r, Error | Any) {
        return Some(match op {
            BinaryOp::Coalesce if matches!(l, Error | Any) => right.clone(),
            BinaryOp::Coalesce
            | BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide => Error,
            _ => Bool,
        });
    }
    let text = |t: &Type<'_>| matches!(t, String | Literal(_));
    match op {
        BinaryOp::Or | BinaryOp::And => matches!((l, r), (Bool, Bool)).then_some(Bool),
        BinaryOp::Equal | BinaryOp::NotEqual => {
            let alike = left.fits(right)
                || right.fits(left)
                || l.fits(r)
                || r.fits(l)
                || (text(l) && text(r));
            alike.then_some(Bool)
        }
        BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
            let ordered = match (l, r) {
                (Int | Number, Int | Number) => true,
                (Unit(a), Unit(b)) => a == b,
                _ => text(l) && text(r),
            };
            ordered.then_some(Bool)
        }
        BinaryOp::In => match r {
            List(element) | Type::Set(element) => {
                (l.fits(element) || element.fits(l)).then_some(Bool)
            }
            Map(_) | Type::Record(_) | String => text(l).then_some(Bool),
            _ => None,
        },
        BinaryOp::Coalesce => match (left.optional(), left) {
            (Some(inner), _) => Some(inner.clone().join(right.clone())),
            (None, Type::None) => Some(right.clone()),
            _ => Some(left.clone().join(right.clone())),
        },
        BinaryOp::Add | BinaryOp::Subtract => match (l, r) {
            (Int, Int) => Some(Int),
            (Int | Number, Int | Number) => Some(Number),
            (Unit(a), Unit(b)) if a == b => Some(Unit(*a)),
            _ if op == BinaryOp::Add && text(l) && text(r) => Some(String),
            (List(a), List(b)) if op == BinaryOp::Add => {
                Some(List(std::sync::Arc::new((**a).clone().join((**b).clone()))))
            }
            _ => None,
        },
        BinaryOp::Multiply => match (l, r) {
            (Int, Int) => Some(Int),
            (Int | Number, Int | Number) => Some(Number),
            (Unit(unit), Int | Number) | (Int | Number, Unit(unit)) => Some(Unit(*unit)),
            _ => None,
        },
        BinaryOp::Divide => match (l, r) {
            (Int | Number, Int | Number) => Some(Number),
            (Unit(unit), Int | Number) => Some(Unit(*unit)),
            (Unit(a), Unit(b)) if a == b => Some(Number),
            _ => None,
        },
    }
}

/// The amount of a number, however it is held.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        _ => None,
    }
}

fn number(value: Decimal) -> Value {
    Value::Decimal(value.normalize())
}

/// Compares two values of one type; numbers by amount however they are held.
pub(crate) fn compare(left: &Value, right: &Value) -> std::cmp::Ordering {
    match (decimal(left), decimal(right)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => left.cmp(right),
    }
}

/// The value of `left op right` for every operator that needs both sides.
pub(crate) fn binary(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, (Code, String)> {
    let ordering = || compare(left, right);
    Ok(match op {
        BinaryOp::Or => Value::Bool(*left == Value::Bool(true) || *right == Value::Bool(true)),
        BinaryOp::And => Value::Bool(*left == Value::Bool(true) && *right == Value::Bool(true)),
        BinaryOp::Equal => Value::Bool(ordering().is_eq()),
        BinaryOp::NotEqual => Value::Bool(ordering().is_ne()),
        BinaryOp::Less => Value::Bool(ordering().is_lt()),
        BinaryOp::LessEqual => Value::Bool(ordering().is_le()),
        BinaryOp::Greater => Value::Bool(ordering().is_gt()),
        BinaryOp::GreaterEqual => Value::Bool(ordering().is_ge()),
        BinaryOp::Coalesce => {
            if *left == Value::None {
                right.clone()
            } else {
                left.clone()
            }
        }
        BinaryOp::In => Value::Bool(match right {
            Value::List(items) => items.iter().any(|item| compare(item, left).is_eq()),
            Value::Map(map) => left.as_str().is_some_and(|key| map.contains_key(key)),
            other => other.as_str().unwrap_or("").contains(left.as_str().unwrap_or("")),
        }),
        _ => return arithmetic(op, left, right),
    })
}

fn arithmetic(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, (Code, String)> {
    let impossible =
        || (codes::ARITHMETIC, format!("`{left} {} {right}` is too large", op.symbol()));
    let by = |a: Decimal, b: Decimal| match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        _ => a.checked_div(b),
    };
    if op == BinaryOp::Divide {
        let zero = match right {
            Value::Quantity(quantity) => quantity.base.is_zero(),
            other => decimal(other).is_some_and(|d| d.is_zero()),
        };
        if zero {
            return Err((codes::ARITHMETIC, format!("`{left} / {right}` divides by zero")));
        }
    }
    match (left, right) {
        (Value::Int(a), Value::Int(b)) if op != BinaryOp::Divide => {
            let result = match op {
                BinaryOp::Add => a.checked_add(*b),
                BinaryOp::Subtract => a.checked_sub(*b),
                _ => a.checked_mul(*b),
            };
            result.map(Value::Int).ok_or_else(impossible)
        }
        (Value::Quantity(a), Value::Quantity(b)) => {
            let base = by(a.base, b.base).ok_or_else(impossible)?;
            Ok(if op == BinaryOp::Divide {
                number(base)
            } else {
                Value::Quantity(Quantity::new(a.unit, base))
            })
        }
        (Value::Quantity(quantity), scalar) | (scalar, Value::Quantity(quantity)) => {
            let scalar = decimal(scalar).ok_or_else(impossible)?;
            let base = by(quantity.base, scalar).ok_or_else(impossible)?;
            Ok(Value::Quantity(Quantity::new(quantity.unit, base)))
        }
        (Value::Str(a), Value::Str(b)) => {
            if a.len() + b.len() > crate::limits::MAX_TEXT {
                return Err((codes::OUT_OF_FUEL, "the text would be too long".to_owned()));
            }
            Ok(Value::str(format!("{a}{b}")))
        }
        (Value::List(a), Value::List(b)) => Ok(Value::List(a.iter().chain(b).cloned().collect())),
        _ => match (decimal(left), decimal(right)) {
            (Some(a), Some(b)) => by(a, b).map(number).ok_or_else(impossible),
            _ => Err(impossible()),
        },
    }
}
