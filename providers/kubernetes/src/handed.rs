//! A strategy that a controller beside dax carries out: what it is told, in terms that both Flagger and Argo Rollouts know.
//!
//! Both see a rollout as weights that are held for a while and metrics with bounds. What else a strategy may say has no
//! place there, and is refused before a plan is shown instead of being left out.

use dax_core::{Decimal, Name, Unit, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Who carries a strategy out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    /// <https://docs.flagger.app/>
    Flagger,
    /// <https://argoproj.github.io/argo-rollouts/>
    Argo,
}

impl Controller {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flagger => "Flagger",
            Self::Argo => "Argo Rollouts",
        }
    }
}

/// A strategy that was handed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed<'s> {
    pub(crate) by: Controller,
    config: &'s Value,
}

/// A metric with what must hold of it.
pub(crate) struct Measure {
    pub(crate) name: Name,
    /// The query, with the names that dax puts in it.
    pub(crate) query: String,
    /// What must hold: how it is compared, and with what.
    pub(crate) require: Vec<(&'static str, Json)>,
    /// What must not hold.
    pub(crate) forbid: Vec<(&'static str, Json)>,
}

/// Weights of a canary with the milliseconds for which each is held.
pub(crate) type Steps = Vec<(Json, u64)>;

impl<'s> Handed<'s> {
    /// Reads the setting that tells of it.
    pub(crate) fn of(config: &'s Value) -> Option<Self> {
        let by = match config.get("mode")?.as_str()? {
            "flagger" => Controller::Flagger,
            "argo" => Controller::Argo,
            _ => return None,
        };
        Some(Self { by, config })
    }

    /// Whether all requests change over at once.
    pub(crate) fn blue_green(self) -> bool {
        self.config.get("kind").and_then(Value::as_str) == Some("blue_green")
    }

    /// The steps of a canary.
    pub(crate) fn steps(self) -> Steps {
        let step = |step: &Value| Some((percent(step.get("weight")?)?, millis(step, "hold")));
        list(self.config, "step").iter().filter_map(step).collect()
    }

    /// Milliseconds for which the new revision is looked at before requests change over, and after.
    pub(crate) fn holds(self) -> (u64, u64) {
        (
            list(self.config, "preview").iter().map(|preview| millis(preview, "hold")).sum(),
            millis(self.config, "hold"),
        )
    }

    /// Milliseconds for which the old revision is kept after that.
    pub(crate) fn scale_down_delay(self) -> u64 {
        millis(self.config, "scale_down_delay")
    }

    /// What is said of the analysis.
    pub(crate) fn analysis(self) -> Option<&'s Value> {
        self.config.get("analysis").filter(|analysis| **analysis != Value::None)
    }

    /// Milliseconds between two measurements.
    pub(crate) fn every(self) -> u64 {
        self.analysis().map_or(0, |analysis| millis(analysis, "every"))
    }

    /// A whole number of the analysis.
    pub(crate) fn limit(self, name: &str) -> i64 {
        self.analysis().and_then(|analysis| analysis.get(name)?.as_int()).unwrap_or(0)
    }

    /// What a list of the strategy holds.
    pub(crate) fn list(self, name: &str) -> &'s [Value] {
        list(self.config, name)
    }

    /// The token that the source of the metrics wants, if it wants one.
    pub(crate) fn token(self) -> Option<&'s Value> {
        self.config
            .get("source")
            .and_then(|source| source.get("token"))
            .filter(|token| **token != Value::None)
    }

    /// Where the metrics are asked for.
    pub(crate) fn address(self) -> &'s str {
        self.config.get("source").and_then(|source| source.get("url")?.as_str()).unwrap_or_default()
    }

    /// Seconds that a measurement looks back, as both write it.
    pub(crate) fn window(self) -> String {
        duration(self.analysis().map_or(0, |analysis| millis(analysis, "window")))
    }

    /// The metrics; `$service`, `$environment`, `$revision` and `$window` stand for these texts.
    ///
    /// # Errors
    /// A condition that bounds of single metrics cannot say.
    pub(crate) fn measures(self, names: &[(&str, &str)]) -> Result<Vec<Measure>, String> {
        let Some(analysis) = self.analysis() else { return Ok(Vec::new()) };
        let mut require: BTreeMap<Name, Vec<(&'static str, Json)>> = BTreeMap::new();
        let mut forbid = BTreeMap::new();
        list(analysis, "require")
            .iter()
            .try_for_each(|condition| bounds(condition, &mut require, self.by))?;
        list(analysis, "forbid")
            .iter()
            .try_for_each(|condition| bounds(condition, &mut forbid, self.by))?;
        let measure = |(name, metric): (&Name, &Value)| {
            let query = metric.get("query").and_then(Value::as_str).unwrap_or_default();
            let query = names
                .iter()
                .fold(query.to_owned(), |query, (name, text)| query.replace(name, text));
            Measure {
                query,
                require: require.remove(name).unwrap_or_default(),
                forbid: forbid.remove(name).unwrap_or_default(),
                name: name.clone(),
            }
        };
        Ok(analysis.get("metric").into_iter().flat_map(Value::entries).map(measure).collect())
    }
}

