//! Rollouts of Argo and Canaries of Flagger as strategies.
//!
//! Sources: <https://argo-rollouts.readthedocs.io/en/stable/features/specification/>,
//! <https://docs.flagger.app/usage/how-it-works>.

use crate::metrics::{self, Analysis};
use dax_syntax::quoted;
use serde_json::Value as Json;
use std::fmt::Write;

/// A strategy: its text, and what of it dax has no words for.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) lost: Vec<String>,
    /// The Prometheus that it asks.
    pub(crate) address: Option<String>,
}

/// What objects there are beside the one that is looked at.
pub(crate) struct Beside<'b> {
    /// MetricTemplates of Flagger, or AnalysisTemplates of Argo.
    pub(crate) templates: &'b [&'b Json],
    /// The namespace.
    pub(crate) namespace: &'b str,
}

impl<'b> Beside<'b> {
    fn template(&self, name: &str) -> Option<&'b Json> {
        self.templates.iter().find(|template| template.pointer("/metadata/name").and_then(Json::as_str) == Some(name)).copied()
    }
}

fn array<'j>(json: &'j Json, pointer: &str) -> &'j [Json] {
    json.pointer(pointer).and_then(Json::as_array).map_or(&[][..], Vec::as_slice)
}

/// The templates that a Rollout or a Canary names.
pub(crate) fn templates(object: &Json) -> Vec<&str> {
    let of = |pointer: &str, name: &str| -> Vec<&str> {
        let list = object.pointer(pointer).map_or(&[][..], |list| list.as_array().map_or(&[][..], Vec::as_slice));
        list.iter().filter_map(|one| one.pointer(name)?.as_str()).collect()
    };
    let own = of("/spec/strategy/canary/analysis/templates", "/templateName");
    [own, of("/spec/analysis/metrics", "/templateRef/name"), of("/spec/canaryAnalysis/metrics", "/templateRef/name")].concat()
}

/// What an Argo Rollout does.
pub(crate) fn argo(name: &str, rollout: &Json, beside: &Beside<'_>) -> Option<Found> {
    let strategy = rollout.pointer("/spec/strategy")?;
    let mut lost = Vec::new();
    if let Some(green) = strategy.get("blueGreen") {
        let mut text = format!("strategy {name}: blue_green {{\n");
        if green.get("autoPromotionEnabled") == Some(&Json::Bool(false)) {
            text.push_str("  preview 0 approve 1\n");
        }
        let delay = green.get("scaleDownDelaySeconds").and_then(Json::as_u64).unwrap_or(30);
        let _ = writeln!(text, "  scale_down_delay = {delay}s");
        lost.extend(
            ["prePromotionAnalysis", "postPromotionAnalysis"].iter().filter(|field| green.get(**field).is_some()).map(|f| (*f).to_owned()),
        );
        text.push_str("}\n");
        return Some(Found { text, lost, address: None });
    }
    let canary = strategy.get("canary")?;
    let mut text = format!("strategy {name}: canary {{\n");
    let mut weight = None;
    for step in array(canary, "/steps") {
        if let Some(share) = step.get("setWeight").and_then(Json::as_u64) {
            flush(&mut text, &mut weight, "");
            weight = Some(share);
        } else if let Some(pause) = step.get("pause") {
            let hold = match pause.get("duration") {
                Some(Json::Number(seconds)) => format!(" hold {seconds}s"),
                Some(Json::String(text)) => format!(" hold {text}"),
                _ => " approve 1".to_owned(),
            };
            flush(&mut text, &mut weight, &hold);
        } else if let Some(kind) = step.as_object().and_then(|step| step.keys().next()) {
            lost.push(format!("the step `{kind}`"));
        }
    }
    flush(&mut text, &mut weight, "");
    let mut analysis = Analysis::default();
    if let Some(own) = canary.get("analysis") {
        text.push_str(&argo_analysis(own, beside, &mut analysis));
    }
    lost.append(&mut analysis.lost);
    text.push_str("}\n");
    Some(Found { text, lost, address: analysis.address })
}

