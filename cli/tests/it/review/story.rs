//! The whole way of a change: check, second push, approval, queue, merge, apply; and a plan that changed in between.

use super::clean;
use super::repository::{PROGRAM, Repository, SECRET, ended, push};
use dax_tests::peers::github::{ADMIN, ANN, GitHub, REPOSITORY, start};
use serde_json::{Value as Json, json};

/// The statuses of the deployments of an environment, in words, the oldest deployment first.
fn deployments(github: &GitHub, environment: &str) -> Vec<String> {
    let world = github.world.lock().expect("nobody fails with this lock");
    let of = world.deployments.iter().filter(|(made, _)| made["environment"] == environment);
    of.map(|(_, statuses)| {
        let words: Vec<&str> =
            statuses.iter().map(|status| status["state"].as_str().unwrap_or_default()).collect();
        words.join(" ")
    })
    .collect()
}

fn only(comments: Vec<String>, marker: &str) -> String {
    let mut found = comments.into_iter().filter(|body| body.starts_with(marker));
    let one = found.next().unwrap_or_else(|| panic!("a comment with {marker}"));
    assert!(found.next().is_none(), "one comment with {marker}");
    one
}

const STAGING: &str = "<!-- dax:shop:staging -->";
const PRODUCTION: &str = "<!-- dax:shop:production -->";

