//! One environment for each key, in a cluster.

use super::{project, web};
use dax_tests::peers::kubernetes::cluster;

#[test]
fn each_key_has_a_namespace_of_its_own_and_labels_that_a_cluster_takes() {
    let Some(cluster) = cluster() else { return };
    let text =
        web("preview-${pr}", "", "").replace("environment dev {", "environment dev keyed pr {");
    let project = project(cluster, &text);
    for key in ["12", "13"] {
        project.expect(0, &["apply", "-e", &format!("dev[{key}]"), "--auto-approve"]);
    }
    let found = |key: &str| {
        let labels = format!("dax.dev/environment=dev.{key}");
        cluster.kubectl(&[
            "-n",
            &format!("preview-{key}"),
            "get",
            "deployments",
            "-l",
            &labels,
            "-o",
            "name",
        ])
    };
    assert!(
        found("12").contains("deployment") && found("13").contains("deployment"),
        "{} {}",
        found("12"),
        found("13")
    );
    let again = project.expect(0, &["plan", "-e", "dev[12]"]).out;
    assert!(again.contains("nothing to change"), "{again}");
    project.expect(0, &["destroy", "-e", "dev[12]", "--auto-approve"]);
    assert_eq!(found("12"), "");
    assert!(found("13").contains("deployment"), "{}", found("13"));
    project.expect(0, &["destroy", "-e", "dev[13]", "--auto-approve"]);
}
