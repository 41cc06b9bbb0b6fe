//! Rollouts of Argo.
//!
//! Source: <https://argo-rollouts.readthedocs.io/en/stable/features/specification/>.

use crate::metrics::{self, Analysis};
use crate::strategy::{Beside, Found, array};
use crate::write::{duration, millis};
use dax_syntax::quoted;
use serde_json::Value as Json;
use std::fmt::Write;

/// Why dax cannot have Argo go on with a Rollout.
fn unfit(rollout: &Json, beside: &Beside<'_>, text: &str, lost: &[String]) -> Option<String> {
    let name = rollout.pointer("/metadata/name");
    let routing = rollout.pointer("/spec/strategy/canary/trafficRouting").and_then(Json::as_object);
    let other = routing
        .into_iter()
        .flatten()
        .find(|(by, how)| *by != "nginx" || how.get("stableIngress") != name);
    Some(match () {
        () if !beside.ports => "it has no port".to_owned(),
        () if text.contains(" approve ") => {
            "a pause without an end is no step that dax tells Argo of".to_owned()
        }
        () if !text.contains("step ") && text.contains(": canary") => "it has no steps".to_owned(),
        () if lost.iter().any(|lost| lost.starts_with("the step ")) => {
            "it has steps that dax has no words for".to_owned()
        }
        () => format!("its traffic is divided by `{}` in a way that dax does not write", other?.0),
    })
}

/// What an Argo Rollout does.
pub(crate) fn argo(name: &str, rollout: &Json, beside: &Beside<'_>) -> Option<Found> {
    let strategy = rollout.pointer("/spec/strategy")?;
    let mut lost = Vec::new();
    if let Some(green) = strategy.get("blueGreen") {
        let mut text = format!("strategy {name}: blue_green {{\n");
        if green.get("autoPromotionEnabled") == Some(&Json::Bool(false)) {
            text.push_str("  preview 0 approve 1\n");
        } else if let Some(seconds) = green.get("autoPromotionSeconds").and_then(Json::as_u64) {
            let _ = writeln!(text, "  preview 0 hold {seconds}s");
        }
        let delay = green.get("scaleDownDelaySeconds").and_then(Json::as_u64).unwrap_or(30);
        let _ = writeln!(text, "  scale_down_delay = {delay}s");
        lost.extend(
            ["prePromotionAnalysis", "postPromotionAnalysis"]
                .iter()
                .filter(|field| green.get(**field).is_some())
                .map(|f| (*f).to_owned()),
        );
        text.push_str("}\n");
        let unfit = unfit(rollout, beside, &text, &lost);
        return Some(Found { text, lost, address: None, unfit }.handed_to("argo"));
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
                Some(Json::String(text)) => {
                    millis(text).map_or_else(String::new, |ms| format!(" hold {}", duration(ms)))
                }
                _ => " approve 1".to_owned(),
            };
            flush(&mut text, &mut weight, &hold);
        } else if let Some(kind) = step.as_object().and_then(|step| step.keys().next()) {
            lost.push(format!("the step `{kind}`"));
        }
    }
    flush(&mut text, &mut weight, "");
    let unfit = unfit(rollout, beside, &text, &lost);
    let mut analysis = Analysis::default();
    if let Some(own) = canary.get("analysis") {
        let measured = argo_analysis(own, beside, &mut analysis);
        // All of it is Argo's or all of it is dax's.
        if unfit.is_some() || analysis.lost.is_empty() {
            text.push_str(&measured);
        } else {
            analysis.keep_none();
        }
    }
    lost.append(&mut analysis.lost);
    text.push_str("}\n");
    Some(Found { text, lost, address: analysis.address, unfit }.handed_to("argo"))
}

/// The analysis of a Rollout, with the templates that it names.
fn argo_analysis(own: &Json, beside: &Beside<'_>, analysis: &mut Analysis) -> String {
    let given = |args: &Json| -> Vec<(String, String)> {
        let pair = |arg: &Json| {
            Some((arg.get("name")?.as_str()?.to_owned(), arg.get("value")?.as_str()?.to_owned()))
        };
        array(args, "/args").iter().filter_map(pair).collect()
    };
    let (mut every, mut limit, mut count) = (None, 0, 0);
    for reference in array(own, "/templates") {
        let name = reference.get("templateName").and_then(Json::as_str).unwrap_or_default();
        let Some(template) = beside.template(name) else {
            analysis.lost.push(format!(
                "the AnalysisTemplate {}, which is not among what is imported",
                quoted(name)
            ));
            continue;
        };
        let spec = template.get("spec").unwrap_or(&Json::Null);
        // What the Rollout gives comes before what the template has by itself.
        let arguments = [given(own), given(spec)].concat();
        for metric in array(spec, "/metrics") {
            let number = |field: &str| metric.get(field).and_then(Json::as_u64).unwrap_or(0);
            every =
                every.or_else(|| metric.get("interval").and_then(Json::as_str).and_then(millis));
            (limit, count) = (limit.max(number("failureLimit")), count.max(number("count")));
            analysis.argo(metric, &arguments);
        }
    }
    let mut words =
        vec![("failure_limit", limit.to_string()), ("semantics", "\"argo\"".to_owned())];
    if count > 0 {
        words.push(("count", count.to_string()));
    }
    analysis.text(&duration(every.unwrap_or(60_000)), &metrics::settings(&words))
}

/// Writes the step with a weight; the whole follows by itself.
fn flush(text: &mut String, weight: &mut Option<u64>, hold: &str) {
    if let Some(share) = weight.take().filter(|share| *share < 100) {
        let _ = writeln!(text, "  step {share}%{hold}");
    }
}
