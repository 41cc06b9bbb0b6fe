//! The same story in GitLab CI and in Bitbucket Pipelines, against servers that answer with the shapes of their
//! documentation: no server of either is in any registry.

use super::pipeline::job::{Job, Spot};
use super::pipeline::{How, Merged, PROGRAM, Remote, SECRET, ended, has, lacks};
use crate::project::Said;
use dax_tests::peers::http::Server;
use dax_tests::peers::{bitbucket, gitlab};
use serde_json::Value as Json;
use std::sync::Mutex;

/// A job with the variables of a code host, in a fresh clone of a commit.
pub(crate) fn job(remote: &Remote, commit: &str, branch: &str, variables: &[(&str, &str)]) -> Job {
    let spot = Spot { commit: commit.to_owned(), reference: Some(branch.to_owned()) };
    let mut job = Job::new(remote, &spot);
    for (name, value) in variables {
        job.set(name, value);
    }
    job
}

pub(crate) fn no_secret(server: &Server, tokens: &[&str]) {
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

/// A repository with another image on a branch; gives its commit as well.
pub(crate) fn changed(program: &str) -> Option<(Remote, String)> {
    let remote = Remote::new(program)?;
    remote.branch("feature");
    remote.write("main.dax", &program.replace("acme/web", "acme/shop-web"));
    let head = remote.commit("another image");
    Some((remote, head))
}

/// The variables of GitLab CI in each job.
pub(crate) fn gitlab_ci(api: &str) -> Vec<(&str, &str)> {
    vec![
        ("CI", "true"),
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", api),
        ("CI_PROJECT_ID", "7"),
        ("CI_DEFAULT_BRANCH", "main"),
        ("CI_JOB_URL", "https://gitlab.example/j/1"),
    ]
}

/// Those of a merge request's job.
pub(crate) fn merge_request<'a>(base: &'a str, head: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("CI_MERGE_REQUEST_IID", "4"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base),
        ("CI_COMMIT_SHA", head),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "7"),
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
    ]
}

/// Those of a push to `main`.
pub(crate) fn gitlab_push(merged: &Merged) -> Vec<(&str, &str)> {
    vec![
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_COMMIT_SHA", &merged.after),
        ("CI_COMMIT_BEFORE_SHA", &merged.before),
        ("CI_COMMIT_REF_NAME", "main"),
        ("GITLAB_USER_LOGIN", "bob"),
    ]
}

#[test]
fn gitlab_reviews_approves_and_deploys() {
    let Some((remote, head)) = changed(PROGRAM) else { return };
    let (server, world) = gitlab::start();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    let api = format!("{}/api/v4", server.url());
    let (common, base) = (gitlab_ci(&api), remote.head("main"));
    let request = merge_request(&base, &head);
    let run = |token: (&str, &str)| {
        job(&remote, &head, "feature", &[&common[..], &request[..], &[token]].concat())
    };
    // A job has a token of its own, which may not say anything.
    let quiet = ended(run(("CI_JOB_TOKEN", gitlab::JOB_TOKEN)).dax(&["ci"]), 1);
    let lost = "CI_JOB_TOKEN never may; set GITLAB_TOKEN to a project access token";
    has(&quiet.err, &[lost, "shop / production cannot be shown: its comment could not be written"]);
    has(&quiet.out, &["**production · creates web", "**staging · creates web"]);
    let mine = ("GITLAB_TOKEN", gitlab::TOKEN);
    ended(run(mine).dax(&["ci"]), 0);
    let second = run(mine);
    ended(second.dax(&["ci"]), 0);
    {
        let known = world.lock().expect("a lock");
        let words: Vec<&str> = known.statuses.iter().map(|(_, state, _)| state.as_str()).collect();
        assert_eq!(words, ["running", "success", "running", "success"]);
        assert_eq!(known.notes.len(), 2, "one for each environment, however often it runs");
    }
    let quality: Json =
        serde_json::from_str(&second.read("dax-ci/gl-code-quality-report.json")).expect("JSON");
    assert_eq!(quality[0]["location"]["path"], "main.dax");
    assert!(quality[0]["fingerprint"].is_string() && quality[0]["severity"] == "info", "{quality}");
    // Merged: an approval counts once a push takes approvals away.
    let merged = remote.merge_branch("feature", How::Merge);
    {
        let mut known = world.lock().expect("a lock");
        known.merged.insert(merged.after.clone(), 4);
        known.approved.push((4, "ann".to_owned()));
    }
    let push = [&common[..], &gitlab_push(&merged)[..], &[mine]].concat();
    let apply = |args: &[&str]| {
        job(&remote, &merged.after, "main", &push).dax(&[&["ci", "apply"], args].concat())
    };
    let said = ended(apply(&["-e", "production"]), 3);
    has(&said.err, &["ann", "commit"]);
    assert_eq!(remote.image("production"), None);
    world.lock().expect("a lock").reset_on_push = true;
    ended(apply(&[]), 0);
    assert_eq!(remote.image("production").as_deref(), Some("acme/shop-web:1"));
    {
        let known = world.lock().expect("a lock");
        let mut all: Vec<String> = known
            .deployments
            .iter()
            .map(|(name, states)| format!("{name}: {}", states.join(" ")))
            .collect();
        all.sort();
        assert_eq!(
            all,
            ["production: created running success", "staging: created running success"]
        );
    }
    // Another repository's pipeline is started with what was built here.
    let trigger =
        ["ci", "trigger", "--repository", "acme/deploy", "--branch", "main", "-i", "version=7"];
    let said = ended(job(&remote, &merged.after, "main", &push).dax(&trigger), 0);
    has(&said.err, &["https://gitlab.example/acme/deploy/-/pipelines/9"]);
    let started = world.lock().expect("a lock").pipelines[0].clone();
    assert_eq!(started["variables"][0]["value"], "7");
    no_secret(&server, &[gitlab::TOKEN, gitlab::JOB_TOKEN]);
}

