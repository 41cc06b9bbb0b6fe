//! What keeps a service, an object or a strategy from being what a program wants, said before a plan is shown.

use crate::handed::{Controller, FLAGGER_TICK, Handed};
use crate::settings::Settings;
use dax_core::{Name, Value};
use std::collections::BTreeMap;

/// What keeps a service from running on Kubernetes.
pub(crate) fn problems(values: &Value, settings: &BTreeMap<Name, Value>) -> Vec<String> {
    let settings = Settings(settings);
    if let Some(object) = settings.object() {
        return object_problems(object, settings);
    }
    let mut problems = Vec::new();
    if values.get("image").is_none_or(|image| *image == Value::None) {
        problems.push("Kubernetes runs images: `image` says which".to_owned());
    }
    let at = settings.ports();
    let mut taken: BTreeMap<i64, &str> = BTreeMap::new();
    for (name, port) in &at {
        if let Some(other) = taken.insert(*port, name) {
            problems.push(format!("the ports `{other}` and `{name}` are the same number"));
        }
        if name.len() > 15
            || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            problems.push(format!("Kubernetes wants names of ports in at most 15 small letters, digits and dashes: `{name}` is not one"));
        }
    }
    if settings.weighted() && at.is_empty() {
        problems.push("what is reached by a route or an Ingress needs a port".to_owned());
    }
    if settings.get("route").is_some() && settings.get("ingress").is_some() {
        problems.push("`route` and `ingress` are two ways to the same: choose one".to_owned());
    }
    let workload = settings.text("workload").unwrap_or("deployment");
    match (workload, settings.get("schedule")) {
        ("cron_job", None) => problems.push("a `cron_job` needs a `schedule`".to_owned()),
        ("cron_job" | "job", _) if !at.is_empty() => {
            problems.push(format!("a `{workload}` answers no requests: take its `ports` away"))
        }
        (_, Some(_)) if workload != "cron_job" => {
            problems.push("`schedule` is for `workload = \"cron_job\"`".to_owned())
        }
        _ => {}
    }
    if workload == "job" && values.get("replicas").and_then(Value::as_int) == Some(0) {
        problems.push("a `job` without replicas does nothing: say how many run".to_owned());
    }
    if workload != "stateful_set"
        && settings.get("volumes").is_some_and(|volumes| volumes.entries().next().is_some())
    {
        problems.push(
            "`volumes` are for `workload = \"stateful_set\"`, whose replicas keep them".to_owned(),
        );
    }
    if workload != "deployment" && settings.autoscaled() {
        problems.push("`autoscale` is for `workload = \"deployment\"`".to_owned());
    }
    if let Some(scale) = settings.get("autoscale") {
        let number = |name: &str| scale.get(name).and_then(Value::as_int).unwrap_or(1);
        if number("min") > number("max") {
            problems.push("`autoscale` has a `min` above its `max`".to_owned());
        }
    }
    problems
        .extend(settings.handed().into_iter().flat_map(|handed| handed_problems(handed, settings)));
    problems
}

/// What keeps an object from being made.
fn object_problems(object: &Value, settings: Settings<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut secrets = Vec::new();
    object.secrets(&mut secrets);
    if !secrets.is_empty() {
        problems.push(
            "an object is kept as it is, so no secret may stand in it: a service's `env` takes one"
                .to_owned(),
        );
    }
    let meta =
        |name: &str| object.get("metadata").and_then(|meta| meta.get(name)).and_then(Value::as_str);
    if meta("namespace").is_some_and(|namespace| namespace != settings.namespace()) {
        problems.push(format!(
            "the binding says the namespace, which is `{}`: take `metadata.namespace` away",
            settings.namespace()
        ));
    }
    if settings.text("workload").is_some_and(|workload| workload != "deployment")
        || settings.get("route").is_some()
        || settings.get("ingress").is_some()
    {
        problems.push("an object is bound with `namespace`, `create_namespace` and `conflicts` only: the rest is for services".to_owned());
    }
    problems
}

/// What keeps a controller from carrying a strategy out.
fn handed_problems(handed: Handed<'_>, settings: Settings<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let name = handed.by.name();
    let mut say = |is: bool, text: &str| {
        if is {
            problems.push(format!("{name} {text}"));
        }
    };
    let steps = handed.steps();
    let asks = |list_name: &str| !handed.list(list_name).is_empty();
    let gates = handed.list("step").iter().chain(handed.list("preview"));
    say(
        gates.filter_map(|step| step.get("approve")?.as_int()).any(|count| count > 0),
        "knows nothing of dax's approvals: take `approve` out of the steps",
    );
    say(
        asks("route") || asks("mirror"),
        "is told of weights only: take `route` and `mirror` out of the strategy",
    );
    say(
        settings.text("workload").is_some_and(|workload| workload != "deployment"),
        "looks after Deployments: take `workload` out of the binding",
    );
    say(settings.ports().is_empty(), "divides requests: the service needs a port");
    say(
        !handed.blue_green() && steps.is_empty(),
        "needs the steps of a canary: write `step 10% hold 1m`",
    );
    say(steps.iter().any(|(weight, _)| !weight.is_i64()), "knows weights in whole percents");
    if let Some(analysis) = handed.analysis() {
        let from = analysis.get("from").and_then(Value::as_str).unwrap_or_default();
        say(
            !from.starts_with("prometheus."),
            "is told of metrics of Prometheus only: measure `from` a `prometheus.main`, or let dax carry the strategy out",
        );
        let token = handed.token();
        say(
            token.is_some(),
            "would have to know the `token` of Prometheus, and dax hands no secrets over",
        );
        say(
            analysis.get("baseline").is_some_and(|baseline| !baseline.items().is_empty()),
            "compares no revisions: take `baseline` out of the analysis",
        );
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
        problems.push(
            "Flagger looks at a canary every 10 s at most: `hold` each step for 10s or longer"
                .to_owned(),
        );
    }
    if !handed.blue_green() && !settings.weighted() {
        problems.push("Flagger divides requests by a `route` or an `ingress`: without one it can do `blue_green` only".to_owned());
    }
    if settings.text("exposure").is_some_and(|exposure| exposure != "cluster") {
        problems.push(
            "Flagger makes the Service itself, for the cluster: take `exposure` out of the binding"
                .to_owned(),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use dax_core::{Quantity, Unit};

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
        let own = [("ports", ports), ("strategy", Value::Map(strategy))]
            .into_iter()
            .chain(more.iter().cloned());
        let settings: BTreeMap<Name, Value> =
            own.map(|(name, value)| (name.into(), value)).collect();
        problems(&map([("image", Value::str("web:1"))]), &settings)
    }

    #[test]
    fn what_a_controller_cannot_do_is_said_before_it_is_asked() {
        let compare = map([
            ("metric", Value::str("errors")),
            ("op", Value::str("<")),
            ("value", amount(Unit::Percent, 1)),
        ]);
        let either = map([("any", Value::List(vec![compare.clone()]))]);
        let strategy = map([
            ("kind", Value::str("canary")),
            ("step", Value::List(vec![step(10, 60_000), step(50, 5_000)])),
            ("mirror", Value::List(vec![Value::Int(1)])),
            (
                "analysis",
                map([
                    ("from", Value::str("local.machine")),
                    ("require", Value::List(vec![either])),
                ]),
            ),
        ]);
        let both =
            said("flagger", strategy.clone(), &[("exposure", Value::str("node_port"))]).join("\n");
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
}
