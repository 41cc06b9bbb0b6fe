//! Canaries of Flagger.
//!
//! Source: <https://docs.flagger.app/usage/how-it-works>.

use crate::amounts::{duration, millis, percent, whole};
use crate::json::{array, name, text};
use crate::metrics::Analysis;
use crate::strategy::{Beside, Found};
use dax_syntax::write::{Command, Expr, Member, command, field};
use serde_json::{Value as Json, json};

/// What Flagger looks at a canary in at least, in milliseconds.
const TICK: u64 = 10_000;

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
    let given = json!({"name": name, "port": port, "targetPort": target});
    let ports = if port.is_null() { json!([]) } else { json!([given]) };
    json!({"metadata": {"name": service_name(canary)}, "spec": {"ports": ports}})
}

/// The HTTPRoute that Flagger makes for a Canary, as a binding says it.
pub(crate) fn route(canary: &Json) -> Option<Command> {
    let gateway = canary.pointer("/spec/service/gatewayRefs/0")?;
    let hosts = array(canary, "/spec/service/hosts").iter().filter_map(Json::as_str);
    let path = text(canary, "/spec/service/match/0/uri/prefix");
    Some(gateway_route(gateway, hosts, path))
}

/// `route { gateway = …, hosts = […] }`.
pub(crate) fn gateway_route<'j>(
    gateway: &Json,
    hosts: impl Iterator<Item = &'j str>,
    path: &str,
) -> Command {
    let gateway = match text(gateway, "/namespace") {
        "" => text(gateway, "/name").to_owned(),
        space => format!("{space}/{}", text(gateway, "/name")),
    };
    let mut members = vec![
        field("gateway", Expr::str(gateway)),
        field("hosts", Expr::list(hosts.map(Expr::str))),
    ];
    if !["", "/"].contains(&path) {
        members.push(field("path", Expr::str(path)));
    }
    command("route", []).inline(members)
}

/// Why dax cannot have Flagger go on with a Canary.
fn unfit(canary: &Json, beside: &Beside<'_>, interval: u64, kind: &str) -> Option<String> {
    let provider = text(canary, "/spec/provider");
    let known =
        ["", "kubernetes", "nginx"].contains(&provider) || provider.starts_with("gatewayapi:");
    let target = text(canary, "/spec/targetRef/kind");
    let (own, aimed) = (name(canary), text(canary, "/spec/targetRef/name"));
    Some(match () {
        () if !known => format!("its traffic is divided by `{provider}`, which dax does not write"),
        () if !["", "Deployment"].contains(&target) => format!("its target is a {target}"),
        () if own != aimed || service_name(canary) != aimed => {
            "Canary, target and Service have not one name".to_owned()
        }
        () if interval < TICK => "it looks more often than every 10 s".to_owned(),
        () if kind == "canary" && !beside.way => {
            "neither a Gateway nor an Ingress is named in it: say in the binding who divides the \
             traffic"
                .to_owned()
        }
        () => return None,
    })
}

/// Numbers of the analysis of a Canary; one that is none is lost.
struct Numbers<'j> {
    analysis: &'j Json,
    lost: Vec<String>,
}

impl Numbers<'_> {
    fn get(&mut self, name: &str) -> Option<u64> {
        let given = self.analysis.get(name)?;
        let number = whole(given);
        if number.is_none() {
            self.lost.push(format!("its `{name}`: {given}"));
        }
        number
    }

    /// How often it looks, in milliseconds.
    fn interval(&mut self) -> u64 {
        let Some(given) = self.analysis.get("interval") else { return 60_000 };
        given.as_str().and_then(millis).unwrap_or_else(|| {
            self.lost.push(format!("its `interval`: {given}"));
            60_000
        })
    }

    /// The shares of a canary; the whole follows by itself.
    fn weights(&mut self) -> Vec<u64> {
        if let Some(weights) = self.analysis.get("stepWeights").and_then(Json::as_array) {
            let found: Option<Vec<u64>> = weights.iter().map(whole).collect();
            return found.unwrap_or_else(|| {
                self.lost.push(format!("its `stepWeights`: {}", Json::from(weights.clone())));
                Vec::new()
            });
        }
        let step = self.get("stepWeight").unwrap_or(10).max(1);
        let most = self.get("maxWeight").unwrap_or(100).min(100);
        (1..=100_u64)
            .map_while(|at| at.checked_mul(step).filter(|weight| *weight <= most))
            .collect()
    }
}

/// What a Canary of Flagger does to its target, with the metrics that have queries of their own.
pub(crate) fn flagger(canary: &Json, beside: &Beside<'_>) -> Option<Found> {
    let analysis =
        canary.pointer("/spec/analysis").or_else(|| canary.pointer("/spec/canaryAnalysis"))?;
    let mut numbers = Numbers { analysis, lost: Vec::new() };
    let every = numbers.interval();
    let interval = duration(every);
    let weighted = ["stepWeight", "stepWeights"].iter().any(|name| analysis.get(*name).is_some());
    let looks = if weighted { None } else { numbers.get("iterations") };
    let mut members = Vec::new();
    let kind = if let Some(looks) = looks {
        match every.checked_mul(looks) {
            Some(whole) => {
                let looked = format!("{looks} looks, one each {interval}, before the switch");
                let hold = Expr::Amount(duration(whole));
                members.push(Member::Note(looked));
                let args = [Expr::number(0), Expr::name("hold"), hold];
                members.push(Member::Command(command("preview", args)));
            }
            None => numbers.lost.push(format!("its {looks} looks, one each {interval}")),
        }
        if !array(analysis, "/match").is_empty() {
            numbers.lost.push("its `match`: say `route \"HEADER\" is \"VALUE\"`".to_owned());
        }
        "blue_green"
    } else {
        let shares = numbers.weights().into_iter().filter(|weight| *weight < 100);
        members.extend(shares.map(|share| {
            let args = [percent(share), Expr::name("hold"), Expr::Amount(interval)];
            Member::Command(command("step", args))
        }));
        "canary"
    };
    let threshold = numbers.get("threshold").unwrap_or(1);
    let target = text(canary, "/spec/targetRef/name");
    let mut found = Analysis::default();
    for metric in array(analysis, "/metrics") {
        let template = metric.pointer("/templateRef/name").and_then(Json::as_str);
        let template = template.and_then(|name| beside.template(name));
        found.flagger(metric, template, target, beside.namespace);
    }
    let words = vec![
        field("failure_limit", Expr::number(threshold.saturating_sub(1))),
        field("semantics", Expr::str("flagger")),
    ];
    let unfit = unfit(canary, beside, every, kind);
    // All of it is Flagger's or all of it is dax's.
    if unfit.is_some() || found.lost.is_empty() {
        members.extend(found.block(interval, words));
    } else {
        found.keep_none();
    }
    let mut lost = numbers.lost;
    lost.append(&mut found.lost);
    if !array(analysis, "/webhooks").is_empty() {
        lost.push("its webhooks: a `hook` runs a command".to_owned());
    }
    Some(Found { kind, members, lost, address: found.address, unfit }.handed_to("flagger"))
}
