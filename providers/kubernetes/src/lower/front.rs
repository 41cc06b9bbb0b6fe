//! What stands in front of the pods: Services, Ingresses, HTTPRoutes, and what belongs to a service as a whole.
//!
//! Sources: <https://gateway-api.sigs.k8s.io/reference/spec/>,
//! <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#canary>.

use super::traffic::{Traffic, hosts, parent, path};
use super::{Of, Slot, argo, flagger};
use crate::handed::Controller;
use crate::kinds::{self, Kind};
use crate::{names, settings};
use dax_core::Value;
use dax_model::{Route, WHOLE};
use serde_json::{Map, Value as Json, json};

/// Every object of a service as a whole, in the order in which they are written.
pub(crate) fn front(of: &Of<'_>, traffic: &Traffic<'_>) -> Result<Vec<(Kind, Json)>, String> {
    if let Some(object) = of.settings.object() {
        return Ok(vec![super::object::manifest(of, object)]);
    }
    let mut all = Vec::new();
    if of.settings.get("service_account").is_none() {
        let mut account = of.head(kinds::SERVICE_ACCOUNT, of.object);
        account["automountServiceAccountToken"] = json!(false);
        all.push((kinds::SERVICE_ACCOUNT, account));
    }
    match of.settings.controller() {
        Some(controller) => all.extend(handed_over(of, traffic, controller)?),
        None => all.extend(own(of, traffic)?),
    }
    all.extend(autoscaler(of, traffic).map(|scaler| (kinds::AUTOSCALER, scaler)));
    all.extend(budget(of).map(|budget| (kinds::BUDGET, budget)));
    Ok(all)
}

/// What stands in front of pods whose traffic a controller beside dax divides.
fn handed_over(
    of: &Of<'_>,
    traffic: &Traffic<'_>,
    controller: Controller,
) -> Result<Vec<(Kind, Json)>, String> {
    let Some(handed) = of.settings.handed() else { return Ok(Vec::new()) };
    // The controller makes the second Ingress of its own from this one.
    let mut all: Vec<(Kind, Json)> = of
        .settings
        .get("ingress")
        .map(|config| (kinds::INGRESS, ingress(of, config, of.object, of.object)))
        .into_iter()
        .collect();
    if controller == Controller::Flagger {
        all.extend(flagger::objects(of, traffic, handed)?);
        return Ok(all);
    }
    all.extend(argo::template(of, handed)?);
    let second = argo::second(of, handed);
    // Where there are two Services, Argo says which pods are behind which.
    let selected = traffic.main().filter(|_| second.is_none());
    for name in std::iter::once(of.object.to_owned()).chain(second) {
        let mut address = service(of, &name, &Map::new(), false);
        match selected {
            Some(slot) => address["spec"]["selector"] = json!(slot.selector),
            None => drop(address["spec"].as_object_mut().and_then(|spec| spec.remove("selector"))),
        }
        if name == of.object {
            expose(of, &mut address);
        }
        all.push((kinds::SERVICE, address));
    }
    Ok(all)
}

/// What stands in front of pods whose traffic dax divides.
fn own(of: &Of<'_>, traffic: &Traffic<'_>) -> Result<Vec<(Kind, Json)>, String> {
    let mut all = Vec::new();
    if of.settings.weighted() {
        let backend = |slot: &Slot| {
            (kinds::SERVICE, service(of, &names::backend(&slot.name), &slot.selector, slot.adopted))
        };
        all.extend(traffic.slots().into_iter().map(backend));
        // Weights change before the stable address does: in between all requests go where they went.
        all.extend(ingresses(of, traffic)?);
        all.extend(http_route(of, traffic).map(|route| (kinds::HTTP_ROUTE, route)));
    } else if !traffic.routes.is_empty() {
        return Err("requests are routed by header or copied only behind a `route` or an `ingress`: the binding has neither".to_owned());
    }
    if !of.settings.ports().is_empty() {
        let found = traffic.shares.iter().any(|(slot, _)| slot.adopted);
        let mut stable = service(of, of.object, &stable_selector(of, traffic)?, found);
        expose(of, &mut stable);
        all.push((kinds::SERVICE, stable));
    }
    Ok(all)
}

