//! Whose a change is approves it by no way: neither by a review nor by a command.

use super::approvals::{digest, plain};
use super::clean;
use super::pipeline::{MANIFEST, Pipeline, ended, has};
use dax_tests::peers::github::{ADMIN, ANN};

const PRODUCTION: &str = "<!-- dax:shop:production -->";

fn replicas(program: &str) -> String {
    program.replace("default 2", "default 4")
}

/// Approves by the command that the comment shows.
#[track_caller]
fn by_command(it: &Pipeline, number: u64, login: &str) {
    let comment = it.comment(number, PRODUCTION);
    let (_, rest) = comment.split_once("dax approve -e production ").expect("a command");
    let person = it.person(login, &it.head_of(number));
    ended(person.dax(&["approve", "-e", "production", &rest[..64]]), 0);
}

/// Approves the plan of the merged commit by its digest.
#[track_caller]
fn of_merged(it: &Pipeline, commit: &str, login: &str) {
    let person = it.person(login, commit);
    let said = ended(person.dax(&["plan", "-e", "production", "--format", "json"]), 0);
    ended(person.dax(&["approve", "-e", "production", &digest(&said.out)]), 0);
}

#[test]
fn the_author_and_whoever_pushed_approve_nothing_by_a_command() {
    // An account is meant by its login in whatever case, and by its id.
    let program = plain().replace("[\"team:sre\"]", "[\"ADMIN\", \"bob\", \"ann\"]");
    let Some(it) = Pipeline::new(&program) else { return };
    let number = it.propose("size", &replicas(&program));
    it.moved_by(number, "bob");
    ended(it.plan(number), 0);
    for (login, why) in [("admin", "opened the pull request"), ("bob", "pushed commits")] {
        by_command(&it, number, login);
        ended(it.plan(number), 0);
        has(&it.comment(number, PRODUCTION), &[login, why, "0 of 1"]);
    }
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["the approval of admin does not count: admin opened the pull request"]);
    has(&said.err, &["the approval of bob does not count: bob pushed commits"]);
    // Nor do they approve the plan of the merged commit.
    for login in ["admin", "bob"] {
        of_merged(&it, &merged.after, login);
        ended(it.apply(&merged, &["-e", "production"]), 3);
    }
    assert_eq!(it.image("production"), None);
    of_merged(&it, &merged.after, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(4));
    assert_eq!(it.approved_by("production"), ["ann"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn one_key_is_one_person_and_the_author_under_each_of_its_names() {
    let program = plain().replace("approve 1 of [\"team:sre\"]", "approve 2 of []");
    let Some(it) = Pipeline::new(&program) else { return };
    let key = |name: &str| {
        let file = it.at(&format!("{name}.key"));
        let args = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"];
        let made = std::process::Command::new("ssh-keygen").args(args).arg(&file).status();
        assert!(made.expect("ssh-keygen runs").success());
        std::fs::read_to_string(file.with_extension("key.pub")).expect("a key")
    };
    it.branch("main");
    it.write("dax.mod", &format!("signers = \"signers\"\n{MANIFEST}"));
    let line = |name: &str| format!("{name}@example.com,{name} {}", key(name));
    it.write("signers", &["admin", "ann", "cid"].map(line).concat());
    it.commit("signers");
    let number = it.propose("size", &replicas(&program));
    ended(it.plan(number), 0);
    let merged = it.merge(number);
    let signed = |name: &str, login: &str| {
        let person = it.person(login, &merged.after);
        let said = ended(person.dax(&["plan", "-e", "production", "--format", "json"]), 0);
        let key = it.at(&format!("{name}.key")).display().to_string();
        let args = ["approve", "-e", "production", "--key", &key, &digest(&said.out)];
        ended(person.dax(&args), 0);
    };
    // The author under a name that no code host knows, and one person under two.
    signed("admin", "admin@example.com");
    signed("ann", "ann");
    signed("ann", "ann@example.com");
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["1 more person (1 of 2: ann", "the approval of admin@example.com does not"]);
    signed("cid", "cid@example.com");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.approved_by("production").len(), 3);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn changes_requested_of_a_change_without_a_plan_hold_it_up() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.set_up(&["production"]);
    // Its job never ran; what it brings is approved with the plan of the merged commit.
    let number = it.propose("size", &replicas(&plain()));
    it.review(number, "bob", "REQUEST_CHANGES");
    let merged = it.merge(number);
    of_merged(&it, &merged.after, "ann");
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["`bob` requested changes"]);
    it.github.dismiss(number, "bob");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(4));
    clean(&it.github, &[ADMIN, ANN]);
}
