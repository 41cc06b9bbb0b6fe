//! Analyses: what is measured, what must hold, and what a measurement says.

use dax_core::{Name, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An analysis, ready to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analysis {
    /// The provider instance that measures: `local.machine`.
    pub from: Name,
    /// Time between two measurements, in milliseconds.
    pub every_ms: u64,
    /// How far back a measurement looks, in milliseconds.
    pub window_ms: u64,
    /// Queries by the name that conditions use.
    pub metrics: BTreeMap<Name, Metric>,
    /// All of them must hold.
    pub require: Vec<Condition>,
    /// So many failed measurements are borne.
    pub failure_limit: u32,
    /// What a measurement without data counts as.
    pub on_no_data: NoData,
}

/// A query to a metrics source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// The query in the source's own language.
    pub query: Name,
    /// The type of its answer.
    pub ty: Name,
}

/// What a measurement without data counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// Neither for nor against.
    Inconclusive,
    /// As a failed measurement.
    Fail,
    /// As a good one.
    Pass,
}

/// How a metric is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterEqual,
}

/// What must hold of the metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Each of them.
    All(Vec<Condition>),
    /// At least one of them.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// A metric against a constant.
    Compare {
        /// The metric's name.
        metric: Name,
        /// How it is compared.
        op: Comparison,
        /// The constant.
        value: Value,
    },
}

/// What one measurement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything required holds.
    Pass,
    /// Something required does not hold.
    Fail,
    /// There was no data to tell.
    Inconclusive,
}

/// Judges one measurement; a metric that is absent had no data.
pub fn judge(analysis: &Analysis, values: &BTreeMap<Name, Value>) -> Verdict {
    let verdicts: Vec<Option<bool>> = analysis.require.iter().map(|condition| holds(condition, values)).collect();
    if verdicts.contains(&Some(false)) {
        return Verdict::Fail;
    }
    if verdicts.contains(&None) {
        return match analysis.on_no_data {
            NoData::Inconclusive => Verdict::Inconclusive,
            NoData::Fail => Verdict::Fail,
            NoData::Pass => Verdict::Pass,
        };
    }
    Verdict::Pass
}

/// Whether a condition holds; nothing when that takes data that is not there.
fn holds(condition: &Condition, values: &BTreeMap<Name, Value>) -> Option<bool> {
    match condition {
        Condition::Not(inner) => holds(inner, values).map(|held| !held),
        Condition::All(all) => {
            let each: Vec<_> = all.iter().map(|one| holds(one, values)).collect();
            if each.contains(&Some(false)) {
                Some(false)
            } else if each.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Condition::Any(any) => {
            let each: Vec<_> = any.iter().map(|one| holds(one, values)).collect();
            if each.contains(&Some(true)) {
                Some(true)
            } else if each.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
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

/// Reads the analysis of a strategy's configuration; nothing when it has none.
pub(crate) fn read(config: &Value) -> Option<Analysis> {
    let analysis = config.get("analysis").filter(|value| matches!(value, Value::Map(_)))?;
    let metrics = analysis.get("metric")?.entries().filter_map(|(name, metric)| {
        let query = Name::new(metric.get("query")?.as_str()?);
        let ty = Name::new(metric.get("type").and_then(Value::as_str).unwrap_or("number"));
        Some((name.clone(), Metric { query, ty }))
    });
    Some(Analysis {
        from: Name::new(analysis.get("from")?.as_str()?),
        every_ms: analysis.get("every")?.as_millis()?,
        window_ms: analysis.get("window")?.as_millis()?,
        metrics: metrics.collect(),
        require: analysis.get("require")?.items().iter().filter_map(condition).collect(),
        failure_limit: u32::try_from(analysis.get("failure_limit")?.as_int()?).unwrap_or(0),
        on_no_data: match analysis.get("on_no_data")?.as_str()? {
            "fail" => NoData::Fail,
            "pass" => NoData::Pass,
            _ => NoData::Inconclusive,
        },
    })
}

fn condition(value: &Value) -> Option<Condition> {
    let list = |value: &Value| value.items().iter().filter_map(condition).collect();
    if let Some(all) = value.get("all") {
        return Some(Condition::All(list(all)));
    }
    if let Some(any) = value.get("any") {
        return Some(Condition::Any(list(any)));
    }
    if let Some(inner) = value.get("not") {
        return Some(Condition::Not(Box::new(condition(inner)?)));
    }
    let op = match value.get("op")?.as_str()? {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessEqual,
        ">" => Comparison::Greater,
        _ => Comparison::GreaterEqual,
    };
    Some(Condition::Compare { metric: Name::new(value.get("metric")?.as_str()?), op, value: value.get("value")?.clone() })
}
