//! Manifests, or what a cluster gives back for them, as services and environments.

use crate::objects;
use crate::strategy::{self, Beside, Found};
use crate::write::{bytes, cpu, item, key};
use crate::{argo, flagger};
use dax_syntax::quoted;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What is asked for.
pub struct Request<'r> {
    /// Manifests as YAML or JSON: documents in a row, and lists.
    pub texts: &'r [String],
    /// The environment that binds what is found.
    pub environment: &'r str,
    /// The context of the kubeconfig that the provider names.
    pub context: &'r str,
    /// The kubeconfig, where it is not the usual one.
    pub kubeconfig: Option<&'r str>,
    /// Whether what runs is to be taken over.
    pub adopt: bool,
}

/// A program, and what of the manifests is not in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Imported {
    /// The text of the program.
    pub text: String,
    /// Objects that have no place in it, each with the reason.
    pub left: Vec<String>,
}

/// The label by which Argo Rollouts has a Service choose pods.
const HASH: &str = "rollouts-pod-template-hash";

/// Objects by kind, of one namespace.
type Objects<'o> = BTreeMap<&'o str, Vec<&'o Json>>;

fn text<'j>(json: &'j Json, pointer: &str) -> &'j str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

fn array<'j>(json: &'j Json, pointer: &str) -> &'j [Json] {
    json.pointer(pointer).and_then(Json::as_array).map_or(&[][..], Vec::as_slice)
}

fn name(object: &Json) -> &str {
    text(object, "/metadata/name")
}

fn namespace(object: &Json) -> &str {
    match text(object, "/metadata/namespace") {
        "" => "default",
        name => name,
    }
}

/// The program that describes what manifests describe.
///
/// # Errors
/// A text is no YAML, or nothing in it is a service.
pub fn import(request: &Request<'_>) -> Result<Imported, String> {
    let mut documents: Vec<Json> = Vec::new();
    for text in request.texts {
        let found: Vec<Json> = match serde_json::from_str(text) {
            Ok(document) => vec![document],
            Err(_) => serde_saphyr::from_multiple(text).map_err(|error| {
                format!("this is no YAML: {}", error.to_string().lines().next().unwrap_or(""))
            })?,
        };
        for document in found {
            match document.get("items").and_then(Json::as_array) {
                Some(items)
                    if document["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) =>
                {
                    documents.extend(items.iter().cloned())
                }
                _ => documents.push(document),
            }
        }
    }
    let mut spaces: BTreeMap<&str, Objects<'_>> = BTreeMap::new();
    for document in documents.iter().filter(|document| document.is_object()) {
        spaces
            .entry(namespace(document))
            .or_default()
            .entry(text(document, "/kind"))
            .or_default()
            .push(document);
    }
    let mut out = Program::of(request);
    for (space, objects) in &spaces {
        out.namespace(space, objects);
    }
    if out.names.is_empty() {
        return Err("there is no object of Kubernetes in it that a program can have".to_owned());
    }
    let left = std::mem::take(&mut out.left);
    Ok(Imported { text: dax_syntax::format(&out.text()), left })
}

struct Program<'r> {
    request: &'r Request<'r>,
    services: String,
    objects: String,
    /// What the program calls what it has so far.
    names: BTreeSet<String>,
    strategies: String,
    binds: String,
    more: String,
    /// Where the metrics are.
    prometheus: Option<String>,
    left: Vec<String>,
}

/// A service on its way to the program.
struct Workload<'w> {
    object: &'w Json,
    item: String,
    /// Lines of the service and of its binding.
    fields: Vec<String>,
    binding: Vec<String>,
    lost: Vec<String>,
}

impl<'r> Program<'r> {
    fn of(request: &'r Request<'r>) -> Self {
        Self {
            request,
            services: String::new(),
            objects: String::new(),
            names: BTreeSet::new(),
            strategies: String::new(),
            binds: String::new(),
            more: String::new(),
            prometheus: None,
            left: Vec::new(),
        }
    }

