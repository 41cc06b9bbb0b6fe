//! Manifests, or what a cluster gives back for them, as services and environments.

use crate::amounts::share;
use crate::json::{Objects, array, name, of, text};
use crate::manifests::Manifests;
use crate::strategy::{self, Beside, Found};
use crate::ways::{self, Used};
use crate::workload::Workload;
use crate::{argo, flagger, manifests, objects};
use dax_syntax::write::{self, Expr, Ident, Item, Member, Names, command, field, one_line};
use serde_json::Value as Json;

/// What is asked for.
pub struct Request<'r> {
    /// Manifests as YAML or JSON.
    pub texts: &'r [Manifests],
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
    /// Objects that have no place in it, each with the reason, on one line.
    pub left: Vec<String>,
}

/// The label by which Argo Rollouts has a Service choose pods.
const HASH: &str = "rollouts-pod-template-hash";
/// Kinds that become services.
const WORKLOADS: [&str; 4] = ["Deployment", "StatefulSet", "CronJob", "Rollout"];
/// Kinds that are made by the cluster itself, or looked at only beside what they belong to.
const SILENT: [&str; 9] = [
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

/// The program that describes what manifests describe.
///
/// # Errors
/// A text is no YAML, nothing in it is a service, the environment's name is none, or the program
/// does not read back as it was meant.
pub fn import(request: &Request<'_>) -> Result<Imported, String> {
    let environment =
        Ident::word(request.environment).filter(|word| *word == Ident::made_of(word.as_str()));
    let environment = environment.ok_or_else(|| {
        let given = one_line(request.environment);
        format!(
            "`{given}` is no name of an environment: write letters, digits and `_`, and no \
             word of the language"
        )
    })?;
    let documents = manifests::read(request.texts).map_err(|error| one_line(&error))?;
    let mut out = Program::new(request);
    let spaces = manifests::spaces(&documents);
    // Services are called first: what runs has the name of its item.
    let named: Vec<Vec<Named<'_>>> =
        spaces.iter().map(|(space, objects)| out.workloads(space, objects)).collect();
    for ((space, objects), named) in spaces.iter().zip(named) {
        let mut used = Used::new();
        for named in named {
            out.workload(space, named, objects, &mut used);
        }
        out.others(space, objects, &used);
    }
    if out.services.is_empty() && out.objects.is_empty() {
        return Err("there is no object of Kubernetes in it that a program can have".to_owned());
    }
    let left = out.left.iter().map(|left| one_line(left)).collect();
    let text = write::write(&out.program(&environment)).map_err(|error| error.to_string())?;
    Ok(Imported { text, left })
}

/// A workload and what the program calls it.
struct Named<'o> {
    kind: &'static str,
    object: &'o Json,
    item: Ident,
}

struct Program<'r> {
    request: &'r Request<'r>,
    names: Names,
    services: Vec<Item>,
    objects: Vec<Item>,
    strategies: Vec<Item>,
    binds: Vec<Member>,
    adopts: Vec<Member>,
    /// Where the metrics are.
    prometheus: Option<String>,
    left: Vec<String>,
}

impl<'r> Program<'r> {
    fn new(request: &'r Request<'r>) -> Self {
        Self {
            request,
            names: Names::without(&[request.environment, "kubernetes", "prometheus"]),
            services: Vec::new(),
            objects: Vec::new(),
            strategies: Vec::new(),
            binds: Vec::new(),
            adopts: Vec::new(),
            prometheus: None,
            left: Vec::new(),
        }
    }

