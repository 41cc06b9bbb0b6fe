//! What a code host protects is read as a whole, and a rule that cannot be read is not taken as kept.

use super::approvals::plain;
use super::clean;
use super::others::{
    bitbucket_ci, bitbucket_request, changed, gitlab_ci, gitlab_push, job, merge_request,
};
use super::pipeline::{How, Pipeline, ended, has};
use dax_tests::peers::github::{ACTIONS, ADMIN, ANN};
use dax_tests::peers::http::{Reply, Server, forward, serve_whole};
use dax_tests::peers::{bitbucket, gitlab};
use serde_json::{Value as Json, json};

/// The program without an approval of its own.
fn open() -> String {
    plain().replace("  approve 1 of [\"team:sre\"]\n", "")
}

/// Rules of GitHub's environment `production`, and the patterns of refs that may.
fn protect(it: &Pipeline, rules: &Json, refs: Json) {
    let whole = json!({
        "protection_rules": rules,
        "deployment_branch_policy": if refs.is_null() { Json::Null } else {
            json!({ "protected_branches": false, "custom_branch_policies": true })
        },
    });
    let mut world = it.github.world.lock().expect("nobody fails with this lock");
    world.environments.insert("production".to_owned(), whole);
    world.policies.insert("production".to_owned(), refs);
}

fn reviewer(it: &Pipeline, login: &str) -> Json {
    json!([{ "id": 2, "node_id": "x", "type": "required_reviewers", "prevent_self_review": true,
        "reviewers": [{ "type": "User", "reviewer": it.github_user(login) }] }])
}

