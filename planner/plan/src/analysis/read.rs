//! The analysis of a strategy's configuration.

use super::{Analysis, Baseline, Comparison, Condition, Limits, Metric, NoData, Semantics, Worse};
use dax_core::{Name, Value};

/// Reads the analysis of a strategy's configuration; nothing when it has none.
pub(crate) fn read(config: &Value) -> Option<Analysis> {
    let analysis = config.get("analysis").filter(|value| matches!(value, Value::Map(_)))?;
    let metrics = analysis.get("metric")?.entries().filter_map(|(name, metric)| {
        let query = Name::new(metric.get("query")?.as_str()?);
        let ty = Name::new(metric.get("type").and_then(Value::as_str).unwrap_or("number"));
        Some((name.clone(), Metric { query, ty }))
    });
    let list = |name: &str| analysis.get(name).map_or(&[][..], Value::items);
    let conditions = |name: &str| list(name).iter().filter_map(condition).collect();
    let millis = |name: &str| analysis.get(name).and_then(Value::as_millis).unwrap_or(0);
    let number = |name: &str| analysis.get(name).and_then(Value::as_int);
    let counted = |name: &str| number(name).and_then(|n| u32::try_from(n).ok());
    let word = |name: &str| analysis.get(name).and_then(Value::as_str).unwrap_or("");
    Some(Analysis {
        from: Name::new(analysis.get("from")?.as_str()?),
        every_ms: millis("every"),
        window_ms: millis("window"),
        initial_delay_ms: millis("initial_delay"),
        metrics: metrics.collect(),
        require: conditions("require"),
        forbid: conditions("forbid"),
        advise: conditions("advise"),
        baseline: list("baseline").iter().filter_map(baseline).collect(),
        count: counted("count").unwrap_or(0),
        limits: Limits {
            failures: counted("failure_limit"),
            consecutive_failures: counted("consecutive_failure_limit"),
            inconclusive: counted("inconclusive_limit"),
            errors: counted("error_limit").unwrap_or(4),
            successes: counted("success_limit").unwrap_or(0),
        },
        on_no_data: match word("on_no_data") {
            "fail" => NoData::Fail,
            "pass" => NoData::Pass,
            "error" => NoData::Error,
            _ => NoData::Inconclusive,
        },
        semantics: match word("semantics") {
            "argo" => Semantics::Argo,
            "flagger" => Semantics::Flagger,
            _ => Semantics::Native,
        },
    })
}

fn baseline(value: &Value) -> Option<Baseline> {
    let share = |name: &str| hundredths(value.get(name)?);
    Some(Baseline {
        metric: Name::new(value.get("metric")?.as_str()?),
        worse: match value.get("worse")?.as_str()? {
            "decrease" => Worse::Decrease,
            "either" => Worse::Either,
            _ => Worse::Increase,
        },
        tolerance: share("tolerance")?,
        confidence: share("confidence")?,
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
    Some(Condition::Compare {
        metric: Name::new(value.get("metric")?.as_str()?),
        op,
        value: value.get("value")?.clone(),
    })
}

/// A percentage in hundredths of a percent.
pub(crate) fn hundredths(value: &Value) -> Option<u32> {
    let Value::Quantity(share) = value else { return None };
    u32::try_from((share.base * dax_core::Decimal::from(100)).round()).ok()
}
