//! What goes wrong between a pipeline and GitHub, and what a user sees of it.

use super::clean;
use super::pipeline::{PROGRAM, Pipeline, SECRET, ended, has};
use dax_tests::peers::github::{ADMIN, ANN, APP, REPOSITORY, Trouble, start};
use dax_tests::peers::http::Reply;
use serde_json::{Value as Json, json};

const PRODUCTION: &str = "<!-- dax:shop:production -->";

/// A change of both environments in a pull request.
fn changed() -> Option<(Pipeline, u64)> {
    let it = Pipeline::new(PROGRAM)?;
    let number = it.propose("feature", &PROGRAM.replace("acme/web", "acme/shop-web"));
    Some((it, number))
}

fn no(status: u16, message: &str) -> Reply {
    let docs = "https://docs.github.com/rest";
    let body =
        json!({ "message": message, "documentation_url": docs, "status": status.to_string() });
    Reply::json(status, &body)
}

fn at(method: &str, path: &str) -> String {
    format!("{method} /repos/{REPOSITORY}/{path}")
}

fn fail(it: &Pipeline, at: String, reply: Reply, after: bool) {
    it.github.trouble(Trouble { at, reply, after });
}

fn comments(it: &Pipeline, number: u64) -> usize {
    it.github.comments(number).iter().filter(|body| body.starts_with(PRODUCTION)).count()
}