#[test]
fn a_token_that_is_shown_no_environment_takes_none_for_unprotected() {
    let Some(it) = Pipeline::new(&open()) else { return };
    let number = it.propose("more", &open().replace("default 2", "default 3"));
    ended(it.plan(number), 0);
    protect(&it, &reviewer(&it, "ann"), Json::Null);
    let merged = it.merge(number);
    let apply = || it.apply(&merged, &["-e", "production", "--unreviewed"]);
    has(&ended(apply(), 3).err, &["ann"]);
    // A token that is shown less gets 404 for the environment, and for the repository as well.
    let blind = |token: Option<&str>| {
        let mut world = it.github.world.lock().expect("nobody fails with this lock");
        world.blind = token.into_iter().map(str::to_owned).collect();
    };
    blind(Some(ACTIONS));
    let said = apply();
    assert!(said.code == 3 || said.code == 1, "{}", said.err);
    assert_eq!(it.image("production"), None);
    blind(None);
    it.approve(number, "ann");
    ended(apply(), 0);
    assert_eq!(it.replicas("production"), Some(3));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_wait_begins_when_the_job_is_made_whatever_date_a_commit_bears() {
    let Some(it) = Pipeline::new(&open()) else { return };
    let number = it.propose("more", &open().replace("default 2", "default 3"));
    ended(it.plan(number), 0);
    let wait = json!([{ "id": 1, "node_id": "x", "type": "wait_timer", "wait_timer": 30 }]);
    protect(&it, &wait, Json::Null);
    // Whoever pushes sets the date of a commit.
    let before = it.head("main");
    it.git(&["fetch", "--quiet", "origin"]);
    it.git(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    it.git(&["merge", "--quiet", "--no-commit", "--no-ff", "origin/more"]);
    let old = std::process::Command::new("git")
        .args(["-c", "user.name=bob", "-c", "user.email=b@example.com"])
        .args(["commit", "--quiet", "-m", "merged"])
        .env("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
        .current_dir(it.at("work"))
        .status();
    assert!(old.expect("git runs").success());
    it.git(&["push", "--quiet", "origin", "main"]);
    let merged = super::pipeline::Merged { before, after: it.head("main") };
    it.github.merge(number, &merged.after);
    let job = it.job(&it.pushed(&merged));
    let said = ended(job.dax(&["ci", "apply", "-e", "production"]), 3);
    has(&said.err, &["30 minutes"]);
    assert_eq!(it.image("production"), None);
    // The same job, half an hour later.
    it.github.pass(31 * 60);
    ended(job.dax(&["ci", "apply", "-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(3));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_pattern_lets_in_the_refs_of_its_kind_and_name_alone() {
    let Some(it) = Pipeline::new(&open()) else { return };
    let number = it.propose("more", &open().replace("default 2", "default 3"));
    ended(it.plan(number), 0);
    let merged = it.merge(number);
    let pattern =
        |kind: &str, name: &str| json!([{ "id": 1, "node_id": "x", "name": name, "type": kind }]);
    let apply = |branch: &str| {
        it.bare(&["update-ref", &format!("refs/heads/{branch}"), &merged.after]);
        let event = it.pushed_to(branch, &merged);
        it.job(&event).dax(&["ci", "apply", "-e", "production", "--unreviewed"])
    };
    // A rule for tags lets no branch in.
    protect(
        &it,
        &json!([{ "id": 3, "node_id": "x", "type": "branch_policy" }]),
        pattern("tag", "v*"),
    );
    has(&ended(apply("v1"), 3).err, &["`v1`"]);
    // A branch that is called as a ref of `main` is not `main`.
    protect(
        &it,
        &json!([{ "id": 3, "node_id": "x", "type": "branch_policy" }]),
        pattern("branch", "main"),
    );
    has(&ended(apply("refs/heads/main"), 3).err, &["`refs/heads/main`"]);
    assert_eq!(it.image("production"), None);
    ended(apply("main"), 0);
    assert_eq!(it.replicas("production"), Some(3));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_rule_of_an_app_blocks_a_job_that_github_did_not_let_through() {
    let Some(it) = Pipeline::new(&open()) else { return };
    let number = it.propose("more", &open().replace("default 2", "default 3"));
    ended(it.plan(number), 0);
    protect(&it, &json!([]), Json::Null);
    let apps = |names: &[&str]| {
        let mut world = it.github.world.lock().expect("nobody fails with this lock");
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        world.custom_rules.insert("production".to_owned(), names);
    };
    apps(&["gatekeeper"]);
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["App `gatekeeper`"]);
    assert_eq!(it.image("production"), None);
    apps(&[]);
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(3));
    clean(&it.github, &[ADMIN, ANN]);
}

/// A server that answers some paths otherwise.
fn before(server: &Server, answers: Vec<(&'static str, Json)>) -> Server {
    let port = server.port;
    serve_whole(move |asked| {
        let path = asked.path().split('?').next().unwrap_or_default();
        let other = answers.iter().find(|(end, _)| asked.method() == "GET" && path.ends_with(end));
        match other {
            Some((_, json)) => Reply::json(200, json),
            None => forward(port, asked).unwrap_or_else(|_| Reply::json(502, &json!({}))),
        }
    })
}

#[test]
fn rules_of_gitlab_are_read_in_full_or_not_taken_as_kept() {
    for (rule, approvers, code) in [
        // Two approvals of people who maintain the project: one is not enough.
        (json!({ "access_level": 40, "required_approvals": 2 }), &["ann"][..], 3),
        (json!({ "access_level": 40, "required_approvals": 2 }), &["ann", "eve"], 3),
        (json!({ "access_level": 40, "required_approvals": 2 }), &["ann", "cid"], 0),
        // Somebody whom this token is not shown.
        (json!({ "user_id": 99, "required_approvals": 1 }), &["ann"], 3),
        // A level that has no members whom anybody may list.
        (json!({ "access_level": 60, "required_approvals": 1 }), &["ann"], 3),
    ] {
        let Some((remote, head)) = changed(&open()) else { return };
        let (server, world) = gitlab::start();
        let members = json!([
            { "id": gitlab::id("ann"), "username": "ann", "state": "active", "access_level": 40 },
            { "id": gitlab::id("cid"), "username": "cid", "state": "active", "access_level": 50 },
            { "id": gitlab::id("eve"), "username": "eve", "state": "active", "access_level": 30 },
        ]);
        let protected = json!({ "name": "production", "approval_rules": [rule] });
        let front = before(
            &server,
            vec![("/protected_environments/production", protected), ("/members/all", members)],
        );
        let api = format!("{}/api/v4", front.url());
        let (common, base) = (gitlab_ci(&api), remote.head("main"));
        {
            let mut known = world.lock().expect("a lock");
            known.heads.insert(4, head.clone());
            known.reset_on_push = true;
        }
        let mine = [("GITLAB_TOKEN", gitlab::TOKEN)];
        let request = [&common[..], &merge_request(&base, &head), &mine].concat();
        ended(job(&remote, &head, "feature", &request).dax(&["ci"]), 0);
        let merged = remote.merge_branch("feature", How::Merge);
        gitlab::merge(&world, 4, &merged.after);
        approvers.iter().for_each(|login| gitlab::approve(&world, 4, login));
        let push = [&common[..], &gitlab_push(&merged), &mine].concat();
        let apply = ["ci", "apply", "-e", "production"];
        ended(job(&remote, &merged.after, "main", &push).dax(&apply), code);
        assert_eq!(remote.image("production").is_some(), code == 0, "{approvers:?}");
    }
}

#[test]
fn a_nickname_of_bitbucket_is_nobody() {
    let Some((remote, head)) = changed(&plain()) else { return };
    remote.branch("main");
    let (server, world) = bitbucket::start();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    let api = format!("{}/2.0", server.url());
    let (common, base) = (bitbucket_ci(&api), remote.head("main"));
    let request = [&common[..], &bitbucket_request(&base, &head)].concat();
    ended(job(&remote, &head, "feature", &request).dax(&["ci"]), 0);
    let merged = remote.merge_branch("feature", How::Merge);
    bitbucket::merge(&world, 4, &merged.after);
    // Somebody calls themselves ann, whom the team names.
    bitbucket::approve_as(&world, 4, "{0000-mallory}", "ann");
    let push = [("BITBUCKET_BRANCH", "main"), ("BITBUCKET_COMMIT", merged.after.as_str())];
    let all = [&common[..], &push].concat();
    let apply = ["ci", "apply", "-e", "production"];
    let said = ended(job(&remote, &merged.after, "main", &all).dax(&apply), 3);
    has(&said.err, &["team:sre"]);
    assert_eq!(remote.image("production"), None);
}

#[test]
fn a_restriction_of_other_branches_takes_no_approval_away() {
    let program = plain().replace("[\"team:sre\"]", "[\"id:{1111-ann}\"]");
    let Some((remote, head)) = changed(&program) else { return };
    let (server, world) = bitbucket::start();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    let kind = "reset_pullrequest_approvals_on_change";
    let of = |pattern: &str| json!({ "values": [{ "kind": kind, "branch_match_kind": "glob", "pattern": pattern }] });
    for (pattern, code) in [("docs/*", 3), ("main", 0)] {
        let front = before(&server, vec![("/branch-restrictions", of(pattern))]);
        let api = format!("{}/2.0", front.url());
        let (common, base) = (bitbucket_ci(&api), remote.head("main"));
        if pattern == "docs/*" {
            let request = [&common[..], &bitbucket_request(&base, &head)].concat();
            ended(job(&remote, &head, "feature", &request).dax(&["ci"]), 0);
            bitbucket::approve_as(&world, 4, "{1111-ann}", "ann");
            let merged = remote.merge_branch("feature", How::Merge);
            bitbucket::merge(&world, 4, &merged.after);
        }
        let main = remote.head("main");
        let push = [("BITBUCKET_BRANCH", "main"), ("BITBUCKET_COMMIT", main.as_str())];
        let all = [&common[..], &push].concat();
        ended(job(&remote, &main, "main", &all).dax(&["ci", "apply", "-e", "production"]), code);
        assert_eq!(remote.image("production").is_some(), code == 0, "{pattern}");
    }
}