    /// The workloads of a namespace, each with a name of its own.
    fn workloads<'o>(&mut self, space: &str, objects: &Objects<'o>) -> Vec<Named<'o>> {
        let mut found = Vec::new();
        for kind in WORKLOADS {
            for object in of(objects, kind) {
                let owners = array(object, "/metadata/ownerReferences");
                // What a controller of Flagger makes of a target is not what people wrote.
                if owners.iter().any(|owner| owner["controller"] == true) {
                    continue;
                }
                if array(template(kind, object), "/spec/containers").is_empty() {
                    let name = name(object);
                    self.left.push(format!(
                        "{kind} {space}/{name}: it says nothing of its containers itself"
                    ));
                    continue;
                }
                let item = self.names.claim(&[name(object)]);
                found.push(Named { kind, object, item });
            }
        }
        found
    }

    /// Objects that belong to no service.
    fn others(&mut self, space: &str, objects: &Objects<'_>, used: &Used<'_>) {
        for (kind, object) in
            objects.iter().flat_map(|(kind, all)| all.iter().map(move |object| (*kind, *object)))
        {
            let name = name(object);
            let known =
                WORKLOADS.contains(&kind) || SILENT.contains(&kind) || used.contains(&(kind, name));
            let own = (kind == "ConfigMap" && name == "kube-root-ca.crt")
                || (kind == "Service" && name == "kubernetes");
            // What somebody's controller made comes back by itself.
            if known || own || !array(object, "/metadata/ownerReferences").is_empty() {
                continue;
            }
            match kind {
                "Secret" => self.left.push(format!(
                    "Secret {space}/{name}: its values belong in no program, it stays as it is"
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

    fn object(&mut self, space: &str, kind: &str, object: &Json) {
        let name = name(object);
        let item = self.names.claim(&[name, &format!("{name}_{}", kind.to_lowercase())]);
        match objects::resource(&item, object) {
            Ok(resource) => self.objects.push(resource),
            Err(why) => return self.left.push(format!("{kind} {space}/{name}: {why}")),
        }
        self.bind(&item, vec![field("namespace", Expr::str(space))]);
        if self.request.adopt {
            self.adopts.push(Member::Command(command("adopt", [Expr::name(item)])));
        }
    }

    fn bind(&mut self, item: &Ident, members: Vec<Member>) {
        let args = [Expr::name(item.clone()), Expr::name("to"), cluster()];
        self.binds.push(Member::Command(command("bind", args).block(members)));
    }

    fn workload<'o>(
        &mut self,
        space: &str,
        named: Named<'o>,
        objects: &Objects<'o>,
        used: &mut Used<'o>,
    ) {
        let Named { kind, object, item } = named;
        let template = template(kind, object);
        let [container, rest @ ..] = array(template, "/spec/containers") else { return };
        let (fields, binding, lost) = (Vec::new(), Vec::new(), Vec::new());
        let mut work = Workload { object, item, fields, binding, lost };
        work.bind("namespace", Expr::str(space));
        if !rest.is_empty() {
            work.lost.push("further containers".to_owned());
        }
        let selects = |selector: &Json| selects(selector, template);
        let target = |canary: &&&Json| text(canary, "/spec/targetRef/name") == name(object);
        let canary = of(objects, "Canary").iter().find(target).copied();
        let service = service(object, canary, objects, selects, used);
        // Where Flagger has not made it yet, it is as Flagger will make it.
        let to_be = canary.filter(|_| service.is_none()).map(flagger::service);
        let reached = service.or(to_be.as_ref());
        let ports = work.ports(container, reached);
        work.container(container, &ports);
        work.pod(template);
        if kind == "StatefulSet" {
            work.bind("workload", Expr::str("stateful_set"));
            work.volumes(container);
        }
        if kind == "CronJob" {
            work.bind("workload", Expr::str("cron_job"));
            work.bind("schedule", Expr::str(text(object, "/spec/schedule")));
        } else {
            replicas(&mut work, canary, objects);
        }
        if let Some(service) = service {
            used.push(("Service", name(service)));
            match text(service, "/spec/type") {
                "NodePort" => work.bind("exposure", Expr::str("node_port")),
                "LoadBalancer" => work.bind("exposure", Expr::str("load_balancer")),
                _ => {}
            }
        }
        if let Some(service) = reached {
            if name(service) != name(object) {
                let (own, ours) = (name(service), name(object));
                work.lost.push(format!("the name of its Service, `{own}`: dax calls it `{ours}`"));
            }
            ways::ways(&mut work, service, objects, used);
        }
        if let Some(route) = canary.and_then(flagger::route).filter(|_| !work.binds("route")) {
            work.bind_command(route);
        }
        ways::autoscale(&mut work, kind, objects, used);
        ways::budget(&mut work, selects, objects, used);
        let way = work.binds("route") || work.binds("ingress");
        let beside =
            |templates| Beside { templates, namespace: space, ports: !ports.is_empty(), way };
        let found = match (kind, canary) {
            ("Rollout", _) => {
                used.extend(
                    strategy::templates(object).into_iter().map(|name| ("AnalysisTemplate", name)),
                );
                argo::argo(object, &beside(of(objects, "AnalysisTemplate")))
            }
            (_, Some(canary)) => {
                used.push(("Canary", name(canary)));
                used.extend(
                    strategy::templates(canary).into_iter().map(|name| ("MetricTemplate", name)),
                );
                flagger::flagger(canary, &beside(of(objects, "MetricTemplate")))
            }
            _ => rolling(object),
        };
        self.add(work, found);
    }

    /// Adds a service with its binding and its strategy.
    fn add(&mut self, mut work: Workload<'_>, found: Option<Found>) {
        let mut adopts = self.request.adopt;
        let mut rollout = None;
        let (own, called) = (name(work.object), objects::called(&work.item));
        if own != called {
            let adopted = if adopts { "; so it is not taken over" } else { "" };
            work.lost.push(format!("its name, `{own}`: dax calls it `{called}`{adopted}"));
            adopts = false;
        }
        if let Some(found) = found {
            let Found { kind, members, lost, address, unfit } = found;
            if let Some(why) = unfit {
                let adopted = if adopts { "; so it is not taken over" } else { "" };
                work.lost.push(format!("`mode`, because {why}{adopted}"));
                adopts = false;
            }
            let strategy = self.names.claim(&[&format!("{}_rollout", work.item)]);
            self.strategies.push(Found::item(&strategy, kind, members));
            work.lost.extend(lost);
            match (&self.prometheus, address) {
                (Some(known), Some(other)) if *known != other => {
                    work.lost.push(format!(
                        "its Prometheus, `{other}`: name another `prometheus.main` \
                         with a key, and ask that"
                    ));
                }
                (_, address) => self.prometheus = self.prometheus.take().or(address),
            }
            let args = [Expr::name(work.item.clone()), Expr::name("with"), Expr::name(strategy)];
            rollout = Some(Member::Command(command("rollout", args)));
        }
        let service = command("service", [Expr::name(work.item.clone())]).block(work.fields);
        self.services.push(Item {
            notes: work.lost.iter().map(|lost| format!("Not here: {lost}.")).collect(),
            doc: vec![format!("`{own}` as it was imported.")],
            ..Item::plain(service)
        });
        self.bind(&work.item, work.binding);
        if adopts {
            self.adopts.push(Member::Command(command("adopt", [Expr::name(work.item)])));
        }
        self.adopts.extend(rollout);
    }

    /// The whole, in the order in which it is read.
    fn program(self, environment: &Ident) -> write::Program {
        let import = |name: &'static str, path: &'static str| {
            Item::plain(command("import", [Expr::name(name), Expr::name("from"), Expr::str(path)]))
        };
        let mut items = vec![import("kubernetes", "std/kubernetes")];
        let mut context = vec![field("context", Expr::str(self.request.context))];
        context.extend(self.request.kubeconfig.map(|path| field("kubeconfig", Expr::str(path))));
        let mut providers = vec![Item::plain(command("provider", [cluster()]).block(context))];
        if let Some(url) = self.prometheus {
            items.push(import("prometheus", "std/prometheus"));
            let main = Expr::Path(vec!["prometheus".into(), "main".into()]);
            let url = vec![field("url", Expr::str(url))];
            providers.push(Item::plain(command("provider", [main]).block(url)));
        }
        let bound = self.binds.into_iter().chain(self.adopts).collect();
        let environment = command("environment", [Expr::name(environment.clone())]).block(bound);
        items.extend(providers);
        items.extend(self.services);
        items.extend(self.objects);
        items.extend(self.strategies);
        items.push(Item::plain(environment));
        write::Program { head: vec!["Written by `dax import kubernetes`.".to_owned()], items }
    }
}

fn cluster() -> Expr {
    Expr::Path(vec!["kubernetes".into(), "cluster".into()])
}

/// The template of the pods of a workload.
fn template<'o>(kind: &str, object: &'o Json) -> &'o Json {
    let at = if kind == "CronJob" { "/spec/jobTemplate/spec/template" } else { "/spec/template" };
    object.pointer(at).unwrap_or(&Json::Null)
}

/// Whether a selector chooses the pods of a template.
fn selects(selector: &Json, template: &Json) -> bool {
    let label = |key: &String| template["metadata"]["labels"].get(key);
    selector.as_object().is_some_and(|selector| {
        !selector.is_empty()
            && selector.iter().all(|(key, value)| key == HASH || label(key) == Some(value))
    })
}

/// The Service that leads to a workload.
fn service<'o>(
    object: &Json,
    canary: Option<&Json>,
    objects: &Objects<'o>,
    selects: impl Fn(&Json) -> bool,
    used: &mut Used<'o>,
) -> Option<&'o Json> {
    let services = of(objects, "Service");
    for second in ["/spec/strategy/canary/canaryService", "/spec/strategy/blueGreen/previewService"]
    {
        let second = services.iter().filter(|service| name(service) == text(object, second));
        used.extend(second.map(|service| ("Service", name(service))));
    }
    let stable = ["/spec/strategy/canary/stableService", "/spec/strategy/blueGreen/activeService"]
        .map(|at| text(object, at));
    let called = canary
        .map(flagger::service_name)
        .or_else(|| stable.into_iter().find(|name| !name.is_empty()));
    let found = services.iter().find(|service| match called {
        Some(called) => name(service) == called,
        None => selects(&service["spec"]["selector"]),
    });
    found.copied()
}

