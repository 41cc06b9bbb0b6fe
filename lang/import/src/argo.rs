//! Rollouts of Argo.
//!
//! Source: <https://argo-rollouts.readthedocs.io/en/stable/features/specification/>.

use crate::amounts::{duration, millis, percent, seconds, whole};
use crate::json::{array, text};
use crate::metrics::Analysis;
use crate::strategy::{Beside, Found};
use dax_syntax::write::{Amount, Expr, Member, command, field};
use serde_json::Value as Json;

/// Steps of a Rollout, as far as dax has words for them.
#[derive(Default)]
struct Steps {
    members: Vec<Member>,
    /// Whether one of them waits until somebody lets it go on.
    endless: bool,
    lost: Vec<String>,
}

/// Why dax cannot have Argo go on with a Rollout; `steps` are those of a canary.
fn unfit(rollout: &Json, beside: &Beside<'_>, steps: &Steps, canary: bool) -> Option<String> {
    let name = rollout.pointer("/metadata/name");
    let routing = rollout.pointer("/spec/strategy/canary/trafficRouting").and_then(Json::as_object);
    let other = routing
        .into_iter()
        .flatten()
        .find(|(by, how)| *by != "nginx" || how.get("stableIngress") != name);
    Some(match () {
        () if !beside.ports => "it has no port".to_owned(),
        () if steps.endless => {
            "a pause without an end is no step that dax tells Argo of".to_owned()
        }
        () if steps.members.is_empty() && canary => "it has no steps".to_owned(),
        () if !steps.lost.is_empty() => "it has steps that dax has no words for".to_owned(),
        () => format!("its traffic is divided by `{}` in a way that dax does not write", other?.0),
    })
}

/// What an Argo Rollout does.
pub(crate) fn argo(rollout: &Json, beside: &Beside<'_>) -> Option<Found> {
    let strategy = rollout.pointer("/spec/strategy")?;
    if let Some(green) = strategy.get("blueGreen") {
        return Some(blue_green(rollout, green, beside));
    }
    let canary = strategy.get("canary")?;
    let steps = steps(canary);
    let unfit = unfit(rollout, beside, &steps, true);
    let Steps { mut members, mut lost, .. } = steps;
    let mut analysis = Analysis::default();
    if let Some(own) = canary.get("analysis") {
        let (every, words) = measured(own, beside, &mut analysis);
        // All of it is Argo's or all of it is dax's.
        if unfit.is_some() || analysis.lost.is_empty() {
            members.extend(analysis.block(every, words));
        } else {
            analysis.keep_none();
        }
    }
    lost.append(&mut analysis.lost);
    Some(
        Found { kind: "canary", members, lost, address: analysis.address, unfit }.handed_to("argo"),
    )
}

fn blue_green(rollout: &Json, green: &Json, beside: &Beside<'_>) -> Found {
    let mut found = Steps::default();
    let preview = |word: &'static str, value| {
        Member::Command(command("preview", [Expr::number(0), Expr::name(word), value]))
    };
    let mut lost = Vec::new();
    let mut given = |field: &str| {
        let given = green.get(field)?;
        let amount = whole(given).map(seconds);
        if amount.is_none() {
            lost.push(format!("`{field}`: {given}"));
        }
        amount
    };
    let promotion = given("autoPromotionSeconds");
    let delay = given("scaleDownDelaySeconds");
    if green.get("autoPromotionEnabled") == Some(&Json::Bool(false)) {
        found.members.push(preview("approve", Expr::number(1)));
        found.endless = true;
    } else if let Some(promotion) = promotion {
        found.members.push(preview("hold", Expr::Amount(promotion)));
    }
    let delay = delay.unwrap_or_else(|| seconds(30));
    found.members.push(field("scale_down_delay", Expr::Amount(delay)));
    lost.extend(
        ["prePromotionAnalysis", "postPromotionAnalysis"]
            .iter()
            .filter(|field| green.get(**field).is_some())
            .map(|field| (*field).to_owned()),
    );
    let unfit = unfit(rollout, beside, &found, false);
    Found { kind: "blue_green", members: found.members, lost, address: None, unfit }
        .handed_to("argo")
}

