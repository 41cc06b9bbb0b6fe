//! Strategies that Flagger and Argo Rollouts carry out: their own controllers run, and kubectl looks at what they did.

use super::{apply, plan, project, while_looking};
use crate::project::Project;
use dax_tests::peers::kubernetes::{Cluster, cluster};
use dax_tests::peers::prometheus::{Prometheus, prometheus};

const LABELS: &str = "service=\"web\",environment=\"dev\"";

const ROUTE: &str = "route { gateway = \"infra/public\", hosts = [\"shop.example.com\"] }";

/// A canary that somebody else carries out.
fn canary(mode: &str, hold: &str, every: &str, prometheus: &Prometheus) -> String {
    let url = prometheus.url();
    format!(
        "provider prometheus.main {{
  url = \"{url}\"
}}

strategy careful: canary {{
  mode = \"{mode}\"
  step 20% hold {hold}
  step 60% hold {hold}
  analysis every {every} from prometheus.main {{
    metric errors: Percent = promql\"errors{{service=\\\"$service\\\",environment=\\\"$environment\\\"}}\"
    require errors < 1%
  }}
}}
"
    )
}

fn shop(cluster: &Cluster, namespace: &str, way: &str, strategy: &str) -> Project {
    let shop = project(
        cluster,
        &format!(
            "
service web {{
  image    = \"ghcr.io/acme/web:${{tag}}\"
  replicas = 2
  ports    = {{ http: 8080 }}
  health http \"/health\" {{ every = 1s, ready_within = 20s }}
}}

{strategy}
environment dev {{
  bind web to kubernetes.cluster {{
    namespace = \"{namespace}\"
    create_namespace = true
    {way}
  }}
  rollout web with careful
}}
"
        ),
    );
    let text = std::fs::read_to_string(shop.path("main.dax")).expect("a program");
    if strategy.contains("prometheus") {
        shop.write(&text.replacen(
            "\nparam",
            "import prometheus from \"std/prometheus\"\n\nparam",
            1,
        ));
    }
    shop
}

fn image(cluster: &Cluster, namespace: &str, kind: &str, name: &str) -> String {
    cluster.kubectl(&[
        "-n",
        namespace,
        "get",
        kind,
        name,
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}:{.spec.replicas}",
    ])
}

#[test]
fn flagger_carries_a_canary_out_and_takes_back_what_prometheus_objects_to() {
    let (Some(cluster), Some(prometheus)) = (cluster(), prometheus()) else { return };
    if !cluster.flagger() {
        return;
    }
    prometheus.expose("errors", LABELS, "0.002");
    let strategy = canary("flagger", "10s", "10s", &prometheus);
    let project = shop(cluster, "flagger", ROUTE, &strategy);
    apply(&project, 0, &[]);
    // What serves is Flagger's own copy; what dax wrote is at rest.
    assert_eq!(image(cluster, "flagger", "deployment", "web-primary"), "ghcr.io/acme/web:1:2");
    assert_eq!(
        cluster.kubectl(&[
            "-n",
            "flagger",
            "get",
            "canary",
            "web",
            "-o",
            "jsonpath={.status.phase}"
        ]),
        "Initialized"
    );
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    // A new revision goes by Flagger's steps.
    apply(&project, 0, &["-p", "tag=2"]);
    assert_eq!(
        cluster.kubectl(&[
            "-n",
            "flagger",
            "get",
            "canary",
            "web",
            "-o",
            "jsonpath={.status.phase}"
        ]),
        "Succeeded"
    );
    assert_eq!(image(cluster, "flagger", "deployment", "web-primary"), "ghcr.io/acme/web:2:2");
    assert!(
        plan(&project, &["-p", "tag=2"]).contains("nothing to change"),
        "{}",
        plan(&project, &["-p", "tag=2"])
    );
    // A bad metric: Flagger goes back, and so does dax.
    prometheus.expose("errors", LABELS, "0.25");
    let said = apply(&project, 5, &["-p", "tag=3"]);
    assert!(said.contains("Flagger took the revision back") && said.contains("errors"), "{said}");
    assert_eq!(image(cluster, "flagger", "deployment", "web-primary"), "ghcr.io/acme/web:2:2");
    assert!(
        plan(&project, &["-p", "tag=2"]).contains("nothing to change"),
        "{}",
        plan(&project, &["-p", "tag=2"])
    );
    // Everything goes, what Flagger made as well.
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
    cluster.kubectl(&[
        "-n",
        "flagger",
        "wait",
        "--for=delete",
        "deployment/web-primary",
        "service/web",
        "--timeout=30s",
    ]);
}

