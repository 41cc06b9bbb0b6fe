//! What a binding says: the settings of a service on Kubernetes.
//!
//! Their types and defaults stand in `std/kubernetes`; a test holds that the two agree.

use crate::handed::{Controller, Handed};
use crate::kinds::{self, Kind};
use dax_core::{Name, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Settings that stand in the pods, so that another value makes another revision.
pub(crate) const REVISED: [&str; 7] =
    ["api_access", "files", "files_at", "ports", "pull_secrets", "security", "service_account"];

/// The revised settings of a service that says nothing of them; what dax takes over counts as such.
pub(crate) fn defaults(ports: Value) -> BTreeMap<Name, Value> {
    BTreeMap::from([
        ("ports".into(), ports),
        ("api_access".into(), Value::Bool(false)),
        ("files".into(), Value::Map(BTreeMap::new())),
        ("files_at".into(), Value::str("/etc/service")),
        ("pull_secrets".into(), Value::List(Vec::new())),
        ("security".into(), Value::str("restricted")),
        ("service_account".into(), Value::None),
    ])
}

/// Settings by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'s>(pub(crate) &'s BTreeMap<Name, Value>);

impl<'s> Settings<'s> {
    /// A setting; absent and `none` are alike.
    pub(crate) fn get(self, name: &str) -> Option<&'s Value> {
        self.0.get(name).filter(|value| **value != Value::None)
    }

    pub(crate) fn text(self, name: &str) -> Option<&'s str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(crate) fn namespace(self) -> &'s str {
        self.text("namespace").unwrap_or("default")
    }

    pub(crate) fn is(self, name: &str) -> bool {
        self.get(name) == Some(&Value::Bool(true))
    }

    /// The port that takes the traffic: `http`, or the first by name.
    pub(crate) fn main_port(self) -> Option<(&'s str, i64)> {
        let ports = self.ports();
        ports.iter().find(|(name, _)| *name == "http").or_else(|| ports.first()).copied()
    }

    /// The Service's own number for a port.
    pub(crate) fn exposed(self, name: &str, port: i64) -> i64 {
        self.get("expose").and_then(|expose| expose.get(name)?.as_int()).unwrap_or(port)
    }

    /// Ports by name.
    pub(crate) fn ports(self) -> Vec<(&'s str, i64)> {
        let ports = self.get("ports").into_iter().flat_map(Value::entries);
        ports.filter_map(|(name, port)| Some((name.as_str(), port.as_int()?))).collect()
    }

    /// The object that it is, where it is one that runs nothing.
    pub(crate) fn object(self) -> Option<&'s Value> {
        self.get("object")
    }

    /// What was handed over to a controller beside dax, and to which one.
    pub(crate) fn handed(self) -> Option<Handed<'s>> {
        Handed::of(self.get("strategy")?)
    }

    /// The controller that carries strategies out, if one does.
    pub(crate) fn controller(self) -> Option<Controller> {
        self.handed().map(|handed| handed.by)
    }

    /// The kind of the objects that hold the pods.
    pub(crate) fn workload(self) -> Kind {
        match self.text("workload") {
            _ if self.controller() == Some(Controller::Argo) => kinds::ROLLOUT,
            Some("stateful_set") => kinds::STATEFUL_SET,
            Some("cron_job") => kinds::CRON_JOB,
            Some("job") => kinds::JOB,
            _ => kinds::DEPLOYMENT,
        }
    }

    /// Whether an autoscaler says how many replicas there are.
    pub(crate) fn autoscaled(self) -> bool {
        self.get("autoscale").is_some()
    }

    /// Whether somebody else says how many replicas a Deployment has.
    pub(crate) fn replicas_are_others(self) -> bool {
        self.autoscaled() || self.controller() == Some(Controller::Flagger)
    }

    /// Whether weights divide the traffic, and not numbers of replicas.
    pub(crate) fn weighted(self) -> bool {
        self.get("route").is_some() || self.get("ingress").is_some()
    }

    /// What becomes of fields that others own.
    pub(crate) fn yields(self) -> bool {
        self.text("conflicts") == Some("yield")
    }
}

/// A value of the language as JSON, where Kubernetes has numbers and texts.
pub(crate) fn json(value: &Value) -> Json {
    match value {
        Value::Bool(yes) => Json::from(*yes),
        Value::Int(number) => Json::from(*number),
        Value::Decimal(number) => {
            serde_json::from_str(&number.normalize().to_string()).unwrap_or_default()
        }
        Value::Str(text) | Value::Ref(text) => Json::from(text.as_str()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(map) => {
            Json::Object(map.iter().map(|(name, value)| (name.to_string(), json(value))).collect())
        }
        Value::None | Value::Unset | Value::Unknown(_) | Value::Secret(_) => Json::Null,
        other => Json::from(other.to_string()),
    }
}
