//! Servers that go away, and a dax that dies.

use super::{apply, plan, project, web};
use crate::project::wait_until;
use dax_tests::peers::kubernetes::{cluster, second};
use std::time::Duration;

#[test]
fn an_api_server_that_is_killed_and_comes_back_is_waited_for() {
    // The second cluster: others use the first one at the same time.
    let Some(cluster) = second() else { return };
    let strategy = "rollout web with careful";
    let body = format!(
        "\nstrategy careful: canary {{\n  step 25% hold 2s\n  step 50% hold 2s\n}}\n{}",
        web("restart", "", strategy)
    );
    let project = project(&cluster, &body);
    apply(&project, 0, &[]);
    let said = std::thread::scope(|scope| {
        let running = scope.spawn(|| apply(&project, 0, &["-p", "tag=2"]));
        std::thread::sleep(Duration::from_secs(1));
        cluster.kill_api();
        std::thread::sleep(Duration::from_secs(3));
        cluster.start_api();
        running.join().expect("the apply ends")
    });
    assert!(said.contains("`dev` is as planned"), "{said}");
    cluster.wait_ready();
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
}

#[test]
fn a_killed_dax_is_carried_on_and_everything_is_done_once() {
    let Some(cluster) = cluster() else { return };
    let strategy = "rollout web with careful";
    let body = format!(
        "\nstrategy careful: canary {{\n  step 25% hold 2s\n  step 50% hold 2s\n}}\n{}",
        web("killed", "", strategy)
    );
    let project = project(cluster, &body);
    apply(&project, 0, &[]);
    let mut child = project.start(&["apply", "-e", "dev", "--auto-approve", "-p", "tag=2"]);
    let two = || {
        cluster.json(&["-n", "killed", "get", "deployments"])["items"].as_array().map(Vec::len)
            == Some(2)
    };
    wait_until("the new revision is there", two);
    child.kill().expect("it is killed");
    let _ = child.wait();
    let said = project.expect(0, &["resume", "-e", "dev"]).err;
    assert!(said.contains("`dev` is as planned"), "{said}");
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    assert!(two());
    // The Deployment was made once and changed only in its numbers: it has one ReplicaSet.
    let sets = cluster.json(&[
        "-n",
        "killed",
        "get",
        "replicasets",
        "-l",
        "app.kubernetes.io/instance=web-2",
    ]);
    assert_eq!(sets["items"].as_array().map(Vec::len), Some(1));
}
