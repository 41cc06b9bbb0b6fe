//! Ways to a service and what keeps it up: Ingresses, HTTPRoutes, autoscalers, budgets.

use crate::amounts::{percent, share, whole};
use crate::flagger::gateway_route;
use crate::json::{Objects, array, name, of, text};
use crate::workload::Workload;
use dax_syntax::write::{Expr, command, field};
use serde_json::Value as Json;

/// Objects that belong to a service: kind and name.
pub(crate) type Used<'o> = Vec<(&'o str, &'o str)>;

/// Ingresses and HTTPRoutes to a Service; of two of a kind the second stays an object of its own.
pub(crate) fn ways<'o>(
    work: &mut Workload<'_>,
    service: &Json,
    objects: &Objects<'o>,
    used: &mut Used<'o>,
) {
    for ingress in of(objects, "Ingress") {
        let rules = array(ingress, "/spec/rules");
        let paths: Vec<&Json> = rules.iter().flat_map(|rule| array(rule, "/http/paths")).collect();
        let [first, ..] = paths.as_slice() else { continue };
        let ours = paths.iter().all(|path| text(path, "/backend/service/name") == name(service));
        if !ours || work.binds("ingress") {
            continue;
        }
        used.push(("Ingress", name(ingress)));
        let hosts = rules.iter().map(|rule| Expr::str(text(rule, "/host")));
        let mut members = vec![field("hosts", Expr::list(hosts))];
        if let Some(class) = ingress.pointer("/spec/ingressClassName").and_then(Json::as_str) {
            members.push(field("class", Expr::str(class)));
        }
        if !["", "/"].contains(&text(first, "/path")) {
            members.push(field("path", Expr::str(text(first, "/path"))));
        }
        if let Some(secret) = ingress.pointer("/spec/tls/0/secretName").and_then(Json::as_str) {
            members.push(field("tls", Expr::str(secret)));
        }
        work.bind_command(command("ingress", []).inline(members));
        if paths.len() > rules.len() {
            work.lost.push(format!("further paths of the Ingress `{}`", name(ingress)));
        }
    }
    for route in of(objects, "HTTPRoute") {
        let backends: Vec<&Json> = array(route, "/spec/rules")
            .iter()
            .flat_map(|rule| array(rule, "/backendRefs"))
            .collect();
        let ours = backends.iter().all(|backend| text(backend, "/name") == name(service));
        if backends.is_empty() || !ours || work.binds("route") {
            continue;
        }
        used.push(("HTTPRoute", name(route)));
        let gateway = route.pointer("/spec/parentRefs/0").unwrap_or(&Json::Null);
        let hosts = array(route, "/spec/hostnames").iter().filter_map(Json::as_str);
        work.bind_command(gateway_route(gateway, hosts, ""));
    }
}

/// The autoscaler of a workload; a second one stays an object of its own.
pub(crate) fn autoscale<'o>(
    work: &mut Workload<'_>,
    kind: &str,
    objects: &Objects<'o>,
    used: &mut Used<'o>,
) {
    let target = |scaler: &&&Json| {
        let aimed = text(scaler, "/spec/scaleTargetRef/kind");
        text(scaler, "/spec/scaleTargetRef/name") == name(work.object)
            && (aimed.is_empty() || aimed == kind)
    };
    let Some(scaler) = of(objects, "HorizontalPodAutoscaler").iter().find(target).copied() else {
        return;
    };
    used.push(("HorizontalPodAutoscaler", name(scaler)));
    let mut bound = |field: &str| {
        work.number(scaler.pointer(&format!("/spec/{field}")), &format!("`{field}`")).unwrap_or(1)
    };
    let mut members = vec![
        field("min", Expr::number(bound("minReplicas"))),
        field("max", Expr::number(bound("maxReplicas"))),
    ];
    let cpu = array(scaler, "/spec/metrics")
        .iter()
        .find(|metric| text(metric, "/resource/name") == "cpu");
    let share = cpu.and_then(|cpu| cpu.pointer("/resource/target/averageUtilization"));
    members.extend(share.and_then(whole).map(|share| field("cpu", percent(share))));
    work.bind_command(command("autoscale", []).inline(members));
}

/// The budget of a workload; a second one stays an object of its own.
pub(crate) fn budget<'o>(
    work: &mut Workload<'_>,
    selects: impl Fn(&Json) -> bool,
    objects: &Objects<'o>,
    used: &mut Used<'o>,
) {
    let ours = |budget: &&&Json| selects(&budget["spec"]["selector"]["matchLabels"]);
    let Some(budget) = of(objects, "PodDisruptionBudget").iter().find(ours).copied() else {
        return;
    };
    used.push(("PodDisruptionBudget", name(budget)));
    match &budget["spec"]["minAvailable"] {
        Json::Null => work.lost.push("a PodDisruptionBudget without `minAvailable`".to_owned()),
        given => match share(given) {
            Some(least) => work.bind("min_available", least),
            None => work.lost.push(format!("`minAvailable`: {given}")),
        },
    }
}
