//! What an API server answers, as errors that the applier can act on.
//!
//! Source of the fields: the `Status` type of <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>.

use dax_provider_api::ProviderError;
use serde_json::Value as Json;
use std::time::Duration;

/// The answer of a server that did not do what it was asked for.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Json,
}

/// A kind that a cluster does not have.
pub(crate) fn unknown_kind(cluster: &str, kind: &str, version: &str) -> ProviderError {
    let of = if version.is_empty() { String::new() } else { format!(" of {version}") };
    let message = format!(
        "`{cluster}` does not know {kind}{of}: install the CustomResourceDefinition that it comes with"
    );
    ProviderError::Refused { message }
}

impl Answer {
    fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Json::as_str).unwrap_or_default()
    }

    /// Fields that another manager owns: who, and which.
    pub(crate) fn conflicts(&self) -> Vec<(String, String)> {
        let causes =
            self.body.pointer("/details/causes").and_then(Json::as_array).into_iter().flatten();
        let conflict = |cause: &Json| {
            let text = |name: &str| cause.get(name).and_then(Json::as_str).unwrap_or_default();
            // The message is `conflict with "kubectl-set" using apps/v1`.
            let by = text("message").split('"').nth(1).unwrap_or("somebody else").to_owned();
            (text("reason") == "FieldManagerConflict")
                .then(|| (by, text("field").trim_start_matches('.').to_owned()))
        };
        causes.filter_map(conflict).collect()
    }

    /// The error that it is, told of a cluster and what was asked of it.
    pub(crate) fn error(&self, cluster: &str, what: &str) -> ProviderError {
        let said = match self.text("message") {
            "" => format!("it answers {}", self.status),
            message => message.to_owned(),
        };
        let conflicts = self.conflicts();
        match self.status {
            401 => {
                let message = format!(
                    "`{cluster}` does not know who asks (401): the credentials of its context are wrong or have expired"
                );
                ProviderError::Refused { message }
            }
            404 if said.contains("could not find the requested resource") => {
                unknown_kind(cluster, what.split(' ').next().unwrap_or_default(), "")
            }
            409 if !conflicts.is_empty() => {
                let fields: Vec<String> = conflicts
                    .iter()
                    .map(|(by, field)| format!("`{field}` is owned by `{by}`"))
                    .collect();
                let help = "`conflicts = \"force\"` in the binding takes it over, `\"yield\"` leaves it to them";
                ProviderError::Conflict {
                    message: format!("{what}: {}; {help}", fields.join(", ")),
                }
            }
            409 => ProviderError::Conflict { message: format!("{what}: {said}") },
            429 | 500 | 502..=504 => ProviderError::Busy {
                retry_after: self.retry_after,
                message: format!("{what}: {said}"),
            },
            _ => ProviderError::Refused { message: format!("{what}: {said}") },
        }
    }
}
