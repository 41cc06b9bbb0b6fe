//! Rollouts of Argo and Canaries of Flagger as strategies.
//!
//! Sources: <https://argo-rollouts.readthedocs.io/en/stable/features/specification/>,
//! <https://docs.flagger.app/usage/how-it-works>.

use dax_syntax::quoted;
use serde_json::Value as Json;
use std::fmt::Write;

/// A strategy: its text, and what of it dax has no words for.
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) lost: Vec<String>,
}

fn array<'j>(json: &'j Json, pointer: &str) -> &'j [Json] {
    json.pointer(pointer).and_then(Json::as_array).map_or(&[][..], Vec::as_slice)
}

/// What an Argo Rollout does.
pub(crate) fn argo(name: &str, rollout: &Json) -> Option<Found> {
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
        return Some(Found { text, lost });
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
    if canary.get("analysis").is_some() {
        lost.push("its analysis, which stands in an AnalysisTemplate".to_owned());
    }
    text.push_str("}\n");
    Some(Found { text, lost })
}

/// Writes the step with a weight; the whole follows by itself.
fn flush(text: &mut String, weight: &mut Option<u64>, hold: &str) {
    if let Some(share) = weight.take().filter(|share| *share < 100) {
        let _ = writeln!(text, "  step {share}%{hold}");
    }
}

/// What a Canary of Flagger does to its target, with the metrics that have queries of their own.
pub(crate) fn flagger(name: &str, canary: &Json) -> Option<Found> {
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
    for metric in array(analysis, "/metrics") {
        let of = metric.get("name").and_then(Json::as_str).unwrap_or("a metric");
        let range = metric.get("thresholdRange").map_or_else(String::new, ToString::to_string);
        lost.push(format!("the metric {} {range}: write it as a `metric` of an `analysis every {interval}` with `failure_limit = {}` and `semantics = \"flagger\"`", quoted(of), threshold.saturating_sub(1)));
    }
    if !array(analysis, "/webhooks").is_empty() {
        lost.push("its webhooks: a `hook` runs a command".to_owned());
    }
    text.push_str("}\n");
    Some(Found { text, lost })
}
