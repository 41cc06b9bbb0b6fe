//! What runs is imported, taken over without a restart, and a plan against it is empty.

use super::{apply, plan};
use crate::project::Project;
use dax_tests::peers::kubernetes::{Cluster, cluster};
use dax_tests::peers::prometheus::prometheus;

#[test]
fn what_kubectl_made_is_imported_and_taken_over_as_it_is() {
    let Some(cluster) = cluster() else { return };
    cluster.kubectl(&["create", "namespace", "imp"]);
    let manifests = dax_tests::root().join("tests/fixtures/import/deployment/in.yaml");
    cluster.kubectl(&["apply", "-f", &manifests.display().to_string()]);
    cluster.kubectl(&["-n", "imp", "rollout", "status", "deployment/my-shop", "--timeout=30s"]);
    let project = Project::new("");
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let from = [
        "--context",
        cluster.context,
        "--kubeconfig",
        &kubeconfig,
        "-e",
        "dev",
        "--adopt",
        "-o",
        "main.dax",
    ];
    let missing =
        project.dax(&[&["import", "kubernetes", "--namespace", "not-there"], &from[..]].concat());
    assert!(
        missing.code == 1 && missing.err.contains("has no namespace `not-there`"),
        "{}",
        missing.err
    );
    let said =
        project.expect(0, &[&["import", "kubernetes", "--namespace", "imp"], &from[..]].concat());
    assert!(!said.err.contains("settings"), "{}", said.err);
    let live = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    // What kubectl gives for the same objects makes the same program.
    let given = cluster.kubectl(&[
        "-n",
        "imp",
        "get",
        "deployments,services,ingresses,hpa,configmaps",
        "-o",
        "yaml",
    ]);
    let said = project.with_input(&[&["import", "kubernetes", "-"], &from[..]].concat(), &given);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(std::fs::read_to_string(project.path("main.dax")).expect("a program"), live);
    let pods = || cluster.kubectl(&["-n", "imp", "get", "pods", "-o", "name"]);
    let before = pods();
    let shown = plan(&project, &[]);
    assert!(
        shown.contains("2 to adopt")
            && !shown.contains("roll from")
            && !shown.contains("start revision"),
        "{shown}"
    );
    apply(&project, 0, &[]);
    assert_eq!(pods(), before);
    assert!(plan(&project, &[]).contains("nothing to change"));
    // What dax has no words for is still there, also after the next revision.
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    project.write(&text.replace("shop:1.2", "shop:1.3"));
    apply(&project, 0, &[]);
    let pod =
        cluster.json(&["-n", "imp", "get", "deployment", "my-shop"])["spec"]["template"]["spec"]
            .clone();
    assert_eq!(pod["volumes"][0]["name"], "tmp");
    assert_eq!(pod["containers"][0]["env"].as_array().map(Vec::len), Some(3), "{pod}");
    let service = cluster.json(&["-n", "imp", "get", "service", "my-shop"]);
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
}