fn replicas(work: &mut Workload<'_>, canary: Option<&Json>, objects: &Objects<'_>) {
    // Flagger puts a target to rest: as many as serve are those of the Deployment that it made.
    let primary = format!("{}-primary", name(work.object));
    let serving = of(objects, "Deployment")
        .iter()
        .find(|deployment| canary.is_some() && name(deployment) == primary)
        .copied()
        .unwrap_or(work.object);
    let replicas = work.number(serving.pointer("/spec/replicas"), "`replicas`").unwrap_or(1);
    work.fields.push(field("replicas", Expr::number(replicas)));
}

/// How a Deployment replaces its pods, where it says so.
fn rolling(object: &Json) -> Option<Found> {
    let rolling = object.pointer("/spec/strategy/rollingUpdate")?;
    let mut found = Found {
        kind: "rolling",
        members: Vec::new(),
        lost: Vec::new(),
        address: None,
        unfit: None,
    };
    for (word, name) in [("surge", "maxSurge"), ("unavailable", "maxUnavailable")] {
        let quarter = Json::from("25%");
        let given = rolling.get(name).unwrap_or(&quarter);
        match share(given) {
            Some(share) => found.members.push(field(word, share)),
            None => found.lost.push(format!("`{name}`: {given}")),
        }
    }
    Some(found)
}
