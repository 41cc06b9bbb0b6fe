//! What is said of a change is of that change, stays true, and stands in dax's own comments.

use super::approvals::plain;
use super::clean;
use super::pipeline::{Pipeline, ended, has, lacks};
use dax_tests::peers::github::{ADMIN, ANN};

const PRODUCTION: &str = "<!-- dax:shop:production -->";

#[test]
fn a_check_is_of_the_commit_that_is_checked_out_or_of_none() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let number = it.propose("fewer", &plain().replace("default 2", "default 1"));
    let head = it.head_of(number);
    ended(it.plan(number), 3);
    let comment = it.comment(number, PRODUCTION);
    assert_eq!(it.conclusion(&head), "failure");
    // "Plan again": GitHub checks the default branch out, unless the workflow says otherwise.
    let said = ended(it.job(&it.button(number, "replan", "bob")).dax(&["ci"]), 1);
    has(&said.err, &[&head[..10], &it.head("main")[..10]]);
    assert_eq!(it.conclusion(&head), "failure");
    assert_eq!(it.comment(number, PRODUCTION), comment);
    // With the change checked out it plans that, and says the same as before.
    let event = it.button(number, "replan", "bob").at(&head, Some("fewer"));
    ended(it.job(&event).dax(&["ci"]), 3);
    assert_eq!(it.conclusion(&head), "failure");
    // An old commit of the branch is not the one that the event is of.
    let main = it.head("main");
    let stale = it.pull_request(number, "synchronize").at(&main, None);
    ended(it.job(&stale).dax(&["ci"]), 1);
    assert_eq!(it.conclusion(&head), "failure");
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn an_event_that_gives_tokens_to_strangers_is_refused() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let number = it.propose("fewer", &plain().replace("default 2", "default 3"));
    let main = it.head("main");
    let mut event = it.pull_request(number, "synchronize").at(&main, Some("main"));
    event.name = "pull_request_target";
    for args in [&["ci"][..], &["ci", "apply"]] {
        let said = ended(it.job(&event).dax(args), 1);
        has(&said.err, &["pull_request_target", "run `dax ci` for `pull_request`"]);
    }
    assert!(it.github.checks(&it.head_of(number)).is_empty());
    assert!(it.github.comments(number).is_empty());
    assert_eq!(it.effects(), Vec::<String>::new());
}

#[test]
fn a_comment_of_somebody_else_is_left_alone_whatever_it_begins_with() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let number = it.propose("more", &plain().replace("default 2", "default 3"));
    let forged = format!("{PRODUCTION}\n## nothing to do, merge it");
    it.github.comment(number, "mallory", &forged);
    ended(it.plan(number), 0);
    let comments = it.github.comments(number);
    assert_eq!(comments.iter().filter(|body| **body == forged).count(), 1, "{comments:#?}");
    let own: Vec<&String> =
        comments.iter().filter(|body| body.starts_with(PRODUCTION) && **body != forged).collect();
    assert_eq!(own.len(), 1, "{comments:#?}");
    has(own[0], &["replicas"]);
    // Again: its own is found again beside the other one.
    ended(it.plan(number), 0);
    assert_eq!(it.github.comments(number).len(), comments.len());
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_big_value_hides_no_other_change() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    it.set_up(&["production"]);
    let big = "x".repeat(70_000);
    let env = format!("ports = {{ http: 8080 }}\n\n  env = {{ HOST: \"{big}\" }}");
    let program = plain().replace("ports = { http: 8080 }", &env).replace("acme/web", "acme/evil");
    let number = it.propose("big", &program);
    let job = it.job(&it.pull_request(number, "synchronize"));
    ended(job.dax(&["ci"]), 0);
    let check = it.github.checks(&it.head_of(number)).pop().expect("a check");
    let page = check["output"]["summary"].as_str().unwrap_or_default();
    for text in [&it.comment(number, PRODUCTION), page, &job.summary()] {
        has(text, &["image", "acme/evil", "env.HOST"]);
        assert!(text.len() < 65_000, "{} bytes", text.len());
    }
    clean(&it.github, &[ADMIN, ANN]);
}

