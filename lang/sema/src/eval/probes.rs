//! Health checks that could never be made: an HTTP probe has a port to go to.

use super::Evaluator;
use crate::codes;
use dax_core::{Diagnostic, Value};
use dax_ir::{Data, Environment, Node};

/// Whether a field holds nothing that could be used.
fn is_empty(node: Option<&Node>) -> bool {
    match node.map(|node| &node.data) {
        None => true,
        Some(Data::Map(map)) => map.is_empty(),
        Some(Data::Leaf(value)) => *value == Value::None,
        Some(Data::List(_)) => false,
    }
}

impl Evaluator<'_, '_> {
    /// Every service that is probed by HTTP has a port. One by `tcp` may have none: then its
    /// process has to run, and the times of the check hold for that.
    pub(super) fn check_probes(&self, environment: &Environment) {
        for service in environment.services.values() {
            let Some(health) = service.desired.get("health") else { continue };
            let kind = health.get("kind").and_then(|kind| kind.as_leaf()?.as_str());
            if kind == Some("http") && is_empty(service.desired.get("ports")) {
                let detail = format!("`{}` is probed by HTTP and has no port", service.addr.name());
                let help = "give it a port with `ports = { http: 8080 }`, or leave `health` out: \
                            then a replica is ready when its process runs";
                let report = Diagnostic::new(codes::NO_PORT_TO_PROBE, health.origin.span, detail);
                self.report(report.help(help));
            }
        }
    }
}
