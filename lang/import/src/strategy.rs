//! Rollouts of Argo and Canaries of Flagger as strategies: what both have alike.

use crate::json::{array, name, text};
use dax_syntax::write::{Expr, Ident, Item, Member, command, field};
use serde_json::Value as Json;

/// A strategy: what it says, and what of it dax has no words for.
pub(crate) struct Found {
    /// `canary`, `blue_green` or `rolling`.
    pub(crate) kind: &'static str,
    pub(crate) members: Vec<Member>,
    pub(crate) lost: Vec<String>,
    /// The Prometheus that it asks.
    pub(crate) address: Option<String>,
    /// Why the controller could not carry it out as dax would tell it.
    pub(crate) unfit: Option<String>,
}

impl Found {
    /// The strategy with the line that has the controller go on with it, where it can.
    pub(crate) fn handed_to(mut self, mode: &'static str) -> Self {
        if self.unfit.is_none() {
            self.members.insert(0, field("mode", Expr::str(mode)));
        }
        self
    }

    /// The item of the program.
    pub(crate) fn item(name: &Ident, kind: &'static str, members: Vec<Member>) -> Item {
        Item::plain(command("strategy", [Expr::name(name.clone())]).of(kind).block(members))
    }
}

/// Which objects there are beside the one that is looked at.
pub(crate) struct Beside<'b> {
    /// MetricTemplates of Flagger, or AnalysisTemplates of Argo.
    pub(crate) templates: &'b [&'b Json],
    /// The namespace.
    pub(crate) namespace: &'b str,
    /// Whether the service has a port.
    pub(crate) ports: bool,
    /// Whether a route or an Ingress leads to it.
    pub(crate) way: bool,
}

impl<'b> Beside<'b> {
    pub(crate) fn template(&self, wanted: &str) -> Option<&'b Json> {
        self.templates.iter().find(|template| name(template) == wanted).copied()
    }
}

/// The templates that a Rollout or a Canary names.
pub(crate) fn templates(object: &Json) -> Vec<&str> {
    let places = [
        ("/spec/strategy/canary/analysis/templates", "/templateName"),
        ("/spec/analysis/metrics", "/templateRef/name"),
        ("/spec/canaryAnalysis/metrics", "/templateRef/name"),
    ];
    let found = places
        .into_iter()
        .flat_map(|(list, name)| array(object, list).iter().map(move |one| text(one, name)));
    found.filter(|name| !name.is_empty()).collect()
}
