//! A preview follows the rules that the target branch has now, wherever its own branch was cut from.

use super::clean;
use super::others::{bitbucket_ci, bitbucket_request, gitlab_ci, job, merge_request};
use super::pipeline::{Pipeline, Remote, ended, has};
use super::previews::PREVIEWS;
use dax_tests::peers::github::{ADMIN, ANN};
use dax_tests::peers::{bitbucket, gitlab};

/// The program whose previews want an approval.
fn gated(who: &str) -> String {
    PREVIEWS.replace("  preview\n", &format!("  preview\n  approve 1 of [\"{who}\"]\n"))
}

/// The program without a declaration of previews.
fn without() -> String {
    let before = PREVIEWS.find("environment preview").expect("a preview");
    PREVIEWS[..before].to_owned()
}

/// Another program comes to `main`.
fn advance(remote: &Remote, program: &str) {
    remote.branch("main");
    remote.write("main.dax", program);
    remote.commit("the previews of main");
}

/// A branch from the newest `main` with another image; gives its commit.
fn evil(remote: &Remote) -> String {
    remote.branch("feature");
    remote.write("main.dax", &PREVIEWS.replace("acme/web", "acme/evil"));
    remote.commit("evil")
}

#[test]
fn a_branch_from_before_a_rule_has_its_preview_made_by_the_rule() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    let old = it.head("main");
    let head = evil(&it);
    let number = it.open("feature");
    let name = format!("preview[{number}]");
    // A run that was started before the rule was there, and is started again after it.
    let late = it.pull_request(number, "synchronize");
    advance(&it, &gated("team:sre"));
    // Nothing that somebody pushes has the name of the branch that counts.
    it.bare(&["tag", "origin/main", &old]);
    it.bare(&["update-ref", "refs/heads/origin/main", &old]);
    let of_head = it.pull_request(number, "synchronize").at(&head, Some("feature"));
    for event in [&of_head, &late] {
        ended(it.job(event).dax(&["ci"]), 1);
        has(&it.comment(number, &format!("<!-- dax:shop:{name} -->")), &["ann"]);
        let said = ended(it.job(event).dax(&["ci", "apply"]), 3);
        has(&said.err, &[&name, "team:sre"]);
        assert_eq!(it.image(&name), None);
    }
    it.approve(number, "ann");
    ended(it.job(&of_head).dax(&["ci", "apply"]), 0);
    assert_eq!(it.image(&name).as_deref(), Some("acme/evil:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn previews_that_the_target_branch_gave_up_are_made_for_no_older_branch() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    let head = evil(&it);
    let number = it.open("feature");
    advance(&it, &without());
    let event = it.pull_request(number, "synchronize").at(&head, Some("feature"));
    let said = ended(it.job(&event).dax(&["ci"]), 0);
    has(&said.err, &["`preview`", "`main`"]);
    let said = ended(it.job(&event).dax(&["ci", "apply"]), 0);
    has(&said.err, &["`preview`", "`main`"]);
    assert_eq!(it.effects(), Vec::<String>::new());
    // It moves on to another branch, which has them, and where whoever likes may push.
    it.bare(&["update-ref", "refs/heads/next", &it.git(&["rev-parse", "feature~1"])]);
    it.github.base(number, "next");
    let said = ended(it.job(&event).dax(&["ci", "apply"]), 0);
    has(&said.err, &["`next`, which is neither the default branch nor protected"]);
    assert_eq!(it.effects(), Vec::<String>::new());
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_change_that_mends_the_target_branch_makes_no_preview_by_rules_that_nobody_could_read() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    let broken = gated("team:sre").replace("replicas = default 2", "replicas = \"two\"");
    advance(&it, &broken);
    evil(&it);
    let number = it.open("feature");
    let event = it.pull_request(number, "synchronize");
    let said = it.job(&event).dax(&["ci", "apply"]);
    has(&said.err, &["`preview`", "`main`", "cannot be read"]);
    assert_eq!(it.effects(), Vec::<String>::new());
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_commit_that_its_author_has_replaced_has_no_preview() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    evil(&it);
    let number = it.open("feature");
    let late = it.pull_request(number, "synchronize");
    let head = it.push(number, &PREVIEWS.replace("acme/web", "acme/good"));
    let said = ended(it.job(&late).dax(&["ci", "apply"]), 0);
    has(&said.err, &[&head[..10], "the run for that"]);
    assert_eq!(it.effects(), Vec::<String>::new());
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_clone_without_the_target_branch_makes_no_preview_and_says_what_it_needs() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    evil(&it);
    let number = it.open("feature");
    let job = it.job(&it.pull_request(number, "synchronize"));
    super::pipeline::git(&job.path(""), &["update-ref", "-d", "refs/remotes/origin/main"]);
    let said = ended(job.dax(&["ci", "apply"]), 1);
    has(&said.err, &["`main`", "fetch-depth: 0"]);
    assert_eq!(it.effects(), Vec::<String>::new());
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn gitlab_and_bitbucket_name_no_older_rules_for_a_preview() {
    let Some(remote) = Remote::new(PREVIEWS) else { return };
    let old = remote.head("main");
    let head = evil(&remote);
    // Both tell jobs the commit at which the branch was cut, or where the target was then.
    let (server, world) = gitlab::start();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    let api = format!("{}/api/v4", server.url());
    let token = [("GITLAB_TOKEN", gitlab::TOKEN)];
    let of_gitlab = [&gitlab_ci(&api)[..], &merge_request(&old, &head)[..], &token[..]].concat();
    let (other, world) = bitbucket::start();
    world.lock().expect("a lock").heads.insert(4, head.clone());
    // Bitbucket tells no job its default branch, so that one has to be restricted.
    world.lock().expect("a lock").restrictions.push(serde_json::json!({
        "id": 9, "kind": "push", "branch_match_kind": "glob", "pattern": "main", "value": null,
        "users": [], "groups": [],
    }));
    let api = format!("{}/2.0", other.url());
    let of_bitbucket = [&bitbucket_ci(&api)[..], &bitbucket_request(&old, &head)[..]].concat();
    for (variables, who) in [
        (of_gitlab, "team:sre".to_owned()),
        (of_bitbucket, format!("id:{}", bitbucket::uuid("ann"))),
    ] {
        advance(&remote, &gated(&who));
        let run = |args: &[&str]| job(&remote, &head, "feature", &variables).dax(args);
        ended(run(&["ci"]), 1);
        let said = ended(run(&["ci", "apply"]), 3);
        has(&said.err, &["preview[4]", &who]);
        // Without the rule it is made for neither.
        advance(&remote, &without());
        let said = ended(run(&["ci", "apply"]), 0);
        has(&said.err, &["`preview`", "`main`"]);
        assert_eq!(remote.image("preview[4]"), None);
    }
}