/// The variables of Bitbucket Pipelines in each job.
pub(crate) fn bitbucket_ci(api: &str) -> Vec<(&str, &str)> {
    vec![
        ("CI", "true"),
        ("BITBUCKET_BUILD_NUMBER", "3"),
        ("BITBUCKET_REPO_FULL_NAME", "acme/shop"),
        ("BITBUCKET_API_URL", api),
        ("BITBUCKET_TOKEN", bitbucket::TOKEN),
    ]
}

/// Those of a pull request's job.
pub(crate) fn bitbucket_request<'a>(base: &'a str, head: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("BITBUCKET_PR_ID", "4"),
        ("BITBUCKET_PR_DESTINATION_COMMIT", base),
        ("BITBUCKET_COMMIT", head),
    ]
}

#[test]
fn bitbucket_shows_a_report_with_annotations_and_comments_that_fit() {
    // Nicknames identify nobody there: rules name ids.
    let program = PROGRAM.replace("team:sre", &format!("id:{}", bitbucket::uuid("ann")));
    let Some((remote, head)) = changed(&program) else { return };
    let (server, world) = bitbucket::start();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    let api = format!("{}/2.0", server.url());
    let (common, base) = (bitbucket_ci(&api), remote.head("main"));
    let all = [&common[..], &bitbucket_request(&base, &head)[..]].concat();
    for _ in 0..2 {
        ended(job(&remote, &head, "feature", &all).dax(&["ci"]), 0);
    }
    {
        let known = world.lock().expect("a lock");
        let words: Vec<&str> =
            known.statuses.iter().filter_map(|(_, status)| status["state"].as_str()).collect();
        assert_eq!(words, ["INPROGRESS", "SUCCESSFUL", "INPROGRESS", "SUCCESSFUL"]);
        let (report, annotations) = &known.reports[&(head.clone(), "dax-dax".to_owned())];
        assert_eq!(report["result"], "PASSED");
        let fits = |one: &Json| one["path"] == "main.dax" && one["annotation_type"] == "CODE_SMELL";
        assert!(annotations.iter().any(fits), "{annotations:?}");
        assert_eq!(known.comments.len(), 2);
        let body = &known.comments[0].2;
        assert!(body.starts_with("[//]: # (dax:shop:"), "{body}");
        lacks(body, &["<details", "<!--"]);
    }
    let merged = remote.merge_branch("feature", How::Merge);
    {
        let mut known = world.lock().expect("a lock");
        known.merged.insert(merged.after.clone(), 4);
        known.approved.push((4, "ann".to_owned()));
    }
    let push = [("BITBUCKET_BRANCH", "main"), ("BITBUCKET_COMMIT", merged.after.as_str())];
    let all = [&common[..], &push[..]].concat();
    ended(job(&remote, &merged.after, "main", &all).dax(&["ci", "apply"]), 0);
    assert_eq!(remote.image("production").as_deref(), Some("acme/shop-web:1"));
    let request = bitbucket_request(&base, &head);
    let wrong = [&common[..], &request[..], &[("BITBUCKET_TOKEN", "another")]].concat();
    let said = ended(job(&remote, &head, "feature", &wrong).dax(&["ci"]), 1);
    has(&said.err, &["Bitbucket answers 401"]);
    no_secret(&server, &[bitbucket::TOKEN]);
}

