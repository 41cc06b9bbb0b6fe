//! Whatever nobody could see is approved by nobody, and the check says so.

use super::approvals::plain;
use super::clean;
use super::pipeline::{Pipeline, ended, has, lacks};
use dax_tests::peers::github::{ADMIN, ANN, REPOSITORY, Trouble};
use dax_tests::peers::http::Reply;
use serde_json::json;

const PRODUCTION: &str = "<!-- dax:shop:production -->";
const SHARED: &str = "<!-- dax:all -->";

/// Refuses the next requests of a kind.
fn refuse(it: &Pipeline, method: &str, path: &str, times: usize) {
    for _ in 0..times {
        let body = json!({
            "message": "Resource not accessible by integration",
            "documentation_url": "https://docs.github.com/rest", "status": "403",
        });
        let at = format!("{method} /repos/{REPOSITORY}/{path}");
        it.github.trouble(Trouble { at, reply: Reply::json(403, &body), after: false });
    }
}

#[test]
fn without_comments_the_check_shows_the_plans() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production", "staging"]);
    let number = it.propose("more", &program.replace("default 2", "default 5"));
    refuse(&it, "POST", "issues/", 2);
    let said = ended(it.plan(number), 0);
    has(&said.err, &["does not let this token comment"]);
    assert!(it.github.comments(number).is_empty());
    let head = it.head_of(number);
    assert_eq!(it.conclusion(&head), "success");
    let check = it.github.checks(&head).pop().expect("a check");
    has(check["output"]["summary"].as_str().expect("a summary"), &["production · replicas web"]);
    it.approve(number, "ann");
    ended(it.apply(&it.merge(number), &[]), 0);
    assert_eq!(it.replicas("production"), Some(5));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn what_is_neither_in_a_comment_nor_in_the_check_fails_it() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production", "staging"]);
    let number = it.propose("more", &program.replace("default 2", "default 5"));
    refuse(&it, "POST", "issues/", 2);
    refuse(&it, "POST", "check-runs", 3);
    let said = ended(it.plan(number), 1);
    has(&said.err, &["shop / production cannot be shown: neither its comment nor the check"]);
    // A job with `-e` shares the name of its check with others.
    refuse(&it, "POST", "issues/", 1);
    let job = it.job(&it.pull_request(number, "synchronize"));
    let said = ended(job.dax(&["ci", "-e", "production"]), 1);
    has(&said.err, &["shop / production cannot be shown", "`-e`"]);
    let head = it.head_of(number);
    assert_eq!(it.conclusion(&head), "failure");
    it.approve(number, "ann");
    let merged = it.merge(number);
    ended(it.apply(&merged, &["-e", "production"]), 3);
    assert_eq!(it.replicas("production"), Some(2));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_check_stands_in_for_no_comment_that_says_something_else() {
    let program = plain();
    let Some(it) = Pipeline::new(&program) else { return };
    it.set_up(&["production"]);
    let number = it.propose("more", &program.replace("default 2", "default 5"));
    ended(it.plan(number), 0);
    it.push(number, &program.replace("acme/web", "acme/evil"));
    refuse(&it, "PATCH", "issues/", 2);
    let said = ended(it.plan(number), 1);
    has(&said.err, &["shop / production cannot be shown: the comment of an earlier run"]);
    lacks(&it.comment(number, PRODUCTION), &["acme/evil"]);
    it.approve(number, "ann");
    ended(it.apply(&it.merge(number), &["-e", "production"]), 3);
    assert_eq!(it.image("production").as_deref(), Some("acme/web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

/// A program of nine environments with twenty services, whose images are of somebody, and with
/// rules for production.
fn nine(of: &str, rules: &str) -> String {
    let name = |at: usize| format!("{of}/{}{at}", "x".repeat(150));
    let service = |at: usize| format!("service s{at} {{\n  image = \"{}:1\"\n}}\n", name(at));
    let all: Vec<String> = (0..20).map(|at| format!("s{at}")).collect();
    let bind = format!("  bind [{}] to memory.world\n", all.join(", "));
    let dev = |at: usize| format!("environment dev{at} {{\n{bind}}}\n");
    format!(
        "import memory from \"std/memory\"\n\nprovider memory.world {{\n}}\n{}{}\
         environment production {{\n{bind}{rules}}}\n",
        (0..20).map(service).collect::<String>(),
        (0..8).map(dev).collect::<String>(),
    )
}

#[test]
fn of_many_environments_what_does_not_fit_is_approved_by_nobody() {
    let rules = "  approve 1 of [\"team:sre\"]\n";
    let Some(it) = Pipeline::new(&nine("acme", rules)) else { return };
    let names: Vec<String> = (0..8).map(|at| format!("dev{at}")).collect();
    let dev: Vec<&str> = names.iter().map(String::as_str).collect();
    it.set_up(&[&["production"], &dev[..]].concat());
    let number = it.propose("evil", &nine("evil", ""));
    let said = ended(it.plan(number), 1);
    has(&said.err, &["shop / dev7 cannot be shown", "run `dax ci -e dev7` in a job of its own"]);
    lacks(&said.err, &["production cannot be shown"]);
    let comment = it.comment(number, SHARED);
    has(&comment, &["**Not shown here, for its length: what becomes of", "dev7"]);
    // Those to stop at come first.
    let places = ["**production · loosens the conditions", "**dev0 · "]
        .map(|text| comment.find(text).unwrap_or_else(|| panic!("{text}: {comment}")));
    assert!(places.is_sorted(), "{comment}");
    lacks(&comment, &["**dev7 · "]);
    assert_eq!(it.conclusion(&it.head_of(number)), "failure");
    // In a job of its own it is shown.
    let job = it.job(&it.pull_request(number, "synchronize"));
    ended(job.dax(&["ci", "-e", "dev6"]), 0);
    it.approve(number, "ann");
    let merged = it.merge(number);
    let runs = |environment: &str| it.live(environment, "s0").expect("it runs").to_string();
    ended(it.apply(&merged, &["-e", "dev7"]), 3);
    lacks(&runs("dev7"), &["evil"]);
    for environment in ["dev6", "production"] {
        ended(it.apply(&merged, &["-e", environment]), 0);
        has(&runs(environment), &["evil"]);
    }
    clean(&it.github, &[ADMIN, ANN]);
}