/// Says who reaches a Service.
fn expose(of: &Of<'_>, service: &mut Json) {
    match of.settings.text("exposure") {
        Some("node_port") => service["spec"]["type"] = json!("NodePort"),
        Some("load_balancer") => service["spec"]["type"] = json!("LoadBalancer"),
        _ => {}
    }
}

/// A Service. Ports of pods are named, so that each revision may have its own numbers; pods that dax found may lack the names.
fn service(of: &Of<'_>, name: &str, selector: &Map<String, Json>, numbers: bool) -> Json {
    let mut object = of.head(kinds::SERVICE, name);
    let ports = of.settings.ports();
    let port = |(name, port): &(&str, i64)| {
        let target = if numbers { json!(port) } else { json!(name) };
        json!({"name": name, "port": of.settings.exposed(name, *port), "targetPort": target, "protocol": "TCP"})
    };
    object["spec"] =
        json!({"ports": ports.iter().map(port).collect::<Vec<_>>(), "selector": selector});
    object
}

/// The labels of the pods behind the stable address: of one Deployment, or what those that share the traffic have alike.
fn stable_selector(of: &Of<'_>, traffic: &Traffic<'_>) -> Result<Map<String, Json>, String> {
    let nobody = || Map::from_iter([(names::INSTANCE.to_owned(), json!("none"))]);
    let Some(main) = traffic.main() else { return Ok(nobody()) };
    if traffic.shares.len() == 1 || of.settings.weighted() {
        return Ok(main.selector.clone());
    }
    let alike = |(name, value): &(&String, &Json)| {
        traffic.shares.iter().all(|(slot, _)| slot.selector.get(name.as_str()) == Some(value))
    };
    let alike: Map<String, Json> = main
        .selector
        .iter()
        .filter(alike)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if alike.is_empty() {
        return Err("what dax took over has pods with labels of its own, which no address can share: let `rolling` or `blue_green` replace it first".to_owned());
    }
    Ok(alike)
}

fn http_route(of: &Of<'_>, traffic: &Traffic<'_>) -> Option<Json> {
    let config = of.settings.get("route")?;
    let port = of.settings.main_port().map_or(80, |(name, port)| of.settings.exposed(name, port));
    let backend = |slot: &Slot, weight: u32| json!({"name": names::backend(&slot.name), "port": port, "weight": weight});
    let mut object = of.head(kinds::HTTP_ROUTE, of.object);
    let parent = parent(config);
    let prefix = json!({"type": "PathPrefix", "value": path(config)});
    let mut rules = Vec::new();
    let mut filters = Vec::new();
    for (slot, route) in &traffic.routes {
        match route {
            Route::Header { name, is, .. } => {
                let header = json!({"type": "Exact", "name": name.as_str(), "value": is.as_str()});
                rules.push(json!({"matches": [{"path": prefix, "headers": [header]}], "backendRefs": [backend(slot, 1)]}));
            }
            Route::Mirror { share, .. } => {
                let reference = json!({"name": names::backend(&slot.name), "port": port});
                let fraction = json!({"numerator": share, "denominator": WHOLE});
                filters.push(json!({"type": "RequestMirror", "requestMirror": {"backendRef": reference, "fraction": fraction}}));
            }
        }
    }
    let backends: Vec<Json> =
        traffic.shares.iter().map(|(slot, share)| backend(slot, *share)).collect();
    let mut rule = json!({"matches": [{"path": prefix}], "backendRefs": backends});
    if !filters.is_empty() {
        rule["filters"] = json!(filters);
    }
    rules.push(rule);
    object["spec"] = json!({"parentRefs": [parent], "rules": rules});
    let hosts = hosts(config);
    if !hosts.is_empty() {
        object["spec"]["hostnames"] = json!(hosts);
    }
    Some(object)
}

