//! What Flagger is told of a service: its Canary, and templates for the metrics that it looks at.
//!
//! Flagger makes the rest by itself: a second Deployment for what serves, the Services, the HTTPRoute.
//! Source: <https://docs.flagger.app/usage/how-it-works>, `pkg/apis/flagger/v1beta1` of Flagger 1.36.

use super::Of;
use super::traffic::{self, Traffic};
use crate::handed::{self, Handed, Measure};
use crate::kinds::{self, Kind};
use crate::names;
use serde_json::{Value as Json, json};

/// What is made for Flagger, once there is something that requests go to.
pub(super) fn objects(
    of: &Of<'_>,
    shares: &Traffic<'_>,
    handed: Handed<'_>,
) -> Result<Vec<(Kind, Json)>, String> {
    let (Some(target), Some(revision)) = (shares.main(), shares.revision) else {
        return Ok(Vec::new());
    };
    let window = handed.window();
    let measures = handed.measures(&[
        ("$service", of.service),
        ("$environment", of.environment),
        ("$revision", &revision.0),
        ("$window", &window),
    ])?;
    let template = |measure: &Measure| {
        let mut object = of.head(kinds::METRIC_TEMPLATE, &metric_name(of, measure));
        object["spec"] = json!({"provider": {"type": "prometheus", "address": handed.address()}, "query": measure.query});
        (kinds::METRIC_TEMPLATE, object)
    };
    let mut all: Vec<(Kind, Json)> = measures.iter().map(template).collect();
    let mut canary = of.head(kinds::CANARY, of.object);
    canary["spec"] = json!({
        "provider": if of.settings.get("route").is_some() { "gatewayapi:v1" } else if of.settings.get("ingress").is_some() { "nginx" } else { "kubernetes" },
        "targetRef": {"apiVersion": kinds::DEPLOYMENT.version, "kind": kinds::DEPLOYMENT.name, "name": target.name},
        "service": service(of),
        "analysis": analysis(of, handed, &measures, &window),
    });
    if of.settings.get("ingress").is_some() {
        canary["spec"]["ingressRef"] = json!({"apiVersion": kinds::INGRESS.version, "kind": kinds::INGRESS.name, "name": of.object});
    }
    if of.settings.autoscaled() {
        let scaler = json!({"apiVersion": kinds::AUTOSCALER.version, "kind": kinds::AUTOSCALER.name, "name": of.object});
        canary["spec"]["autoscalerRef"] = scaler;
    }
    all.push((kinds::CANARY, canary));
    Ok(all)
}

fn metric_name(of: &Of<'_>, measure: &Measure) -> String {
    format!("{}-{}", of.object, measure.name.replace('_', "-"))
}

fn service(of: &Of<'_>) -> Json {
    let (name, port) = of.settings.main_port().unwrap_or(("http", 80));
    let mut service = json!({
        "name": of.object,
        "port": of.settings.exposed(name, port),
        "portName": name,
        "targetPort": name,
        "portDiscovery": of.settings.ports().len() > 1,
    });
    if let Some(route) = of.settings.get("route") {
        let mut gateway = traffic::parent(route);
        gateway["group"] = json!("gateway.networking.k8s.io");
        gateway["kind"] = json!("Gateway");
        service["gatewayRefs"] = json!([gateway]);
        service["hosts"] = json!(traffic::hosts(route));
        service["match"] = json!([{"uri": {"prefix": traffic::path(route)}}]);
    }
    service
}

fn analysis(of: &Of<'_>, handed: Handed<'_>, measures: &[Measure], window: &str) -> Json {
    // It goes back once as many checks have failed; dax says how many may.
    let mut analysis = json!({"threshold": handed.limit("failure_limit").max(0) + 1});
    let metric = |measure: &Measure| {
        let mut range = json!({});
        for (op, value) in &measure.require {
            range[if op.starts_with('<') { "max" } else { "min" }] = value.clone();
        }
        for (op, value) in &measure.forbid {
            range[if op.starts_with('<') { "min" } else { "max" }] = value.clone();
        }
        let template = json!({"name": metric_name(of, measure), "namespace": of.namespace()});
        json!({"name": measure.name.as_str(), "interval": window, "thresholdRange": range, "templateRef": template})
    };
    if !measures.is_empty() {
        analysis["metrics"] = json!(measures.iter().map(metric).collect::<Vec<_>>());
    }
    if handed.blue_green() {
        let (preview, hold) = handed.holds();
        let every = handed.every().max(handed::FLAGGER_TICK);
        analysis["interval"] = json!(handed::duration(every));
        analysis["iterations"] = json!((preview + hold).div_ceil(every).max(1));
    } else {
        let steps = handed.steps();
        analysis["interval"] = json!(handed::duration(steps.first().map_or(0, |(_, hold)| *hold)));
        analysis["stepWeights"] =
            json!(steps.into_iter().map(|(weight, _)| weight).collect::<Vec<_>>());
    }
    analysis
}

/// The Deployment that Flagger makes of a target: it serves whenever no rollout is under way.
pub(crate) fn primary(target: &str) -> String {
    format!("{target}-primary")
}

/// What Flagger made beside the Canary's own: it stays when the Canary goes and nobody else takes it away.
pub(crate) fn made(object: &str, target: &str) -> Vec<(Kind, String)> {
    let services = ["primary", "canary"].map(|which| (kinds::SERVICE, format!("{object}-{which}")));
    std::iter::once((kinds::DEPLOYMENT, primary(target))).chain(services).collect()
}

/// The label that tells the pods of a service from those of others, whichever of the two Deployments they are of.
pub(super) const ALIKE: &str = names::INSTANCE;
