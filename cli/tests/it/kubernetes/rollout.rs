//! What a user of kubectl finds after an apply.

use super::{apply, owned, plan, project, web};
use dax_tests::peers::kubernetes::cluster;

#[test]
fn a_service_is_rolled_out_with_its_labels_owned_by_dax_and_a_second_plan_is_empty() {
    let Some(cluster) = cluster() else { return };
    let project = project(cluster, &web("rollout", "", ""));
    apply(&project, 0, &[]);
    let status =
        cluster.kubectl(&["-n", "rollout", "rollout", "status", "deployment/web", "--timeout=1s"]);
    assert!(status.contains("successfully rolled out"), "{status}");
    let found =
        cluster.json(&["-n", "rollout", "get", "deployment", "web", "--show-managed-fields"]);
    let labels = &found["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/name"], "web");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "dax");
    assert_eq!(labels["app.kubernetes.io/version"], "1");
    let managers = found["metadata"]["managedFields"].as_array().expect("managers");
    assert!(
        managers.iter().any(|one| one["manager"] == "dax" && one["operation"] == "Apply"),
        "{managers:?}"
    );
    let endpoints = cluster.json(&[
        "-n",
        "rollout",
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
    ]);
    assert_eq!(endpoints["items"][0]["endpoints"].as_array().map(Vec::len), Some(3));
    assert!(plan(&project, &[]).contains("nothing to change"));
    // The Deployment itself replaces its pods: kubectl knows both revisions.
    apply(&project, 0, &["-p", "tag=2"]);
    assert_eq!(
        cluster
            .kubectl(&["-n", "rollout", "rollout", "history", "deployment/web"])
            .matches("<none>")
            .count(),
        2
    );
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    project.expect(0, &["rollback", "-e", "dev", "--auto-approve"]);
    assert_eq!(
        cluster.json(&["-n", "rollout", "get", "deployment", "web"])["spec"]["template"]["spec"]["containers"]
            [0]["image"],
        "ghcr.io/acme/web:1"
    );
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
    let left = cluster.kubectl(&[
        "-n",
        "rollout",
        "get",
        "deployments,services,serviceaccounts,configmaps",
        "-l",
        "app.kubernetes.io/managed-by=dax",
        "-o",
        "name",
    ]);
    assert_eq!(left, "");
}

#[test]
fn pods_pass_the_restricted_profile() {
    let Some(cluster) = cluster() else { return };
    cluster.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}\n");
    let strict = project(cluster, &web("strict", "", ""));
    apply(&strict, 0, &[]);
    assert_eq!(
        cluster.json(&["-n", "strict", "get", "pods"])["items"].as_array().map(Vec::len),
        Some(3)
    );
    // What does not pass is said by the admission, and is taken back.
    let loose = project(
        cluster,
        &web("strict", "security = \"baseline\"", "")
            .replace("service web", "service loose")
            .replace("bind web", "bind loose"),
    );
    let said = apply(&loose, 5, &[]);
    assert!(said.contains("violates PodSecurity \"restricted:latest\""), "{said}");
}

/// The failures of the issue: each is told in words, and live equals what was there before.
fn taken_back(namespace: &str, tag: &str, binding: &str, words: &str) {
    let Some(cluster) = cluster() else { return };
    let project = project(cluster, &web(namespace, binding, ""));
    apply(&project, 0, &[]);
    let before = owned(cluster, namespace, "web");
    let tag = format!("tag={tag}");
    let said = apply(&project, 5, &["-p", &tag]);
    assert!(said.contains(words), "{said}");
    assert!(said.contains("what ran before runs again"), "{said}");
    assert_eq!(strategyless(owned(cluster, namespace, "web")), strategyless(before));
    assert!(plan(&project, &[]).contains("nothing to change"));
}

/// How pods are replaced is said anew with each replacement.
fn strategyless(mut found: serde_json::Value) -> serde_json::Value {
    found["spec"]["strategy"].take();
    found
}

#[test]
fn an_image_that_cannot_be_pulled_is_named_and_taken_back() {
    taken_back("pull", "nopull", "", "the image `ghcr.io/acme/web:nopull` cannot be pulled");
}

#[test]
fn a_container_that_crashes_is_told_with_its_last_lines_and_taken_back() {
    taken_back("crash", "crash", "", "fatal: cannot reach the database");
}

#[test]
fn a_failing_readiness_probe_is_told_and_taken_back() {
    taken_back(
        "probe",
        "never",
        "",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    );
}

#[test]
fn an_exceeded_quota_is_told_and_taken_back() {
    let Some(cluster) = cluster() else { return };
    cluster.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: quota}\n---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few, namespace: quota}\nspec: {hard: {pods: \"3\"}}\n");
    taken_back("quota", "2", "", "exceeded quota: few");
}

