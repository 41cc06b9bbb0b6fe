//! What a pipeline plans, applies and records is the commit that is checked out.

use super::approvals::plain;
use super::clean;
use super::pipeline::{Merged, Pipeline, ended, git, has};
use dax_tests::peers::github::{ADMIN, ANN};

fn image(name: &str) -> String {
    plain().replace("acme/web:${version}", name)
}

/// A change that is planned, approved and merged.
#[track_caller]
fn approved(it: &Pipeline, branch: &str, program: &str) -> Merged {
    let number = it.propose(branch, program);
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    it.merge(number)
}

/// A file with line ends of which an attribute says that they are others: git calls it changed in
/// every clone.
fn never_clean(it: &Pipeline) -> Merged {
    it.branch("main");
    let before = it.head("main");
    it.write("z.dax", "# nothing\r\n");
    it.git(&["add", "z.dax"]);
    it.git(&["commit", "--quiet", "-m", "z"]);
    it.write(".gitattributes", "z.dax text\n");
    it.git(&["add", ".gitattributes"]);
    it.git(&["commit", "--quiet", "-m", "attributes"]);
    it.git(&["push", "--quiet", "origin", "HEAD"]);
    Merged { before, after: it.head("main") }
}

#[test]
fn attributes_of_line_ends_hide_no_commit() {
    let Some(it) = Pipeline::new(&image("acme/web:1")) else { return };
    it.set_up(&["production"]);
    let odd = never_clean(&it);
    ended(it.apply(&odd, &["-e", "production"]), 0);
    let clone = it.person("ann", &odd.after);
    assert_eq!(git(&clone.path(""), &["status", "--porcelain"]), "M z.dax");
    let two = approved(&it, "two", &image("acme/web:2"));
    ended(it.apply(&two, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:2"));
    // What is taken back looks as it did before the first apply, and is applied all the same.
    let one = approved(&it, "one", &image("acme/web:1"));
    ended(it.apply(&one, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_job_whose_program_is_not_that_of_its_commit_names_the_file() {
    let Some(it) = Pipeline::new(&image("acme/web:1")) else { return };
    it.set_up(&["production"]);
    let number = it.propose("two", &image("acme/web:2"));
    let check = |changed: &dyn Fn(&std::path::Path), file: &str| {
        let job = it.job(&it.pull_request(number, "synchronize"));
        changed(&job.path(""));
        let said = ended(job.dax(&["ci"]), 1);
        has(&format!("{}{}", said.out, said.err), &[file, "commit"]);
        let number = it.propose("apply", &image("acme/web:2"));
        let job = it.job(&it.pushed(&it.merge(number)));
        changed(&job.path(""));
        let said = ended(job.dax(&["ci", "apply", "-e", "production"]), 3);
        has(&format!("{}{}", said.out, said.err), &[file, "commit"]);
        assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    };
    let evil = image("acme/evil:1");
    check(&|path| std::fs::write(path.join("main.dax"), &evil).expect("written"), "`main.dax`");
    check(
        &|path| std::fs::write(path.join("more.dax"), "let a = 1\n").expect("written"),
        "`more.dax`",
    );
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn what_was_applied_from_no_commit_is_not_at_the_commit_of_before() {
    let Some(it) = Pipeline::new(&image("acme/web:1")) else { return };
    it.set_up(&["production"]);
    // The run of the merge is cancelled, and somebody applies it from files that were touched.
    let two = approved(&it, "two", &image("acme/web:2"));
    let by_hand = it.person("ann", &two.after);
    let text = format!("{}\n# by hand\n", by_hand.read("main.dax"));
    std::fs::write(by_hand.path("main.dax"), text).expect("written");
    let plan = ended(by_hand.dax(&["plan", "-e", "production", "--format", "json"]), 0);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).expect("a plan");
    let digest = plan["digest"].as_str().expect("a digest").to_owned();
    ended(by_hand.dax(&["approve", "-e", "production", &digest]), 0);
    ended(by_hand.dax(&["apply", "-e", "production", "--auto-approve"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:2"));
    // What takes it back is the program of the commit that was known last.
    let one = approved(&it, "one", &image("acme/web:1"));
    let said = ended(it.apply(&one, &["-e", "production"]), 0);
    has(&said.err, &["no commit's"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}
