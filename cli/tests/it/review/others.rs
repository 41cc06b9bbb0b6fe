//! The same story in GitLab CI and in Bitbucket Pipelines, against servers that answer with the shapes of their
//! documentation: no server of either is in any registry.

use super::repository::{PROGRAM, Repository, SECRET, ended};
use crate::project::{Said, said};
use dax_tests::peers::http::Server;
use dax_tests::peers::{bitbucket, gitlab};
use serde_json::Value as Json;

fn run(repository: &Repository, variables: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = repository.command(args);
    command.envs(variables.iter().copied());
    said(&command.output().expect("dax runs"))
}

fn no_secret(server: &Server, tokens: &[&str]) {
    for one in server.asked() {
        for secret in [&[SECRET, "hunter2"], tokens].concat() {
            assert!(
                !one.body.contains(secret) && !one.line.contains(secret),
                "a secret in {}",
                one.line
            );
        }
    }
}

fn changed() -> (Repository, String, String) {
    let repository = Repository::new(PROGRAM);
    let base = repository.head();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("main.dax", &PROGRAM.replace("acme/web", "acme/shop-web"));
    let head = repository.commit("another image");
    (repository, base, head)
}

#[test]
fn gitlab_reviews_approves_and_deploys() {
    let (server, world) = gitlab::start();
    let (repository, base, head) = changed();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    let api = format!("{}/api/v4", server.url());
    let common = [
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", api.as_str()),
        ("CI_PROJECT_ID", "7"),
        ("CI_JOB_URL", "https://gitlab.example/j/1"),
    ];
    let request = [
        ("CI_MERGE_REQUEST_IID", "4"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str()),
        ("CI_COMMIT_SHA", head.as_str()),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "7"),
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
    ];
    // A job has a token of its own, which may not say anything.
    let job = [&common[..], &request[..], &[("CI_JOB_TOKEN", gitlab::JOB_TOKEN)]].concat();
    let quiet = ended(run(&repository, &job, &["ci"]), 0);
    assert!(
        quiet.err.contains("CI_JOB_TOKEN never may; set GITLAB_TOKEN to a project access token"),
        "{}",
        quiet.err
    );
    assert!(quiet.out.contains("2 environments planned"), "{}", quiet.out);
    let mine = [("GITLAB_TOKEN", gitlab::TOKEN)];
    let all = [&common[..], &request[..], &mine[..]].concat();
    ended(run(&repository, &all, &["ci"]), 0);
    ended(run(&repository, &all, &["ci"]), 0);
    {
        let known = world.lock().expect("a lock");
        let words: Vec<&str> = known.statuses.iter().map(|(_, state, _)| state.as_str()).collect();
        assert_eq!(words, ["running", "success", "running", "success"]);
        assert_eq!(known.notes.len(), 2, "one for each environment, however often it runs");
        assert!(
            known.notes.iter().any(|(_, _, body)| body.starts_with("<!-- dax:shop:production -->")
                && body.contains("<details"))
        );
    }
    let quality = std::fs::read_to_string(repository.path("dax-ci/gl-code-quality-report.json"))
        .expect("a report");
    let quality: Json = serde_json::from_str(&quality).expect("JSON");
    assert_eq!(quality[0]["location"]["path"], "main.dax");
    assert!(quality[0]["fingerprint"].is_string() && quality[0]["severity"] == "info", "{quality}");
    // Merged: an approval counts once a push takes approvals away.
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "merged", "feature"]);
    let merged = repository.head();
    {
        let mut known = world.lock().expect("a lock");
        known.merged.insert(merged.clone(), 4);
        known.approved.push((4, "ann".to_owned()));
    }
    let push = [
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_COMMIT_SHA", merged.as_str()),
        ("CI_COMMIT_BEFORE_SHA", base.as_str()),
        ("CI_COMMIT_REF_NAME", "main"),
        ("GITLAB_USER_LOGIN", "bob"),
    ];
    let all = [&common[..], &push[..], &mine[..]].concat();
    let said = ended(run(&repository, &all, &["ci", "apply", "-e", "production"]), 3);
    assert!(
        said.err.contains("the approval of `ann` does not say of which commit it is"),
        "{}",
        said.err
    );
    world.lock().expect("a lock").reset_on_push = true;
    ended(run(&repository, &all, &["ci", "apply"]), 0);
    {
        let known = world.lock().expect("a lock");
        let all: Vec<(String, String)> = known
            .deployments
            .iter()
            .map(|(name, states)| (name.clone(), states.join(" ")))
            .collect();
        let states = "created running success".to_owned();
        assert_eq!(
            all,
            [("production".to_owned(), states.clone()), ("staging".to_owned(), states)]
        );
    }
    // Another repository's pipeline is started with what was built here.
    let trigger =
        ["ci", "trigger", "--repository", "acme/deploy", "--branch", "main", "-i", "version=7"];
    let said = ended(run(&repository, &all, &trigger), 0);
    assert!(said.err.contains("https://gitlab.example/acme/deploy/-/pipelines/9"), "{}", said.err);
    let started = world.lock().expect("a lock").pipelines[0].clone();
    assert_eq!(started["variables"][0]["value"], "7");
    no_secret(&server, &[gitlab::TOKEN, gitlab::JOB_TOKEN]);
}