#[test]
fn what_admission_refuses_is_said_before_anything_is_changed() {
    let Some(cluster) = cluster() else { return };
    cluster.apply(
        "
apiVersion: v1
kind: Namespace
metadata: {name: admission, labels: {guarded: 'yes'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-latest}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]}
  validations: [{expression: '!object.spec.template.spec.containers[0].image.endsWith(\":latest\")', message: 'images need a version'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-latest}
spec: {policyName: no-latest, validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {guarded: 'yes'}}}}
",
    );
    let project = project(cluster, &web("admission", "", ""));
    apply(&project, 0, &[]);
    // A policy takes a moment until the API server knows it.
    let said =
        || project.dax(&["plan", "-e", "dev", "-p", "tag=latest"]).err.replace("\n  │ ", " ");
    crate::project::wait_until("the policy speaks", || {
        said().contains("DAX7003") && said().contains("images need a version")
    });
    assert!(plan(&project, &[]).contains("nothing to change"));
}

#[test]
fn secrets_reach_the_secret_and_nothing_else() {
    let Some(cluster) = cluster() else { return };
    let body = web("secret", "", "").replace("LOG_LEVEL: \"info\"", "TOKEN: token");
    let project = project(cluster, &format!("\nsecret token: string from file(\"token\")\n{body}"));
    std::fs::write(project.path("token"), "hunter2-hunter2\n").expect("a file");
    apply(&project, 0, &[]);
    let secret = cluster.json(&["-n", "secret", "get", "secrets"]);
    assert_eq!(secret["items"][0]["data"]["TOKEN"], "aHVudGVyMi1odW50ZXIy");
    let pod = cluster.json(&["-n", "secret", "get", "pods"]);
    let reference =
        &pod["items"][0]["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"];
    assert_eq!(reference["name"], secret["items"][0]["metadata"]["name"]);
    let others = cluster.kubectl(&[
        "-n",
        "secret",
        "get",
        "all,configmaps,serviceaccounts,events",
        "-o",
        "json",
        "--show-managed-fields",
    ]);
    assert!(!others.contains("hunter2") && !others.contains("aHVudGVyMi1odW50ZXIy"));
    for (path, bytes) in crate::project::all_bytes(&project.path(".dax")) {
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{}", path.display());
    }
    // Another value is another revision, with a Secret of its own.
    std::fs::write(project.path("token"), "hunter3-hunter3\n").expect("a file");
    assert!(apply(&project, 0, &[]).contains("roll from"));
}