/// The Ingress, and beside it the one that ingress-nginx reads as a canary.
fn ingresses(of: &Of<'_>, traffic: &Traffic<'_>) -> Result<Vec<(Kind, Json)>, String> {
    let Some(config) = of.settings.get("ingress") else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    let other = traffic
        .shares
        .iter()
        .find(|(slot, _)| traffic.main().is_none_or(|main| main.name != slot.name));
    let routed = traffic.routes.first();
    if let Some((slot, share)) = other.copied().or_else(|| routed.map(|(slot, _)| (*slot, 0))) {
        let mut canary =
            ingress(of, config, &format!("{}-canary", of.object), &names::backend(&slot.name));
        if share % 100 != 0 {
            return Err("ingress-nginx has weights in whole percents".to_owned());
        }
        let annotations = &mut canary["metadata"]["annotations"];
        let annotation = |name: &str| format!("nginx.ingress.kubernetes.io/canary{name}");
        annotations[annotation("")] = json!("true");
        annotations[annotation("-weight")] = json!((share / 100).to_string());
        for (_, route) in &traffic.routes {
            match route {
                Route::Header { name, is, .. } => {
                    annotations[annotation("-by-header")] = json!(name.as_str());
                    annotations[annotation("-by-header-value")] = json!(is.as_str());
                }
                Route::Mirror { .. } => {
                    return Err(
                        "ingress-nginx copies no share of the requests; a `route` does".to_owned()
                    );
                }
            }
        }
        all.push((kinds::INGRESS, canary));
    }
    all.push((kinds::INGRESS, ingress(of, config, of.object, of.object)));
    Ok(all)
}

fn ingress(of: &Of<'_>, config: &Value, name: &str, backend: &str) -> Json {
    let port = of.settings.main_port().map_or(80, |(name, port)| of.settings.exposed(name, port));
    let mut object = of.head(kinds::INGRESS, name);
    let path = json!({"path": path(config), "pathType": "Prefix", "backend": {"service": {"name": backend, "port": {"number": port}}}});
    let rules: Vec<Json> = hosts(config)
        .into_iter()
        .map(|host| json!({"host": host, "http": {"paths": [path]}}))
        .collect();
    object["spec"] = json!({"rules": rules});
    if let Some(class) = config.get("class").and_then(Value::as_str) {
        object["spec"]["ingressClassName"] = json!(class);
    }
    if let Some(secret) = config.get("tls").and_then(Value::as_str) {
        object["spec"]["tls"] = json!([{"hosts": hosts(config), "secretName": secret}]);
    }
    object
}

fn autoscaler(of: &Of<'_>, traffic: &Traffic<'_>) -> Option<Json> {
    let config = of.settings.get("autoscale")?;
    let target = traffic.main()?;
    let mut object = of.head(kinds::AUTOSCALER, of.object);
    let number = |name: &str| config.get(name).and_then(Value::as_int);
    let share = config.get("cpu").and_then(Value::as_f64).unwrap_or(80.0).round().to_string();
    let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": share.parse::<i64>().unwrap_or(80)}});
    object["spec"] = json!({
        "scaleTargetRef": {"apiVersion": of.settings.workload().version, "kind": of.settings.workload().name, "name": target.name},
        "minReplicas": number("min").unwrap_or(1),
        "maxReplicas": number("max").unwrap_or(1),
        "metrics": [{"type": "Resource", "resource": cpu}],
    });
    Some(object)
}

fn budget(of: &Of<'_>) -> Option<Json> {
    let least = of.settings.get("min_available")?;
    let mut object = of.head(kinds::BUDGET, of.object);
    // Flagger gives the pods that serve a name of their own.
    let alike = if of.settings.controller() == Some(Controller::Flagger) {
        flagger::ALIKE
    } else {
        names::NAME
    };
    let labels = json!({alike: of.object, names::ENVIRONMENT: of.environment});
    object["spec"] =
        json!({"minAvailable": settings::json(least), "selector": {"matchLabels": labels}});
    Some(object)
}
