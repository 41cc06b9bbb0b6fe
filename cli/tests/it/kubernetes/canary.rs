//! Traffic divided on purpose: by the weights of an HTTPRoute, of an Ingress, or by replicas, and watched by a real Prometheus.

use super::{apply, plan, project, while_looking};
use dax_tests::peers::kubernetes::{Cluster, cluster};
use dax_tests::peers::prometheus::{Prometheus, prometheus};

const SERVICE: &str = "
service web {
  image    = \"ghcr.io/acme/web:${tag}\"
  replicas = 4
  ports    = { http: 8080 }
  health http \"/health\" { every = 1s, ready_within = 5s }
}
";

fn body(namespace: &str, way: &str, strategy: &str) -> String {
    format!(
        "{SERVICE}\n{strategy}\nenvironment dev {{\n  bind web to kubernetes.cluster {{\n    namespace = \"{namespace}\"\n    create_namespace = true\n    {way}\n  }}\n  rollout web with careful\n}}\n"
    )
}

const LABELS: &str = "service=\"web\",environment=\"dev\"";

const ROUTE: &str = "route { gateway = \"infra/public\", hosts = [\"shop.example.com\"] }";

/// A canary that is watched, as the issue has it.
fn watched(prometheus: &Prometheus) -> String {
    let url = prometheus.url();
    format!(
        "provider prometheus.main {{
  url = \"{url}\"
}}

strategy careful: canary {{
  step 5% hold 1500ms
  step 25% hold 1500ms
  step 50% hold 1500ms
  analysis every 500ms from prometheus.main {{
    metric errors: Percent = promql\"errors{{service=\\\"$service\\\",environment=\\\"$environment\\\"}}\"
    require errors < 1%
    on_no_data = \"fail\"
  }}
}}
"
    )
}

fn with_prometheus(text: &str) -> String {
    text.replacen(
        "import kubernetes from \"std/kubernetes\"",
        "import kubernetes from \"std/kubernetes\"\nimport prometheus from \"std/prometheus\"",
        1,
    )
}

/// The weights of an HTTPRoute as they follow on one another while something is done.
fn weights_during(cluster: &Cluster, namespace: &str, work: impl FnOnce()) -> Vec<Vec<u64>> {
    let mut seen = Vec::<Vec<u64>>::new();
    let look = || {
        let found = cluster.json(&["-n", namespace, "get", "httproute", "web"]);
        let rules = found["spec"]["rules"].as_array().expect("rules");
        let backends =
            rules.last().expect("a rule")["backendRefs"].as_array().cloned().unwrap_or_default();
        let mut weights: Vec<u64> =
            backends.iter().filter_map(|one| one["weight"].as_u64()).collect();
        weights.sort_unstable();
        if seen.last() != Some(&weights) {
            seen.push(weights);
        }
    };
    while_looking(look, work);
    seen
}

#[test]
fn a_canary_goes_by_weights_of_an_httproute_while_prometheus_is_asked_and_back_when_it_objects() {
    let (Some(cluster), Some(prometheus)) = (cluster(), prometheus()) else { return };
    cluster.gateway_api();
    prometheus.expose("errors", LABELS, "0.002");
    let project = project(cluster, &body("canary", ROUTE, &watched(&prometheus)));
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    project.write(&with_prometheus(&text));
    apply(&project, 0, &[]);
    let seen = weights_during(cluster, "canary", || {
        let said = apply(&project, 0, &["-p", "tag=2"]);
        assert!(said.contains("5%") && said.contains("0.2%"), "{said}");
    });
    let expected: Vec<Vec<u64>> =
        vec![vec![10_000], vec![500, 9_500], vec![2_500, 7_500], vec![5_000, 5_000], vec![10_000]];
    assert_eq!(seen, expected);
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    // A bad metric: back to what was there, with the weights that it had.
    let before = cluster.json(&["-n", "canary", "get", "httproute", "web"])["spec"].clone();
    prometheus.expose("errors", LABELS, "0.25");
    let seen = weights_during(cluster, "canary", || {
        let said = apply(&project, 5, &["-p", "tag=3"]);
        assert!(said.contains("errors = 25%") || said.contains("25%"), "{said}");
        assert!(said.contains("what ran before runs again"), "{said}");
    });
    assert_eq!(seen, vec![vec![10_000], vec![500, 9_500], vec![10_000]]);
    assert_eq!(cluster.json(&["-n", "canary", "get", "httproute", "web"])["spec"], before);
    // What was seen is what is recorded, with the measurement that ended it.
    let shares = |run: &str| -> Vec<String> {
        let course =
            project.expect(0, &["history", "-e", "dev", "--run", run, "--format", "json"]).out;
        let course: serde_json::Value = serde_json::from_str(&course).expect("JSON");
        let moments = course["moments"].as_array().cloned().unwrap_or_default();
        assert!(
            moments.iter().all(|one| one["traffic"] == "" || one["at"].is_string()),
            "{moments:?}"
        );
        let traffic = moments
            .iter()
            .filter_map(|one| one["traffic"].as_str())
            .filter(|traffic| !traffic.is_empty());
        let share = |one: &str| one.split(' ').nth(1).unwrap_or_default().to_owned();
        let sorted = |traffic: &str| {
            let mut shares: Vec<String> = traffic.split(", ").map(share).collect();
            shares.sort_by_key(|share| share.len());
            shares.join(" ")
        };
        traffic.map(sorted).collect()
    };
    assert_eq!(shares("2"), ["5% 95%", "25% 75%", "50% 50%", "100%"]);
    assert_eq!(shares("3"), ["5% 95%", "100%"]);
    let course = project.expect(0, &["history", "-e", "dev", "--run", "3"]).out;
    assert!(
        project.expect(1, &["history", "-e", "dev", "--run", "9"]).err.contains("has no run 9")
    );
    assert!(
        course.contains("fail: errors 25%") && course.contains("take back: shift traffic"),
        "{course}"
    );
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    // Somebody else's weights are drift, by name.
    let patch = r#"[{"op":"replace","path":"/spec/rules/0/backendRefs/0/weight","value":1}]"#;
    cluster.kubectl(&[
        "-n",
        "canary",
        "patch",
        "httproute",
        "web",
        "--type=json",
        "--field-manager=flux",
        "-p",
        patch,
    ]);
    let drift = project.dax(&["drift", "-e", "dev"]).out;
    assert!(drift.contains("flux"), "{drift}");
}

