//! Canaries of Flagger.
//!
//! Source: <https://docs.flagger.app/usage/how-it-works>.

use crate::metrics::{self, Analysis};
use crate::strategy::{Beside, Found, array};
use crate::write::{duration, millis};
use dax_syntax::quoted;
use serde_json::{Value as Json, json};
use std::fmt::Write;

/// What Flagger looks at a canary in at least, in milliseconds.
const TICK: u64 = 10_000;

fn text<'j>(json: &'j Json, pointer: &str) -> &'j str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// The name of the Service that Flagger makes for a Canary.
pub(crate) fn service_name(canary: &Json) -> &str {
    match text(canary, "/spec/service/name") {
        "" => text(canary, "/spec/targetRef/name"),
        name => name,
    }
}

/// That Service, as Flagger makes it.
pub(crate) fn service(canary: &Json) -> Json {
    let own = canary.pointer("/spec/service").unwrap_or(&Json::Null);
    let port = own.get("port").unwrap_or(&Json::Null);
    let target = own.get("targetPort").unwrap_or(port);
    let name = own.get("portName").and_then(Json::as_str).unwrap_or("http");
    json!({"metadata": {"name": service_name(canary)}, "spec": {"ports": [{"name": name, "port": port, "targetPort": target}]}})
}

/// The HTTPRoute that Flagger makes for a Canary, as a binding says it.
pub(crate) fn route(canary: &Json) -> Option<String> {
    let gateway = canary.pointer("/spec/service/gatewayRefs/0")?;
    let gateway = match text(gateway, "/namespace") {
        "" => text(gateway, "/name").to_owned(),
        space => format!("{space}/{}", text(gateway, "/name")),
    };
    let hosts: Vec<String> =
        array(canary, "/spec/service/hosts").iter().filter_map(Json::as_str).map(quoted).collect();
    let path = match text(canary, "/spec/service/match/0/uri/prefix") {
        "" | "/" => String::new(),
        path => format!(", path = {}", quoted(path)),
    };
    Some(format!(
        "route {{ gateway = {}, hosts = [{}]{path} }}",
        quoted(&gateway),
        hosts.join(", ")
    ))
}

/// Why dax cannot have Flagger go on with a Canary.
fn unfit(canary: &Json, beside: &Beside<'_>, interval: u64, strategy: &str) -> Option<String> {
    let provider = text(canary, "/spec/provider");
    let known =
        ["", "kubernetes", "nginx"].contains(&provider) || provider.starts_with("gatewayapi:");
    let target = canary.pointer("/spec/targetRef");
    let kind = target.map_or("", |target| text(target, "/kind"));
    Some(match () {
        () if !known => format!("its traffic is divided by `{provider}`, which dax does not write"),
        () if kind != "Deployment" && !kind.is_empty() => format!("its target is a {kind}"),
        () if canary.pointer("/metadata/name") != target?.get("name") || service_name(canary) != text(target?, "/name") => {
            "Canary, target and Service have not one name".to_owned()
        }
        () if interval < TICK => "it looks more often than every 10 s".to_owned(),
        () if strategy.contains(": canary") && !beside.way => {
            "neither a Gateway nor an Ingress is named in it: say in the binding who divides the traffic".to_owned()
        }
        () => return None,
    })
}

/// What a Canary of Flagger does to its target, with the metrics that have queries of their own.
pub(crate) fn flagger(name: &str, canary: &Json, beside: &Beside<'_>) -> Option<Found> {
    let analysis =
        canary.pointer("/spec/analysis").or_else(|| canary.pointer("/spec/canaryAnalysis"))?;
    let number = |field: &str| analysis.get(field).and_then(Json::as_u64);
    let every = analysis.get("interval").and_then(Json::as_str).and_then(millis).unwrap_or(60_000);
    let interval = &duration(every);
    let mut lost = Vec::new();
    let mut text = String::new();
    if let Some(iterations) = number("iterations")
        .filter(|_| number("stepWeight").is_none() && analysis.get("stepWeights").is_none())
    {
        let hold = duration(every * iterations);
        let _ = writeln!(
            text,
            "strategy {name}: blue_green {{\n  # {iterations} looks, one each {interval}, before the switch\n  preview 0 hold {hold}"
        );
        if !array(analysis, "/match").is_empty() {
            lost.push("its `match`: say `route \"HEADER\" is \"VALUE\"`".to_owned());
        }
    } else {
        let _ = writeln!(text, "strategy {name}: canary {{");
        let weights: Vec<u64> = match analysis.get("stepWeights").and_then(Json::as_array) {
            Some(weights) => weights.iter().filter_map(Json::as_u64).collect(),
            None => {
                let (step, most) = (
                    number("stepWeight").unwrap_or(10).max(1),
                    number("maxWeight").unwrap_or(100).min(100),
                );
                (1..).map(|at| at * step).take_while(|weight| *weight <= most).collect()
            }
        };
        for weight in weights.iter().filter(|weight| **weight < 100) {
            let _ = writeln!(text, "  step {weight}% hold {interval}");
        }
    }
    let threshold = number("threshold").unwrap_or(1);
    let target = canary.pointer("/spec/targetRef/name").and_then(Json::as_str).unwrap_or_default();
    let mut found = Analysis::default();
    for metric in array(analysis, "/metrics") {
        let template = metric
            .pointer("/templateRef/name")
            .and_then(Json::as_str)
            .and_then(|name| beside.template(name));
        found.flagger(metric, template, target, beside.namespace);
    }
    let words = [
        ("failure_limit", threshold.saturating_sub(1).to_string()),
        ("semantics", "\"flagger\"".to_owned()),
    ];
    let unfit = unfit(canary, beside, every, &text);
    // All of it is Flagger's or all of it is dax's.
    if unfit.is_some() || found.lost.is_empty() {
        text.push_str(&found.text(interval, &metrics::settings(&words)));
    } else {
        found.keep_none();
    }
    lost.append(&mut found.lost);
    if !array(analysis, "/webhooks").is_empty() {
        lost.push("its webhooks: a `hook` runs a command".to_owned());
    }
    text.push_str("}\n");
    Some(Found { text, lost, address: found.address, unfit }.handed_to("flagger"))
}
