//! What runs is imported, taken over without a restart, and a plan against it is empty.

use super::{apply, plan};
use crate::project::Project;
use dax_tests::peers::kubernetes::cluster;

#[test]
fn what_kubectl_made_is_imported_and_taken_over_as_it_is() {
    let Some(cluster) = cluster() else { return };
    cluster.kubectl(&["create", "namespace", "imp"]);
    let manifests = dax_tests::root().join("tests/fixtures/import/deployment/in.yaml");
    cluster.kubectl(&["apply", "-f", &manifests.display().to_string()]);
    cluster.kubectl(&["-n", "imp", "rollout", "status", "deployment/my-shop", "--timeout=30s"]);
    let project = Project::new("");
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let from = ["--context", cluster.context, "--kubeconfig", &kubeconfig, "-e", "dev", "--adopt", "-o", "main.dax"];
    let missing = project.dax(&[&["import", "kubernetes", "--namespace", "not-there"], &from[..]].concat());
    assert!(missing.code == 1 && missing.err.contains("has no namespace `not-there`"), "{}", missing.err);
    let said = project.expect(0, &[&["import", "kubernetes", "--namespace", "imp"], &from[..]].concat());
    assert!(!said.err.contains("settings"), "{}", said.err);
    let live = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    // What kubectl gives for the same objects makes the same program.
    let given = cluster.kubectl(&["-n", "imp", "get", "deployments,services,ingresses,hpa,configmaps", "-o", "yaml"]);
    let said = project.with_input(&[&["import", "kubernetes", "-"], &from[..]].concat(), &given);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(std::fs::read_to_string(project.path("main.dax")).expect("a program"), live);
    let pods = || cluster.kubectl(&["-n", "imp", "get", "pods", "-o", "name"]);
    let before = pods();
    let shown = plan(&project, &[]);
    assert!(shown.contains("2 to adopt") && !shown.contains("roll from") && !shown.contains("start revision"), "{shown}");
    apply(&project, 0, &[]);
    assert_eq!(pods(), before);
    assert!(plan(&project, &[]).contains("nothing to do"));
    // What dax has no words for is still there, also after the next revision.
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    project.write(&text.replace("shop:1.2", "shop:1.3"));
    apply(&project, 0, &[]);
    let pod = cluster.json(&["-n", "imp", "get", "deployment", "my-shop"])["spec"]["template"]["spec"].clone();
    assert_eq!(pod["volumes"][0]["name"], "tmp");
    assert_eq!(pod["containers"][0]["env"].as_array().map(Vec::len), Some(3), "{pod}");
    let service = cluster.json(&["-n", "imp", "get", "service", "my-shop"]);
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
}
