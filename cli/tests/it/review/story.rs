//! The whole way of a change: check, second push, approval, queue, merge, apply; and a plan that changed in between.

use super::clean;
use super::pipeline::{How, Merged, PROGRAM, Pipeline, SECRET, ended, has, lacks};
use dax_tests::peers::github::{ACTIONS, ADMIN, ANN, REPOSITORY};
use serde_json::json;

const STAGING: &str = "<!-- dax:shop:staging -->";
const PRODUCTION: &str = "<!-- dax:shop:production -->";

/// The program with a number of replicas and one more variable.
fn logged(replicas: u32) -> String {
    PROGRAM
        .replace("DATABASE_URL: db_url }", "DATABASE_URL: db_url, LOG: \"info\" }")
        .replace("default 2", &format!("default {replicas}"))
}

#[test]
fn from_the_pull_request_to_what_runs() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    // The first push: both environments are planned, one of them is denied by a policy.
    let number = it.propose("feature", &logged(1));
    let first = it.head_of(number);
    let said = ended(it.plan(number), 3);
    has(&said.err, &["shop / production · denied by a policy", "see dax-ci/summary.md"]);
    denied_on_its_line(&it, &first);
    let comment = it.comment(number, PRODUCTION);
    has(&comment, &["enied by a policy"]);
    lacks(&comment, &["Since commit"]);
    // The second push: what is other than before is told, in the same comments.
    let second = it.push(number, &logged(3));
    let job = it.job(&it.pull_request(number, "synchronize"));
    ended(job.dax(&["ci"]), 0);
    let comment = it.comment(number, PRODUCTION);
    has(&comment, &[&format!("Since commit {}", &first[..10]), "replicas", "team:sre"]);
    has(&it.comment(number, STAGING), &["does the same as the plan for commit"]);
    has(&job.summary(), &["**production · creates web", "**staging · creates web"]);
    let audit = job.read("dax-ci/requests.jsonl");
    // The token of a job is told who it is by a query alone.
    let well = |line: &str| {
        ["\"status\":20", "\"status\":304", "/user\",\"status\":403"]
            .iter()
            .any(|one| line.contains(one))
    };
    assert!(audit.lines().all(well), "{audit}");
    lacks(&audit, &[ACTIONS]);
    // Nobody has approved: nothing may be applied, once it is merged.
    let merged = it.merge_by(number, How::Squash);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["needs the approval of 1 of team:sre"]);
    assert_eq!((it.deployments("production"), it.image("production")), (Vec::new(), None));
    // After an approval of the commit whose plan was shown just that is applied.
    it.approve(number, "ann");
    let said = ended(it.apply(&merged, &[]), 0);
    has(&said.err, &["done: `production` is as planned"]);
    assert_eq!(it.deployments("production"), ["queued in_progress success"]);
    assert_eq!(it.deployments("staging"), ["queued in_progress success"]);
    assert_eq!((it.replicas("production"), it.replicas("staging")), (Some(3), Some(1)));
    let run = &it.runs("production")[0];
    assert_eq!(run["approved_by"], json!(["ann"]));
    assert_eq!(run["why"], format!("pull request {number}: change feature"));
    // Again: there is nothing left to do, and nothing is said of it.
    ended(it.apply(&merged, &[]), 0);
    assert_eq!(it.deployments("production").len(), 1);
    the_next_change(&it);
    assert_ne!(first, second);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

/// The check has a failure on the line that a policy denies.
fn denied_on_its_line(it: &Pipeline, commit: &str) {
    let check = it.github.checks(commit).pop().expect("a check");
    assert_eq!((check["name"].as_str(), it.conclusion(commit).as_str()), (Some("dax"), "failure"));
    let path = format!("/repos/{REPOSITORY}/check-runs/{}/annotations", check["id"]);
    let annotations = it.github.gh(&["api", &path]);
    let shown = annotations["check_annotations"].as_array().expect("annotations");
    let denied = shown.iter().find(|one| one["annotation_level"] == "failure").expect("a failure");
    assert_eq!(denied["path"], "main.dax");
    let message = denied["message"].as_str().unwrap_or_default();
    has(message, &["web needs 2 or more replicas, has 1"]);
    assert!(shown.iter().any(|one| one["annotation_level"] == "notice"), "{annotations}");
}

