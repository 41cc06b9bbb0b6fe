//! Comments of several jobs stand beside each other, and what is on the page no more was not seen there.

use super::approvals::plain;
use super::clean;
use super::pipeline::job::Job;
use super::pipeline::{PROGRAM, Pipeline, ended, has, lacks};
use crate::project::{Said, said};
use dax_tests::peers::github::{ADMIN, ANN, REPOSITORY, Trouble};
use dax_tests::peers::http::Reply;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const PRODUCTION: &str = "<!-- dax:shop:production -->";
const STAGING: &str = "<!-- dax:shop:staging -->";
const VOID: &str = "**Superseded by ";

/// A job of a pull request that plans these environments.
fn plan(it: &Pipeline, number: u64, environments: &[&str]) -> Said {
    let args: Vec<&str> = environments.iter().flat_map(|name| ["-e", name]).collect();
    it.job(&it.pull_request(number, "synchronize")).dax(&[&["ci"], &args[..]].concat())
}

/// Runs dax in a folder of a job's checkout.
fn dax_in(job: &Job, folder: &str, args: &[&str]) -> Said {
    said(&job.command(args).current_dir(job.path(folder)).output().expect("dax runs"))
}

#[test]
fn a_job_of_other_environments_leaves_a_comment_as_it_is() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    let number = it.propose("more", &program.replace("acme/web", "acme/shop-web"));
    ended(plan(&it, number, &["production"]), 0);
    let first = it.comment(number, PRODUCTION);
    ended(plan(&it, number, &["staging"]), 0);
    assert_eq!(it.comment(number, PRODUCTION), first);
    has(&it.comment(number, STAGING), &["web"]);
    // Also after a push: the other job has not come to it yet.
    it.push(number, &program.replace("acme/web", "acme/other"));
    ended(plan(&it, number, &["staging"]), 0);
    assert_eq!(it.comment(number, PRODUCTION), first);
    // One that cannot plan makes nothing void that it does not plan.
    it.push(number, "service web {");
    ended(plan(&it, number, &["staging"]), 1);
    assert_eq!(it.comment(number, PRODUCTION), first);
    has(&it.comment(number, STAGING), &[VOID]);
    // Who plans everything answers for everything.
    ended(plan(&it, number, &[]), 1);
    has(&it.comment(number, PRODUCTION), &[VOID]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn jobs_of_many_environments_each_have_their_comment() {
    let plain = plain();
    let one = |at: usize| format!("\nenvironment dev{at} {{\n  bind web to memory.world\n}}\n");
    let program = format!("{plain}{}", (0..9).map(one).collect::<String>());
    let Some(it) = Pipeline::new(&program) else { return };
    let number = it.propose("more", &program.replace("acme/web", "acme/shop-web"));
    let names: Vec<String> = (0..9).map(|at| format!("dev{at}")).collect();
    let dev: Vec<&str> = names.iter().map(String::as_str).collect();
    let other = [&["production", "staging"], &dev[..7]].concat();
    ended(plan(&it, number, &dev), 0);
    ended(plan(&it, number, &other), 0);
    let all = it.github.comments(number);
    assert_eq!(all.len(), 2, "{all:#?}");
    has(&all[0], &["dev8"]);
    lacks(&all[0], &["production"]);
    has(&all[1], &["production"]);
    lacks(&all[1], &["dev8"]);
    assert!(!all.iter().any(|body| body.contains(VOID)), "{all:#?}");
    // Again: each finds its own.
    ended(plan(&it, number, &dev), 0);
    assert_eq!(it.github.comments(number).len(), 2);
    // One comment of all of them takes their place.
    ended(it.plan(number), 0);
    let all = it.github.comments(number);
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all[..2].iter().all(|body| body.contains(VOID)), "{all:#?}");
    lacks(&all[2], &[VOID]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_job_of_another_project_leaves_a_comment_as_it_is_until_the_next_push() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.write("two/dax.mod", "project = \"two\"\n\ngroup \"team:sre\" { members = [\"ann\"] }\n");
    it.write("two/main.dax", &program);
    it.commit("another project");
    let number = it.propose("more", &program.replace("default 2", "default 3"));
    let run = |folder: &str, args: &[&str]| {
        dax_in(&it.job(&it.pull_request(number, "synchronize")), folder, args)
    };
    // The job of the second project shows all of it, though the change does not touch it.
    ended(run("two", &["ci", "--all"]), 0);
    let marker = "<!-- dax:two:production -->";
    let shown = it.comment(number, marker);
    lacks(&shown, &[VOID]);
    ended(run("", &["ci"]), 0);
    assert_eq!(it.comment(number, marker), shown);
    // For another commit it is not true any more.
    it.push(number, &program.replace("default 2", "default 4"));
    ended(run("", &["ci"]), 0);
    has(&it.comment(number, marker), &[VOID]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_review_while_a_failure_is_shown_approves_no_plan_from_before() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    it.set_up(&["production"]);
    let number = it.propose("evil", &PROGRAM.replace("acme/web", "acme/evil"));
    ended(it.plan(number), 0);
    has(&it.comment(number, PRODUCTION), &["acme/evil"]);
    // The job runs again without the secret: the page has nothing to approve.
    let mut job = it.job(&it.pull_request(number, "synchronize"));
    job.unset("SHOP_DB");
    ended(job.dax(&["ci"]), 1);
    lacks(&it.comment(number, PRODUCTION), &["acme/evil"]);
    it.approve(number, "ann");
    ended(it.plan(number), 0);
    let comment = it.comment(number, PRODUCTION);
    has(&comment, &["acme/evil", "0 of 1", "ann must look again"]);
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["ann", "team:sre"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    it.approve(number, "ann");
    ended(it.apply(&merged, &["-e", "production"]), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/evil:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_review_while_the_plans_are_superseded_approves_none_and_one_from_before_still_does() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production", "staging"]);
    let one = it.propose("one", &program.replace("acme/web", "acme/evil"));
    ended(it.plan(one), 0);
    let two = it.propose("two", &program.replace("default 2", "default 5"));
    ended(it.plan(two), 0);
    it.approve(two, "ann");
    // A test of `main` fails meanwhile.
    it.branch("main");
    it.write("main.dax", &format!("{program}\ntest \"no\" {{\n  assert 1 == 2\n}}\n"));
    it.commit("a test that fails");
    for number in [one, two] {
        ended(it.plan(number), 1);
        has(&it.comment(number, PRODUCTION), &[VOID, "has errors"]);
    }
    it.approve(one, "ann");
    it.branch("main");
    it.write("main.dax", &program);
    it.commit("without it");
    // It was approved while it was shown.
    ended(it.apply(&it.merge(two), &["-e", "production"]), 0);
    assert_eq!(it.replicas("production"), Some(5));
    ended(it.apply(&it.merge(one), &["-e", "production"]), 3);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_review_of_a_shared_comment_approves_nothing_that_has_left_it() {
    // Nine environments share a comment; one goes with a change of `main`, and comes back.
    let one = |at: usize| {
        format!(
            "\nenvironment dev{at} {{\n  bind web to memory.world\n  approve 1 of [\"ann\"]\n}}\n"
        )
    };
    let few = format!("{}{}", plain(), (0..6).map(one).collect::<String>());
    let last = one(6);
    let many = format!("{few}{last}");
    let Some(it) = Pipeline::new(&many) else { return };
    let number = it.propose("more", &many.replace("acme/web", "acme/shop-web"));
    ended(it.plan(number), 0);
    has(&it.comment(number, "<!-- dax:all -->"), &["dev6"]);
    it.branch("main");
    it.write("main.dax", &few);
    it.commit("one less");
    ended(it.plan(number), 0);
    has(&it.comment(number, "<!-- dax:all -->"), &["dev6 · no longer in the program"]);
    it.approve(number, "ann");
    it.branch("main");
    it.write("main.dax", &many);
    it.commit("one more");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "dev6"]), 3);
    has(&said.err, &["dev6", "ann"]);
    assert_eq!(it.image("dev6"), None);
    ended(it.apply(&merged, &["-e", "dev5"]), 0);
    clean(&it.github, &[ADMIN, ANN]);
}

/// A job that hangs for a while at the next request of a kind; it goes on by itself.
fn hanging(it: &Pipeline, job: &Job, at: &str) -> Child {
    let body = serde_json::json!({ "message": "API rate limit exceeded" });
    let mut later = Reply::json(429, &body);
    later.headers.push(("retry-after".to_owned(), "15".to_owned()));
    let at = format!("{at} /repos/{REPOSITORY}/issues/");
    it.github.trouble(Trouble { at: at.clone(), reply: later, after: false });
    let count = || it.github.asked().iter().filter(|one| one.line.starts_with(&at)).count();
    let before = count();
    let mut command = job.command(&["ci"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("dax runs");
    let start = Instant::now();
    while count() == before {
        assert!(start.elapsed() < Duration::from_secs(60), "it comes to its comments");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

/// A pull request with another tag, for which two jobs plan different things: `main` has another
/// image since the first. Gives the pull request and both jobs.
fn two_jobs(it: &Pipeline, program: &str) -> (u64, Job, Job) {
    let number = it.propose("tag", &program.replace("}/web:", "}/web:next-"));
    let first = it.job(&it.pull_request(number, "synchronize"));
    it.branch("main");
    it.write("main.dax", &program.replace("\"acme\"", "\"evil\""));
    it.commit("another registry");
    let second = it.job(&it.pull_request(number, "synchronize"));
    (number, first, second)
}

/// The program with a registry on a line of its own.
fn registry() -> String {
    let program = plain().replace("acme/web", "${registry}/web");
    program.replace("service web", "let registry = \"acme\"\n\nservice web")
}

#[test]
fn a_review_is_of_the_comment_and_not_of_a_job_that_ended_later() {
    let program = registry();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production", "staging"]);
    let (number, first, second) = two_jobs(&it, &program);
    ended(first.dax(&["ci", "-e", "production"]), 0);
    // It has written the comment of production, and waits with that of staging.
    let slow = hanging(&it, &second, "POST");
    has(&it.comment(number, PRODUCTION), &["evil/web:next-1"]);
    ended(first.dax(&["ci"]), 0);
    ended(said(&slow.wait_with_output().expect("it ends")), 0);
    has(&it.comment(number, PRODUCTION), &["\n**production · image web 1 → next-1 · "]);
    it.approve(number, "ann");
    let said = it.apply(&it.merge(number), &["-e", "production"]);
    assert!(said.code == 3 || said.code == 4, "{}\n{}", said.out, said.err);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_comment_that_two_jobs_wrote_at_once_is_approved_once_it_is_shown_anew() {
    let program = registry();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production", "staging"]);
    let (number, first, second) = two_jobs(&it, &program);
    ended(first.dax(&["ci"]), 0);
    // The one is about to write what the other writes meanwhile, as it had before.
    let slow = hanging(&it, &second, "PATCH");
    ended(first.dax(&["ci"]), 0);
    it.approve(number, "ann");
    ended(said(&slow.wait_with_output().expect("it ends")), 0);
    it.approve(number, "cid");
    ended(second.dax(&["ci"]), 0);
    has(&it.comment(number, PRODUCTION), &["evil/web:next-1", "0 of 1"]);
    it.approve(number, "cid");
    ended(second.dax(&["ci"]), 0);
    has(&it.comment(number, PRODUCTION), &["approved by cid"]);
    clean(&it.github, &[ADMIN, ANN]);
}
