//! What Argo Rollouts is told of a service: how its Rollout changes over, and what to measure meanwhile.
//!
//! Source: <https://argo-rollouts.readthedocs.io/en/stable/features/specification/>.

use super::Of;
use crate::handed::{Handed, Measure, duration};
use crate::kinds::{self, Kind};
use crate::names;
use serde_json::{Value as Json, json};

/// The Service whose pods Argo chooses beside the stable one, if the strategy has a second one.
pub(super) fn second(of: &Of<'_>, handed: Handed<'_>) -> Option<String> {
    match () {
        () if handed.blue_green() => Some(format!("{}-preview", of.object)),
        () if of.settings.weighted() => Some(format!("{}-next", of.object)),
        () => None,
    }
}

/// The `strategy` of the Rollout.
pub(super) fn strategy(of: &Of<'_>, handed: Handed<'_>) -> Json {
    let templates = json!({
        "templates": [{"templateName": of.object}],
        "args": [{"name": "revision", "valueFrom": {"fieldRef": {"fieldPath": format!("metadata.labels['{}']", names::REVISION)}}}],
    });
    let analysed = handed.analysis().is_some();
    let second = second(of, handed);
    if handed.blue_green() {
        let (preview, hold) = handed.holds();
        let seconds = handed.scale_down_delay().div_ceil(1000).max(30);
        let mut blue_green = json!({"activeService": of.object, "previewService": second, "scaleDownDelaySeconds": seconds});
        match (analysed, preview, hold) {
            (true, 0, _) => blue_green["postPromotionAnalysis"] = templates,
            (true, ..) => blue_green["prePromotionAnalysis"] = templates,
            (false, 1.., _) => blue_green["autoPromotionSeconds"] = json!(preview.div_ceil(1000)),
            (false, 0, _) => {}
        }
        return json!({"blueGreen": blue_green});
    }
    let mut steps = Vec::new();
    for (weight, hold) in handed.steps() {
        steps.push(json!({"setWeight": weight}));
        if hold > 0 {
            steps.push(json!({"pause": {"duration": duration(hold.next_multiple_of(1000))}}));
        }
    }
    let mut canary = json!({"steps": steps});
    if let Some(second) = second {
        canary["stableService"] = json!(of.object);
        canary["canaryService"] = json!(second);
        canary["trafficRouting"] = json!({"nginx": {"stableIngress": of.object}});
    }
    if analysed {
        canary["analysis"] = templates;
    }
    json!({"canary": canary})
}

/// What is measured.
pub(super) fn template(of: &Of<'_>, handed: Handed<'_>) -> Result<Option<(Kind, Json)>, String> {
    if handed.analysis().is_none() {
        return Ok(None);
    }
    let window = handed.window();
    let names = [
        ("$service", of.service),
        ("$environment", of.environment),
        ("$revision", "{{args.revision}}"),
        ("$window", window.as_str()),
    ];
    let measures = handed.measures(&names)?;
    let mut object = of.head(kinds::ANALYSIS_TEMPLATE, of.object);
    let metrics: Vec<Json> = measures.iter().map(|measure| metric(handed, measure)).collect();
    object["spec"] = json!({"args": [{"name": "revision"}], "metrics": metrics});
    Ok(Some((kinds::ANALYSIS_TEMPLATE, object)))
}

fn metric(handed: Handed<'_>, measure: &Measure) -> Json {
    // Prometheus answers with a list; dax takes its only number.
    let joined = |bounds: &[(&str, Json)], with: &str| {
        bounds
            .iter()
            .map(|(op, value)| format!("result[0] {op} {value}"))
            .collect::<Vec<_>>()
            .join(with)
    };
    let every = handed.every();
    let mut metric = json!({
        "name": measure.name.as_str(),
        "interval": duration(every),
        "failureLimit": handed.limit("failure_limit"),
        "consecutiveErrorLimit": handed.limit("error_limit"),
        "provider": {"prometheus": {"address": handed.address(), "query": measure.query}},
    });
    for (name, bounds, with) in [
        ("successCondition", &measure.require, " && "),
        ("failureCondition", &measure.forbid, " || "),
    ] {
        if !bounds.is_empty() {
            metric[name] = json!(joined(bounds, with));
        }
    }
    let (preview, hold) = handed.holds();
    let held = if preview > 0 { preview } else { hold };
    let count = match handed.limit("count") {
        0 if handed.blue_green() => i64::try_from(held.div_ceil(every.max(1)).max(1)).unwrap_or(1),
        count => count,
    };
    if count > 0 {
        metric["count"] = json!(count);
    }
    metric
}
