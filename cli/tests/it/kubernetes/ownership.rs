//! Who owns what: others' fields stay theirs, and what they change of dax's is told with their names.

use super::{apply, plan, project, web};
use dax_tests::peers::kubernetes::cluster;

#[test]
fn replicas_of_an_autoscaled_service_are_not_daxs() {
    let Some(cluster) = cluster() else { return };
    let project = project(cluster, &web("scaled", "autoscale { min = 2, max = 10 }", ""));
    apply(&project, 0, &[]);
    assert_eq!(
        cluster.json(&["-n", "scaled", "get", "hpa", "web"])["spec"]["scaleTargetRef"]["name"],
        "web"
    );
    assert!(plan(&project, &[]).contains("nothing to change"));
    cluster.kubectl(&["-n", "scaled", "scale", "deployment/web", "--replicas=5"]);
    assert!(plan(&project, &[]).contains("nothing to change"));
    apply(&project, 0, &["-p", "tag=2"]);
    assert_eq!(cluster.json(&["-n", "scaled", "get", "deployment", "web"])["spec"]["replicas"], 5);
}

#[test]
fn what_kubectl_changed_is_drift_with_its_name_and_comes_back() {
    let Some(cluster) = cluster() else { return };
    let project = project(cluster, &web("drift", "", ""));
    apply(&project, 0, &[]);
    cluster.kubectl(&[
        "-n",
        "drift",
        "set",
        "image",
        "deployment/web",
        "web=ghcr.io/acme/web:hotfix",
    ]);
    let drift = project.expect(2, &["drift", "-e", "dev"]).out;
    assert!(
        drift.contains("image") && drift.contains("kubectl-set") && drift.contains("web:hotfix"),
        "{drift}"
    );
    let shown = plan(&project, &[]);
    assert!(
        shown.contains("live is \"ghcr.io/acme/web:hotfix\", changed by kubectl-set"),
        "{shown}"
    );
    apply(&project, 0, &[]);
    assert!(plan(&project, &[]).contains("nothing to change"));
    // A plan that was made before it is stale, and says why.
    project.expect(0, &["plan", "-e", "dev", "-p", "tag=2", "-o", "old.plan"]);
    cluster.kubectl(&[
        "-n",
        "drift",
        "set",
        "image",
        "deployment/web",
        "web=ghcr.io/acme/web:hotfix",
    ]);
    let said = project.expect(4, &["apply", "old.plan", "--auto-approve"]).err;
    assert!(
        said.contains("`image` was \"ghcr.io/acme/web:1\" when the plan was made")
            && said.contains("changed by kubectl-set"),
        "{said}"
    );
    apply(&project, 0, &[]);
    // Replicas that are dax's, and a field that the language has no word for.
    cluster.kubectl(&["-n", "drift", "scale", "deployment/web", "--replicas=1"]);
    cluster.kubectl(&[
        "-n",
        "drift",
        "patch",
        "service",
        "web",
        "--field-manager=someone",
        "-p",
        r#"{"spec":{"selector":{"app":"other"}}}"#,
    ]);
    let drift = project.expect(2, &["drift", "-e", "dev"]).out;
    assert!(
        drift.contains("replicas")
            && drift.contains("Service/web spec.selector")
            && drift.contains("someone"),
        "{drift}"
    );
    apply(&project, 0, &[]);
    assert!(plan(&project, &[]).contains("nothing to change"));
    assert_eq!(cluster.json(&["-n", "drift", "get", "deployment", "web"])["spec"]["replicas"], 3);
    // What others add is theirs.
    cluster.kubectl(&["-n", "drift", "annotate", "deployment/web", "team=shop"]);
    cluster.kubectl(&["-n", "drift", "set", "env", "deployment/web", "EXTRA=1"]);
    assert!(plan(&project, &[]).contains("nothing to change"));
    assert_eq!(project.expect(0, &["drift", "-e", "dev"]).out, "");
}

