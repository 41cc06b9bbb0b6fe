//! Taking over what somebody else runs: only where dax can go on with it as it is.

use crate::handed::Controller;
use crate::kinds;
use crate::lower::Slot;
use crate::names;
use crate::read::Theirs;
use crate::settings::Settings;
use dax_core::Value;
use dax_provider_api::ProviderError;
use serde_json::Value as Json;

/// Fields of a container that dax has words for, or that say how it runs and not what.
const SAID: [&str; 10] = [
    "command",
    "env",
    "image",
    "imagePullPolicy",
    "name",
    "ports",
    "resources",
    "securityContext",
    "terminationMessagePath",
    "terminationMessagePolicy",
];

/// The slot that is taken over.
pub(super) fn slot(theirs: &Theirs<'_>, object: &str) -> Slot {
    let container =
        names::text_at(theirs.workload, "/spec/template/spec/containers/0/name").to_owned();
    let selector = theirs
        .workload
        .pointer("/spec/selector/matchLabels")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    Slot { name: object.to_owned(), selector, container, adopted: true }
}

/// What is taken over must be what the program says, and nobody else may go on with it.
///
/// # Errors
/// What is there instead, and what to write.
pub(super) fn must_fit(
    theirs: &Theirs<'_>,
    object: &str,
    spec: &Value,
    settings: Settings<'_>,
) -> Result<(), ProviderError> {
    unfit(theirs, object, spec, settings)
        .map_or(Ok(()), |message| Err(ProviderError::Refused { message }))
}

fn unfit(
    theirs: &Theirs<'_>,
    object: &str,
    spec: &Value,
    settings: Settings<'_>,
) -> Option<String> {
    let (kind, wanted) = (theirs.kind, settings.workload());
    let place = format!("`{}/{object}`", settings.namespace());
    if ![kinds::DEPLOYMENT, kinds::STATEFUL_SET, kinds::ROLLOUT].contains(&kind) {
        return Some(format!(
            "{place} is a {}, which dax does not take over: give the service another name, or remove it",
            kind.name
        ));
    }
    if kind != wanted {
        let help = match (kind, wanted) {
            (kinds::ROLLOUT, _) => "say `mode = \"argo\"` in its strategy".to_owned(),
            (_, kinds::ROLLOUT) => {
                "take it over with `mode = \"native\"`, and hand it over afterwards".to_owned()
            }
            (kinds::STATEFUL_SET, _) => {
                "say `workload = \"stateful_set\"` where it is bound".to_owned()
            }
            _ => format!(
                "a {} is wanted, so give the service another name or take `workload` out of the binding",
                wanted.name
            ),
        };
        return Some(format!("{place} is a {}: {help}", kind.name));
    }
    let flagger = settings.controller() == Some(Controller::Flagger);
    match theirs.canary() {
        Some(canary) if !flagger => {
            return Some(format!(
                "the Canary `{canary}` has Flagger look after {place}: say `mode = \"flagger\"` in its strategy"
            ));
        }
        Some(canary) if canary != object => {
            return Some(format!(
                "the Canary `{canary}` has Flagger look after {place}, and dax would make a second one, `{object}`"
            ));
        }
        _ => {}
    }
    if let Some((name, number)) = settings.main_port().filter(|_| flagger) {
        let ports = theirs
            .workload
            .pointer("/spec/template/spec/containers/0/ports")
            .and_then(Json::as_array);
        let named = ports
            .into_iter()
            .flatten()
            .any(|port| port.get("name").and_then(Json::as_str) == Some(name));
        if !named {
            return Some(format!(
                "Flagger finds the port {number} of {place} by its name: have the container call it `{name}` first"
            ));
        }
    }
    let lost = if kind == kinds::ROLLOUT { unsaid(theirs.workload, spec) } else { Vec::new() };
    (!lost.is_empty()).then(|| {
        let lost = lost.join("`, `");
        format!("the containers of a Rollout are one manager's as a whole, and the next revision of {place} would be without `{lost}`")
    })
}

/// What the pods of a Rollout have that dax would not write again.
fn unsaid<'j>(rollout: &'j Json, spec: &Value) -> Vec<&'j str> {
    let containers = rollout
        .pointer("/spec/template/spec/containers")
        .and_then(Json::as_array)
        .map_or(&[][..], Vec::as_slice);
    let [own, further @ ..] = containers else { return vec!["workloadRef"] };
    let probed = spec.get("health").is_some_and(|health| *health != Value::None);
    let fields = own.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let mut lost: Vec<&str> = fields
        .filter(|name| !(SAID.contains(name) || *name == "readinessProbe" && probed))
        .collect();
    let variables = own.get("env").and_then(Json::as_array).into_iter().flatten();
    lost.extend(
        variables
            .filter(|one| one.get("valueFrom").is_some())
            .map(|one| names::text_at(one, "/name")),
    );
    lost.extend(further.iter().map(|container| names::text_at(container, "/name")));
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use dax_core::Name;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn said(theirs: &Theirs<'_>, settings: &[(&'static str, &str)]) -> String {
        let text = |(name, text): &(&'static str, &str)| (Name::from(*name), Value::str(*text));
        let mut all: BTreeMap<Name, Value> = settings.iter().map(text).collect();
        if let Some(mode) = all.remove("mode") {
            all.insert("strategy".into(), Value::Map(BTreeMap::from([("mode".into(), mode)])));
        }
        all.insert("ports".into(), Value::Map(BTreeMap::from([("http".into(), Value::Int(8080))])));
        unfit(theirs, "web", &Value::None, Settings(&all)).unwrap_or_else(|| "fits".to_owned())
    }

    #[test]
    fn what_dax_cannot_go_on_with_is_not_taken_over() {
        let pods = json!({"spec": {"template": {"spec": {"containers": [{
            "name": "app", "image": "web:1", "args": ["--fast"], "ports": [{"containerPort": 8080}],
            "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "token"}}}],
        }]}}}});
        let primary = json!({"metadata": {"ownerReferences": [{"kind": "Canary", "name": "web"}]}});
        let plain = Theirs::new(kinds::DEPLOYMENT, &pods, None);
        let flagger = Theirs::new(kinds::DEPLOYMENT, &pods, Some(&primary));
        let rollout = Theirs::new(kinds::ROLLOUT, &pods, None);
        let stateful = Theirs::new(kinds::STATEFUL_SET, &pods, None);
        let all = [
            said(&plain, &[]),
            said(&plain, &[("mode", "argo")]),
            said(&plain, &[("workload", "stateful_set")]),
            said(&flagger, &[]),
            said(&flagger, &[("mode", "flagger")]),
            said(&rollout, &[]),
            said(&rollout, &[("mode", "argo")]),
            said(&stateful, &[]),
            said(&stateful, &[("workload", "stateful_set")]),
            said(&Theirs::new(kinds::CRON_JOB, &pods, None), &[("workload", "cron_job")]),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        fits
        `default/web` is a Deployment: take it over with `mode = "native"`, and hand it over afterwards
        `default/web` is a Deployment: a StatefulSet is wanted, so give the service another name or take `workload` out of the binding
        the Canary `web` has Flagger look after `default/web`: say `mode = "flagger"` in its strategy
        Flagger finds the port 8080 of `default/web` by its name: have the container call it `http` first
        `default/web` is a Rollout: say `mode = "argo"` in its strategy
        the containers of a Rollout are one manager's as a whole, and the next revision of `default/web` would be without `args`, `TOKEN`
        `default/web` is a StatefulSet: say `workload = "stateful_set"` where it is bound
        fits
        `default/web` is a CronJob, which dax does not take over: give the service another name, or remove it
        "#);
    }
}