/// What a condition asks of single metrics, all of which must hold.
fn bounds(
    condition: &Value,
    all: &mut BTreeMap<Name, Vec<(&'static str, Json)>>,
    by: Controller,
) -> Result<(), String> {
    if let Some(each) = condition.get("all") {
        return each.items().iter().try_for_each(|one| bounds(one, all, by));
    }
    let simple = || {
        let metric = condition.get("metric")?.as_str()?;
        let op = ["<", "<=", ">", ">="]
            .into_iter()
            .find(|op| condition.get("op").and_then(Value::as_str) == Some(op))?;
        Some((metric, op, number(condition.get("value")?)?))
    };
    let Some((metric, op, value)) = simple() else {
        let name = by.name();
        return Err(format!(
            "{name} knows bounds of single metrics, joined by `and`: say it with `<` and `>`, or let dax carry the strategy out"
        ));
    };
    all.entry(metric.into()).or_default().push((op, value));
    Ok(())
}

fn list<'v>(config: &'v Value, name: &str) -> &'v [Value] {
    config.get(name).map_or(&[][..], Value::items)
}

fn millis(config: &Value, name: &str) -> u64 {
    config.get(name).and_then(Value::as_millis).unwrap_or(0)
}

/// A duration in Go's form, in whole seconds where it is.
pub(crate) fn duration(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}

/// A percentage as a number of percents.
fn percent(value: &Value) -> Option<Json> {
    let Value::Quantity(share) = value else { return None };
    decimal(share.base)
}

/// A number as it stands in JSON, without loss.
fn decimal(number: Decimal) -> Option<Json> {
    serde_json::from_str(&number.normalize().to_string()).ok()
}

/// A constant as Prometheus has it: shares as ratios, durations in seconds.
fn number(value: &Value) -> Option<Json> {
    match value {
        Value::Int(number) => Some(Json::from(*number)),
        Value::Quantity(quantity) => decimal(match quantity.unit {
            Unit::Percent => quantity.base / Decimal::from(100),
            Unit::Duration | Unit::Cpu => quantity.base / Decimal::from(1000),
            _ => quantity.base,
        }),
        other => serde_json::from_str(&other.to_string()).ok().filter(Json::is_number),
    }
}

/// The shortest time between two looks of Flagger, in milliseconds: it takes less for this.
pub(crate) const FLAGGER_TICK: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use dax_core::Quantity;

    fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
        Value::Map(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    fn amount(unit: Unit, number: i64) -> Value {
        Value::Quantity(Quantity::new(unit, number.into()))
    }

    #[test]
    fn bounds_are_written_as_prometheus_measures() {
        let compare = |metric: &str, op: &str, value| {
            map([("metric", Value::str(metric)), ("op", Value::str(op)), ("value", value)])
        };
        let all = map([(
            "all",
            Value::List(vec![
                compare("errors", "<", amount(Unit::Percent, 1)),
                compare("p99", "<=", amount(Unit::Duration, 300)),
            ]),
        )]);
        let metric = |query: &str| map([("query", Value::str(query))]);
        let strategy = map([
            ("mode", Value::str("argo")),
            (
                "analysis",
                map([
                    ("require", Value::List(vec![all])),
                    ("forbid", Value::List(vec![compare("errors", ">", amount(Unit::Percent, 5))])),
                    (
                        "metric",
                        map([
                            ("errors", metric("errors{service=\"$service\"}")),
                            ("p99", metric("p99")),
                        ]),
                    ),
                ]),
            ),
        ]);
        let measures = Handed::of(&strategy).unwrap().measures(&[("$service", "web")]).unwrap();
        let shown: Vec<String> = measures
            .iter()
            .map(|one| format!("{} {} {:?} {:?}", one.name, one.query, one.require, one.forbid))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        errors errors{service="web"} [("<", Number(0.01))] [(">", Number(0.05))]
        p99 p99 [("<=", Number(0.3))] []
        "#);
    }
}