#[test]
fn limits_are_waited_out_and_what_may_have_been_done_is_not_done_twice() {
    let Some((it, number)) = changed() else { return };
    let mut later = no(429, "API rate limit exceeded");
    later.headers.push(("retry-after".to_owned(), "1".to_owned()));
    let secondary = "You have exceeded a secondary rate limit and have been temporarily blocked";
    let mut secondary = no(403, secondary);
    secondary.headers.push(("retry-after".to_owned(), "1".to_owned()));
    let talk = format!("issues/{number}/comments");
    fail(&it, at("POST", "check-runs"), later, false);
    fail(&it, at("GET", &talk), secondary, false);
    // One comment is written although nobody says so, another is not: there is one of each in the end.
    fail(&it, at("POST", &talk), no(502, "Bad Gateway"), true);
    fail(&it, at("POST", &talk), no(502, "Bad Gateway"), false);
    fail(&it, at("GET", &format!("pulls/{number}")), no(502, "Bad Gateway"), false);
    let said = ended(it.plan(number), 0);
    let waited = said.err.matches("waited 1 s, because the other side was too busy").count();
    assert_eq!(waited, 2, "{}", said.err);
    assert_eq!(it.github.comments(number).len(), 2);
    assert_eq!(it.github.checks(&it.head_of(number)).len(), 1);
    // A run that was made although the answer was lost is found again.
    fail(&it, at("POST", "check-runs"), no(502, "Bad Gateway"), true);
    let next = it.push(number, &PROGRAM.replace("acme/web", "acme/third-web"));
    ended(it.plan(number), 0);
    assert_eq!(it.github.checks(&next).len(), 1);
    // A limit that lasts too long is told.
    let mut long = no(403, "API rate limit exceeded");
    long.headers.push(("x-ratelimit-remaining".to_owned(), "0".to_owned()));
    long.headers.push(("x-ratelimit-reset".to_owned(), "4102444800".to_owned()));
    fail(&it, at("GET", "commits/"), long, false);
    let job = it.job(&it.pull_request(number, "synchronize"));
    let said = ended(job.dax(&["ci", "--patience", "2s"]), 1);
    has(&said.err, &["GitHub has too much to do and says to come back in"]);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_comment_that_somebody_deleted_is_written_anew() {
    let Some((it, number)) = changed() else { return };
    ended(it.plan(number), 0);
    let all = it.github.gh(&["api", &format!("/repos/{REPOSITORY}/issues/{number}/comments")]);
    let begins =
        |note: &&Json| note["body"].as_str().is_some_and(|body| body.starts_with(PRODUCTION));
    let production = all.as_array().and_then(|all| all.iter().find(begins)).expect("a comment");
    let path = format!("/repos/{REPOSITORY}/issues/comments/{}", production["id"]);
    it.github.person(ADMIN, "DELETE", &path, &json!(null));
    assert_eq!(comments(&it, number), 0);
    ended(it.plan(number), 0);
    assert_eq!(comments(&it, number), 1);
    // Deleted between being found and being written.
    it.push(number, &PROGRAM.replace("acme/web", "acme/third-web"));
    fail(&it, at("PATCH", "issues/comments/"), no(404, "Not Found"), false);
    ended(it.plan(number), 0);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_force_push_leaves_the_comments_to_the_newer_run_and_takes_no_approval_along() {
    let Some((it, number)) = changed() else { return };
    let old = it.head_of(number);
    ended(it.plan(number), 0);
    it.approve(number, "ann");
    let before = it.github.comments(number);
    // The branch was written anew while the job for the old commit was waiting.
    let waiting = it.pull_request(number, "synchronize");
    it.branch("feature");
    it.write("main.dax", &PROGRAM.replace("acme/web", "acme/other-web"));
    let new = it.commit("written anew");
    it.moved(number);
    let said = ended(it.job(&waiting).dax(&["ci"]), 0);
    has(&said.err, &[&format!("is at commit {} by now", &new[..10])]);
    assert_eq!(it.github.comments(number), before);
    ended(it.plan(number), 0);
    let comment = it.comment(number, PRODUCTION);
    has(&comment, &[&format!("Since commit {}", &old[..10]), "acme/other-web", "ann"]);
    // What was approved was another plan.
    let said = ended(it.apply(&it.merge(number), &["-e", "production"]), 3);
    has(&said.err, &["`ann` approved another plan", "needs the approval of 1 of team:sre"]);
    assert_eq!(it.image("production"), None);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_token_that_may_only_read_leaves_everything_in_the_log() {
    let Some((it, number)) = changed() else { return };
    let denied = || no(403, "Resource not accessible by integration");
    for _ in 0..2 {
        fail(&it, at("POST", "check-runs"), denied(), false);
        fail(&it, at("POST", "statuses"), denied(), false);
        fail(&it, at("POST", "issues/"), denied(), false);
    }
    it.github.world.lock().expect("nobody fails with this lock").forks.push(number);
    let event = it.pull_request_from(number, "synchronize", "mallory/shop");
    let job = it.job(&event);
    let said = ended(job.dax(&["ci"]), 0);
    let lost = "as the tokens of pull requests from forks may not: the log has everything";
    has(&said.err, &[lost, "GitHub does not let this token comment on pull request"]);
    has(&said.out, &["::notice file=main.dax,line="]);
    has(&job.summary(), &["acme/shop-web:1"]);
    assert!(it.github.comments(number).is_empty());
    // Nothing of a fork is applied.
    let said = ended(it.job(&event).dax(&["ci", "apply"]), 0);
    has(&said.err, &["comes from another repository: nothing of it is applied"]);
    assert_eq!(it.effects(), Vec::<String>::new());
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_token_without_checks_writes_a_commit_status() {
    let Some((it, number)) = changed() else { return };
    for _ in 0..2 {
        let reply = no(403, "Resource not accessible by personal access token");
        fail(&it, at("POST", "check-runs"), reply, false);
    }
    let said = ended(it.plan(number), 0);
    has(&said.err, &["give the job `checks: write`; a personal token never may, an App may"]);
    has(&said.out, &["::notice file=main.dax,line="]);
    let world = it.github.world.lock().expect("nobody fails with this lock");
    let word = |status: &Json, field: &str| status[field].as_str().unwrap_or_default().to_owned();
    let states: Vec<(String, String)> = world
        .statuses
        .iter()
        .map(|status| (word(status, "context"), word(status, "state")))
        .collect();
    drop(world);
    let of_dax = |state: &str| ("dax".to_owned(), state.to_owned());
    assert_eq!(states, [of_dax("pending"), of_dax("success")]);
    assert_eq!(comments(&it, number), 1);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn an_app_asks_for_what_each_call_needs_and_for_no_more() {
    let Some((mut it, number)) = changed() else { return };
    it.token = String::new();
    let app = |key: &str| {
        vec![
            ("DAX_GITHUB_APP_ID".to_owned(), APP.to_string()),
            ("DAX_GITHUB_APP_KEY".to_owned(), key.to_owned()),
        ]
    };
    it.remote.variables = app(&it.github.key);
    ended(it.plan(number), 0);
    assert_eq!(it.github.checks(&it.head_of(number)).len(), 1);
    assert_eq!(comments(&it, number), 1);
    let asked = it.github.asked();
    let tokens = asked.iter().filter(|one| one.line.ends_with("/access_tokens"));
    let tokens: Vec<Json> =
        tokens.map(|one| serde_json::from_str(&one.body).expect("JSON")).collect();
    let only = |permissions: Json| json!({ "permissions": permissions, "repositories": ["shop"] });
    for wanted in [
        only(json!({ "checks": "write" })),
        only(json!({ "contents": "read", "pull_requests": "read" })),
        only(json!({ "pull_requests": "write" })),
    ] {
        assert_eq!(tokens.iter().filter(|one| **one == wanted).count(), 1, "{wanted}: {tokens:?}");
    }
    let write = |token: &&Json| token["permissions"]["contents"] == "write";
    assert_eq!(tokens.iter().filter(write).count(), 0);
    assert_eq!(asked.iter().filter(|one| one.line.ends_with("/installation")).count(), 1);
    // Its check has buttons; those of a job's own token would do nothing.
    assert!(asked.iter().any(|one| one.body.contains("\"identifier\":\"replan\"")));
    // Another key is not the App's.
    let other = start().expect("it started before");
    it.remote.variables = app(&other.key);
    let said = ended(it.plan(number), 1);
    has(&said.err, &["GitHub knows nobody by this credential"]);
    assert!(!said.err.contains("PRIVATE KEY"), "{}", said.err);
    it.remote.variables = app("no key");
    has(&ended(it.plan(number), 1).err, &["the App's private key is no RSA key in PEM"]);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN, "PRIVATE KEY"]);
}

#[test]
fn a_dry_run_prints_each_request_and_makes_none() {
    let Some((it, number)) = changed() else { return };
    let job = it.job(&it.pull_request(number, "synchronize"));
    let said = ended(job.dax(&["ci", "--dry-run"]), 0);
    let url = it.github.url();
    for line in [
        format!("POST {url}/repos/{REPOSITORY}/check-runs\n"),
        format!("POST {url}/repos/{REPOSITORY}/issues/{number}/comments\n"),
        "\"head_sha\": \"".to_owned(),
    ] {
        has(&said.out, &[&line]);
    }
    assert!(!said.out.contains(ADMIN), "{}", said.out);
    let asked = it.github.asked();
    let reads = |path: &str| path == "/graphql";
    let read = asked
        .iter()
        .all(|one| one.method() == "GET" || reads(one.path()) || one.body.contains("finished"));
    assert!(read, "nothing is changed");
    assert!(it.github.comments(number).is_empty());
    assert_eq!(it.runs("production").len(), 0);
}

#[test]
fn several_projects_are_planned_in_one_run_and_one_that_is_removed_is_said() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let other = PROGRAM.replace("acme/web", "acme/other");
    for name in ["one", "two"] {
        it.write(&format!("services/{name}/dax.mod"), &format!("project = \"{name}\"\n"));
        it.write(&format!("services/{name}/main.dax"), &other);
    }
    it.commit("two more projects");
    it.branch("feature");
    std::fs::remove_dir_all(it.at("work/services/two")).expect("it is there");
    it.write("services/one/main.dax", &other.replace("acme/other", "acme/another"));
    let head = it.commit("one changes, one goes");
    let number = it.open("feature");
    let said = ended(it.plan(number), 0);
    has(&said.err, &["planning one / production"]);
    assert!(!said.err.contains("planning shop"), "{}", said.err);
    it.comment(number, "<!-- dax:one:production -->");
    has(&it.comment(number, "<!-- dax:two:production -->"), &["no longer in the program"]);
    let check = it.github.checks(&head).pop().expect("a check");
    let path = format!("/repos/{REPOSITORY}/check-runs/{}/annotations", check["id"]);
    has(&it.github.gh(&["api", &path]).to_string(), &["services/one/main.dax"]);
    // What is merged is deployed under the project's name.
    ended(it.apply(&it.merge(number), &["-e", "staging"]), 0);
    assert_eq!(it.deployments("one/staging").len(), 1);
    assert_eq!(it.image("staging").as_deref(), Some("acme/another:1"));
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}