/// What ran before is put to rest, of production as well.
fn the_next_change(it: &Pipeline) {
    let next = it.propose("next", &logged(4));
    ended(it.plan(next), 0);
    it.approve(next, "ann");
    ended(it.apply(&it.merge(next), &[]), 0);
    let all = it.deployments("production");
    assert_eq!(all, ["queued in_progress success inactive", "queued in_progress success"]);
    assert_eq!(it.replicas("production"), Some(4));
    let asked = it.github.asked();
    assert!(asked.iter().all(|asked| !asked.body.contains("\"identifier\":\"replan\"")));
    // What was read already is asked for by its tag.
    assert!(asked.iter().any(|asked| asked.header("if-none-match").is_some()));
}

#[test]
fn a_merge_queue_asks_whether_the_plan_is_still_the_one_that_was_approved() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let number = it.propose("feature", &logged(3));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    let group = it.merge_group(&[number]);
    ended(it.job(&group).dax(&["ci"]), 0);
    assert_eq!(it.conclusion(&group.sha), "success");
    // A change that nobody was shown is ahead of it.
    it.branch("direct");
    it.write("main.dax", &PROGRAM.replace("acme/web", "acme/shop-web"));
    it.commit("another image");
    it.merge_branch("direct", How::Merge);
    let group = it.merge_group(&[number]);
    let said = ended(it.job(&group).dax(&["ci"]), 3);
    has(&said.err, &["shop / production · ", "see dax-ci/summary.md"]);
    let check = it.github.checks(&group.sha).pop().expect("a check");
    assert_eq!(check["conclusion"], "failure");
    let summary = check["output"]["summary"].as_str().unwrap_or_default();
    has(summary, &["acme/shop-web"]);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_plan_that_changed_in_between_is_not_applied_and_the_difference_is_shown() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let number = it.propose("feature", &PROGRAM.replace("default 2", "default 3"));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    // Another change comes to `main` before it, which nobody was shown.
    it.branch("direct");
    it.write("main.dax", &PROGRAM.replace("acme/web", "acme/shop-web"));
    it.commit("another image");
    let direct = it.merge_branch("direct", How::Merge);
    let merged = it.merge(number);
    let both = Merged { before: direct.before, after: merged.after };
    let said = ended(it.apply(&both, &["-e", "production"]), 4);
    has(&said.err, &["not applied"]);
    has(&(said.out + &said.err), &["image", "acme/shop-web"]);
    assert_eq!((it.deployments("production"), it.image("production")), (Vec::new(), None));
    // The rerun that was asked for shows the plan of the merged commit, which can be approved there.
    it.approve(number, "ann");
    ended(it.apply(&both, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    assert_eq!(it.replicas("production"), Some(3));
    assert_eq!(it.approved_by("production"), ["ann"]);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_text_that_changes_nothing_of_what_is_done_is_no_other_plan() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let program = PROGRAM.replace("default 2", "default 3");
    let number = it.propose("feature", &program);
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    it.branch("direct");
    it.write("main.dax", &format!("## Of the shop.\n{}", PROGRAM.replace("import", "\nimport")));
    it.commit("only words");
    let direct = it.merge_branch("direct", How::Merge);
    let merged = it.merge(number);
    let both = Merged { before: direct.before, after: merged.after };
    ended(it.apply(&both, &["-e", "production"]), 0);
    assert_eq!(it.deployments("production"), ["queued in_progress success"]);
    assert_eq!(it.replicas("production"), Some(3));
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}