#[test]
fn from_the_pull_request_to_what_runs() {
    let Some(github) = start() else { return };
    let repository = Repository::new(PROGRAM);
    let base = repository.head();
    let logged = PROGRAM.replace("DATABASE_URL: db_url }", "DATABASE_URL: db_url, LOG: \"info\" }");
    // The first push: both environments are planned, one of them is denied by a policy.
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("main.dax", &logged.replace("default 2", "default 1"));
    let first = repository.commit("fewer");
    let number = github.open("feature", &first);
    let said = ended(repository.pull_request(&github, number, &base, &["ci"]), 3);
    assert!(said.err.contains("shop / production cannot go on"), "{}", said.err);
    let check = github.checks(&first).pop().expect("a check");
    assert_eq!(
        (check["name"].as_str(), check["conclusion"].as_str()),
        (Some("dax"), Some("failure")),
        "{check}"
    );
    let annotations =
        github.gh(&["api", &format!("/repos/{REPOSITORY}/check-runs/{}/annotations", check["id"])]);
    let shown = annotations["check_annotations"].as_array().expect("annotations");
    let denied = shown.iter().find(|one| one["annotation_level"] == "failure").expect("a failure");
    assert_eq!(denied["path"], "main.dax");
    assert!(
        denied["message"]
            .as_str()
            .is_some_and(|text| text.contains("web needs 2 or more replicas, has 1")),
        "{denied}"
    );
    let told = github.asked().iter().any(|asked| asked.body.contains("creates web in staging"));
    assert!(told && shown.iter().any(|one| one["annotation_level"] == "notice"), "{annotations}");
    let comment = only(github.comments(number), PRODUCTION);
    assert!(
        comment.contains("## Denied by a policy") || comment.contains("Denied by a policy"),
        "{comment}"
    );
    assert!(!comment.contains("Since the plan for commit"), "{comment}");
    // The second push: what is other than before is told, in the same comments.
    repository.write("main.dax", &logged.replace("default 2", "default 3"));
    let second = repository.commit("more");
    github.world.lock().expect("nobody fails with this lock").heads.insert(number, second.clone());
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let comment = only(github.comments(number), PRODUCTION);
    assert!(comment.contains(&format!("Since the plan for commit {}", &first[..10])), "{comment}");
    assert!(comment.contains("replicas: 1 → 3") || comment.contains("replicas"), "{comment}");
    assert!(
        comment.contains("approve 1 of") || comment.contains("needs the approval of"),
        "{comment}"
    );
    let staging = only(github.comments(number), STAGING);
    assert!(staging.contains("it does the same as the plan for commit"), "{staging}");
    let summary = std::fs::read_to_string(repository.path(".git/summary.md")).expect("a summary");
    assert!(summary.contains("2 environments planned"), "{summary}");
    let audit =
        std::fs::read_to_string(repository.path("dax-ci/requests.jsonl")).expect("a record");
    assert!(
        audit.lines().all(|line| line.contains("\"status\":20")) && !audit.contains(ADMIN),
        "{audit}"
    );
    // Nobody has approved: nothing may be applied, once it is merged.
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&["merge", "--quiet", "--squash", "feature"]);
    let merged = repository.commit("more (#1)");
    github.world.lock().expect("nobody fails with this lock").merged.insert(merged.clone(), number);
    let said = ended(
        repository.actions(&github, "push", &push(&base), &["ci", "apply", "-e", "production"]),
        3,
    );
    assert!(said.err.contains("it needs 1 more approval of team:sre"), "{}", said.err);
    assert!(deployments(&github, "production").is_empty());
    // Somebody approves the commit whose plan they saw; the queue asks whether it is still the plan.
    let review = json!({ "event": "APPROVE", "body": "good" });
    github.person(ANN, "POST", &format!("/repos/{REPOSITORY}/pulls/{number}/reviews"), &review);
    let group = json!({ "action": "checks_requested", "merge_group": {
        "head_sha": merged, "head_ref": format!("refs/heads/gh-readonly-queue/main/pr-{number}-{base}"), "base_sha": base, "base_ref": "refs/heads/main",
    }});
    ended(repository.actions(&github, "merge_group", &group, &["ci"]), 0);
    let check = github.checks(&merged).pop().expect("a check");
    assert_eq!(
        (check["name"].as_str(), check["conclusion"].as_str()),
        (Some("dax"), Some("success"))
    );
    // After the merge just that is applied.
    let said = ended(repository.actions(&github, "push", &push(&base), &["ci", "apply"]), 0);
    assert!(said.err.contains("done: `production` is as planned"), "{}", said.err);
    assert_eq!(deployments(&github, "production"), ["queued in_progress success"]);
    assert_eq!(deployments(&github, "staging"), ["queued in_progress success"]);
    let history: Json = serde_json::from_str(
        &repository.dax(&["history", "-e", "production", "--format", "json"]).out,
    )
    .expect("JSON");
    assert_eq!(history["runs"][0]["approved_by"], json!(["ann"]));
    assert_eq!(history["runs"][0]["why"], format!("change request {number}: change feature"));
    let applied = only(github.comments(number), "<!-- dax:shop:production:applied -->");
    assert!(applied.contains("succeeded (run 1)"), "{applied}");
    // Again: there is nothing left to do, and nothing is said of it.
    ended(repository.actions(&github, "push", &push(&base), &["ci", "apply"]), 0);
    assert_eq!(deployments(&github, "production").len(), 1);
    // The next change: what ran before is put to rest, of production as well.
    repository.git(&["checkout", "--quiet", "-b", "next"]);
    repository.write("main.dax", &logged.replace("default 2", "default 4"));
    let head = repository.commit("next");
    let next = github.open("next", &head);
    ended(repository.pull_request(&github, next, &merged, &["ci"]), 0);
    github.person(ANN, "POST", &format!("/repos/{REPOSITORY}/pulls/{next}/reviews"), &review);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "next (#2)", "next"]);
    github
        .world
        .lock()
        .expect("nobody fails with this lock")
        .merged
        .insert(repository.head(), next);
    ended(repository.actions(&github, "push", &push(&merged), &["ci", "apply"]), 0);
    assert_eq!(
        deployments(&github, "production"),
        ["queued in_progress success inactive", "queued in_progress success"]
    );
    assert!(github.asked().iter().all(|asked| !asked.body.contains("\"identifier\":\"replan\"")));
    // What was read already is asked for by its tag.
    assert!(github.asked().iter().any(|asked| asked.header("if-none-match").is_some()));
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_plan_that_changed_in_between_is_not_applied_and_the_difference_is_shown() {
    let Some(github) = start() else { return };
    let repository = Repository::new(PROGRAM);
    let base = repository.head();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("main.dax", &PROGRAM.replace("default 2", "default 3"));
    let head = repository.commit("more");
    let number = github.open("feature", &head);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let review = json!({ "event": "APPROVE" });
    github.person(ANN, "POST", &format!("/repos/{REPOSITORY}/pulls/{number}/reviews"), &review);
    // Another change is merged before it.
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("main.dax", &PROGRAM.replace("acme/web", "acme/shop-web"));
    repository.commit("another image");
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "more (#1)", "feature"]);
    let merged = repository.head();
    github.world.lock().expect("nobody fails with this lock").merged.insert(merged.clone(), number);
    // The queue sees it first.
    let group = json!({ "action": "checks_requested", "merge_group": {
        "head_sha": merged, "head_ref": format!("refs/heads/gh-readonly-queue/main/pr-{number}-{base}"), "base_sha": base, "base_ref": "refs/heads/main",
    }});
    let said = ended(repository.actions(&github, "merge_group", &group, &["ci"]), 3);
    assert!(said.err.contains("cannot go on"), "{}", said.err);
    let check = github.checks(&merged).pop().expect("a check");
    assert_eq!(check["conclusion"], "failure");
    let summary = check["output"]["summary"].as_str().unwrap_or_default();
    assert!(
        summary.contains("another change in the queue is ahead of this one")
            && summary.contains("acme/shop-web"),
        "{summary}"
    );
    // And who merges all the same does not apply it.
    let said = ended(
        repository.actions(&github, "push", &push(&base), &["ci", "apply", "-e", "production"]),
        4,
    );
    assert!(said.err.contains("what would be done is not what was reviewed"), "{}", said.err);
    assert!(said.out.contains("image") && said.out.contains("acme/shop-web:1"), "{}", said.out);
    assert!(deployments(&github, "production").is_empty());
    let comment = only(github.comments(number), "<!-- dax:shop:production:applied -->");
    assert!(
        comment.contains("not applied, what would be done is not what was reviewed")
            && comment.contains("acme/shop-web"),
        "{comment}"
    );
    // A text that changes nothing of what is done is no other plan.
    repository.git(&["reset", "--quiet", "--hard", &head]);
    repository.write(
        "main.dax",
        &format!(
            "## Of the shop.\n{}",
            PROGRAM.replace("default 2", "default 3").replace("import", "\nimport")
        ),
    );
    let merged = repository.commit("only words");
    github.world.lock().expect("nobody fails with this lock").merged.insert(merged, number);
    ended(
        repository.actions(&github, "push", &push(&base), &["ci", "apply", "-e", "production"]),
        0,
    );
    assert_eq!(deployments(&github, "production"), ["queued in_progress success"]);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}
