//! `.dax` that came with a repository or from elsewhere: it is refused by name, and nothing in it is believed.

use super::{Checkout, put};
use std::process::Command;

/// A program of one service on this machine.
const MAIN: &str = "import local from \"std/local\"\n\nprovider local.machine {\n}\n\nservice web {\n  command = [\"sleep\", \"1\"]\n}\n\nenvironment dev {\n  bind web to local.machine\n}\n";
/// A record by which an agent would start a command of the repository.
const RECORD: &str = r#"{"format_version":1,"services":[{"environment":"dev","service":"web","settings":{"ports":{"map":{}}},"traffic":{},"routes":[],"commands":[],"revisions":{"deadbeef":{"spec":{"map":{"command":{"list":[{"str":"sh"},{"str":"-c"},{"str":"id >RCE"}]},"env":{"map":{}},"health":"none"}},"wanted":1,"replicas":[{"number":0,"ports":{},"process":null}]}}}]}"#;
/// Commands that look at what was applied, and such as change it.
const COMMANDS: [&[&str]; 11] = [
    &["plan", "-e", "dev"],
    &["status"],
    &["drift", "-e", "dev"],
    &["history"],
    &["doctor"],
    &["state", "verify"],
    &["state", "pull", "-e", "dev"],
    &["apply", "-e", "dev", "--auto-approve"],
    &["resume", "-e", "dev"],
    &["rollback", "-e", "dev", "--auto-approve"],
    &["destroy", "-e", "dev", "--auto-approve"],
];

fn git(checkout: &Checkout, args: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(checkout.path("")).args(["-c", "user.name=a", "-c", "user.email=a@b"]);
    let done = command.args(args).output().expect("git runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Each command fails, names the folder and what speaks against it, and starts nothing.
fn refused(checkout: &Checkout, reason: &str) {
    for args in COMMANDS {
        let said = checkout.dax(args);
        assert_ne!(said.code, 0, "{args:?}: {}", said.text);
        assert!(said.text.contains(".dax is not trusted"), "{args:?}: {}", said.text);
        assert!(said.text.contains(reason), "{args:?}: {}", said.text);
    }
    assert!(!checkout.path("RCE").exists(), "a command of the repository ran");
    // What needs nothing of it works.
    assert_eq!(checkout.dax(&["check"]).code, 0);
    assert_eq!(checkout.dax(&["test"]).code, 0);
}

#[test]
fn a_record_that_git_tracks_is_named_and_starts_nothing() {
    let checkout = Checkout::new(&[("main.dax", MAIN)]);
    git(&checkout, &["init", "-q"]);
    git(&checkout, &["add", "-Af"]);
    git(&checkout, &["commit", "-qm", "before"]);
    put(&checkout.path("main.dax"), &MAIN.replace("\"1\"", "\"2\""));
    put(&checkout.path(".dax/local/agent.json"), RECORD);
    put(&checkout.path(".dax/local/logs/dev/web/deadbeef-0.log"), "");
    git(&checkout, &["add", "-Af"]);
    git(&checkout, &["commit", "-qm", "a change that brings a record"]);
    refused(&checkout, "git tracks `.dax/local/agent.json`");
    let said = checkout.dax(&["ci", "--base", "HEAD~1", "--dry-run"]);
    assert!(said.code != 0 && said.text.contains("git tracks `.dax/"), "{}", said.text);
    assert!(!checkout.path("RCE").exists());
    assert_ne!(checkout.dax(&["state", "trust"]).code, 0);
}

#[test]
fn a_folder_that_nobody_here_made_is_refused_until_a_person_vouches_for_it() {
    let checkout = Checkout::new(&[("main.dax", MAIN), (".dax/local/agent.json", RECORD)]);
    refused(&checkout, "nothing says that it was made on this machine");
    assert_eq!(checkout.dax(&["state", "trust"]).code, 0);
    // The folder is trusted then; the record in it still has no mark of this machine.
    let said = checkout.dax(&["plan", "-e", "dev"]);
    assert_ne!(said.code, 0, "{}", said.text);
    assert!(!checkout.path("RCE").exists());
}

#[test]
fn a_folder_of_another_place_and_a_link_are_refused() {
    let one = Checkout::new(&[("main.dax", MAIN)]);
    assert_eq!(one.dax(&["plan", "-e", "dev"]).code, 0);
    let other = Checkout::new(&[("main.dax", MAIN)]);
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(one.path(".dax")).arg(other.path(".dax"));
    assert!(copy.status().expect("cp runs").success());
    refused(&other, "it was made for");
    let linked = Checkout::new(&[("main.dax", MAIN)]);
    linked.link(".dax", one.path(".dax"));
    for args in COMMANDS {
        let said = linked.dax(args);
        assert_ne!(said.code, 0, "{args:?}");
        assert!(said.text.contains("is a symbolic link"), "{args:?}: {}", said.text);
    }
}

#[test]
fn a_branch_that_brings_a_state_over_an_ignored_one_is_noticed() {
    let checkout = Checkout::new(&[("main.dax", MAIN)]);
    git(&checkout, &["init", "-q"]);
    git(&checkout, &["add", "main.dax", "dax.mod"]);
    git(&checkout, &["commit", "-qm", "main"]);
    git(&checkout, &["checkout", "-qb", "theirs"]);
    put(&checkout.path(".dax/state.db"), "what others wrote");
    git(&checkout, &["add", "-f", ".dax/state.db"]);
    git(&checkout, &["commit", "-qm", "theirs"]);
    git(&checkout, &["checkout", "-q", "-"]);
    assert_eq!(checkout.dax(&["plan", "-e", "dev"]).code, 0);
    // Git overwrites what is ignored without a word.
    git(&checkout, &["checkout", "-q", "theirs"]);
    refused(&checkout, "git tracks `.dax/state.db`");
}

#[test]
fn a_checkout_that_keeps_git_from_answering_is_not_trusted_for_it() {
    let checkout = Checkout::new(&[("main.dax", MAIN)]);
    let top = checkout.home().parent().expect("a folder").to_owned();
    let whole = |args: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&top).args(["-c", "user.name=a", "-c", "user.email=a@b"]);
        assert!(command.args(args).output().expect("git runs").status.success(), "{args:?}");
    };
    whole(&["init", "-q"]);
    assert_eq!(checkout.dax(&["plan", "-e", "dev"]).code, 0);
    put(&checkout.path(".dax/state.db"), "what others wrote");
    // The project looks like a bare repository then, which git does not go into.
    put(&checkout.path("HEAD"), "ref: refs/heads/x\n");
    put(&checkout.path("config"), "[core]\n\tbare = true\n");
    put(&checkout.path("objects/k"), "");
    put(&checkout.path("refs/k"), "");
    whole(&["add", "-f", "checkout"]);
    whole(&["commit", "-qm", "theirs"]);
    refused(&checkout, "git tracks");
}

#[test]
fn a_folder_of_a_repository_publishes_nothing() {
    let checkout = Checkout::new(&[("main.dax", MAIN), (".dax/.gitignore", "")]);
    git(&checkout, &["init", "-q"]);
    git(&checkout, &["add", "-Af"]);
    git(&checkout, &["commit", "-qm", "x"]);
    refused(&checkout, "git tracks `.dax/.gitignore`");
    git(&checkout, &["rm", "-q", "--cached", ".dax/.gitignore"]);
    assert_eq!(checkout.dax(&["plan", "-e", "dev"]).code, 0);
    let ignored = std::fs::read_to_string(checkout.path(".dax/.gitignore")).expect("there");
    assert_eq!(ignored, "*\n");
}