#[test]
fn argo_rollouts_carries_a_canary_out_and_takes_back_what_prometheus_objects_to() {
    let (Some(cluster), Some(prometheus)) = (cluster(), prometheus()) else { return };
    if !cluster.argo_rollouts() {
        return;
    }
    prometheus.expose("errors", LABELS, "0.002");
    let strategy = canary("argo", "2s", "1s", &prometheus);
    let project = shop(
        cluster,
        "argo",
        "ingress { hosts = [\"shop.example.com\"], class = \"nginx\" }",
        &strategy,
    );
    apply(&project, 0, &[]);
    assert_eq!(image(cluster, "argo", "rollout", "web"), "ghcr.io/acme/web:1:2");
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    apply(&project, 0, &["-p", "tag=2"]);
    assert_eq!(
        cluster.kubectl(&["-n", "argo", "get", "rollout", "web", "-o", "jsonpath={.status.phase}"]),
        "Healthy"
    );
    assert_eq!(image(cluster, "argo", "rollout", "web"), "ghcr.io/acme/web:2:2");
    assert!(
        plan(&project, &["-p", "tag=2"]).contains("nothing to change"),
        "{}",
        plan(&project, &["-p", "tag=2"])
    );
    prometheus.expose("errors", LABELS, "0.25");
    let said = apply(&project, 5, &["-p", "tag=3"]);
    assert!(
        said.contains("Argo Rollouts took the revision back") && said.contains("errors"),
        "{said}"
    );
    assert_eq!(image(cluster, "argo", "rollout", "web"), "ghcr.io/acme/web:2:2");
    assert!(
        plan(&project, &["-p", "tag=2"]).contains("nothing to change"),
        "{}",
        plan(&project, &["-p", "tag=2"])
    );
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
    cluster.kubectl(&[
        "-n",
        "argo",
        "wait",
        "--for=delete",
        "rollout/web",
        "service/web",
        "--timeout=30s",
    ]);
}

/// Addresses of the pods behind a Service that are ready.
fn ready_behind(cluster: &Cluster, namespace: &str) -> usize {
    let slices = cluster.json(&[
        "-n",
        namespace,
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
    ]);
    let endpoints = slices["items"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default());
    endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count()
}

#[test]
fn who_carries_strategies_out_changes_while_requests_are_answered() {
    let Some(cluster) = cluster() else { return };
    if !cluster.flagger() || !cluster.argo_rollouts() {
        return;
    }
    let ingress = "ingress { hosts = [\"shop.example.com\"], class = \"nginx\" }";
    let by = |mode: &str| {
        format!("strategy careful: canary {{\n  mode = \"{mode}\"\n  step 50% hold 10s\n}}\n")
    };
    let project = shop(cluster, "handover", ingress, &by("flagger"));
    apply(&project, 0, &[]);
    let mut least = usize::MAX;
    let look = || least = least.min(ready_behind(cluster, "handover"));
    while_looking(look, || {
        let mut last = "flagger";
        for mode in ["argo", "flagger", "native", "argo", "native"] {
            let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
            project
                .write(&text.replace(&format!("mode = \"{last}\""), &format!("mode = \"{mode}\"")));
            apply(&project, 0, &[]);
            assert!(
                plan(&project, &[]).contains("nothing to change"),
                "{mode}: {}",
                plan(&project, &[])
            );
            last = mode;
        }
    });
    assert!(least >= 1, "somebody was always there");
    let left = cluster.kubectl(&[
        "-n",
        "handover",
        "get",
        "canaries,rollouts,analysistemplates,deployments,services",
        "-o",
        "name",
    ]);
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    assert_eq!(left, ["deployment.apps/web", "service/web", "service/web-pods"]);
}
