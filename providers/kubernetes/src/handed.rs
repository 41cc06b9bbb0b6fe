//! A strategy that a controller beside dax carries out: what it is told, in terms that both Flagger and Argo Rollouts know.
//!
//! Both see a rollout as weights that are held for a while and metrics with bounds. What else a strategy may say has no
//! place there, and is refused before a plan is shown instead of being left out.

use crate::settings::Settings;
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
        (list(self.config, "preview").iter().map(|preview| millis(preview, "hold")).sum(), millis(self.config, "hold"))
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
        list(analysis, "require").iter().try_for_each(|condition| bounds(condition, &mut require, self.by))?;
        list(analysis, "forbid").iter().try_for_each(|condition| bounds(condition, &mut forbid, self.by))?;
        let measure = |(name, metric): (&Name, &Value)| {
            let query = metric.get("query").and_then(Value::as_str).unwrap_or_default();
            let query = names.iter().fold(query.to_owned(), |query, (name, text)| query.replace(name, text));
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
fn bounds(condition: &Value, all: &mut BTreeMap<Name, Vec<(&'static str, Json)>>, by: Controller) -> Result<(), String> {
    if let Some(each) = condition.get("all") {
        return each.items().iter().try_for_each(|one| bounds(one, all, by));
    }
    let simple = || {
        let metric = condition.get("metric")?.as_str()?;
        let op = ["<", "<=", ">", ">="].into_iter().find(|op| condition.get("op").and_then(Value::as_str) == Some(op))?;
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

/// What keeps a controller from carrying a strategy out.
pub(crate) fn problems(handed: Handed<'_>, settings: Settings<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let name = handed.by.name();
    let mut say = |is: bool, text: &str| {
        if is {
            problems.push(format!("{name} {text}"));
        }
    };
    let steps = handed.steps();
    let asks = |list_name: &str| !list(handed.config, list_name).is_empty();
    let gates = list(handed.config, "step").iter().chain(list(handed.config, "preview"));
    say(
        gates.filter_map(|step| step.get("approve")?.as_int()).any(|count| count > 0),
        "knows nothing of dax's approvals: take `approve` out of the steps",
    );
    say(asks("route") || asks("mirror"), "is told of weights only: take `route` and `mirror` out of the strategy");
    say(
        settings.text("workload").is_some_and(|workload| workload != "deployment"),
        "looks after Deployments: take `workload` out of the binding",
    );
    say(settings.ports().is_empty(), "divides requests: the service needs a port");
    say(!handed.blue_green() && steps.is_empty(), "needs the steps of a canary: write `step 10% hold 1m`");
    say(steps.iter().any(|(weight, _)| !weight.is_i64()), "knows weights in whole percents");
    if let Some(analysis) = handed.analysis() {
        let from = analysis.get("from").and_then(Value::as_str).unwrap_or_default();
        say(
            !from.starts_with("prometheus."),
            "is told of metrics of Prometheus only: measure `from` a `prometheus.main`, or let dax carry the strategy out",
        );
        let token = handed.config.get("source").and_then(|source| source.get("token")).filter(|token| **token != Value::None);
        say(token.is_some(), "would have to know the `token` of Prometheus, and dax hands no secrets over");
        say(!list(analysis, "baseline").is_empty(), "compares no revisions: take `baseline` out of the analysis");
        if let Err(message) = handed.measures(&[]) {
            problems.push(message);
        }
    }
    match handed.by {
        Controller::Flagger => problems.extend(flagger_problems(handed, settings)),
        Controller::Argo if settings.get("route").is_some() => {
            problems.push(
                "Argo Rollouts divides requests by an `ingress` or by replicas; for a `route` it needs a plugin of which dax knows nothing"
                    .to_owned(),
            );
        }
        Controller::Argo => {}
    }
    problems
}

fn flagger_problems(handed: Handed<'_>, settings: Settings<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let steps = handed.steps();
    let holds: Vec<u64> = steps.iter().map(|(_, hold)| *hold).collect();
    if holds.windows(2).any(|pair| pair[0] != pair[1]) {
        problems.push("Flagger goes on at one pace: give each step the same `hold`".to_owned());
    }
    if !handed.blue_green() && holds.first().is_some_and(|hold| *hold < FLAGGER_TICK) {
        problems.push("Flagger looks at a canary every 10 s at most: `hold` each step for 10s or longer".to_owned());
    }
    if !handed.blue_green() && !settings.weighted() {
        problems.push("Flagger divides requests by a `route` or an `ingress`: without one it can do `blue_green` only".to_owned());
    }
    if settings.text("exposure").is_some_and(|exposure| exposure != "cluster") {
        problems.push("Flagger makes the Service itself, for the cluster: take `exposure` out of the binding".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;
    use dax_core::Quantity;

    fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
        Value::Map(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    fn amount(unit: Unit, number: i64) -> Value {
        Value::Quantity(Quantity::new(unit, number.into()))
    }

    fn step(weight: i64, hold_ms: i64) -> Value {
        map([("weight", amount(Unit::Percent, weight)), ("hold", amount(Unit::Duration, hold_ms))])
    }

    fn said(mode: &str, strategy: Value, more: &[(&'static str, Value)]) -> Vec<String> {
        let Value::Map(mut strategy) = strategy else { return Vec::new() };
        strategy.insert("mode".into(), Value::str(mode));
        let ports = map([("http", Value::Int(8080))]);
        let own = [("ports", ports), ("strategy", Value::Map(strategy))].into_iter().chain(more.iter().cloned());
        let settings: BTreeMap<Name, Value> = own.map(|(name, value)| (name.into(), value)).collect();
        settings::problems(&map([("image", Value::str("web:1"))]), &settings)
    }

    #[test]
    fn what_a_controller_cannot_do_is_said_before_it_is_asked() {
        let compare = map([("metric", Value::str("errors")), ("op", Value::str("<")), ("value", amount(Unit::Percent, 1))]);
        let either = map([("any", Value::List(vec![compare.clone()]))]);
        let strategy = map([
            ("kind", Value::str("canary")),
            ("step", Value::List(vec![step(10, 60_000), step(50, 5_000)])),
            ("mirror", Value::List(vec![Value::Int(1)])),
            ("analysis", map([("from", Value::str("local.machine")), ("require", Value::List(vec![either]))])),
        ]);
        let both = said("flagger", strategy.clone(), &[("exposure", Value::str("node_port"))]).join("\n");
        insta::assert_snapshot!(both, @r#"
        Flagger is told of weights only: take `route` and `mirror` out of the strategy
        Flagger is told of metrics of Prometheus only: measure `from` a `prometheus.main`, or let dax carry the strategy out
        Flagger knows bounds of single metrics, joined by `and`: say it with `<` and `>`, or let dax carry the strategy out
        Flagger goes on at one pace: give each step the same `hold`
        Flagger divides requests by a `route` or an `ingress`: without one it can do `blue_green` only
        Flagger makes the Service itself, for the cluster: take `exposure` out of the binding
        "#);
        insta::assert_snapshot!(said("argo", strategy, &[("route", map([("gateway", Value::str("infra/public"))]))]).join("\n"), @r#"
        Argo Rollouts is told of weights only: take `route` and `mirror` out of the strategy
        Argo Rollouts is told of metrics of Prometheus only: measure `from` a `prometheus.main`, or let dax carry the strategy out
        Argo Rollouts knows bounds of single metrics, joined by `and`: say it with `<` and `>`, or let dax carry the strategy out
        Argo Rollouts divides requests by an `ingress` or by replicas; for a `route` it needs a plugin of which dax knows nothing
        "#);
    }

    #[test]
    fn bounds_are_written_as_prometheus_measures() {
        let compare = |metric: &str, op: &str, value| map([("metric", Value::str(metric)), ("op", Value::str(op)), ("value", value)]);
        let all = map([(
            "all",
            Value::List(vec![compare("errors", "<", amount(Unit::Percent, 1)), compare("p99", "<=", amount(Unit::Duration, 300))]),
        )]);
        let metric = |query: &str| map([("query", Value::str(query))]);
        let strategy = map([
            ("mode", Value::str("argo")),
            (
                "analysis",
                map([
                    ("require", Value::List(vec![all])),
                    ("forbid", Value::List(vec![compare("errors", ">", amount(Unit::Percent, 5))])),
                    ("metric", map([("errors", metric("errors{service=\"$service\"}")), ("p99", metric("p99"))])),
                ]),
            ),
        ]);
        let measures = Handed::of(&strategy).unwrap().measures(&[("$service", "web")]).unwrap();
        let shown: Vec<String> =
            measures.iter().map(|one| format!("{} {} {:?} {:?}", one.name, one.query, one.require, one.forbid)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        errors errors{service="web"} [("<", Number(0.01))] [(">", Number(0.05))]
        p99 p99 [("<=", Number(0.3))] []
        "#);
    }
}
