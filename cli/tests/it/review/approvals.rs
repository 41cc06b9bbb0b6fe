//! An approval is of the plan that its author saw: for no plan that came later, and as long as it stands.

use super::clean;
use super::pipeline::{MANIFEST, PROGRAM, Pipeline, ended, has, lacks};
use dax_tests::peers::github::{ADMIN, ANN};

const PRODUCTION: &str = "<!-- dax:shop:production -->";

/// The program without its secret: it has nothing to do with what these tests are about.
pub(crate) fn plain() -> String {
    PROGRAM
        .replace("secret db_url: string from env(\"SHOP_DB\")\n\n", "")
        .replace("  env = { DATABASE_URL: db_url }\n\n", "")
}

fn replicas(program: &str, number: u32) -> String {
    program.replace("default 2", &format!("default {number}"))
}

fn image(program: &str, name: &str) -> String {
    program.replace("acme/web", name)
}

#[test]
fn a_review_does_not_count_for_another_plan_of_the_same_commit_that_was_made_after_it() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production"]);
    let one = it.propose("replicas", &replicas(&program, 4));
    ended(it.plan(one), 0);
    it.approve(one, "ann");
    // Another change, which nobody of the team approves, is merged and not applied.
    let two = it.propose("evil", &image(&program, "acme/evil"));
    ended(it.plan(two), 0);
    let evil = it.merge(two);
    ended(it.apply(&evil, &["-e", "production"]), 3);
    // Closed and opened again: the same commit, and another plan, since `main` moved.
    ended(it.job(&it.pull_request(one, "reopened")).dax(&["ci"]), 0);
    has(&it.comment(one, PRODUCTION), &["ann", "acme/evil"]);
    let merged = it.merge(one);
    let said = it.apply(&merged, &["-e", "production"]);
    assert!(said.code == 3 || said.code == 4, "{}\n{}", said.out, said.err);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    assert_eq!(it.replicas("production"), Some(2));
    // The remedy: the plan of what is merged is approved by who looks after production.
    it.approve(one, "ann");
    it.approve(two, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/evil:1"));
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_job_that_runs_again_for_a_commit_keeps_an_approval_of_the_same_plan_only() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production"]);
    let number = it.propose("replicas", &replicas(&program, 4));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    // The same plan once more: the approval is of what it does.
    ended(it.plan(number), 0);
    has(&it.comment(number, PRODUCTION), &["approved by ann"]);
    // Somebody applies by hand in between, so that the same commit does something else.
    it.branch("by-hand");
    it.write("main.dax", &replicas(&program, 3));
    let hand = it.commit("by hand");
    it.by_hand("production", &hand);
    ended(it.plan(number), 0);
    let comment = it.comment(number, PRODUCTION);
    has(&comment, &["ann must look again", "0 of 1"]);
    let said = ended(it.apply(&it.merge(number), &["-e", "production"]), 3);
    has(&said.err, &["ann", "team:sre"]);
    assert_eq!(it.replicas("production"), Some(3));
    clean(&it.github, &[ADMIN, ANN]);
}

