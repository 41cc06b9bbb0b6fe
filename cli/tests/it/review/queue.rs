//! Merge queues: a plan is one that was shown for what really is in the queue.

use super::approvals::plain;
use super::clean;
use super::pipeline::{How, Pipeline, ended, has};
use dax_tests::peers::github::{ADMIN, ANN};

const GATE: &str = "  approve 1 of [\"team:sre\"]\n";

/// A program that nobody approves, of which git merges the image and the size each by itself.
fn free() -> String {
    let env = "ports = { http: 8080 }\n\n  env = { LOG: default \"info\" }";
    plain().replace(GATE, "").replace("ports = { http: 8080 }", env)
}

fn evil() -> String {
    free().replace("acme/web:${version}", "acme/evil:${version}")
}

/// The queue tries entries, each with the subject of its commit; gives how its check ended.
#[track_caller]
fn tried(it: &Pipeline, entries: &[(u64, &str)], code: i32) -> String {
    let group = it.merge_group_by(entries, How::Squash);
    ended(it.job(&group).dax(&["ci"]), code);
    it.conclusion(&group.sha)
}

#[test]
fn a_subject_that_names_another_change_request_passes_nothing() {
    let Some(it) = Pipeline::new(&free()) else { return };
    it.set_up(&["production", "staging"]);
    let one = it.propose("one", &evil());
    ended(it.plan(one), 0);
    // Nobody was shown a plan of the second one.
    let two = it.propose("two", &evil());
    for subject in ["tidy".to_owned(), format!("tidy (#{one})")] {
        assert_eq!(tried(&it, &[(two, &subject)], 3), "failure", "{subject}");
    }
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_subject_that_names_an_issue_holds_nothing_up() {
    let Some(it) = Pipeline::new(&free()) else { return };
    it.set_up(&["production", "staging"]);
    let one = it.propose("one", &evil());
    ended(it.plan(one), 0);
    assert_eq!(tried(&it, &[(one, "Fix a crash (#4711)")], 0), "success");
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn what_is_squashed_in_front_in_the_queue_was_shown_by_itself() {
    let Some(it) = Pipeline::new(&free()) else { return };
    it.set_up(&["production", "staging"]);
    let one = it.propose("one", &evil());
    ended(it.plan(one), 0);
    let two = it.propose("two", &free().replace("default 2", "default 4"));
    ended(it.plan(two), 0);
    let subject = format!("An image (#{one})");
    assert_eq!(tried(&it, &[(one, &subject), (two, "More of them")], 0), "success");
    // Of one that was merged before and is not applied yet the code host knows the merge.
    let merged = it.merge_by(one, How::Squash);
    assert_eq!(tried(&it, &[(two, "More of them")], 3), "failure");
    it.bare(&["update-ref", "refs/heads/main", &merged.before]);
    let base = it.head("main");
    let named = it.merge_commit(&base, &it.head_of(one), How::Squash, &subject);
    it.bare(&["update-ref", "refs/heads/main", &named]);
    it.github.merge(one, &named);
    assert_eq!(tried(&it, &[(two, "More of them")], 0), "success");
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn more_commits_than_are_asked_for_are_an_error_with_a_way_on() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.set_up(&["production"]);
    let number = it.propose("one", &plain().replace("default 2", "default 4"));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    let first = it.merge(number);
    let tree = it.bare(&["rev-parse", &format!("{}^{{tree}}", first.after)]);
    let mut last = first.clone();
    for _ in 0..1000 {
        last.after = it.bare(&["commit-tree", &tree, "-m", "nothing", "-p", &last.after]);
    }
    it.bare(&["update-ref", "refs/heads/main", &last.after]);
    let said = it.apply(&last, &["-e", "production"]);
    assert_ne!(said.code, 0);
    has(&said.err, &["1001 commits came since the last apply", "for an older commit first"]);
    assert_eq!(it.replicas("production"), Some(2));
    ended(it.apply(&first, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}