    fn namespace(&mut self, space: &str, objects: &Objects<'_>) {
        let of = |kind: &str| objects.get(kind).map_or(&[][..], Vec::as_slice);
        let mut used: Vec<(&str, &str)> = Vec::new();
        let kinds = ["Deployment", "StatefulSet", "CronJob", "Rollout"];
        for (kind, object) in
            kinds.iter().flat_map(|kind| of(kind).iter().map(move |object| (*kind, *object)))
        {
            // What a controller of Flagger makes of a target is not what people wrote.
            if array(object, "/metadata/ownerReferences")
                .iter()
                .any(|owner| owner["controller"] == true)
            {
                continue;
            }
            self.workload(space, kind, object, objects, &mut used);
        }
        // Some kinds are made by the cluster itself, and some are looked at only beside what they belong to.
        let silent = [
            "Pod",
            "ReplicaSet",
            "Endpoints",
            "EndpointSlice",
            "Event",
            "ControllerRevision",
            "Namespace",
            "ServiceAccount",
            "Node",
        ];
        for (kind, object) in
            objects.iter().flat_map(|(kind, all)| all.iter().map(move |object| (*kind, *object)))
        {
            let known = kinds.contains(&kind)
                || silent.contains(&kind)
                || used.contains(&(kind, name(object)));
            let own = (kind == "ConfigMap" && name(object) == "kube-root-ca.crt")
                || (kind == "Service" && name(object) == "kubernetes");
            // What somebody's controller made comes back by itself.
            if known || own || !array(object, "/metadata/ownerReferences").is_empty() {
                continue;
            }
            match kind {
                "Secret" => self.left.push(format!(
                    "Secret {space}/{}: its values belong in no program, it stays as it is",
                    name(object)
                )),
                _ if kind.is_empty() || text(object, "/apiVersion").is_empty() => {
                    self.left.push(format!(
                        "a document of `{space}` that says no `apiVersion` or no `kind`"
                    ));
                }
                _ => self.object(space, kind, object),
            }
        }
    }

    /// An object that belongs to no service.
    fn object(&mut self, space: &str, kind: &str, object: &Json) {
        let mut called = item(name(object));
        if self.names.contains(&called) {
            called = format!("{called}_{}", kind.to_lowercase());
        }
        while self.names.contains(&called) {
            called.push('_');
        }
        let _ = writeln!(self.objects, "{}", objects::resource(&called, object));
        let _ = writeln!(
            self.binds,
            "  bind {called} to kubernetes.cluster {{\n    namespace = {}\n  }}",
            quoted(space)
        );
        if self.request.adopt {
            let _ = writeln!(self.more, "  adopt {called}");
        }
        self.names.insert(called);
    }

