//! Attempts to have applied what nobody was shown, or to have agreed who may not.

use super::approvals::plain;
use super::clean;
use super::pipeline::{MANIFEST, Merged, Pipeline, ended, has};
use dax_tests::peers::github::{ADMIN, ANN};

const GATE: &str = "  approve 1 of [\"team:sre\"]\n";

fn evil(program: &str) -> String {
    program.replace("acme/web:${version}", "acme/evil:${version}")
}

/// A change that was approved and taken back before it was applied; gives its merge and the one
/// that took it back.
fn approved_and_taken_back(it: &Pipeline) -> (Merged, Merged) {
    it.set_up(&["production"]);
    let one = it.propose("one", &evil(&plain()));
    ended(it.plan(one), 0);
    it.approve(one, "ann");
    let first = it.merge(one);
    // Its run is cancelled, and somebody else takes it back.
    let two = it.propose("two", &plain());
    ended(it.plan(two), 0);
    it.approve(two, "cid");
    (first, it.merge(two))
}

fn is_lacking(it: &Pipeline, pushed: &Merged) {
    let said = ended(it.apply(pushed, &["-e", "production"]), 4);
    has(&said.err, &["acme/evil", "dax approve -e production"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn what_was_taken_back_and_brought_again_without_a_plan_is_not_approved() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let (first, _) = approved_and_taken_back(&it);
    // Its author keeps the job from running.
    let three = it.propose("three", &evil(&plain()));
    let last = it.merge(three);
    is_lacking(&it, &Pipeline::together(&[first, last]));
}

#[test]
fn what_was_taken_back_and_brought_again_by_a_plain_push_is_not_approved() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let (first, back) = approved_and_taken_back(&it);
    it.git(&["fetch", "--quiet", "origin"]);
    it.git(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    it.write("main.dax", &evil(&plain()));
    let pushed = Merged { before: back.after, after: it.commit("again") };
    is_lacking(&it, &Pipeline::together(&[first, pushed]));
}

#[test]
fn the_first_rules_of_an_environment_that_was_never_applied_guard_the_change_that_removes_them() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let number = it.propose("evil", &evil(&plain()).replace(GATE, ""));
    ended(it.plan(number), 1);
    it.approve(number, "eve");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["team:sre"]);
    assert_eq!(it.image("production"), None);
    it.approve(number, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_rule_that_was_removed_by_a_merge_without_a_plan_guards_the_first_apply_all_the_same() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    // Neither planned nor applied: its commits say that no job is to run.
    let one = it.propose("one", &plain().replace(GATE, ""));
    it.merge(one);
    let two = it.propose("two", &evil(&plain()).replace(GATE, ""));
    ended(it.plan(two), 1);
    it.approve(two, "eve");
    let merged = it.merge(two);
    ended(it.apply(&merged, &["-e", "production"]), 3);
    assert_eq!(it.image("production"), None);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn anybody_is_somebody_who_may_write() {
    let program = plain().replace(GATE, "  approve 1 of []\n");
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production"]);
    let number = it.propose("evil", &evil(&program));
    ended(it.plan(number), 0);
    it.github.world.lock().expect("a lock").permissions.insert("eve".into(), "read".into());
    it.approve(number, "eve");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["`eve` may not write to the repository"]);
    it.approve(number, "cid");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.approved_by("production"), ["cid"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn another_project_takes_nothing_over_in_an_environment_that_was_never_applied() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.set_up(&["production"]);
    let taken = evil(&plain()).replace(GATE, "  adopt web\n");
    it.branch("renamed");
    it.write("main.dax", &taken);
    it.write("dax.mod", &MANIFEST.replace("\"shop\"", "\"shop2\""));
    it.commit("another name");
    let number = it.open("renamed");
    it.plan(number);
    it.approve(number, "eve");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["takes over web, which runs already", "dax approve -e production"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

/// A program of which git merges changes of the image and of the size, each by itself.
fn spread() -> String {
    plain().replace("ports = { http: 8080 }", "ports = { http: 8080 }\n\n  env = { LOG: \"info\" }")
}

fn more(program: &str) -> String {
    program.replace("default 2", "default 4")
}

#[test]
fn who_wrote_a_change_without_a_plan_does_not_approve_it_in_another_pull_request() {
    let Some(it) = Pipeline::new(&spread()) else { return };
    it.set_up(&["production"]);
    let one = it.propose("size", &more(&spread()));
    ended(it.plan(one), 0);
    it.approve(one, "ann");
    // cid is of the team; nobody is shown a plan of this.
    let two = it.propose("image", &evil(&spread()));
    it.moved_by(two, "cid");
    let first = it.merge(two);
    let merged = Pipeline::together(&[first, it.merge(one)]);
    ended(it.apply(&merged, &["-e", "production"]), 4);
    it.approve(one, "cid");
    let said = it.apply(&merged, &["-e", "production"]);
    assert_ne!(said.code, 0, "{}", said.err);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_plan_of_the_merged_commit_that_does_what_was_shown_can_be_approved() {
    let Some(it) = Pipeline::new(&spread()) else { return };
    it.set_up(&["production"]);
    let one = it.propose("image", &evil(&spread()));
    it.branch("size");
    it.git(&["merge", "--quiet", "origin/image"]);
    it.write("main.dax", &more(&evil(&spread())));
    it.commit("size");
    let two = it.open("size");
    // On top of the first one, of which there is no plan, its plan shows both.
    ended(it.plan(two), 0);
    it.approve(two, "ann");
    let merged = Pipeline::together(&[it.merge(one), it.merge(two)]);
    let said = ended(it.apply(&merged, &["-e", "production"]), 4);
    has(&said.err, &[&format!("approve pull request {two} once more")]);
    it.approve(two, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/evil:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_rule_that_was_merged_and_not_applied_yet_guards_the_change_that_removes_it() {
    let free = plain().replace(GATE, "");
    let Some(it) = Pipeline::new(&free) else { return };
    it.set_up(&["production"]);
    let one = it.propose("rule", &plain());
    ended(it.plan(one), 0);
    // Its run never starts.
    let first = it.merge(one);
    let two = it.propose("evil", &evil(&free));
    ended(it.plan(two), 1);
    it.approve(two, "eve");
    let merged = Pipeline::together(&[first, it.merge(two)]);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["team:sre"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    it.approve(two, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_project_that_moves_to_another_folder_keeps_its_rules() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.branch("moved");
    it.git(&["rm", "--quiet", "main.dax", "dax.mod"]);
    it.write("q/main.dax", &evil(&plain()).replace(GATE, ""));
    it.write("q/dax.mod", MANIFEST);
    it.commit("another folder");
    let number = it.open("moved");
    ended(it.plan(number), 1);
    it.approve(number, "eve");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["team:sre"]);
    assert_eq!(it.image("production"), None);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_merge_that_a_force_push_took_off_the_branch_holds_nothing_up() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let one = it.propose("image", &evil(&plain()));
    ended(it.plan(one), 0);
    it.approve(one, "ann");
    let first = it.merge(one);
    it.bare(&["update-ref", "refs/heads/main", &first.before]);
    let two = it.propose("size", &more(&plain()));
    ended(it.plan(two), 0);
    it.approve(two, "ann");
    let merged = it.merge(two);
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn where_nobody_can_tell_who_pushed_a_review_does_not_count_and_dax_approve_does() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.set_up(&["production"]);
    let number = it.propose("size", &more(&plain()));
    let head = it.head_of(number);
    {
        let mut world = it.github.world.lock().expect("a lock");
        world.no_activity = true;
        world.commits.insert(number, vec![(head, String::new(), String::new())]);
    }
    it.plan(number);
    it.approve(number, "ann");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["no account for commit", "team:sre"]);
    it.by_hand("production", &merged.after);
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_bot_that_pushed_hides_nobody_whose_commits_they_are() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.set_up(&["production"]);
    let number = it.propose("size", &more(&plain()));
    it.moved_by(number, "github-actions[bot]");
    let head = it.head_of(number);
    let commits = vec![(head, "ann".to_owned(), "ann".to_owned())];
    it.github.world.lock().expect("a lock").commits.insert(number, commits);
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["`ann` pushed commits"]);
    it.approve(number, "cid");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.approved_by("production"), ["cid"]);
    clean(&it.github, &[ADMIN, ANN]);
}
