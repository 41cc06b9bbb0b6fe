//! What is wrong is said before anything is changed.

use super::{apply, project, web};
use dax_tests::peers::kubernetes::cluster;

/// What a plan says, on one line.
fn said(project: &crate::project::Project) -> String {
    let said = project.dax(&["plan", "-e", "dev"]);
    format!("{} {} {}", said.code, said.out, said.err).replace("\n  │ ", " ")
}

#[test]
fn a_wrong_context_is_told_with_those_that_there_are() {
    let Some(cluster) = cluster() else { return };
    let wrong = project(cluster, &web("errors", "", ""));
    let text = std::fs::read_to_string(wrong.path("main.dax")).expect("a program");
    wrong.write(&text.replace("context = \"one\"", "context = \"onne\""));
    let said = said(&wrong);
    assert!(said.contains("the kubeconfig has no context `onne`; did you mean `one`?"), "{said}");
}

#[test]
fn a_token_that_is_not_known_is_told() {
    let Some(cluster) = cluster() else { return };
    let project = project(cluster, &web("errors", "", ""));
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    std::fs::write(project.path("expired"), cluster.kubeconfig_of("old", "expired-token"))
        .expect("a file");
    project.write(&text.replace(&cluster.kubeconfig().display().to_string(), "expired"));
    let said = said(&project);
    assert!(
        said.contains("does not know who asks (401)") && said.contains("have expired"),
        "{said}"
    );
    assert!(!said.contains("expired-token"), "{said}");
}

#[test]
fn a_verb_that_is_forbidden_is_named() {
    let Some(cluster) = cluster() else { return };
    cluster.apply(
        "
apiVersion: v1
kind: Namespace
metadata: {name: forbidden}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: almost, namespace: forbidden}
rules:
  - {apiGroups: ['', apps], resources: [configmaps, services, serviceaccounts, deployments, pods], verbs: [get, list, watch]}
  - {apiGroups: [''], resources: [configmaps, services, serviceaccounts], verbs: [create, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: almost, namespace: forbidden}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: almost}
subjects: [{kind: User, name: viewer}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: look-at-namespaces}
rules: [{apiGroups: [''], resources: [namespaces], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: look-at-namespaces}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: look-at-namespaces}
subjects: [{kind: User, name: viewer}]
",
    );
    let project = project(cluster, &web("forbidden", "", ""));
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    std::fs::write(project.path("viewer"), cluster.kubeconfig_of("viewer", "viewer-token"))
        .expect("a file");
    project.write(&text.replace(&cluster.kubeconfig().display().to_string(), "viewer"));
    let said = said(&project);
    assert!(
        said.contains("DAX7003")
            && said.contains("User \"viewer\" cannot patch resource \"deployments\""),
        "{said}"
    );
    // Nothing was changed.
    let left = cluster.kubectl(&[
        "-n",
        "forbidden",
        "get",
        "services,serviceaccounts",
        "-l",
        "app.kubernetes.io/managed-by=dax",
        "-o",
        "name",
    ]);
    assert_eq!(left, "");
}

#[test]
fn a_kind_that_is_not_installed_is_named() {
    let Some(cluster) = dax_tests::peers::kubernetes::second() else { return };
    let project = project(&cluster, &web("errors", "route { gateway = \"public\" }", ""));
    let said = said(&project);
    assert!(said.contains("does not know HTTPRoute of gateway.networking.k8s.io/v1: install the CustomResourceDefinition"), "{said}");
}

#[test]
fn an_object_of_another_owner_is_left_alone() {
    let Some(cluster) = cluster() else { return };
    cluster.apply(
        "
apiVersion: v1
kind: Namespace
metadata: {name: owner}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: owner, labels: {app.kubernetes.io/managed-by: Helm}}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
",
    );
    let project = project(cluster, &web("owner", "", ""));
    let said = said(&project);
    assert!(
        said.contains("`web` runs on `kubernetes.cluster` already, and dax did not make it"),
        "{said}"
    );
    // The same service of another environment is another owner, too.
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    project.write(&text.replace("namespace = \"owner\"", "namespace = \"shared\""));
    apply(&project, 0, &[]);
    let other = super::project(
        cluster,
        &web("shared", "", "").replace("environment dev", "environment test"),
    );
    let said = other.dax(&["plan", "-e", "test"]);
    assert!(said.err.contains("already, and dax did not make it"), "{}", said.err);
}

#[test]
fn a_namespace_that_is_not_there_is_told_with_what_to_do() {
    let Some(cluster) = cluster() else { return };
    let project = project(cluster, &web("absent", "", "").replace("create_namespace = true", ""));
    let said = said(&project);
    assert!(
        said.contains("there is no namespace `absent`") && said.contains("create_namespace = true"),
        "{said}"
    );
}

#[test]
fn what_kubernetes_cannot_run_is_said_from_the_text() {
    let Some(cluster) = cluster() else { return };
    let project = project(
        cluster,
        &web("errors", "autoscale { min = 5, max = 2 }", "")
            .replace("  image    = \"ghcr.io/acme/web:${tag}\"\n", ""),
    );
    let said = said(&project);
    assert!(
        said.contains("Kubernetes runs images: `image` says which")
            && said.contains("`autoscale` has a `min` above its `max`"),
        "{said}"
    );
}