    fn workload<'o>(
        &mut self,
        space: &str,
        kind: &str,
        object: &'o Json,
        objects: &Objects<'o>,
        used: &mut Vec<(&'o str, &'o str)>,
    ) {
        let of = |kind: &str| objects.get(kind).map_or(&[][..], Vec::as_slice);
        let template =
            if kind == "CronJob" { "/spec/jobTemplate/spec/template" } else { "/spec/template" };
        let template = object.pointer(template).unwrap_or(&Json::Null);
        let [container, rest @ ..] = array(template, "/spec/containers") else {
            self.left.push(format!(
                "{kind} {space}/{}: it says nothing of its containers itself",
                name(object)
            ));
            return;
        };
        let mut work = Workload {
            object,
            item: item(name(object)),
            fields: Vec::new(),
            binding: Vec::new(),
            lost: Vec::new(),
        };
        work.binding.push(format!("namespace = {}", quoted(space)));
        if !rest.is_empty() {
            work.lost.push("further containers".to_owned());
        }
        let labels = template.pointer("/metadata/labels").cloned().unwrap_or_default();
        let selects = |selector: &Json| {
            selector.as_object().is_some_and(|selector| {
                !selector.is_empty()
                    && selector
                        .iter()
                        .all(|(key, value)| key == HASH || labels.get(key) == Some(value))
            })
        };
        let target = |canary: &&&Json| text(canary, "/spec/targetRef/name") == name(object);
        let canary = of("Canary").iter().find(target).copied();
        let stable =
            ["/spec/strategy/canary/stableService", "/spec/strategy/blueGreen/activeService"]
                .map(|at| text(object, at));
        let called = canary
            .map(flagger::service_name)
            .or_else(|| stable.into_iter().find(|name| !name.is_empty()));
        let mut services = of("Service").iter().copied();
        let service = match called {
            Some(called) => services.find(|service| name(service) == called),
            None => services.find(|service| selects(&service["spec"]["selector"])),
        };
        for second in
            ["/spec/strategy/canary/canaryService", "/spec/strategy/blueGreen/previewService"]
        {
            used.extend(
                of("Service")
                    .iter()
                    .filter(|service| name(service) == text(object, second))
                    .map(|service| ("Service", name(service))),
            );
        }
        // Where Flagger has not made it yet, it is as Flagger will make it.
        let to_be = canary.filter(|_| service.is_none()).map(flagger::service);
        let reached = service.or(to_be.as_ref());
        let ports = ports(container, reached, &mut work);
        work.container(container, &ports, object);
        work.pod(template);
        if kind == "StatefulSet" {
            work.binding.push("workload = \"stateful_set\"".to_owned());
            work.volumes(container);
        }
        if kind == "CronJob" {
            work.binding.push("workload = \"cron_job\"".to_owned());
            work.binding.push(format!("schedule = {}", quoted(text(object, "/spec/schedule"))));
        } else {
            // Flagger puts a target to rest: as many as serve are those of the Deployment that it made.
            let primary = format!("{}-primary", name(object));
            let serving = of("Deployment")
                .iter()
                .find(|deployment| canary.is_some() && name(deployment) == primary)
                .copied()
                .unwrap_or(object);
            let replicas = serving.pointer("/spec/replicas").and_then(Json::as_u64).unwrap_or(1);
            work.fields.push(format!("replicas = {replicas}"));
        }
        if let Some(service) = service {
            used.push(("Service", name(service)));
            match text(service, "/spec/type") {
                "NodePort" => work.binding.push("exposure = \"node_port\"".to_owned()),
                "LoadBalancer" => work.binding.push("exposure = \"load_balancer\"".to_owned()),
                _ => {}
            }
        }
        if let Some(service) = reached {
            if name(service) != name(object) {
                work.lost.push(format!(
                    "the name of its Service, `{}`: dax calls it `{}`",
                    name(service),
                    name(object)
                ));
            }
            self.ways(&mut work, service, objects, used);
        }
        work.binding.extend(canary.and_then(flagger::route));
        for scaler in of("HorizontalPodAutoscaler")
            .iter()
            .filter(|scaler| text(scaler, "/spec/scaleTargetRef/name") == name(object))
        {
            used.push(("HorizontalPodAutoscaler", name(scaler)));
            work.binding.push(autoscale(scaler));
        }
        for budget in of("PodDisruptionBudget")
            .iter()
            .filter(|budget| selects(&budget["spec"]["selector"]["matchLabels"]))
        {
            used.push(("PodDisruptionBudget", name(budget)));
            match &budget["spec"]["minAvailable"] {
                Json::Null => {
                    work.lost.push("a PodDisruptionBudget without `minAvailable`".to_owned())
                }
                Json::String(share) => work.binding.push(format!("min_available = {share}")),
                number => work.binding.push(format!("min_available = {number}")),
            }
        }
        let way = work
            .binding
            .iter()
            .any(|line| line.starts_with("route ") || line.starts_with("ingress "));
        let beside =
            |templates| Beside { templates, namespace: space, ports: !ports.is_empty(), way };
        let strategy = format!("{}_rollout", work.item);
        let found = match (kind, canary) {
            ("Rollout", _) => {
                used.extend(
                    strategy::templates(object).into_iter().map(|name| ("AnalysisTemplate", name)),
                );
                argo::argo(&strategy, object, &beside(of("AnalysisTemplate")))
            }
            (_, Some(canary)) => {
                used.push(("Canary", name(canary)));
                used.extend(
                    strategy::templates(canary).into_iter().map(|name| ("MetricTemplate", name)),
                );
                flagger::flagger(&strategy, canary, &beside(of("MetricTemplate")))
            }
            _ => rolling(&strategy, object),
        };
        self.write(work, found.map(|found| (strategy, found)));
    }

    /// Ingresses and HTTPRoutes to a Service.
    fn ways<'o>(
        &mut self,
        work: &mut Workload<'_>,
        service: &Json,
        objects: &Objects<'o>,
        used: &mut Vec<(&'o str, &'o str)>,
    ) {
        let of = |kind: &str| objects.get(kind).map_or(&[][..], Vec::as_slice);
        for ingress in of("Ingress") {
            let rules = array(ingress, "/spec/rules");
            let paths: Vec<&Json> =
                rules.iter().flat_map(|rule| array(rule, "/http/paths")).collect();
            if paths.is_empty()
                || !paths.iter().all(|path| text(path, "/backend/service/name") == name(service))
            {
                continue;
            }
            used.push(("Ingress", name(ingress)));
            let hosts: Vec<String> = rules.iter().map(|rule| quoted(text(rule, "/host"))).collect();
            let mut words = vec![format!("hosts = [{}]", hosts.join(", "))];
            if let Some(class) = ingress.pointer("/spec/ingressClassName").and_then(Json::as_str) {
                words.push(format!("class = {}", quoted(class)));
            }
            if text(paths[0], "/path") != "/" && !text(paths[0], "/path").is_empty() {
                words.push(format!("path = {}", quoted(text(paths[0], "/path"))));
            }
            if let Some(secret) = ingress.pointer("/spec/tls/0/secretName").and_then(Json::as_str) {
                words.push(format!("tls = {}", quoted(secret)));
            }
            work.binding.push(format!("ingress {{ {} }}", words.join(", ")));
            if paths.len() > rules.len() {
                work.lost.push(format!("further paths of the Ingress `{}`", name(ingress)));
            }
        }
        for route in of("HTTPRoute") {
            let backends: Vec<&Json> = array(route, "/spec/rules")
                .iter()
                .flat_map(|rule| array(rule, "/backendRefs"))
                .collect();
            if backends.is_empty()
                || !backends.iter().all(|backend| text(backend, "/name") == name(service))
            {
                continue;
            }
            used.push(("HTTPRoute", name(route)));
            let parent = route.pointer("/spec/parentRefs/0").cloned().unwrap_or_default();
            let gateway = match text(&parent, "/namespace") {
                "" => text(&parent, "/name").to_owned(),
                space => format!("{space}/{}", text(&parent, "/name")),
            };
            let hosts: Vec<String> = array(route, "/spec/hostnames")
                .iter()
                .filter_map(Json::as_str)
                .map(quoted)
                .collect();
            work.binding.push(format!(
                "route {{ gateway = {}, hosts = [{}] }}",
                quoted(&gateway),
                hosts.join(", ")
            ));
        }
    }

    fn write(&mut self, work: Workload<'_>, strategy: Option<(String, Found)>) {
        let mut lost = work.lost;
        let mut rollout = String::new();
        let mut adopts = self.request.adopt;
        if let Some((name, found)) = strategy {
            if let Some(why) = found.unfit {
                let adopted = if adopts { "; so it is not taken over" } else { "" };
                lost.push(format!("`mode`, because {why}{adopted}"));
                adopts = false;
            }
            let _ = writeln!(self.strategies, "{}", found.text);
            lost.extend(found.lost);
            match (&self.prometheus, found.address) {
                (Some(known), Some(other)) if *known != other => {
                    lost.push(format!("its Prometheus, `{other}`: name another `prometheus.main` with a key, and ask that"));
                }
                (_, address) => self.prometheus = self.prometheus.take().or(address),
            }
            rollout = format!("  rollout {} with {name}\n", work.item);
        }
        for one in &lost {
            let _ = writeln!(self.services, "# Not here: {one}.");
        }
        self.names.insert(work.item.clone());
        let _ = writeln!(self.services, "## `{}` as it was imported.", name(work.object));
        let _ = writeln!(
            self.services,
            "service {} {{\n  {}\n}}\n",
            work.item,
            work.fields.join("\n  ")
        );
        let _ = writeln!(
            self.binds,
            "  bind {} to kubernetes.cluster {{\n    {}\n  }}",
            work.item,
            work.binding.join("\n    ")
        );
        if adopts {
            let _ = writeln!(self.more, "  adopt {}", work.item);
        }
        self.more.push_str(&rollout);
    }

    fn text(&self) -> String {
        let Self { request, services, objects, strategies, binds, more, .. } = self;
        let (context, environment) = (quoted(request.context), request.environment);
        let kubeconfig = request
            .kubeconfig
            .map_or_else(String::new, |path| format!("\n  kubeconfig = {}", quoted(path)));
        let (imported, provider) = match &self.prometheus {
            Some(url) => {
                let provider =
                    format!("provider prometheus.main {{\n  url = {}\n}}\n\n", quoted(url));
                ("import prometheus from \"std/prometheus\"\n", provider)
            }
            None => ("", String::new()),
        };
        format!(
            "# Written by `dax import kubernetes`.\n\nimport kubernetes from \"std/kubernetes\"\n{imported}\nprovider kubernetes.cluster {{\n  context = {context}{kubeconfig}\n}}\n\n{provider}{services}{objects}{strategies}environment {environment} {{\n{binds}{more}}}\n"
        )
    }
}

