//! A workload as a service and its binding: containers, probes, ports, volumes.

use crate::amounts::{bytes, cpu, scalar, seconds, whole};
use crate::json::{array, name, text};
use dax_syntax::write::{Amount, Command, Expr, Ident, Layout, Member, command, field};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A service on its way to the program.
pub(crate) struct Workload<'w> {
    pub(crate) object: &'w Json,
    pub(crate) item: Ident,
    /// What the service says.
    pub(crate) fields: Vec<Member>,
    /// What its binding says.
    pub(crate) binding: Vec<Member>,
    /// What dax has no words for.
    pub(crate) lost: Vec<String>,
}

/// A port of the pods with its name.
pub(crate) struct Port {
    name: String,
    number: u64,
}

impl Workload<'_> {
    pub(crate) fn bind(&mut self, name: &'static str, value: Expr) {
        self.binding.push(field(name, value));
    }

    pub(crate) fn bind_command(&mut self, command: Command) {
        self.binding.push(Member::Command(command));
    }

    /// Whether the binding says this command.
    pub(crate) fn binds(&self, word: &str) -> bool {
        let says = |member: &Member| match member {
            Member::Command(command) => command.word.as_str() == word,
            Member::Field(field) => field.name.as_str() == word,
            Member::Note(_) => false,
        };
        self.binding.iter().any(says)
    }

    /// A number that is given as one; nothing for what is no number, which is lost.
    pub(crate) fn number(&mut self, given: Option<&Json>, what: &str) -> Option<u64> {
        let given = given.filter(|given| !given.is_null())?;
        let number = whole(given);
        if number.is_none() {
            self.lost.push(format!("{what}: {given}"));
        }
        number
    }

    /// Ports of the pods by the Service's names, and the Service's own numbers where they are
    /// others.
    pub(crate) fn ports(&mut self, container: &Json, service: Option<&Json>) -> Vec<Port> {
        let own = array(container, "/ports");
        let numbered = |port: &Json| port.get("containerPort").and_then(port_number);
        let named =
            |wanted: &str| own.iter().find(|port| text(port, "/name") == wanted).and_then(numbered);
        let (mut ports, mut exposed) = (Vec::<Port>::new(), Vec::new());
        let mut names = BTreeSet::new();
        let of_service = service.map_or(&[][..], |service| array(service, "/spec/ports"));
        let given = if service.is_some() { of_service } else { own };
        for port in given {
            let number = match service {
                Some(_) => {
                    let target = port.get("targetPort").unwrap_or(&port["port"]);
                    port_number(target).or_else(|| named(target.as_str()?))
                }
                None => numbered(port),
            };
            let Some(number) = number else {
                self.lost.push(format!("a port that leads to none of the container: {port}"));
                continue;
            };
            let name = match text(port, "/name") {
                "" if names.contains("http") => format!("port{number}"),
                "" => "http".to_owned(),
                name => name.to_owned(),
            };
            if !names.insert(name.clone()) {
                self.lost.push(format!("a second port of the name `{name}`: {number}"));
                continue;
            }
            match port.get("port").and_then(port_number).filter(|_| service.is_some()) {
                Some(outside) if outside != number => {
                    exposed.push((name.clone(), Expr::number(outside)));
                }
                _ => {}
            }
            ports.push(Port { name, number });
        }
        if !ports.is_empty() {
            let shown = ports.iter().map(|port| (port.name.clone(), Expr::number(port.number)));
            self.fields.push(field("ports", Expr::Map(shown.collect(), Layout::Inline)));
        }
        if !exposed.is_empty() {
            self.bind("expose", Expr::Map(exposed, Layout::Inline));
        }
        ports
    }

    pub(crate) fn container(&mut self, container: &Json, ports: &[Port]) {
        self.fields.insert(0, field("image", Expr::str(text(container, "/image"))));
        let command = array(container, "/command");
        if !command.is_empty() {
            let words = command.iter().filter_map(scalar).map(Expr::Str);
            self.fields.push(field("command", Expr::list(words)));
        }
        if !array(container, "/args").is_empty() {
            self.lost.push("`args` of the container".to_owned());
        }
        self.resources(container);
        self.env(container);
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
            self.probe(probe, ports);
        }
    }

    fn resources(&mut self, container: &Json) {
        let amount = |of: &str, what: &str| {
            container.pointer(&format!("/resources/{of}/{what}")).filter(|given| !given.is_null())
        };
        let mut say = |name: &'static str, given: &Json, amount: Option<Amount>| match amount {
            Some(amount) => self.fields.push(field(name, Expr::Amount(amount))),
            None => self.lost.push(format!("{name}: {given}")),
        };
        if let Some(given) = amount("requests", "cpu") {
            say("cpu", given, cpu(given));
        }
        match (amount("requests", "memory"), amount("limits", "memory")) {
            (None, None) => {}
            (Some(requests), Some(limits)) if requests == limits => {
                say("memory", limits, bytes(limits));
            }
            (requests, limits) => {
                let said = |given: Option<&Json>, none: &str| {
                    given.map_or_else(
                        || none.to_owned(),
                        |given| scalar(given).unwrap_or_else(|| given.to_string()),
                    )
                };
                let (requests, limits) = (said(requests, "none"), said(limits, "any"));
                self.lost.push(format!("memory: {requests} requested, {limits} at most"));
            }
        }
    }

    fn env(&mut self, container: &Json) {
        let mut env: Vec<(String, Expr)> = Vec::new();
        let mut known = BTreeSet::new();
        // As in a pod, the last one of a name counts.
        let last = array(container, "/env").iter().rev();
        let mut last: Vec<_> = last.filter(|one| known.insert(text(one, "/name"))).collect();
        last.reverse();
        for variable in last {
            let name = text(variable, "/name");
            let value = variable.get("value").filter(|value| !value.is_null());
            match value.map(scalar) {
                Some(Some(value)) => env.push((name.to_owned(), Expr::Str(value))),
                None if variable.get("valueFrom").is_none() => {
                    env.push((name.to_owned(), Expr::str("")));
                }
                _ => self.lost.push(format!("the variable `{name}`, which comes from elsewhere")),
            }
        }
        if !env.is_empty() {
            self.fields.push(field("env", Expr::Map(env, Layout::Lines)));
        }
    }

    fn probe(&mut self, probe: &Json, ports: &[Port]) {
        let main = ports
            .iter()
            .find(|port| port.name == "http")
            .or_else(|| ports.iter().min_by_key(|port| (&port.name, port.number)))
            .map(|port| port.number);
        let asks = |action: &Json| {
            let port = action.get("port")?;
            let named = |name: &str| ports.iter().find(|own| own.name == name);
            port_number(port).or_else(|| Some(named(port.as_str()?)?.number))
        };
        let kind = match (probe.get("httpGet"), probe.get("tcpSocket")) {
            (Some(get), _) if asks(get) == main && text(get, "/scheme") != "HTTPS" => {
                let path = text(get, "/path");
                vec![Expr::name("http"), Expr::str(if path.is_empty() { "/" } else { path })]
            }
            (None, Some(socket)) if asks(socket) == main => vec![Expr::name("tcp")],
            _ => {
                return self.lost.push(
                    "a readiness probe that asks something else than the port of the requests"
                        .to_owned(),
                );
            }
        };
        let mut number = |of: &Json, field: &str, default: u64| {
            let what = format!("`{field}` of the readiness probe");
            self.number(of.get(field), &what).unwrap_or(default)
        };
        let (period, timeout) =
            (number(probe, "periodSeconds", 10), number(probe, "timeoutSeconds", 1));
        let failures = number(probe, "failureThreshold", 3);
        let spec = self.object.get("spec").unwrap_or(&Json::Null);
        let within = self
            .number(spec.get("progressDeadlineSeconds"), "`progressDeadlineSeconds`")
            .unwrap_or(600);
        let health = command("health", kind).inline(vec![
            field("every", Expr::Amount(seconds(period))),
            field("timeout", Expr::Amount(seconds(timeout))),
            field("fail_after", Expr::number(failures)),
            field("ready_within", Expr::Amount(seconds(within))),
        ]);
        self.fields.push(Member::Command(health));
    }

    pub(crate) fn pod(&mut self, template: &Json) {
        let pull = array(template, "/spec/imagePullSecrets");
        if !pull.is_empty() {
            let names = pull.iter().map(|secret| Expr::str(text(secret, "/name")));
            self.bind("pull_secrets", Expr::list(names));
        }
        let account = text(template, "/spec/serviceAccountName");
        if !account.is_empty() && account != "default" {
            self.bind("service_account", Expr::str(account));
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

    pub(crate) fn volumes(&mut self, container: &Json) {
        let mut volumes: Vec<(String, Expr)> = Vec::new();
        for claim in array(self.object, "/spec/volumeClaimTemplates") {
            let mount = array(container, "/volumeMounts")
                .iter()
                .find(|mount| text(mount, "/name") == name(claim));
            let size = claim.pointer("/spec/resources/requests/storage").and_then(bytes);
            match (mount, size) {
                (Some(mount), Some(size)) if volumes.iter().all(|(own, _)| own != name(claim)) => {
                    let entries = vec![
                        ("size".to_owned(), Expr::Amount(size)),
                        ("mount".to_owned(), Expr::str(text(mount, "/mountPath"))),
                    ];
                    volumes.push((name(claim).to_owned(), Expr::Map(entries, Layout::Inline)));
                }
                _ => self.lost.push(format!("the volume `{}`", name(claim))),
            }
        }
        if !volumes.is_empty() {
            self.bind("volumes", Expr::Map(volumes, Layout::Inline));
        }
    }
}

/// The number of a port.
fn port_number(json: &Json) -> Option<u64> {
    json.as_u64().filter(|number| (1..=65_535).contains(number))
}