#[test]
fn hooks_and_migrations_are_jobs_and_a_failing_one_is_told_with_its_last_lines() {
    let Some(cluster) = cluster() else { return };
    let strategy = "\nstrategy careful: canary {\n  migrate [\"./db\", \"up\"] undo [\"./db\", \"down\"]\n  step 25% hold 1s\n  hook after [\"./smoke\"]\n}\n";
    let project =
        project(cluster, &format!("{strategy}{}", web("jobs", "", "rollout web with careful")));
    apply(&project, 0, &[]);
    apply(&project, 0, &["-p", "tag=2"]);
    let jobs = cluster.json(&["-n", "jobs", "get", "jobs"]);
    let commands: Vec<String> = jobs["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|job| job["spec"]["template"]["spec"]["containers"][0]["command"].to_string())
        .collect();
    // The first apply runs both, too.
    assert_eq!(
        commands.iter().filter(|command| **command == "[\"./db\",\"up\"]").count(),
        2,
        "{commands:?}"
    );
    assert_eq!(
        commands.iter().filter(|command| **command == "[\"./smoke\"]").count(),
        2,
        "{commands:?}"
    );
    // Their pods are not behind the address of the service.
    let endpoints = cluster.json(&[
        "-n",
        "jobs",
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
    ]);
    assert_eq!(endpoints["items"][0]["endpoints"].as_array().map(Vec::len), Some(3));
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    project.write(&text.replace(
        "migrate [\"./db\", \"up\"] undo [\"./db\", \"down\"]",
        "hook before [\"./check\"]",
    ));
    let said = apply(&project, 5, &["-p", "tag=broken"]);
    assert!(
        said.contains("failed: Job has reached the specified backoff limit")
            && said.contains("cannot reach the database"),
        "{said}"
    );
    // Nothing that runs changes; the next revision takes over by the strategy that is new.
    let said = plan(&project, &["-p", "tag=2"]);
    assert!(said.contains("changes how dev is rolled out"), "{said}");
    assert!(!said.contains("revision "), "{said}");
}

#[test]
fn a_stateful_set_rolls_in_place_and_refuses_a_canary() {
    let Some(cluster) = cluster() else { return };
    let project = project(
        cluster,
        &web("stateful", "workload = \"stateful_set\"", "rollout web with rolling"),
    );
    apply(&project, 0, &[]);
    apply(&project, 0, &["-p", "tag=2"]);
    let found = cluster.json(&["-n", "stateful", "get", "statefulset", "web"]);
    assert_eq!(found["status"]["updatedReplicas"], 3);
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    let said = apply(&project, 5, &["-p", "tag=nopull"]);
    assert!(said.contains("StatefulSet `web`") && said.contains("cannot be pulled"), "{said}");
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    let text = std::fs::read_to_string(project.path("main.dax")).expect("a program");
    project.write(&text.replace("with rolling", "with canary"));
    let said = project.expect(1, &["plan", "-e", "dev", "-p", "tag=3"]).err;
    assert!(said.contains("a StatefulSet holds one revision at a time"), "{said}");
}

#[test]
fn a_cron_job_takes_over_its_next_revision_at_once() {
    let Some(cluster) = cluster() else { return };
    let body = web("cron", "workload = \"cron_job\"\n    schedule = \"*/5 * * * *\"", "");
    let body = body
        .replace("  ports    = { http: 8080 }\n", "")
        .replace("  health http \"/health\" { every = 1s, ready_within = 5s }\n", "");
    let project = project(cluster, &body.replace("replicas = 3", "replicas = 1"));
    apply(&project, 0, &[]);
    apply(&project, 0, &["-p", "tag=2"]);
    let found = cluster.json(&["-n", "cron", "get", "cronjob", "web"]);
    assert_eq!(
        found["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"],
        "ghcr.io/acme/web:2"
    );
    assert_eq!(found["spec"]["schedule"], "*/5 * * * *");
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
}

#[test]
fn a_job_runs_once_for_each_revision_and_goes_back_when_it_fails() {
    let Some(cluster) = cluster() else { return };
    let body = web("job", "workload = \"job\"", "");
    let body =
        body.replace("  ports    = { http: 8080 }\n", "").replace("replicas = 3", "replicas = 2");
    let project = project(
        cluster,
        &body.replace(
            "health http \"/health\" { every = 1s, ready_within = 5s }",
            "health tcp { ready_within = 20s }",
        ),
    );
    apply(&project, 0, &[]);
    let job = || cluster.json(&["-n", "job", "get", "job", "web"]);
    let first = job();
    assert_eq!(
        (&first["status"]["succeeded"], &first["spec"]["completions"]),
        (&2.into(), &2.into()),
        "{first}"
    );
    assert!(plan(&project, &[]).contains("nothing to change"), "{}", plan(&project, &[]));
    assert_eq!(job()["metadata"]["uid"], first["metadata"]["uid"]);
    // Another revision is another Job; the same one is not run again.
    apply(&project, 0, &["-p", "tag=2"]);
    let second = job();
    assert_ne!(second["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(second["spec"]["template"]["spec"]["containers"][0]["image"], "ghcr.io/acme/web:2");
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    // One that fails is told, and the one before runs again.
    let said = apply(&project, 5, &["-p", "tag=broken"]);
    assert!(said.contains("Job `web` failed"), "{said}");
    assert_eq!(job()["spec"]["template"]["spec"]["containers"][0]["image"], "ghcr.io/acme/web:2");
    assert!(plan(&project, &["-p", "tag=2"]).contains("nothing to change"));
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
}

#[test]
fn the_example_is_deployed_as_its_text_says() {
    let Some(cluster) = cluster() else { return };
    cluster.gateway_api();
    let folder = dax_tests::root().join("examples/kubernetes");
    let project = crate::project::Project::new("");
    for file in ["dax.mod", "main.dax"] {
        std::fs::copy(folder.join(file), project.path(file)).expect("a file of the example");
    }
    let run = |args: &[&str]| {
        let context = format!("context={}", cluster.context);
        let mut command = project.command(&[args, &["-p", &context]].concat());
        let said = crate::project::said(
            &command.env("KUBECONFIG", cluster.kubeconfig()).output().expect("dax runs"),
        );
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        said
    };
    for environment in ["staging", "production"] {
        run(&["apply", "-e", environment, "--auto-approve"]);
        assert!(run(&["plan", "-e", environment]).out.contains("nothing to change"));
    }
    let status =
        cluster.kubectl(&["-n", "shop", "rollout", "status", "deployment/web", "--timeout=1s"]);
    assert!(status.contains("successfully rolled out"), "{status}");
    let policy = cluster.json(&["-n", "shop", "get", "networkpolicy", "orders-from-web"]);
    assert_eq!(policy["spec"]["ingress"][0]["ports"][0]["port"], 8080, "{policy}");
    assert_eq!(cluster.json(&["-n", "shop", "get", "pdb", "web"])["spec"]["minAvailable"], 2);
    run(&["apply", "-e", "staging", "--auto-approve", "-p", "version=1.1"]);
    assert_eq!(
        cluster.json(&["-n", "shop-staging", "get", "deployment", "orders"])["metadata"]["labels"]
            ["app.kubernetes.io/version"],
        "1.1"
    );
}