/// The program with more environments like staging.
fn many(program: &str, count: usize) -> String {
    let one = |at: usize| format!("\nenvironment dev{at} {{\n  bind web to memory.world\n}}\n");
    format!("{program}{}", (0..count).map(one).collect::<String>())
}

#[test]
fn comments_that_no_longer_hold_say_so() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let number = it.propose("more", &plain().replace("default 2", "default 3"));
    let first = it.head_of(number);
    ended(it.plan(number), 0);
    let old = it.comment(number, PRODUCTION);
    has(&old, &["replicas"]);
    // Ten environments share one comment, so that the one of production is not written any more.
    let program = many(&plain().replace("acme/web", "acme/other"), 8);
    let head = it.push(number, &program);
    ended(it.plan(number), 0);
    let stale = it.comment(number, PRODUCTION);
    assert_ne!(stale, old);
    lacks(&stale, &["dax approve -e production"]);
    // A push that cannot be planned leaves no plan standing either.
    it.push(number, "service web {");
    ended(it.plan(number), 1);
    let all = it.github.comments(number);
    let standing = |body: &&String| body.contains("dax approve -e") && body.contains(&head[..10]);
    assert!(!all.iter().any(|body| standing(&body)), "{all:#?}");
    assert_ne!(first, head);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_comment_follows_the_approval_and_the_apply() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let number = it.propose("more", &plain().replace("default 2", "default 3"));
    ended(it.plan(number), 0);
    has(&it.comment(number, PRODUCTION), &["0 of 1"]);
    it.approve(number, "ann");
    // The workflow runs for reviews as well.
    let mut reviewed = it.pull_request(number, "submitted");
    reviewed.name = "pull_request_review";
    ended(it.job(&reviewed).dax(&["ci"]), 0);
    has(&it.comment(number, PRODUCTION), &["approved by ann"]);
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &[]), 0);
    // Each environment's remarks name it.
    for line in said.err.lines().filter(|line| line.contains("approved")) {
        assert!(line.contains("production") || line.contains("staging"), "{line}");
    }
    let comments = it.github.comments(number);
    let of_production: Vec<&String> =
        comments.iter().filter(|body| body.starts_with("<!-- dax:shop:production")).collect();
    assert!(of_production.iter().any(|body| body.contains("run 1")), "{comments:#?}");
    for body in of_production {
        lacks(body, &["Not possible now", "needs 1 more approval"]);
    }
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn the_loser_of_a_race_writes_nothing_over_what_the_winner_said() {
    let Some(it) = Pipeline::new(&plain()) else { return };
    let number = it.propose("more", &plain().replace("default 2", "default 3"));
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    let merged = it.merge(number);
    let jobs: Vec<_> = (0..2).map(|_| it.job(&it.pushed(&merged))).collect();
    let args = ["ci", "apply", "-e", "production"];
    let running: Vec<_> = jobs
        .iter()
        .map(|job| {
            let mut command = job.command(&args);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().expect("dax runs")
        })
        .collect();
    let ends: Vec<_> = running
        .into_iter()
        .map(|child| crate::project::said(&child.wait_with_output().expect("it ends")))
        .collect();
    assert!(ends.iter().any(|said| said.code == 0), "{}\n{}", ends[0].err, ends[1].err);
    let created =
        |line: &&String| line.starts_with("production/") && line.contains("create service");
    assert_eq!(it.effects().iter().filter(created).count(), 1);
    assert_eq!(it.replicas("production"), Some(3));
    let all = it.github.comments(number).join("\n");
    has(&all, &["run 1"]);
    lacks(&all, &["not applied"]);
    let states = it.deployments("production");
    assert!(!states.iter().any(|states| states.contains("error")), "{states:?}");
    clean(&it.github, &[ADMIN, ANN]);
}
