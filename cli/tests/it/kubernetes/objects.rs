//! Objects of any kind: typed by their schema, compared, adopted and removed as services are.

use super::{apply, plan, project};
use dax_tests::peers::kubernetes::cluster;

const WIDGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            metadata: {type: object}
            spec:
              type: object
              required: [size]
              properties:
                size: {type: integer, minimum: 1, maximum: 10}
                color: {type: string, enum: [red, green], default: red}
                parts: {type: array, items: {type: object, properties: {name: {type: string}, weight: {type: number}}}}
";

fn program(namespace: &str, size: &str, more: &str) -> String {
    format!(
        "
resource kubernetes.object gadget: widgets.Widget {{
  apiVersion = \"example.com/v1\"
  kind       = \"Widget\"
  metadata   = {{ labels: {{ team: \"shop\" }} }}
  spec       = {{ size: {size}, parts: [{{ name: \"wheel\", weight: 1.5 }}] }}
}}

resource kubernetes.object reader {{
  apiVersion = \"rbac.authorization.k8s.io/v1\"
  kind       = \"ClusterRole\"
  metadata   = {{ name: \"{namespace}-reader\" }}
  rules      = [{{ apiGroups: [\"\"], resources: [\"pods\"], verbs: [\"get\", \"list\"] }}]
}}

environment dev {{
  bind [gadget, reader] to kubernetes.cluster {{
    namespace = \"{namespace}\"
    create_namespace = true
  }}
  {more}
}}
"
    )
}

#[test]
fn an_object_of_a_crd_is_typed_made_compared_and_removed() {
    let Some(cluster) = cluster() else { return };
    cluster.apply(WIDGETS);
    cluster.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd/widgets.example.com",
        "--timeout=30s",
    ]);
    let project = project(cluster, &program("things", "3", ""));
    let given = cluster.kubectl(&["get", "crd", "widgets.example.com", "-o", "yaml"]);
    let types = project.with_input(&["import-schema", "-", "-o", "widgets.dax"], &given);
    assert_eq!(types.code, 0, "{}", types.err);
    let write = |text: String| {
        let head = std::fs::read_to_string(project.path("main.dax")).expect("a program");
        let head = head
            .split("\nresource")
            .next()
            .expect("a head")
            .replace("import widgets from \"./widgets.dax\"\n", "");
        project.write(&format!("import widgets from \"./widgets.dax\"\n{head}{text}"));
    };
    // What does not fit its schema is an error in the editor.
    write(program("things", "\"three\"", ""));
    let wrong = project.expect(1, &["check"]);
    assert!(wrong.err.contains("DAX3001"), "{}", wrong.err);
    write(program("things", "3", ""));
    let shown = plan(&project, &[]);
    assert!(
        shown.contains("object.gadget")
            && shown.contains("2 to create")
            && shown.contains("spec.size: 3"),
        "{shown}"
    );
    apply(&project, 0, &[]);
    let widget = cluster.json(&["-n", "things", "get", "widget", "gadget"]);
    assert_eq!(
        (&widget["spec"]["size"], &widget["spec"]["parts"][0]["weight"]),
        (&3.into(), &1.5.into()),
        "{widget}"
    );
    assert_eq!(widget["metadata"]["labels"]["team"], "shop");
    assert_eq!(widget["spec"]["color"], "red", "the server's default is no drift");
    assert_eq!(
        cluster.json(&["get", "clusterrole", "things-reader"])["rules"][0]["resources"][0],
        "pods"
    );
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    // A change is one leaf; somebody else's is drift by name.
    write(program("things", "4", ""));
    let shown = plan(&project, &[]);
    assert!(shown.contains("spec.size: 3 → 4") && shown.contains("1 to update"), "{shown}");
    apply(&project, 0, &[]);
    cluster.kubectl(&[
        "-n",
        "things",
        "patch",
        "widget",
        "gadget",
        "--type=merge",
        "--field-manager=flux",
        "-p",
        r#"{"spec":{"size":9}}"#,
    ]);
    let drift = project.dax(&["drift", "-e", "dev"]).out;
    assert!(drift.contains("flux"), "{drift}");
    apply(&project, 0, &[]);
    assert_eq!(cluster.json(&["-n", "things", "get", "widget", "gadget"])["spec"]["size"], 4);
    // Back and away.
    project.expect(0, &["rollback", "-e", "dev", "--auto-approve"]);
    assert_eq!(cluster.json(&["-n", "things", "get", "widget", "gadget"])["spec"]["size"], 3);
    project.expect(0, &["unpin", "-e", "dev"]);
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
    cluster.kubectl(&[
        "-n",
        "things",
        "wait",
        "--for=delete",
        "widget/gadget",
        "clusterrole/things-reader",
        "--timeout=10s",
    ]);
}

#[test]
fn an_object_of_somebody_else_is_refused_or_taken_over_as_it_is() {
    let Some(cluster) = cluster() else { return };
    cluster.kubectl(&["create", "namespace", "theirs"]);
    let rules = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: theirs}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n";
    cluster.apply(rules);
    let text = |more: &str| {
        format!(
            "
resource kubernetes.object deny {{
  apiVersion = \"networking.k8s.io/v1\"
  kind       = \"NetworkPolicy\"
  spec       = {{ podSelector: {{}}, policyTypes: [\"Ingress\"] }}
}}

environment dev {{
  bind deny to kubernetes.cluster {{ namespace = \"theirs\" }}
  {more}
}}
"
        )
    };
    let refused = project(cluster, &text("")).dax(&["plan", "-e", "dev"]);
    assert!(refused.err.contains("adopt deny"), "{}{}", refused.out, refused.err);
    let project = project(cluster, &text("adopt deny"));
    // The types of the cluster's own kinds come from the cluster.
    let given = cluster.kubectl(&["get", "--raw", "/openapi/v3/apis/networking.k8s.io/v1"]);
    let types = project.with_input(&["import-schema", "-", "-o", "networking.dax"], &given);
    assert_eq!(types.code, 0, "{}", types.err);
    let untyped = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    let typed = format!("import networking from \"./networking.dax\"\n{untyped}")
        .replace("object deny {", "object deny: networking.NetworkPolicy {");
    project.write(&typed.replace("podSelector", "podSelektor"));
    let wrong = project.expect(1, &["check"]);
    assert!(wrong.err.contains("podSelektor"), "{}", wrong.err);
    project.write(&typed);
    let shown = plan(&project, &[]);
    assert!(shown.contains("1 to adopt") && !shown.contains("policyTypes"), "{shown}");
    apply(&project, 0, &[]);
    let labels =
        cluster.json(&["-n", "theirs", "get", "networkpolicy", "deny"])["metadata"]["labels"]
            .clone();
    assert_eq!(labels["app.kubernetes.io/managed-by"], "dax");
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
}

#[test]
fn a_kind_that_the_cluster_does_not_know_is_told_before_anything_is_changed() {
    let Some(cluster) = cluster() else { return };
    let text = "
resource kubernetes.object nothing {
  apiVersion = \"nobody.example.com/v1\"
  kind       = \"Nothing\"
}

environment dev {
  bind nothing to kubernetes.cluster
}
";
    let refused = project(cluster, text).dax(&["plan", "-e", "dev"]);
    assert!(
        refused.err.contains("does not know Nothing of nobody.example.com/v1"),
        "{}{}",
        refused.out,
        refused.err
    );
}
