//! The kinds of objects that dax writes, and where the API has them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// Group and version, as objects say it.
    pub(crate) version: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its name in paths; empty where only the cluster knows it.
    pub(crate) plural: &'static str,
}

/// Texts of kinds that programs name: each once, however often it is named.
static NAMED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A text that stays; there are as many as there are kinds.
fn kept(text: &str) -> &'static str {
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = named.get(text) {
        return known;
    }
    let text: &'static str = Box::leak(text.into());
    named.insert(text);
    text
}

const fn kind(version: &'static str, name: &'static str, plural: &'static str) -> Kind {
    Kind { version, name, plural }
}

pub(crate) const CONFIG_MAP: Kind = kind("v1", "ConfigMap", "configmaps");
pub(crate) const SECRET: Kind = kind("v1", "Secret", "secrets");
pub(crate) const SERVICE: Kind = kind("v1", "Service", "services");
pub(crate) const SERVICE_ACCOUNT: Kind = kind("v1", "ServiceAccount", "serviceaccounts");
pub(crate) const NAMESPACE: Kind = kind("v1", "Namespace", "namespaces");
pub(crate) const POD: Kind = kind("v1", "Pod", "pods");
pub(crate) const EVENT: Kind = kind("v1", "Event", "events");
pub(crate) const DEPLOYMENT: Kind = kind("apps/v1", "Deployment", "deployments");
pub(crate) const STATEFUL_SET: Kind = kind("apps/v1", "StatefulSet", "statefulsets");
pub(crate) const JOB: Kind = kind("batch/v1", "Job", "jobs");
pub(crate) const CRON_JOB: Kind = kind("batch/v1", "CronJob", "cronjobs");
pub(crate) const AUTOSCALER: Kind =
    kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
pub(crate) const BUDGET: Kind = kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets");
pub(crate) const INGRESS: Kind = kind("networking.k8s.io/v1", "Ingress", "ingresses");
pub(crate) const HTTP_ROUTE: Kind = kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes");
pub(crate) const REPLICA_SET: Kind = kind("apps/v1", "ReplicaSet", "replicasets");
pub(crate) const CANARY: Kind = kind("flagger.app/v1beta1", "Canary", "canaries");
pub(crate) const METRIC_TEMPLATE: Kind =
    kind("flagger.app/v1beta1", "MetricTemplate", "metrictemplates");
pub(crate) const ROLLOUT: Kind = kind("argoproj.io/v1alpha1", "Rollout", "rollouts");
pub(crate) const ANALYSIS_TEMPLATE: Kind =
    kind("argoproj.io/v1alpha1", "AnalysisTemplate", "analysistemplates");

impl Kind {
    /// A kind that a program names.
    pub(crate) fn named(version: &str, name: &str) -> Self {
        let known = [DEPLOYMENT, SERVICE, CONFIG_MAP, INGRESS, HTTP_ROUTE, JOB]
            .into_iter()
            .find(|kind| kind.version == version && kind.name == name);
        known.unwrap_or_else(|| Self { version: kept(version), name: kept(name), plural: "" })
    }

    /// Whether objects of this kind hold the pods of a revision.
    pub(crate) fn holds_pods(self) -> bool {
        [DEPLOYMENT, STATEFUL_SET, CRON_JOB, JOB, ROLLOUT].contains(&self)
    }

    /// The path of its group and version.
    pub(crate) fn api(self) -> String {
        if self.version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{}", self.version) }
    }
}