/// Applies manifests in a new namespace.
fn given(cluster: &Cluster, namespace: &str, manifests: &str) {
    cluster.kubectl(&["create", "namespace", namespace]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("in.yaml");
    std::fs::write(&file, manifests).expect("a file");
    cluster.kubectl(&["-n", namespace, "apply", "-f", &file.display().to_string()]);
}

/// A project of what is imported from a namespace, to be taken over.
fn imported(cluster: &Cluster, namespace: &str) -> Project {
    let project = Project::new("");
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let from = [
        "--context",
        cluster.context,
        "--kubeconfig",
        &kubeconfig,
        "-e",
        "dev",
        "--adopt",
        "-o",
        "main.dax",
    ];
    project.expect(0, &[&["import", "kubernetes", "--namespace", namespace], &from[..]].concat());
    project
}

fn replace(project: &Project, from: &str, to: &str) {
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    assert!(text.contains(from), "{text}");
    project.write(&text.replace(from, to));
}

#[test]
fn a_stateful_set_is_taken_over_with_its_pods_and_gets_the_next_revision() {
    let Some(cluster) = cluster() else { return };
    given(
        cluster,
        "imps",
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: 'ghcr.io/acme/db:1', args: [--fast], ports: [{name: sql, containerPort: 5432}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {ports: [{name: sql, port: 5432, targetPort: sql}], selector: {app: db}}
",
    );
    cluster.kubectl(&["-n", "imps", "rollout", "status", "statefulset/db", "--timeout=60s"]);
    let pods = || {
        cluster.kubectl(&["-n", "imps", "get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"])
    };
    let project = imported(cluster, "imps");
    let before = pods();
    apply(&project, 0, &[]);
    assert_eq!(pods(), before);
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    replace(&project, "db:1", "db:2");
    apply(&project, 0, &[]);
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    let container = cluster.json(&["-n", "imps", "get", "statefulset", "db"])["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(
        (&container["image"], &container["args"][0]),
        (&"ghcr.io/acme/db:2".into(), &"--fast".into())
    );
}

#[test]
fn what_flagger_looks_after_is_taken_over_and_flagger_goes_on_with_it() {
    let Some(cluster) = cluster() else { return };
    if !cluster.flagger() {
        return;
    }
    given(
        cluster,
        "impf",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, team: shop}}
    spec: {containers: [{name: app, image: 'ghcr.io/acme/web:1', args: [--fast], ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: web}
spec:
  provider: kubernetes
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  service: {port: 80, targetPort: http}
  analysis: {interval: 10s, threshold: 2, iterations: 1}
",
    );
    cluster.kubectl(&[
        "-n",
        "impf",
        "wait",
        "canary/web",
        "--for=jsonpath={.status.phase}=Initialized",
        "--timeout=60s",
    ]);
    let pods = || cluster.kubectl(&["-n", "impf", "get", "pods", "-o", "name"]);
    let project = imported(cluster, "impf");
    let before = pods();
    // Without `mode` two would divide the same requests.
    replace(&project, "mode = \"flagger\"", "mode = \"native\"");
    let said = project.dax(&["plan", "-e", "dev"]);
    assert!(
        said.code == 1 && said.err.contains("has Flagger look after `impf/web`"),
        "{}",
        said.err
    );
    replace(&project, "mode = \"native\"", "mode = \"flagger\"");
    let shown = plan(&project, &[]);
    assert!(shown.contains("1 to adopt") && !shown.contains("roll from"), "{shown}");
    apply(&project, 0, &[]);
    assert_eq!(pods(), before);
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    // The next revision goes by Flagger, with what dax has no words for.
    replace(&project, "web:1", "web:2");
    apply(&project, 0, &[]);
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    let primary = cluster.json(&["-n", "impf", "get", "deployment", "web-primary"]);
    let container = &primary["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        (&container["image"], &container["args"][0]),
        (&"ghcr.io/acme/web:2".into(), &"--fast".into())
    );
    assert_eq!(primary["spec"]["replicas"], 2);
}

#[test]
fn a_rollout_of_argo_is_taken_over_and_goes_back_to_the_pods_that_it_had() {
    let (Some(cluster), Some(prometheus)) = (cluster(), prometheus()) else { return };
    if !cluster.argo_rollouts() {
        return;
    }
    let labels = "service=\"imported\"";
    prometheus.expose("errors", labels, "0.25");
    let url = prometheus.url();
    given(
        cluster,
        "impa",
        &format!(
            "apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: web}}
spec:
  replicas: 2
  strategy:
    canary:
      analysis: {{templates: [{{templateName: few-errors}}]}}
      steps: [{{setWeight: 50}}, {{pause: {{duration: 3s}}}}]
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web, team: shop}}}}
    spec: {{containers: [{{name: app, image: 'ghcr.io/acme/web:1', ports: [{{name: http, containerPort: 8080}}]}}]}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: few-errors}}
spec:
  metrics:
    - name: errors
      interval: 1s
      successCondition: result[0] < 0.01
      provider: {{prometheus: {{address: '{url}', query: 'errors{{service=\"imported\"}}'}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{ports: [{{name: http, port: 8080, targetPort: http}}], selector: {{app: web}}}}
"
        ),
    );
    cluster.kubectl(&[
        "-n",
        "impa",
        "wait",
        "rollout/web",
        "--for=jsonpath={.status.phase}=Healthy",
        "--timeout=60s",
    ]);
    let stable = || {
        cluster.kubectl(&[
            "-n",
            "impa",
            "get",
            "rollout",
            "web",
            "-o",
            "jsonpath={.status.stableRS} {.status.phase}",
        ])
    };
    let pods = || cluster.kubectl(&["-n", "impa", "get", "pods", "-o", "name"]);
    let project = imported(cluster, "impa");
    let before = (pods(), stable());
    let shown = plan(&project, &[]);
    assert!(shown.contains("1 to adopt") && !shown.contains("roll from"), "{shown}");
    apply(&project, 0, &[]);
    assert_eq!((pods(), stable()), before);
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    // Going back is no rollout: the pods are described as they were.
    replace(&project, "web:1", "web:2");
    let said = apply(&project, 5, &[]);
    assert!(said.contains("Argo Rollouts took the revision back"), "{said}");
    assert_eq!(stable(), before.1);
    replace(&project, "web:2", "web:1");
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    prometheus.expose("errors", labels, "0.001");
    replace(&project, "web:1", "web:2");
    apply(&project, 0, &[]);
    assert_ne!(stable(), before.1);
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
}