/// The digest of a plan as JSON.
pub(crate) fn digest(plan: &str) -> String {
    let plan: serde_json::Value = serde_json::from_str(plan).expect("JSON");
    plan["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_review_that_is_dismissed_while_the_apply_waits_counts_no_more() {
    let program = plain().replace("approve 1 of [\"team:sre\"]", "approve 2 of [\"team:sre\"]");
    let Some(it) = Pipeline::new(&program) else { return };
    let number = it.propose("replicas", &replicas(&program, 4));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    let merged = it.merge(number);
    // The run waits for a second person, and must keep nothing of the first.
    has(&ended(it.apply(&merged, &["-e", "production"]), 3).err, &["1 of 2: ann"]);
    it.github.dismiss(number, "ann");
    it.approve(number, "cid");
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["1 of 2: cid"]);
    assert_eq!(it.image("production"), None);
    it.approve(number, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    let mut by = it.approved_by("production");
    by.sort();
    assert_eq!(by, ["ann", "cid"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn neither_the_author_nor_whoever_pushed_into_the_change_approves_it() {
    let program = plain().replace("[\"team:sre\"]", "[\"bob\", \"cid\"]");
    let Some(it) = Pipeline::new(&program) else { return };
    let number = it.propose("dependency", &image(&program, "acme/web-next"));
    ended(it.plan(number), 0);
    // bob pushes into it, and approves what he pushed.
    it.write("main.dax", &image(&program, "acme/bobs-web"));
    it.commit("mine as well");
    it.moved_by(number, "bob");
    ended(it.plan(number), 0);
    it.approve(number, "bob");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["bob", "pushed"]);
    assert_eq!(it.image("production"), None);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn the_author_approves_nothing_by_letting_the_job_go_on() {
    let program = plain().replace("[\"team:sre\"]", "[\"admin\", \"ann\"]");
    let Some(it) = Pipeline::new(&program) else { return };
    let number = it.propose("replicas", &replicas(&program, 4));
    ended(it.plan(number), 0);
    let merged = it.merge(number);
    let released = |login: &str| {
        let released = (login.to_owned(), "production".to_owned());
        it.github.world.lock().expect("nobody fails with this lock").released = vec![released];
        it.github.pass(5);
    };
    released("admin");
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["`admin`", "opened the pull request"]);
    assert_eq!(it.image("production"), None);
    released("ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.approved_by("production"), ["ann"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn the_case_of_a_login_does_not_count_and_a_stranger_holds_nothing_up() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.branch("main");
    it.write("dax.mod", "project = \"shop\"\n\ngroup \"team:sre\" { members = [\"Ann\"] }\n");
    it.commit("Ann");
    let number = it.propose("replicas", &replicas(&program, 4));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    // Anybody who can read a public repository can request changes of it.
    it.review(number, "mallory", "REQUEST_CHANGES");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 0);
    has(&said.err, &["`mallory` requested changes", "nothing waits for it"]);
    assert_eq!(it.replicas("production"), Some(4));
    // Somebody who may write does.
    let next = it.propose("more", &replicas(&program, 5));
    ended(it.plan(next), 0);
    it.approve(next, "ann");
    it.review(next, "bob", "REQUEST_CHANGES");
    let said = ended(it.apply(&it.merge(next), &["-e", "production"]), 3);
    has(&said.err, &["`bob` requested changes"]);
    lacks(&said.err, &["mallory"]);
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn who_approves_in_the_name_of_another_is_not_believed_where_signers_are_declared() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    let key = it.at("ann.key");
    let args = ["-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f"];
    let made = std::process::Command::new("ssh-keygen").args(args).arg(&key).status();
    assert!(made.expect("ssh-keygen runs").success());
    let public = std::fs::read_to_string(key.with_extension("key.pub")).expect("a key");
    it.branch("main");
    it.write("dax.mod", &format!("signers = \"signers.txt\"\n{MANIFEST}"));
    it.write("signers.txt", &format!("ann {public}"));
    it.commit("signers");
    let number = it.propose("replicas", &replicas(&program, 4));
    let job = it.job(&it.pull_request(number, "synchronize"));
    ended(job.dax(&["ci"]), 0);
    // The plan job of a pull request has the state; it says that it is ann.
    let said = job.dax(&["plan", "-e", "production", "--format", "json"]);
    let digest = digest(&said.out);
    let mut forger = it.job(&it.pull_request(number, "synchronize"));
    forger.set("DAX_USER", "ann");
    forger.dax(&["approve", "-e", "production", &digest]);
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["needs the approval of 1 of team:sre"]);
    assert_eq!(it.image("production"), None);
    // With her key it is she.
    let ann = it.person("ann", &merged.after);
    let key = key.display().to_string();
    ended(ann.dax(&["approve", "-e", "production", "--key", &key, &digest]), 0);
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.approved_by("production"), ["ann"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn what_somebody_says_was_shown_backs_only_what_the_change_request_itself_brought() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production"]);
    let one = it.propose("replicas", &replicas(&program, 4));
    ended(it.plan(one), 0);
    // Whoever holds what plan jobs hold keeps a plan for it with more than its commit has.
    let forger = it.job(&it.pull_request(one, "synchronize"));
    std::fs::write(forger.path("main.dax"), image(&replicas(&program, 4), "acme/evil"))
        .expect("written");
    it.github.pass(5);
    forger.dax(&["ci"]);
    it.github.pass(5);
    it.approve(one, "ann");
    // That more is merged by another change request, which nobody approves.
    let two = it.propose("evil", &image(&program, "acme/evil"));
    ended(it.plan(two), 0);
    ended(it.apply(&it.merge(two), &["-e", "production"]), 3);
    let said = it.apply(&it.merge(one), &["-e", "production"]);
    assert!(said.code == 3 || said.code == 4, "{}\n{}", said.out, said.err);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}
