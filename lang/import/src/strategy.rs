//! Rollouts of Argo and Canaries of Flagger as strategies: what both have alike.

use serde_json::Value as Json;

/// A strategy: its text, and what of it dax has no words for.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) lost: Vec<String>,
    /// The Prometheus that it asks.
    pub(crate) address: Option<String>,
    /// Why the controller could not carry it out as dax would tell it.
    pub(crate) unfit: Option<String>,
}

impl Found {
    /// The strategy with the line that has the controller go on with it, where it can.
    pub(crate) fn handed_to(self, mode: &str) -> Self {
        if self.unfit.is_some() {
            return self;
        }
        let text = self.text.replacen("{\n", &format!("{{\n  mode = \"{mode}\"\n"), 1);
        Self { text, ..self }
    }
}

/// What objects there are beside the one that is looked at.
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
    pub(crate) fn template(&self, name: &str) -> Option<&'b Json> {
        self.templates
            .iter()
            .find(|template| {
                template.pointer("/metadata/name").and_then(Json::as_str) == Some(name)
            })
            .copied()
    }
}

pub(crate) fn array<'j>(json: &'j Json, pointer: &str) -> &'j [Json] {
    json.pointer(pointer).and_then(Json::as_array).map_or(&[][..], Vec::as_slice)
}

/// The templates that a Rollout or a Canary names.
pub(crate) fn templates(object: &Json) -> Vec<&str> {
    let of = |pointer: &str, name: &str| -> Vec<&str> {
        let list = object
            .pointer(pointer)
            .map_or(&[][..], |list| list.as_array().map_or(&[][..], Vec::as_slice));
        list.iter().filter_map(|one| one.pointer(name)?.as_str()).collect()
    };
    let own = of("/spec/strategy/canary/analysis/templates", "/templateName");
    [
        own,
        of("/spec/analysis/metrics", "/templateRef/name"),
        of("/spec/canaryAnalysis/metrics", "/templateRef/name"),
    ]
    .concat()
}
