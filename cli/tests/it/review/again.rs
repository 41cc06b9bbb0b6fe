//! What was carried out once is carried out again only when somebody agrees again.

use super::approvals::plain;
use super::clean;
use super::pipeline::{Merged, Pipeline, ended, has, lacks};
use dax_tests::peers::github::{ADMIN, ANN};

const GATE: &str = "  approve 1 of [\"team:sre\"]\n";

fn replicas(number: u32) -> String {
    plain().replace("default 2", &format!("default {number}"))
}

/// A change that was approved, merged and applied; gives its number, its merge and the commit
/// before.
fn applied(it: &Pipeline, program: &str) -> (u64, Merged, String) {
    it.set_up(&["production"]);
    let before = it.head("main");
    let number = it.propose("change", program);
    it.plan(number);
    it.approve(number, "ann");
    let merged = it.merge(number);
    ended(it.apply(&merged, &["-e", "production"]), 0);
    (number, merged, before)
}

#[test]
fn what_was_applied_and_taken_back_by_hand_is_approved_anew() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let (number, merged, before) = applied(&it, &replicas(4));
    assert_eq!(it.replicas("production"), Some(4));
    // The job once more: there is nothing to do.
    lacks(&ended(it.apply(&merged, &["-e", "production"]), 0).err, &["not applied"]);
    for approver in ["cid", "ann"] {
        it.by_hand("production", &before);
        assert_eq!(it.replicas("production"), Some(2));
        let spent = format!("pull request {number} was applied before");
        let said = ended(it.apply(&merged, &["-e", "production"]), 4);
        has(&said.err, &[&spent, &format!("approve pull request {number} once more")]);
        // The plan is shown there now, and nobody has approved it.
        has(&ended(it.apply(&merged, &["-e", "production"]), 3).err, &[&spent, "team:sre"]);
        assert_eq!(it.replicas("production"), Some(2));
        it.approve(number, approver);
        ended(it.apply(&merged, &["-e", "production"]), 0);
        assert_eq!(it.replicas("production"), Some(4));
        assert_eq!(it.approved_by("production"), [approver]);
    }
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_later_merge_does_not_bring_back_what_was_taken_back_by_hand() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let (_, _, before) = applied(&it, &replicas(4));
    it.by_hand("production", &before);
    let other = it.propose("words", &format!("## Of the shop.\n{}", replicas(4)));
    it.plan(other);
    let merged = it.merge(other);
    let said = ended(it.apply(&merged, &["-e", "production"]), 4);
    has(&said.err, &["replicas 2 → 4", &format!("approve pull request {other} once more")]);
    assert_eq!(it.replicas("production"), Some(2));
    it.approve(other, "cid");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_change_of_rules_that_was_accepted_and_taken_back_by_hand_is_approved_anew() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let free = plain().replace(GATE, "");
    let (number, merged, before) = applied(&it, &free);
    let cid = it.person("cid", &before);
    ended(cid.dax(&["apply", "-e", "production", "--auto-approve"]), 0);
    let said = it.apply(&merged, &["-e", "production"]);
    assert_ne!(said.code, 0, "{}", said.err);
    has(&said.err, &["was applied before"]);
    it.approve(number, "cid");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_run_that_failed_spends_no_approval() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.set_up(&["production"]);
    let number = it.propose("change", &replicas(4));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    let merged = it.merge(number);
    let mut job = it.job(&it.pushed(&merged));
    // The platform cannot be written.
    job.set("DAX_MEMORY", "/dev/null/world");
    let said = job.dax(&["ci", "apply", "-e", "production"]);
    assert_ne!(said.code, 0, "{}", said.err);
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}