/// The steps of a canary; the whole follows by itself.
fn steps(canary: &Json) -> Steps {
    let mut found = Steps::default();
    let mut weight = None;
    for step in array(canary, "/steps") {
        if let Some(share) = step.get("setWeight") {
            found.step(&mut weight, None);
            match whole(share).filter(|share| *share <= 100) {
                Some(share) => weight = Some(share),
                None => found.lost.push(format!("the step `setWeight`: {share}")),
            }
        } else if let Some(pause) = step.get("pause") {
            match hold(pause) {
                Some(hold) => found.step(&mut weight, Some(hold)),
                None => found.lost.push(format!("the step `pause`: {pause}")),
            }
        } else if let Some(kind) = step.as_object().and_then(|step| step.keys().next()) {
            found.lost.push(format!("the step `{kind}`"));
        }
    }
    found.step(&mut weight, None);
    found
}

/// How long a pause is: a number of seconds or a duration; without one, until somebody agrees.
fn hold(pause: &Json) -> Option<[Expr; 2]> {
    let Some(given) = pause.get("duration").filter(|given| !given.is_null()) else {
        return Some([Expr::name("approve"), Expr::number(1)]);
    };
    let amount = match whole(given) {
        Some(number) => seconds(number),
        None => duration(millis(given.as_str()?)?),
    };
    Some([Expr::name("hold"), Expr::Amount(amount)])
}

impl Steps {
    /// Adds the step with a weight, if there is one that is not the whole.
    fn step(&mut self, weight: &mut Option<u64>, hold: Option<[Expr; 2]>) {
        let Some(share) = weight.take().filter(|share| *share < 100).map(percent) else {
            return;
        };
        self.endless |= hold.as_ref().is_some_and(|[word, _]| *word == Expr::name("approve"));
        let args = std::iter::once(share).chain(hold.into_iter().flatten());
        self.members.push(Member::Command(command("step", args)));
    }
}

/// The analysis of a Rollout with the templates that it names: how often, and what stands behind
/// the metrics.
fn measured(own: &Json, beside: &Beside<'_>, analysis: &mut Analysis) -> (Amount, Vec<Member>) {
    let given = |args: &Json| -> Vec<(String, String)> {
        let pair = |arg: &Json| {
            Some((arg.get("name")?.as_str()?.to_owned(), arg.get("value")?.as_str()?.to_owned()))
        };
        array(args, "/args").iter().filter_map(pair).collect()
    };
    let (mut every, mut limit, mut count) = (None, 0, 0);
    for reference in array(own, "/templates") {
        let name = text(reference, "/templateName");
        let Some(template) = beside.template(name) else {
            let what = format!("the AnalysisTemplate \"{name}\"");
            analysis.lost.push(format!("{what}, which is not among what is imported"));
            continue;
        };
        let spec = template.get("spec").unwrap_or(&Json::Null);
        // What the Rollout gives comes before what the template has by itself.
        let arguments = [given(own), given(spec)].concat();
        for metric in array(spec, "/metrics") {
            let what = text(metric, "/name");
            let mut number = |field: &str| {
                let Some(given) = metric.get(field) else { return 0 };
                whole(given).unwrap_or_else(|| {
                    let lost = &mut analysis.lost;
                    lost.push(format!("`{field}` of the metric \"{what}\": {given}"));
                    0
                })
            };
            (limit, count) = (limit.max(number("failureLimit")), count.max(number("count")));
            if every.is_none()
                && let Some(given) = metric.get("interval")
            {
                every = given.as_str().and_then(millis).map(duration);
                if every.is_none() {
                    let lost = &mut analysis.lost;
                    lost.push(format!("`interval` of the metric \"{what}\": {given}"));
                }
            }
            analysis.argo(metric, &arguments);
        }
    }
    let mut words =
        vec![field("failure_limit", Expr::number(limit)), field("semantics", Expr::str("argo"))];
    if count > 0 {
        words.push(field("count", Expr::number(count)));
    }
    (every.unwrap_or_else(|| seconds(60)), words)
}
