//! Lists, sets and maps.

use super::{Outcome, int, too_many};
use crate::limits::MAX_ELEMENTS;
use crate::operators;
use dax_core::Value;
use dax_syntax::ast::BinaryOp;
use std::collections::BTreeMap;

pub(super) fn find(name: &str) -> Option<fn(&[Value]) -> Outcome> {
    Some(match name {
        "reverse" => |a| Ok(Value::List(a[0].items().iter().rev().cloned().collect())),
        "sort" => |a| Ok(Value::List(sorted(&a[0]))),
        "unique" => unique,
        "flatten" => flatten,
        "range" => range,
        "sum" => sum,
        "chunks" => chunks,
        "to_set" => |a| Ok(Value::List(set(a[0].items().to_vec()))),
        "to_list" => |a| Ok(a[0].clone()),
        "merge" => merge,
        "min" => |a| {
            Ok(if operators::compare(&a[1], &a[0]).is_lt() { a[1].clone() } else { a[0].clone() })
        },
        "max" => |a| {
            Ok(if operators::compare(&a[1], &a[0]).is_gt() { a[1].clone() } else { a[0].clone() })
        },
        _ => return None,
    })
}

fn sorted(list: &Value) -> Vec<Value> {
    let mut items = list.items().to_vec();
    items.sort_by(operators::compare);
    items
}

/// Elements as a set holds them: sorted, each once.
pub(crate) fn set(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by(operators::compare);
    items.dedup_by(|a, b| operators::compare(a, b).is_eq());
    items
}

fn unique(args: &[Value]) -> Outcome {
    let mut seen = std::collections::BTreeSet::new();
    Ok(Value::List(args[0].items().iter().filter(|item| seen.insert(*item)).cloned().collect()))
}

fn flatten(args: &[Value]) -> Outcome {
    if args[0].items().iter().map(|list| list.items().len()).sum::<usize>() > MAX_ELEMENTS {
        return too_many();
    }
    Ok(Value::List(args[0].items().iter().flat_map(|list| list.items().iter().cloned()).collect()))
}

fn range(args: &[Value]) -> Outcome {
    let (from, to) = (int(args, 0), int(args, 1));
    if to.saturating_sub(from) > i64::try_from(MAX_ELEMENTS).unwrap_or(i64::MAX) {
        return too_many();
    }
    Ok(Value::List((from..to).map(Value::Int).collect()))
}

fn sum(args: &[Value]) -> Outcome {
    let mut sum = args[1].clone();
    for item in args[0].items() {
        sum = operators::binary(BinaryOp::Add, &sum, item)?;
    }
    Ok(sum)
}

fn chunks(args: &[Value]) -> Outcome {
    let size = usize::try_from(int(args, 1)).unwrap_or(1).max(1);
    Ok(Value::List(args[0].items().chunks(size).map(|chunk| Value::List(chunk.to_vec())).collect()))
}

fn merge(args: &[Value]) -> Outcome {
    let entries =
        args.iter().flat_map(Value::entries).map(|(key, value)| (key.clone(), value.clone()));
    Ok(Value::Map(entries.collect::<BTreeMap<_, _>>()))
}