#[test]
fn bitbucket_shows_a_report_with_annotations_and_comments_that_fit() {
    let (server, world) = bitbucket::start();
    let (repository, base, head) = changed();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    let api = format!("{}/2.0", server.url());
    let common = [
        ("BITBUCKET_BUILD_NUMBER", "3"),
        ("BITBUCKET_REPO_FULL_NAME", "acme/shop"),
        ("BITBUCKET_API_URL", api.as_str()),
        ("BITBUCKET_TOKEN", bitbucket::TOKEN),
    ];
    let request = [
        ("BITBUCKET_PR_ID", "4"),
        ("BITBUCKET_PR_DESTINATION_COMMIT", base.as_str()),
        ("BITBUCKET_COMMIT", head.as_str()),
    ];
    let all = [&common[..], &request[..]].concat();
    ended(run(&repository, &all, &["ci"]), 0);
    ended(run(&repository, &all, &["ci"]), 0);
    {
        let known = world.lock().expect("a lock");
        let words: Vec<&str> =
            known.statuses.iter().filter_map(|(_, status)| status["state"].as_str()).collect();
        assert_eq!(words, ["INPROGRESS", "SUCCESSFUL", "INPROGRESS", "SUCCESSFUL"]);
        let (report, annotations) = &known.reports[&(head.clone(), "dax-dax".to_owned())];
        assert_eq!(report["result"], "PASSED");
        assert!(
            annotations
                .iter()
                .any(|one| one["path"] == "main.dax" && one["annotation_type"] == "CODE_SMELL"),
            "{annotations:?}"
        );
        assert_eq!(known.comments.len(), 2);
        let body = &known.comments[0].2;
        assert!(
            body.starts_with("[//]: # (dax:shop:")
                && !body.contains("<details")
                && !body.contains("<!--"),
            "{body}"
        );
    }
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "merged", "feature"]);
    let merged = repository.head();
    {
        let mut known = world.lock().expect("a lock");
        known.merged.insert(merged.clone(), 4);
        known.approved.push((4, "ann".to_owned()));
    }
    let push = [("BITBUCKET_BRANCH", "main"), ("BITBUCKET_COMMIT", merged.as_str())];
    let all = [&common[..], &push[..]].concat();
    ended(run(&repository, &all, &["ci", "apply"]), 0);
    let history: Json = serde_json::from_str(
        &repository.dax(&["history", "-e", "production", "--format", "json"]).out,
    )
    .expect("JSON");
    assert_eq!(history["runs"][0]["approved_by"][0], "ann");
    let wrong = [&all[..], &[("BITBUCKET_TOKEN", "another")]].concat();
    let said = ended(run(&repository, &wrong, &["ci", "apply"]), 1);
    assert!(said.err.contains("Bitbucket answers 401"), "{}", said.err);
    no_secret(&server, &[bitbucket::TOKEN]);
}
