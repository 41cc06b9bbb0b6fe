//! What one measurement says by itself.

use super::{Analysis, Comparison, Condition, Measured, Verdict};
use dax_core::{Name, Value};
use std::collections::BTreeMap;

/// Judges one measurement, whatever came before it.
///
/// What is forbidden weighs more than what is required; with both, what is neither is inconclusive, and with
/// one of them alone the other follows. So Argo Rollouts reads success and failure conditions.
pub fn judge(analysis: &Analysis, measured: &Measured) -> Verdict {
    if measured.error.is_some() {
        return Verdict::Error;
    }
    let (forbidden, required) =
        (any(&analysis.forbid, &measured.values), all(&analysis.require, &measured.values));
    match (forbidden, required) {
        (Some(true), _) => Verdict::Fail,
        (_, Some(false)) if analysis.forbid.is_empty() => Verdict::Fail,
        (None, _) | (_, None) => Verdict::NoData,
        (Some(false), Some(true)) => Verdict::Pass,
        (Some(false), Some(false)) => Verdict::Inconclusive,
    }
}

/// Conditions that only advise and do not hold, as the language writes them.
pub fn failing(analysis: &Analysis, measured: &Measured) -> Vec<String> {
    let failed = analysis
        .advise
        .iter()
        .filter(|condition| holds(condition, &measured.values) == Some(false));
    failed.map(ToString::to_string).collect()
}

/// Whether each of some conditions holds; one that does not decides, whatever data the others lack.
fn all(conditions: &[Condition], values: &BTreeMap<Name, Value>) -> Option<bool> {
    let each: Vec<_> = conditions.iter().map(|one| holds(one, values)).collect();
    if each.contains(&Some(false)) { Some(false) } else { (!each.contains(&None)).then_some(true) }
}

/// Whether one of some conditions holds; one that does decides, whatever data the others lack.
fn any(conditions: &[Condition], values: &BTreeMap<Name, Value>) -> Option<bool> {
    let each: Vec<_> = conditions.iter().map(|one| holds(one, values)).collect();
    if each.contains(&Some(true)) { Some(true) } else { (!each.contains(&None)).then_some(false) }
}

/// Whether a condition holds; nothing when that takes data that is not there.
fn holds(condition: &Condition, values: &BTreeMap<Name, Value>) -> Option<bool> {
    match condition {
        Condition::Not(inner) => holds(inner, values).map(|held| !held),
        Condition::All(each) => all(each, values),
        Condition::Any(each) => any(each, values),
        Condition::Compare { metric, op, value } => {
            let ordering = values.get(metric)?.cmp(value);
            Some(match op {
                Comparison::Equal => ordering.is_eq(),
                Comparison::NotEqual => ordering.is_ne(),
                Comparison::Less => ordering.is_lt(),
                Comparison::LessEqual => ordering.is_le(),
                Comparison::Greater => ordering.is_gt(),
                Comparison::GreaterEqual => ordering.is_ge(),
            })
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let joined = |all: &[Self], word: &str| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::All(all) => f.write_str(&joined(all, " and ")),
            Self::Any(any) => write!(f, "({})", joined(any, " or ")),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Compare { metric, op, value } => {
                let op = match op {
                    Comparison::Equal => "==",
                    Comparison::NotEqual => "!=",
                    Comparison::Less => "<",
                    Comparison::LessEqual => "<=",
                    Comparison::Greater => ">",
                    Comparison::GreaterEqual => ">=",
                };
                write!(f, "{metric} {op} {value}")
            }
        }
    }
}
