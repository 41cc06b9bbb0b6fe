//! The kinds of objects that dax writes, and where the API has them.

use crate::names;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// Group and version, as objects say it.
    pub(crate) version: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its name in paths.
    pub(crate) plural: &'static str,
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
pub(crate) const AUTOSCALER: Kind = kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
pub(crate) const BUDGET: Kind = kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets");
pub(crate) const INGRESS: Kind = kind("networking.k8s.io/v1", "Ingress", "ingresses");
pub(crate) const HTTP_ROUTE: Kind = kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes");
pub(crate) const REPLICA_SET: Kind = kind("apps/v1", "ReplicaSet", "replicasets");
pub(crate) const CANARY: Kind = kind("flagger.app/v1beta1", "Canary", "canaries");
pub(crate) const METRIC_TEMPLATE: Kind = kind("flagger.app/v1beta1", "MetricTemplate", "metrictemplates");
pub(crate) const ROLLOUT: Kind = kind("argoproj.io/v1alpha1", "Rollout", "rollouts");
pub(crate) const ANALYSIS_TEMPLATE: Kind = kind("argoproj.io/v1alpha1", "AnalysisTemplate", "analysistemplates");

impl Kind {
    /// Whether objects of this kind hold the pods of a revision.
    pub(crate) fn holds_pods(self) -> bool {
        [DEPLOYMENT, STATEFUL_SET, CRON_JOB, ROLLOUT].contains(&self)
    }

    /// The path of all objects of a namespace.
    pub(crate) fn path(self, namespace: &str) -> String {
        let api = if self.version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{}", self.version) };
        if self == NAMESPACE { format!("{api}/namespaces") } else { format!("{api}/namespaces/{namespace}/{}", self.plural) }
    }

    /// The path of one object.
    pub(crate) fn at(self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.path(namespace), names::encode(name))
    }
}