/// Reports what a job of the merge of the branch says, once `ann` approved it where their plans
/// were shown.
fn gitlab_approved_by_ann(prepare: impl FnOnce(&Mutex<gitlab::World>, &str)) -> Option<Said> {
    let (remote, head) = changed(PROGRAM)?;
    let (server, world) = gitlab::start();
    world.lock().expect("a lock").reset_on_push = true;
    prepare(&world, &head);
    {
        let mut known = world.lock().expect("a lock");
        let now = known.now_ms() + 1;
        known.opened.insert(4, now);
        known.opened_by.insert(4, "mallory".to_owned());
    }
    gitlab::pass(&world, 60);
    let api = format!("{}/api/v4", server.url());
    let common = [&gitlab_ci(&api)[..], &[("GITLAB_TOKEN", gitlab::TOKEN)]].concat();
    let base = remote.head("main");
    let request = [&common[..], &merge_request(&base, &head)[..]].concat();
    ended(job(&remote, &head, "feature", &request).dax(&["ci"]), 0);
    gitlab::pass(&world, 60);
    gitlab::approve(&world, 4, "ann");
    let merged = remote.merge_branch("feature", How::Merge);
    gitlab::merge(&world, 4, &merged.after);
    let push = [&common[..], &gitlab_push(&merged)[..]].concat();
    let apply = || job(&remote, &merged.after, "main", &push).dax(&["ci", "apply"]);
    let said = apply();
    assert_eq!(remote.image("production"), None, "{}", said.err);
    // Whoever made nothing of it may approve it.
    gitlab::approve(&world, 4, "cid");
    ended(apply(), 0);
    assert_eq!(remote.image("production").as_deref(), Some("acme/shop-web:1"));
    Some(said)
}

#[test]
fn gitlab_whoever_pushed_before_the_merge_request_was_opened_does_not_approve_it() {
    let said = gitlab_approved_by_ann(|world, head| {
        gitlab::push(world, 4, "ann", &"0".repeat(40));
        gitlab::push(world, 4, "mallory", head);
    });
    let Some(said) = said else { return };
    has(&ended(said, 3).err, &["`ann` pushed commits of the merge request"]);
}

#[test]
fn gitlab_a_push_by_an_access_token_hides_nobodys_commits() {
    let said = gitlab_approved_by_ann(|world, head| {
        gitlab::push(world, 4, "project_7_bot", head);
        let email = "ann@example.com".to_owned();
        let commit = (head.to_owned(), email.clone(), email);
        world.lock().expect("a lock").commits.insert(4, vec![commit]);
    });
    let Some(said) = said else { return };
    has(&ended(said, 3).err, &["`ann` pushed commits of the merge request"]);
}

#[test]
fn bitbucket_who_made_what_a_pull_request_was_opened_with_does_not_approve_it() {
    let program = PROGRAM.replace("team:sre", &format!("id:{}", bitbucket::uuid("ann")));
    let Some((remote, head)) = changed(&program) else { return };
    let (server, world) = bitbucket::start();
    {
        let mut known = world.lock().expect("a lock");
        let first = "0".repeat(40);
        known.opened_by.insert(4, "mallory".to_owned());
        known.heads.insert(4, first.clone());
        known.commits.insert(4, vec![(first, "ann".to_owned())]);
    }
    bitbucket::push(&world, 4, "mallory", &head);
    let api = format!("{}/2.0", server.url());
    let (common, base) = (bitbucket_ci(&api), remote.head("main"));
    let request = [&common[..], &bitbucket_request(&base, &head)[..]].concat();
    ended(job(&remote, &head, "feature", &request).dax(&["ci"]), 0);
    world.lock().expect("a lock").passed_ms += 60_000;
    bitbucket::approve(&world, 4, "ann");
    let merged = remote.merge_branch("feature", How::Merge);
    bitbucket::merge(&world, 4, &merged.after);
    let push = [("BITBUCKET_BRANCH", "main"), ("BITBUCKET_COMMIT", merged.after.as_str())];
    let all = [&common[..], &push[..]].concat();
    let said = ended(job(&remote, &merged.after, "main", &all).dax(&["ci", "apply"]), 3);
    has(&said.err, &["`ann` pushed commits of the pull request"]);
    assert_eq!(remote.image("production"), None);
}
