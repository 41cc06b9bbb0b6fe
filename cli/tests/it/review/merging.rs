//! Several changes at once: each environment reaches what was approved, in order, or says which change is missing.

use super::approvals::plain;
use super::clean;
use super::pipeline::{Pipeline, ended, has};
use dax_tests::peers::github::{ADMIN, ANN};

/// A program of which git merges changes of the image, of the variable and of the size, each by itself.
fn spread() -> String {
    let env = "ports = { http: 8080 }\n\n  env = { LOG: default \"info\" }";
    plain().replace("ports = { http: 8080 }", env)
}

const IMAGE: (&str, &str) = ("acme/web:${version}", "acme/shop-web:${version}");
const SIZE: (&str, &str) = ("default 2", "default 4");

#[track_caller]
fn change(it: &Pipeline, branch: &str, (from, to): (&str, &str), approver: Option<&str>) -> u64 {
    let number = it.propose(branch, &spread().replace(from, to));
    ended(it.plan(number), 0);
    approver.into_iter().for_each(|login| it.approve(number, login));
    number
}

/// The number of times that the reviews of a pull request were read.
fn reads(it: &Pipeline, number: u64) -> usize {
    let end = format!("/pulls/{number}/reviews");
    let path = |one: &str| one.split('?').next().is_some_and(|path| path.ends_with(&end));
    it.github.asked().iter().filter(|one| one.method() == "GET" && path(one.path())).count()
}

#[test]
fn a_run_that_was_left_out_between_two_merges_loses_nothing() {
    let program = spread();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["staging", "production"]);
    let one = change(&it, "image", IMAGE, Some("ann"));
    let staging = ("set web { replicas = 1 }", "set web { replicas = 1, env.LOG = \"debug\" }");
    let two = change(&it, "staging", staging, None);
    let three = it.propose("words", &format!("## Of the shop.\n{program}"));
    ended(it.plan(three), 0);
    // Three merges in a row. GitHub keeps one waiting run, so that of the first never comes, and that of the second neither.
    it.merge(one);
    it.merge(two);
    let last = it.merge(three);
    ended(it.apply(&last, &[]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    assert_eq!(it.image("staging").as_deref(), Some("acme/shop-web:1"));
    assert_eq!(it.spec("staging", "env").expect("an env")["map"]["LOG"]["str"], "debug");
    assert_eq!(it.approved_by("production"), ["ann"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_change_that_is_missing_is_named_and_holds_back_those_after_it() {
    let Some(it) = Pipeline::new(&spread()) else { return };
    it.set_up(&["production"]);
    let one = change(&it, "image", IMAGE, None);
    let two = change(&it, "size", SIZE, Some("ann"));
    it.merge(one);
    let merged = it.merge(two);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &[&format!("pull request {one}"), "team:sre"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    assert_eq!(it.replicas("production"), Some(2));
    it.approve(one, "cid");
    let before = [one, two].map(|number| reads(&it, number));
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    assert_eq!(it.replicas("production"), Some(4));
    // The reviews of each count as they stand when it is decided, and are read then alone.
    assert_eq!([one, two].map(|number| reads(&it, number)), before.map(|count| count + 1));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn two_approved_changes_of_one_service_are_applied_one_after_the_other() {
    let Some(it) = Pipeline::new(&spread()) else { return };
    it.set_up(&["production"]);
    // Both are planned and approved against what runs now.
    let one = change(&it, "image", IMAGE, Some("ann"));
    let two = change(&it, "size", SIZE, Some("cid"));
    ended(it.apply(&it.merge(one), &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    ended(it.apply(&it.merge(two), &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(4));
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn two_entries_of_a_merge_queue_pass_and_come_to_the_environment_by_one_push() {
    let Some(it) = Pipeline::new(&spread()) else { return };
    it.set_up(&["production"]);
    let one = change(&it, "image", IMAGE, Some("ann"));
    let two = change(&it, "size", SIZE, Some("ann"));
    for numbers in [&[one][..], &[one, two]] {
        let group = it.merge_group(numbers);
        ended(it.job(&group).dax(&["ci"]), 0);
        assert_eq!(it.conclusion(&group.sha), "success", "{numbers:?}");
    }
    let both = Pipeline::together(&[it.merge(one), it.merge(two)]);
    ended(it.apply(&both, &[]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn changes_of_different_environments_in_one_push_are_each_asked_for() {
    let program = spread();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["staging", "production"]);
    let louder = ("  approve 1 of", "  set web { env.LOG = \"error\" }\n  approve 1 of");
    let one = change(&it, "production", louder, Some("ann"));
    let more = program
        .replace("set web { replicas = 1 }", "set web { replicas = 2 }")
        .replace("replicas == 1", "replicas == 2");
    let two = it.propose("staging", &more);
    ended(it.plan(two), 0);
    let both = Pipeline::together(&[it.merge(one), it.merge(two)]);
    ended(it.apply(&both, &[]), 0);
    assert_eq!(it.spec("production", "env").expect("an env")["map"]["LOG"]["str"], "error");
    assert_eq!(it.replicas("staging"), Some(2));
    assert_eq!(it.approved_by("production"), ["ann"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn an_environment_that_is_not_applied_does_not_hold_up_another() {
    let Some(it) = Pipeline::new(&spread()) else { return };
    it.set_up(&["staging", "production"]);
    let number = change(&it, "image", IMAGE, Some("ann"));
    // Somebody applies another thing to production by hand, so that its plan is another one than was shown.
    it.branch("by-hand");
    it.write("main.dax", &spread().replace(SIZE.0, SIZE.1));
    let hand = it.commit("by hand");
    it.by_hand("production", &hand);
    let merged = it.merge(number);
    let said = it.apply(&merged, &[]);
    assert_ne!(said.code, 0, "{}", said.err);
    has(&said.err, &["production", "not applied"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    // Neither comes after the other, whatever the alphabet says.
    assert_eq!(it.image("staging").as_deref(), Some("acme/shop-web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}