#[test]
fn a_canary_without_a_gateway_goes_by_replicas() {
    let Some(cluster) = cluster() else { return };
    let strategy = "strategy careful: canary {\n  step 25% hold 1s\n  step 50% hold 1s\n}\n";
    let project = project(cluster, &body("ratio", "", strategy));
    apply(&project, 0, &[]);
    let mut most = 0;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| apply(&project, 0, &["-p", "tag=2"]));
        while !running.is_finished() {
            let slices = cluster.json(&[
                "-n",
                "ratio",
                "get",
                "endpointslices",
                "-l",
                "kubernetes.io/service-name=web",
            ]);
            let endpoints = slices["items"].as_array().map_or(0, |slices| {
                slices.iter().filter_map(|slice| slice["endpoints"].as_array()).map(Vec::len).sum()
            });
            most = most.max(endpoints);
        }
    });
    // Four old ones and two new ones shared the requests before the old ones went.
    assert!((5..=8).contains(&most), "{most}");
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    let deployments = cluster.kubectl(&["-n", "ratio", "get", "deployments", "--no-headers"]);
    assert!(
        deployments.contains("web     0/0") && deployments.contains("web-2   4/4"),
        "{deployments}"
    );
    // What is at rest comes back at once.
    project.expect(0, &["rollback", "-e", "dev", "--auto-approve"]);
    let deployments = cluster.kubectl(&["-n", "ratio", "get", "deployments", "--no-headers"]);
    assert!(
        deployments.contains("web     4/4") && deployments.contains("web-2   0/0"),
        "{deployments}"
    );
}

#[test]
fn an_ingress_has_a_canary_beside_it_as_ingress_nginx_reads_it() {
    let Some(cluster) = cluster() else { return };
    let strategy =
        "strategy careful: canary {\n  step 10% hold 2s\n  route \"X-Canary\" is \"always\"\n}\n";
    let way = "ingress { hosts = [\"shop.example.com\"], class = \"nginx\" }";
    let project = project(cluster, &body("ingress", way, strategy));
    apply(&project, 0, &[]);
    let mut seen = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| apply(&project, 0, &["-p", "tag=2"]));
        while !running.is_finished() {
            let found = cluster.json(&["-n", "ingress", "get", "ingresses"]);
            for item in found["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|item| item["metadata"]["name"] == "web-canary")
            {
                let annotations = &item["metadata"]["annotations"];
                seen.insert(format!(
                    "{} {} {}",
                    annotations["nginx.ingress.kubernetes.io/canary-weight"],
                    annotations["nginx.ingress.kubernetes.io/canary-by-header"],
                    item["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"],
                ));
            }
        }
    });
    assert!(seen.contains("\"10\" \"X-Canary\" \"web-2-pods\""), "{seen:?}");
    let left = cluster.kubectl(&["-n", "ingress", "get", "ingresses", "-o", "name"]);
    assert_eq!(left.trim(), "ingress.networking.k8s.io/web");
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
}

#[test]
fn blue_green_switches_the_address_at_once_and_previews_by_header() {
    let Some(cluster) = cluster() else { return };
    cluster.gateway_api();
    let strategy = "strategy careful: blue_green {\n  preview 1 hold 1s\n  route \"X-Preview\" is \"yes\"\n  hold = 1s\n}\n";
    let project = project(cluster, &body("green", ROUTE, strategy));
    apply(&project, 0, &[]);
    let seen = weights_during(cluster, "green", || drop(apply(&project, 0, &["-p", "tag=2"])));
    assert_eq!(seen, vec![vec![10_000]]);
    assert_eq!(
        cluster.json(&["-n", "green", "get", "service", "web"])["spec"]["selector"]["app.kubernetes.io/instance"],
        "web-2"
    );
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
}
