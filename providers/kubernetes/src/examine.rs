//! What a cluster has: its version, who asks, and what some settings need beside it.

use crate::cluster::Cluster;
use crate::kinds::{self, Kind};
use crate::names;
use dax_provider_api::{Fact, ProviderError};
use serde_json::{Value as Json, json};

/// Autoscalers of `autoscaling/v2` and everything else that dax writes are there since 1.23.
const OLDEST: u64 = 23;

/// Asks a cluster about itself.
pub(crate) async fn examine(cluster: &Cluster) -> Result<Vec<Fact>, ProviderError> {
    let version = cluster.get_path("/version").await?.unwrap_or_default();
    let minor: u64 = names::text_at(&version, "/minor").trim_end_matches('+').parse().unwrap_or(0);
    let old =
        (minor < OLDEST).then(|| format!("dax writes objects of Kubernetes 1.{OLDEST} and later"));
    let mut facts = vec![
        Fact {
            name: "version".into(),
            found: names::text_at(&version, "/gitVersion").into(),
            lacks: old,
        },
        Fact { name: "user".into(), found: user(cluster).await.into(), lacks: None },
    ];
    let parts = [
        ("Gateway API", kinds::HTTP_ROUTE, "`route` needs it"),
        ("Flagger", kinds::CANARY, "`mode = \"flagger\"` needs it"),
        ("Argo Rollouts", kinds::ROLLOUT, "`mode = \"argo\"` needs it"),
        ("metrics API", METRICS, "`autoscale` needs it: without it nobody knows how busy pods are"),
    ];
    for (name, kind, needs) in parts {
        let there = cluster
            .get_path(&format!("/apis/{}", kind.version))
            .await?
            .is_some_and(|found| has(&found, kind));
        let (found, lacks) =
            if there { (kind.version, None) } else { ("not there", Some(needs.to_owned())) };
        facts.push(Fact { name: name.into(), found: found.into(), lacks });
    }
    Ok(facts)
}

/// How busy pods are.
const METRICS: Kind =
    Kind { version: "metrics.k8s.io/v1beta1", name: "PodMetrics", plural: "pods" };

fn has(found: &Json, kind: Kind) -> bool {
    let resources = found.get("resources").and_then(Json::as_array).into_iter().flatten();
    resources.into_iter().any(|one| names::text_at(one, "/kind") == kind.name)
}

/// Who asks, as the server sees it; servers before 1.28 do not say.
async fn user(cluster: &Cluster) -> String {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let told = cluster
        .review("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review)
        .await
        .unwrap_or_default();
    match names::text_at(&told, "/status/userInfo/username") {
        "" => "not told".to_owned(),
        name => name.to_owned(),
    }
}