/// Ports of the pods by the Service's names, and the Service's own numbers where they are others.
fn ports(container: &Json, service: Option<&Json>, work: &mut Workload<'_>) -> Vec<(String, u64)> {
    let own = array(container, "/ports");
    let named = |wanted: &str| {
        own.iter()
            .find(|port| text(port, "/name") == wanted)
            .and_then(|port| port["containerPort"].as_u64())
    };
    let name = |port: &Json| match text(port, "/name") {
        "" => "http".to_owned(),
        name => name.to_owned(),
    };
    let (mut ports, mut exposed) = (Vec::new(), Vec::new());
    match service {
        Some(service) => {
            for port in array(service, "/spec/ports") {
                let target = port.get("targetPort").unwrap_or(&port["port"]);
                let Some(number) = target.as_u64().or_else(|| named(target.as_str()?)) else {
                    continue;
                };
                ports.push((name(port), number));
                if port["port"].as_u64() != Some(number) {
                    exposed.push(format!("{}: {}", key(&name(port)), port["port"]));
                }
            }
        }
        None => ports.extend(
            own.iter().filter_map(|port| Some((name(port), port["containerPort"].as_u64()?))),
        ),
    }
    if !ports.is_empty() {
        let shown: Vec<String> =
            ports.iter().map(|(name, port)| format!("{}: {port}", key(name))).collect();
        work.fields.push(format!("ports = {{ {} }}", shown.join(", ")));
    }
    if !exposed.is_empty() {
        work.binding.push(format!("expose = {{ {} }}", exposed.join(", ")));
    }
    ports
}