/// The analysis of a Rollout, with the templates that it names.
fn argo_analysis(own: &Json, beside: &Beside<'_>, analysis: &mut Analysis) -> String {
    let given = |args: &Json| -> Vec<(String, String)> {
        let pair = |arg: &Json| Some((arg.get("name")?.as_str()?.to_owned(), arg.get("value")?.as_str()?.to_owned()));
        array(args, "/args").iter().filter_map(pair).collect()
    };
    let (mut every, mut limit, mut count) = (None, 0, 0);
    for reference in array(own, "/templates") {
        let name = reference.get("templateName").and_then(Json::as_str).unwrap_or_default();
        let Some(template) = beside.template(name) else {
            analysis.lost.push(format!("the AnalysisTemplate {}, which is not among what is imported", quoted(name)));
            continue;
        };
        let spec = template.get("spec").unwrap_or(&Json::Null);
        // What the Rollout gives comes before what the template has by itself.
        let arguments = [given(own), given(spec)].concat();
        for metric in array(spec, "/metrics") {
            let number = |field: &str| metric.get(field).and_then(Json::as_u64).unwrap_or(0);
            every = every.or_else(|| metric.get("interval").and_then(Json::as_str));
            (limit, count) = (limit.max(number("failureLimit")), count.max(number("count")));
            analysis.argo(metric, &arguments);
        }
    }
    let mut words = vec![("failure_limit", limit.to_string()), ("semantics", "\"argo\"".to_owned())];
    if count > 0 {
        words.push(("count", count.to_string()));
    }
    analysis.text(every.unwrap_or("1m"), &metrics::settings(&words))
}

/// Writes the step with a weight; the whole follows by itself.
fn flush(text: &mut String, weight: &mut Option<u64>, hold: &str) {
    if let Some(share) = weight.take().filter(|share| *share < 100) {
        let _ = writeln!(text, "  step {share}%{hold}");
    }
}

/// What a Canary of Flagger does to its target, with the metrics that have queries of their own.
pub(crate) fn flagger(name: &str, canary: &Json, beside: &Beside<'_>) -> Option<Found> {
    let analysis = canary.pointer("/spec/analysis").or_else(|| canary.pointer("/spec/canaryAnalysis"))?;
    let number = |field: &str| analysis.get(field).and_then(Json::as_u64);
    let interval = analysis.get("interval").and_then(Json::as_str).unwrap_or("1m");
    let mut lost = Vec::new();
    let mut text = String::new();
    if let Some(iterations) = number("iterations").filter(|_| number("stepWeight").is_none() && analysis.get("stepWeights").is_none()) {
        let _ = write!(
            text,
            "strategy {name}: blue_green {{\n  # {iterations} looks, one each {interval}, before the switch\n  preview 0 hold {interval}\n"
        );
        if !array(analysis, "/match").is_empty() {
            lost.push("its `match`: say `route \"HEADER\" is \"VALUE\"`".to_owned());
        }
    } else {
        let _ = writeln!(text, "strategy {name}: canary {{");
        let weights: Vec<u64> = match analysis.get("stepWeights").and_then(Json::as_array) {
            Some(weights) => weights.iter().filter_map(Json::as_u64).collect(),
            None => {
                let (step, most) = (number("stepWeight").unwrap_or(10).max(1), number("maxWeight").unwrap_or(100).min(100));
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
        let template = metric.pointer("/templateRef/name").and_then(Json::as_str).and_then(|name| beside.template(name));
        found.flagger(metric, template, target, beside.namespace);
    }
    let words = [("failure_limit", threshold.saturating_sub(1).to_string()), ("semantics", "\"flagger\"".to_owned())];
    text.push_str(&found.text(interval, &metrics::settings(&words)));
    lost.append(&mut found.lost);
    if !array(analysis, "/webhooks").is_empty() {
        lost.push("its webhooks: a `hook` runs a command".to_owned());
    }
    text.push_str("}\n");
    Some(Found { text, lost, address: found.address })
}