#[test]
fn conflicts_are_settled_as_the_binding_says() {
    let Some(cluster) = cluster() else { return };
    let body = |policy: &str| web("conflicts", &format!("conflicts = \"{policy}\""), "");
    let fails = project(cluster, &body("fail"));
    apply(&fails, 0, &[]);
    cluster.kubectl(&[
        "-n",
        "conflicts",
        "set",
        "image",
        "deployment/web",
        "web=ghcr.io/acme/web:hotfix",
    ]);
    let said = apply(&fails, 3, &[]);
    assert!(
        said.contains("`image` was changed by `kubectl-set`")
            && said.contains("conflicts = \"force\""),
        "{said}"
    );
    let text = std::fs::read_to_string(fails.path("main.dax")).expect("a program");
    fails.write(&text.replace("conflicts = \"fail\"", "conflicts = \"yield\""));
    apply(&fails, 0, &[]);
    assert!(plan(&fails, &[]).contains("nothing to change"));
    let image = || {
        cluster.json(&["-n", "conflicts", "get", "deployment", "web"])["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image(), "ghcr.io/acme/web:hotfix");
    fails.write(&text.replace("conflicts = \"fail\"", "conflicts = \"force\""));
    apply(&fails, 0, &[]);
    assert_eq!(image(), "ghcr.io/acme/web:1");
}

#[test]
fn what_runs_is_taken_over_without_a_restart() {
    let Some(cluster) = cluster() else { return };
    cluster.apply(
        "
apiVersion: v1
kind: Namespace
metadata: {name: adopt}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: adopt}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: main, image: 'ghcr.io/acme/web:1', env: [{name: MODE, value: fast}], ports: [{name: http, containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: adopt}
spec: {selector: {app: web}, ports: [{name: http, port: 8080}]}
",
    );
    cluster.kubectl(&["-n", "adopt", "rollout", "status", "deployment/web", "--timeout=20s"]);
    let pods = || cluster.kubectl(&["-n", "adopt", "get", "pods", "-o", "name"]);
    let before = pods();
    let body = "
service web {
  image    = \"ghcr.io/acme/web:${tag}\"
  replicas = 2
  ports    = { http: 8080 }
  env      = { MODE: \"fast\" }
}

environment dev {
  bind web to kubernetes.cluster { namespace = \"adopt\" }
}
";
    let project = project(cluster, body);
    let said = project.expect(1, &["plan", "-e", "dev"]).err;
    assert!(
        said.contains("runs on `kubernetes.cluster` already, and dax did not make it"),
        "{said}"
    );
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    project.write(&text.replace("environment dev {", "environment dev {\n  adopt web"));
    let said = apply(&project, 0, &[]);
    assert!(!said.contains("roll from"), "{said}");
    assert_eq!(pods(), before, "{said}");
    assert!(plan(&project, &[]).contains("nothing to change"));
    // From the next revision on the pods are as dax makes them, and find their requests.
    apply(&project, 0, &["-p", "tag=2"]);
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    let found = cluster.json(&["-n", "adopt", "get", "deployment", "web"]);
    assert_eq!(found["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"], true);
    let endpoints = cluster.json(&[
        "-n",
        "adopt",
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
    ]);
    assert_eq!(endpoints["items"][0]["endpoints"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_somebody_deleted_comes_back_and_nothing_else_is_touched() {
    let Some(cluster) = cluster() else { return };
    let project = project(cluster, &web("deleted", "", ""));
    apply(&project, 0, &[]);
    // Without dax's record of it the service is made again around its pods.
    let pods = || cluster.kubectl(&["-n", "deleted", "get", "pods", "-o", "name"]);
    let before = pods();
    cluster.kubectl(&["-n", "deleted", "delete", "configmap", "web.dax"]);
    let said = apply(&project, 0, &[]);
    assert!(!said.contains("delete the service"), "{said}");
    assert_eq!(pods(), before);
    assert!(plan(&project, &[]).contains("nothing to change"));
    cluster.kubectl(&["-n", "deleted", "delete", "service", "web"]);
    let drift = project.expect(2, &["drift", "-e", "dev"]).out;
    assert!(drift.contains("Service/web") && drift.contains("gone"), "{drift}");
    apply(&project, 0, &[]);
    assert_eq!(pods(), before);
    cluster.kubectl(&["-n", "deleted", "delete", "deployment", "web"]);
    let drift = project.expect(2, &["drift", "-e", "dev"]).out;
    assert!(drift.contains("revision") && drift.contains("nothing"), "{drift}");
    apply(&project, 0, &[]);
    assert!(plan(&project, &[]).contains("nothing to change"));
    let endpoints = cluster.json(&[
        "-n",
        "deleted",
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
    ]);
    assert_eq!(endpoints["items"][0]["endpoints"].as_array().map(Vec::len), Some(3));
    // A namespace that is gone leaves nothing to destroy.
    cluster.kubectl(&["delete", "namespace", "deleted"]);
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
}