impl Workload<'_> {
    fn container(&mut self, container: &Json, ports: &[(String, u64)], object: &Json) {
        self.fields.insert(0, format!("image = {}", quoted(text(container, "/image"))));
        let command: Vec<String> =
            array(container, "/command").iter().filter_map(Json::as_str).map(quoted).collect();
        if !command.is_empty() {
            self.fields.push(format!("command = [{}]", command.join(", ")));
        }
        if !array(container, "/args").is_empty() {
            self.lost.push("`args` of the container".to_owned());
        }
        if let Some(amount) =
            container.pointer("/resources/requests/cpu").and_then(Json::as_str).and_then(cpu)
        {
            self.fields.push(format!("cpu = {amount}"));
        }
        let memory =
            |of: &str| container.pointer(&format!("/resources/{of}/memory")).and_then(Json::as_str);
        match (memory("requests"), memory("limits")) {
            (None, None) => {}
            (Some(requests), Some(limits)) if requests == limits => {
                self.fields.extend(bytes(limits).map(|amount| format!("memory = {amount}")));
            }
            (requests, limits) => self.lost.push(format!(
                "memory: {} requested, {} at most",
                requests.unwrap_or("none"),
                limits.unwrap_or("any")
            )),
        }
        let mut env = Vec::new();
        for variable in array(container, "/env") {
            match variable.get("value").and_then(Json::as_str) {
                Some(value) => {
                    env.push(format!("{}: {}", key(text(variable, "/name")), quoted(value)))
                }
                None if variable.get("valueFrom").is_some() => self.lost.push(format!(
                    "the variable `{}`, which comes from elsewhere",
                    text(variable, "/name")
                )),
                None => env.push(format!("{}: \"\"", key(text(variable, "/name")))),
            }
        }
        if !env.is_empty() {
            self.fields.push(format!("env = {{\n    {}\n  }}", env.join("\n    ")));
        }
        for field in [
            "envFrom",
            "livenessProbe",
            "startupProbe",
            "lifecycle",
            "securityContext",
            "volumeDevices",
        ] {
            if container
                .get(field)
                .is_some_and(|value| !value.as_object().is_some_and(serde_json::Map::is_empty))
            {
                self.lost.push(format!("`{field}` of the container"));
            }
        }
        if let Some(probe) = container.get("readinessProbe") {
            self.probe(probe, ports, object);
        }
    }

    fn probe(&mut self, probe: &Json, ports: &[(String, u64)], object: &Json) {
        let main = ports.iter().find(|(name, _)| name == "http").or_else(|| ports.iter().min());
        let number =
            |field: &str, default: u64| probe.get(field).and_then(Json::as_u64).unwrap_or(default);
        let asks = |action: &Json| {
            let port = action.get("port")?;
            let named =
                |name: &str| ports.iter().find(|(own, _)| own == name).map(|(_, port)| *port);
            port.as_u64().or_else(|| named(port.as_str()?))
        };
        let kind = match (probe.get("httpGet"), probe.get("tcpSocket")) {
            (Some(get), _)
                if asks(get) == main.map(|(_, port)| *port) && text(get, "/scheme") != "HTTPS" =>
            {
                format!(
                    "http {}",
                    quoted(if text(get, "/path").is_empty() { "/" } else { text(get, "/path") })
                )
            }
            (None, Some(socket)) if asks(socket) == main.map(|(_, port)| *port) => "tcp".to_owned(),
            _ => {
                return self.lost.push(
                    "a readiness probe that asks something else than the port of the requests"
                        .to_owned(),
                );
            }
        };
        let within =
            object.pointer("/spec/progressDeadlineSeconds").and_then(Json::as_u64).unwrap_or(600);
        self.fields.push(format!(
            "health {kind} {{ every = {}s, timeout = {}s, fail_after = {}, ready_within = {within}s }}",
            number("periodSeconds", 10),
            number("timeoutSeconds", 1),
            number("failureThreshold", 3),
        ));
    }

    fn pod(&mut self, template: &Json) {
        let pull: Vec<String> = array(template, "/spec/imagePullSecrets")
            .iter()
            .map(|secret| quoted(text(secret, "/name")))
            .collect();
        if !pull.is_empty() {
            self.binding.push(format!("pull_secrets = [{}]", pull.join(", ")));
        }
        let account = text(template, "/spec/serviceAccountName");
        if !account.is_empty() && account != "default" {
            self.binding.push(format!("service_account = {}", quoted(account)));
        }
        for field in [
            "initContainers",
            "volumes",
            "affinity",
            "nodeSelector",
            "tolerations",
            "topologySpreadConstraints",
            "hostNetwork",
            "priorityClassName",
        ] {
            if template.pointer(&format!("/spec/{field}")).is_some() {
                self.lost.push(format!("`{field}` of the pods"));
            }
        }
    }

    fn volumes(&mut self, container: &Json) {
        let mut volumes = Vec::new();
        for claim in array(self.object, "/spec/volumeClaimTemplates") {
            let mount = array(container, "/volumeMounts")
                .iter()
                .find(|mount| text(mount, "/name") == name(claim));
            let size = claim
                .pointer("/spec/resources/requests/storage")
                .and_then(Json::as_str)
                .and_then(bytes);
            match (mount, size) {
                (Some(mount), Some(size)) => {
                    volumes.push(format!(
                        "{}: {{ size: {size}, mount: {} }}",
                        key(name(claim)),
                        quoted(text(mount, "/mountPath"))
                    ));
                }
                _ => self.lost.push(format!("the volume `{}`", name(claim))),
            }
        }
        if !volumes.is_empty() {
            self.binding.push(format!("volumes = {{ {} }}", volumes.join(", ")));
        }
    }
}

