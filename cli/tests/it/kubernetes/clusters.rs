//! One service on several clusters.

use crate::project::Project;
use dax_tests::peers::kubernetes::{Cluster, cluster, second};

fn project(one: &Cluster, two: &Cluster, strategy: &str) -> Project {
    let project = Project::new(&format!(
        "import kubernetes from \"std/kubernetes\"

param tag: string = \"1\"

provider kubernetes.cluster keyed region in [\"one\", \"two\"] {{
  context    = region
  kubeconfig = \"${{region}}.kubeconfig\"
}}

service web {{
  image    = \"ghcr.io/acme/web:${{tag}}\"
  replicas = 2
  ports    = {{ http: 8080 }}
  health http \"/health\" {{ every = 1s, ready_within = 4s }}
}}

{strategy}

environment dev {{
  bind web to kubernetes.cluster keyed region {{
    namespace        = \"regions\"
    create_namespace = true
  }}
  rollout web with waves
}}
"
    ));
    for cluster in [one, two] {
        std::fs::copy(
            cluster.kubeconfig(),
            project.path(&format!("{}.kubeconfig", cluster.context)),
        )
        .expect("a kubeconfig");
    }
    project
}

fn image(cluster: &Cluster) -> serde_json::Value {
    cluster.json(&["-n", "regions", "get", "deployment", "web"])["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

#[test]
fn instances_change_in_waves_and_a_cluster_that_is_away_is_told_and_the_rest_is_planned() {
    let (Some(one), Some(two)) = (cluster(), second()) else { return };
    let project = project(one, &two, "strategy waves: rolling {\n  waves = \"one_by_one\"\n}");
    let apply = |code: i32, more: &[&str]| {
        let said =
            project.expect(code, &[&["apply", "-e", "dev", "--auto-approve"], more].concat());
        format!("{}{}", said.out, said.err)
    };
    apply(0, &[]);
    assert_eq!(
        (image(one), image(&two)),
        ("ghcr.io/acme/web:1".into(), "ghcr.io/acme/web:1".into())
    );
    // The second wave begins when the first is done; a failure in the first one keeps it from beginning.
    let said = apply(5, &["-p", "tag=never"]);
    assert!(said.contains("web[one]") && !said.contains("✓ 3/4 service.web[two]"), "{said}");
    assert_eq!(
        (image(one), image(&two)),
        ("ghcr.io/acme/web:1".into(), "ghcr.io/acme/web:1".into())
    );
    apply(0, &["-p", "tag=2"]);
    assert_eq!(
        (image(one), image(&two)),
        ("ghcr.io/acme/web:2".into(), "ghcr.io/acme/web:2".into())
    );
    // A cluster that cannot be reached: nothing is guessed, the other one is planned.
    let text = std::fs::read_to_string(project.path("two.kubeconfig")).expect("a kubeconfig");
    let away = text
        .split("https://127.0.0.1:")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .expect("a port");
    std::fs::write(project.path("two.kubeconfig"), text.replace(away, "9")).expect("a file");
    let said = project.expect(1, &["plan", "-e", "dev", "-p", "tag=3"]).out;
    assert!(said.contains("`kubernetes.cluster[two]` cannot be reached"), "{said}");
    assert!(said.contains("service.web[one]  roll out"), "{said}");
    assert!(apply(3, &["-p", "tag=3"]).contains("nothing is known of web[two]"));
    apply(0, &["-p", "tag=3", "--exclude", "web[two]"]);
    assert_eq!(image(one), "ghcr.io/acme/web:3");
}
