//! What goes wrong between a pipeline and GitHub, and what a user sees of it.

use super::clean;
use super::repository::{PROGRAM, Repository, SECRET, ended, pull_request, push};
use dax_tests::peers::github::{ADMIN, ANN, APP, GitHub, REPOSITORY, Trouble, start};
use dax_tests::peers::http::Reply;
use serde_json::{Value as Json, json};

const PRODUCTION: &str = "<!-- dax:shop:production -->";

/// A repository with a change of both environments on a branch of its own, and its pull request.
fn changed(github: &GitHub) -> (Repository, String, u64) {
    let repository = Repository::new(PROGRAM);
    let base = repository.head();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("main.dax", &PROGRAM.replace("acme/web", "acme/shop-web"));
    let head = repository.commit("another image");
    let number = github.open("feature", &head);
    (repository, base, number)
}

fn no(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() }),
    )
}

fn at(method: &str, path: &str) -> String {
    format!("{method} /repos/{REPOSITORY}/{path}")
}

fn comments(github: &GitHub, number: u64) -> usize {
    github.comments(number).iter().filter(|body| body.starts_with(PRODUCTION)).count()
}

#[test]
fn limits_are_waited_out_and_what_may_have_been_done_is_not_done_twice() {
    let Some(github) = start() else { return };
    let (repository, base, number) = changed(&github);
    let mut later = no(429, "API rate limit exceeded");
    later.headers.push(("retry-after".to_owned(), "1".to_owned()));
    let mut secondary =
        no(403, "You have exceeded a secondary rate limit and have been temporarily blocked");
    secondary.headers.push(("retry-after".to_owned(), "1".to_owned()));
    github.trouble(Trouble { at: at("POST", "check-runs"), reply: later, after: false });
    github.trouble(Trouble {
        at: at("GET", &format!("issues/{number}/comments")),
        reply: secondary,
        after: false,
    });
    // One comment is written although nobody says so, another is not: there is one of each in the end.
    github.trouble(Trouble {
        at: at("POST", &format!("issues/{number}/comments")),
        reply: no(502, "Bad Gateway"),
        after: true,
    });
    github.trouble(Trouble {
        at: at("POST", &format!("issues/{number}/comments")),
        reply: no(502, "Bad Gateway"),
        after: false,
    });
    github.trouble(Trouble {
        at: at("GET", &format!("pulls/{number}")),
        reply: no(502, "Bad Gateway"),
        after: false,
    });
    let said = ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    assert_eq!(
        said.err.matches("waited 1 s, because the other side was too busy").count(),
        2,
        "{}",
        said.err
    );
    assert_eq!(github.comments(number).len(), 2);
    assert_eq!(github.checks(&repository.head()).len(), 1);
    // A run that was made although the answer was lost is found again.
    github.trouble(Trouble {
        at: at("POST", "check-runs"),
        reply: no(502, "Bad Gateway"),
        after: true,
    });
    let next = repository.commit("again");
    github.world.lock().expect("nobody fails with this lock").heads.insert(number, next.clone());
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    assert_eq!(github.checks(&next).len(), 1);
    // A limit that lasts too long is told.
    let mut long = no(403, "API rate limit exceeded");
    long.headers.push(("x-ratelimit-remaining".to_owned(), "0".to_owned()));
    long.headers.push(("x-ratelimit-reset".to_owned(), "4102444800".to_owned()));
    github.trouble(Trouble { at: at("GET", "commits/"), reply: long, after: false });
    let said =
        ended(repository.pull_request(&github, number, &base, &["ci", "--patience", "2s"]), 1);
    assert!(
        said.err.contains("GitHub has too much to do and says to come back in"),
        "{}",
        said.err
    );
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_comment_that_somebody_deleted_is_written_anew() {
    let Some(github) = start() else { return };
    let (repository, base, number) = changed(&github);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let all = github.gh(&["api", &format!("/repos/{REPOSITORY}/issues/{number}/comments")]);
    let production = all.as_array().and_then(|all| {
        all.iter()
            .find(|note| note["body"].as_str().is_some_and(|body| body.starts_with(PRODUCTION)))
    });
    let id = production.expect("a comment")["id"].clone();
    github.person(
        ADMIN,
        "DELETE",
        &format!("/repos/{REPOSITORY}/issues/comments/{id}"),
        &json!(null),
    );
    assert_eq!(comments(&github, number), 0);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    assert_eq!(comments(&github, number), 1);
    // Deleted between being found and being written.
    github.trouble(Trouble {
        at: at("PATCH", "issues/comments/"),
        reply: no(404, "Not Found"),
        after: false,
    });
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_force_push_leaves_the_comments_to_the_newer_run_and_takes_no_approval_along() {
    let Some(github) = start() else { return };
    let (repository, base, number) = changed(&github);
    let old = repository.head();
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    github.person(
        ANN,
        "POST",
        &format!("/repos/{REPOSITORY}/pulls/{number}/reviews"),
        &json!({ "event": "APPROVE" }),
    );
    let before = github.comments(number);
    // The branch was written anew while the job for the old commit was waiting.
    repository.git(&["reset", "--quiet", "--hard", &base]);
    repository.write("main.dax", &PROGRAM.replace("acme/web", "acme/other-web"));
    let new = repository.commit("written anew");
    github.world.lock().expect("nobody fails with this lock").heads.insert(number, new.clone());
    repository.git(&["checkout", "--quiet", &old]);
    let said = ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    assert!(
        said.err.contains(&format!(
            "is at commit {} by now: the comments are left to the run for that",
            &new[..10]
        )),
        "{}",
        said.err
    );
    assert_eq!(github.comments(number), before);
    repository.git(&["checkout", "--quiet", &new]);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let comment = github
        .comments(number)
        .into_iter()
        .find(|body| body.starts_with(PRODUCTION))
        .expect("a comment");
    assert!(
        comment.contains(&format!("Since the plan for commit {}", &old[..10]))
            && comment.contains("acme/other-web"),
        "{comment}"
    );
    // What was approved was another plan.
    github.world.lock().expect("nobody fails with this lock").merged.insert(new.clone(), number);
    let said = ended(
        repository.actions(&github, "push", &push(&base), &["ci", "apply", "-e", "production"]),
        3,
    );
    assert!(
        said.err.contains(&format!(
            "`ann` approved commit {}, for which another plan was shown",
            &old[..10]
        )),
        "{}",
        said.err
    );
    assert!(said.err.contains("it needs 1 more approval of team:sre"), "{}", said.err);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_token_that_may_only_read_leaves_everything_in_the_log() {
    let Some(github) = start() else { return };
    let (repository, base, number) = changed(&github);
    let denied = || no(403, "Resource not accessible by integration");
    for _ in 0..2 {
        github.trouble(Trouble { at: at("POST", "check-runs"), reply: denied(), after: false });
        github.trouble(Trouble { at: at("POST", "statuses"), reply: denied(), after: false });
        github.trouble(Trouble { at: at("POST", "issues/"), reply: denied(), after: false });
    }
    github.world.lock().expect("nobody fails with this lock").forks.push(number);
    let event = pull_request(number, &base, &repository.head(), "mallory/shop");
    let said = ended(repository.actions(&github, "pull_request", &event, &["ci"]), 0);
    assert!(
        said.err
            .contains("as the tokens of pull requests from forks may not: the log has everything"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("GitHub does not let this token comment on pull request"),
        "{}",
        said.err
    );
    assert!(said.out.contains("::notice file=main.dax,line="), "{}", said.out);
    let summary = std::fs::read_to_string(repository.path(".git/summary.md")).expect("a summary");
    assert!(summary.contains("acme/shop-web:1"), "{summary}");
    assert!(github.comments(number).is_empty());
    // Nothing of a fork is applied.
    let said = ended(repository.actions(&github, "pull_request", &event, &["ci", "apply"]), 0);
    assert!(
        said.err.contains("comes from another repository: nothing of it is applied"),
        "{}",
        said.err
    );
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_token_without_checks_writes_a_commit_status() {
    let Some(github) = start() else { return };
    let (repository, base, number) = changed(&github);
    for _ in 0..2 {
        github.trouble(Trouble {
            at: at("POST", "check-runs"),
            reply: no(403, "Resource not accessible by personal access token"),
            after: false,
        });
    }
    let said = ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    assert!(
        said.err.contains("give the job `checks: write`; a personal token never may, an App may"),
        "{}",
        said.err
    );
    assert!(said.out.contains("::notice file=main.dax,line="), "{}", said.out);
    let world = github.world.lock().expect("nobody fails with this lock");
    let states: Vec<_> = world
        .statuses
        .iter()
        .map(|status| (status["context"].as_str(), status["state"].as_str()))
        .collect();
    assert_eq!(states, [(Some("dax"), Some("pending")), (Some("dax"), Some("success"))]);
    drop(world);
    assert_eq!(comments(&github, number), 1);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn an_app_asks_for_what_each_call_needs_and_for_no_more() {
    let Some(github) = start() else { return };
    let (mut repository, base, number) = changed(&github);
    repository.token = String::new();
    repository.variables = vec![
        ("DAX_GITHUB_APP_ID".to_owned(), APP.to_string()),
        ("DAX_GITHUB_APP_KEY".to_owned(), github.key.clone()),
    ];
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    assert_eq!(github.checks(&repository.head()).len(), 1);
    assert_eq!(comments(&github, number), 1);
    let asked = github.asked();
    let tokens = asked.iter().filter(|one| one.line.ends_with("/access_tokens"));
    let tokens: Vec<Json> =
        tokens.map(|one| serde_json::from_str(&one.body).expect("JSON")).collect();
    let only = |permissions: Json| json!({ "permissions": permissions, "repositories": ["shop"] });
    assert_eq!(
        tokens,
        [
            only(json!({ "checks": "write" })),
            only(json!({ "contents": "read", "pull_requests": "read" })),
            only(json!({ "pull_requests": "write" })),
        ]
    );
    assert_eq!(asked.iter().filter(|one| one.line.ends_with("/installation")).count(), 1);
    // Its check has buttons; those of a job's own token would do nothing.
    assert!(asked.iter().any(|one| one.body.contains("\"identifier\":\"replan\"")));
    // Another key is not the App's.
    let other = start().expect("it started before");
    repository.variables[1].1 = other.key.clone();
    let said = ended(repository.pull_request(&github, number, &base, &["ci"]), 1);
    assert!(said.err.contains("GitHub knows nobody by this credential"), "{}", said.err);
    assert!(!said.err.contains("PRIVATE KEY"), "{}", said.err);
    repository.variables[1].1 = "no key".to_owned();
    let said = ended(repository.pull_request(&github, number, &base, &["ci"]), 1);
    assert!(said.err.contains("the App's private key is no RSA key in PEM"), "{}", said.err);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN, "PRIVATE KEY"]);
}

#[test]
fn a_dry_run_prints_each_request_and_makes_none() {
    let Some(github) = start() else { return };
    let (repository, base, number) = changed(&github);
    let said = ended(repository.pull_request(&github, number, &base, &["ci", "--dry-run"]), 0);
    for line in [
        format!("POST {}/repos/{REPOSITORY}/check-runs\n", github.url()),
        format!("POST {}/repos/{REPOSITORY}/issues/{number}/comments\n", github.url()),
    ] {
        assert!(said.out.contains(&line), "{line}\n{}", said.out);
    }
    assert!(said.out.contains("\"head_sha\": \"") && !said.out.contains(ADMIN), "{}", said.out);
    assert!(
        github.asked().iter().all(|one| one.method() == "GET" || one.body.contains("finished")),
        "nothing is changed"
    );
    assert!(github.comments(number).is_empty());
    let said = ended(repository.dax(&["history", "-e", "production"]), 0);
    assert!(said.err.contains("nothing was done yet"), "{}", said.err);
}

#[test]
fn several_projects_are_planned_in_one_run_and_one_that_is_taken_away_is_said() {
    let Some(github) = start() else { return };
    let repository = Repository::new(PROGRAM);
    let other = PROGRAM.replace("acme/web", "acme/other");
    for name in ["one", "two"] {
        repository.write(&format!("services/{name}/dax.mod"), &format!("project = \"{name}\"\n"));
        repository.write(&format!("services/{name}/main.dax"), &other);
    }
    let base = repository.commit("two more projects");
    std::fs::remove_dir_all(repository.path("services/two")).expect("it is there");
    repository.write("services/one/main.dax", &other.replace("acme/other", "acme/another"));
    let head = repository.commit("one changes, one goes");
    let number = github.open("feature", &head);
    let said = ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    assert!(
        said.err.contains("planning one / production") && !said.err.contains("planning shop"),
        "{}",
        said.err
    );
    let comments = github.comments(number);
    assert!(
        comments.iter().any(|body| body.starts_with("<!-- dax:one:production -->")),
        "{comments:?}"
    );
    let gone = comments
        .iter()
        .find(|body| body.starts_with("<!-- dax:two:production -->"))
        .expect("a comment");
    assert!(gone.contains("no longer in the program"), "{gone}");
    let asked = github.asked();
    let check = asked
        .iter()
        .rev()
        .find(|one| one.line.contains("/check-runs") && one.method() == "PATCH")
        .expect("a check");
    assert!(check.body.contains("services/one/main.dax"), "{}", check.body);
    // What is merged is deployed under the project's name.
    github.world.lock().expect("nobody fails with this lock").merged.insert(head, number);
    github.person(
        ANN,
        "POST",
        &format!("/repos/{REPOSITORY}/pulls/{number}/reviews"),
        &json!({ "event": "APPROVE" }),
    );
    ended(repository.actions(&github, "push", &push(&base), &["ci", "apply", "-e", "staging"]), 0);
    let world = github.world.lock().expect("nobody fails with this lock");
    assert_eq!(world.deployments[0].0["environment"], "one/staging");
    drop(world);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn a_change_of_who_must_agree_is_said_although_nothing_else_changes() {
    let Some(github) = start() else { return };
    let repository = Repository::new(PROGRAM);
    let base = repository.head();
    ended(repository.dax(&["apply", "-e", "staging", "--auto-approve"]), 0);
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write(
        "dax.mod",
        "project = \"shop\"\n\ngroup \"team:sre\" { members = [\"ann\", \"mallory\"] }\n",
    );
    let head = repository.commit("one more of us");
    let number = github.open("feature", &head);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let comments = github.comments(number);
    assert_eq!(comments.len(), 1, "staging asks nobody: {comments:?}");
    assert!(
        comments[0].starts_with(PRODUCTION)
            && comments[0].contains("this change alters the conditions themselves"),
        "{}",
        comments[0]
    );
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}