fn autoscale(scaler: &Json) -> String {
    let number = |field: &str| scaler.pointer(field).and_then(Json::as_u64);
    let share = array(scaler, "/spec/metrics")
        .iter()
        .find(|metric| text(metric, "/resource/name") == "cpu");
    let share = share.and_then(|metric| {
        metric.pointer("/resource/target/averageUtilization").and_then(Json::as_u64)
    });
    let share = share.map_or_else(String::new, |share| format!(", cpu = {share}%"));
    format!(
        "autoscale {{ min = {}, max = {}{share} }}",
        number("/spec/minReplicas").unwrap_or(1),
        number("/spec/maxReplicas").unwrap_or(1)
    )
}

/// How a Deployment replaces its pods, where it says so.
fn rolling(strategy: &str, object: &Json) -> Option<Found> {
    let rolling = object.pointer("/spec/strategy/rollingUpdate")?;
    let share = |field: &str| match rolling.get(field) {
        Some(Json::String(share)) => share.clone(),
        Some(number) => number.to_string(),
        None => "25%".to_owned(),
    };
    let (surge, unavailable) = (share("maxSurge"), share("maxUnavailable"));
    Some(Found {
        text: format!(
            "strategy {strategy}: rolling {{\n  surge = {surge}\n  unavailable = {unavailable}\n}}\n"
        ),
        ..Found::default()
    })
}
