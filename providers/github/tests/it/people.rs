//! Reviews, pushes, runs and the clock.

use crate::{admin, clean, set};
use dax_provider_api::review::{ChangeRequest, Person, ReviewState, SourceControl};
use dax_tests::peers::github::{ANN, BEGIN, GitHub, REPOSITORY, Trouble, start};
use dax_tests::peers::http::Reply;
use serde_json::json;

fn logins(people: &[Person]) -> Vec<&str> {
    let mut all: Vec<&str> = people.iter().filter_map(|one| one.login.as_deref()).collect();
    all.sort_unstable();
    all
}

fn opened(github: &GitHub) -> u64 {
    github.open("feature", "h1")
}

async fn change(github: &GitHub, number: u64) -> ChangeRequest {
    admin(github).change(number).await.expect("a pull request")
}

#[tokio::test]
async fn reviews_bear_their_time_and_those_that_were_dismissed_are_none() {
    let Some(github) = start() else { return };
    let number = opened(&github);
    let before = admin(&github).clock().await.expect("a time");
    assert!(before > BEGIN && before % 1000 == 0, "{before}");
    github.review(number, "ann", "APPROVE");
    github.review(number, "bob", "APPROVE");
    github.review(number, "cid", "APPROVE");
    github.review(number, "cid", "REQUEST_CHANGES");
    github.review(number, "ann", "COMMENT");
    github.dismiss(number, "bob");
    let after = admin(&github).clock().await.expect("a time");
    let reviews = admin(&github).reviews(number).await.expect("reviews");
    let seen: Vec<(&str, ReviewState, bool)> = reviews
        .iter()
        .map(|one| (one.by.login.as_deref().unwrap_or_default(), one.state, one.writes))
        .collect();
    assert_eq!(
        seen,
        [("ann", ReviewState::Approved, true), ("cid", ReviewState::ChangesRequested, true)]
    );
    for review in &reviews {
        let at = review.at_ms.expect("a time");
        assert!(before < at && at < after, "{before} {at} {after}");
        assert_eq!(review.commit.as_deref(), Some("h1"));
    }
    assert_eq!(reviews[0].by.id, github.id("ann").to_string());
    assert!(reviews[0].by.is("Ann") && !reviews[0].by.is("anna"));
    clean(&github);
}

#[tokio::test]
async fn a_stranger_who_wants_changes_does_not_write() {
    let Some(github) = start() else { return };
    let number = opened(&github);
    github.review(number, "mallory", "REQUEST_CHANGES");
    github.review(number, "eve", "REQUEST_CHANGES");
    let writes = async || -> Vec<bool> {
        let reviews = admin(&github).reviews(number).await.expect("reviews");
        let mut all: Vec<(String, bool)> =
            reviews.into_iter().map(|one| (one.by.shown, one.writes)).collect();
        all.sort();
        all.into_iter().map(|(_, writes)| writes).collect()
    };
    // A member of the organization need not have more than read access.
    for (role, may) in [("maintain", true), ("triage", false), ("write", true), ("none", false)] {
        set(&github, |world| {
            world.permissions.insert("eve".to_owned(), role.to_owned());
        });
        assert_eq!(writes().await, [may, false], "{role}");
    }
    // Where nobody may ask, the association has to do.
    set(&github, |world| {
        world.permissions.insert("eve".to_owned(), "write".to_owned());
        world.no_permissions = true;
    });
    assert_eq!(writes().await, [true, false]);
    clean(&github);
}

#[tokio::test]
async fn who_pushed_to_its_branch_and_the_newest_commit_is_told() {
    let Some(github) = start() else { return };
    let number = github.open_as("carol", "feature", "h1");
    let pushers = async || admin(&github).pushers(&change(&github, number).await).await;
    assert_eq!(logins(&pushers().await.expect("pushers")), ["carol"]);
    // Three pushes are two pages of the test service.
    github.push(number, "bob", "h2");
    github.push(number, "cid", "h3");
    assert_eq!(logins(&pushers().await.expect("pushers")), ["bob", "carol", "cid"]);
    assert_eq!(change(&github, number).await.author.login.as_deref(), Some("carol"));
    // What comes to a branch of that name afterwards is no part of it.
    github.merge(number, "m1");
    github.pass(60);
    let merged = change(&github, number).await;
    assert!(merged.merged && !merged.open && merged.merge_commit.as_deref() == Some("m1"));
    github.push(number, "eve", "h4");
    let pushers = admin(&github).pushers(&merged).await.expect("pushers");
    assert_eq!(logins(&pushers), ["bob", "carol", "cid"]);
    clean(&github);
}

#[tokio::test]
async fn without_activity_the_commits_tell_and_what_they_do_not_tell_is_an_error() {
    let Some(github) = start() else { return };
    let number = github.open_as("carol", "feature", "h2");
    let commits = |list: &[(&str, &str, &str)]| {
        let mut world = github.world.lock().expect("nobody fails with this lock");
        let own = |text: &str| text.to_owned();
        world.no_activity = true;
        world.commits.insert(
            number,
            list.iter().map(|(sha, by, put)| (own(sha), own(by), own(put))).collect(),
        );
    };
    let pushers = async || admin(&github).pushers(&change(&github, number).await).await;
    commits(&[("h1", "carol", "carol"), ("h2", "bob", "")]);
    assert_eq!(logins(&pushers().await.expect("pushers")), ["bob", "carol"]);
    commits(&[("h1", "carol", "carol"), ("h2", "", "")]);
    let error = pushers().await.expect_err("nobody is known").to_string();
    assert!(error.contains("no account for commit h2"), "{error}");
    // Nor is a failure an empty list.
    commits(&[("h2", "bob", "bob")]);
    let at = format!("GET /repos/{REPOSITORY}/pulls/{number}/commits");
    let reply = Reply::json(403, &json!({ "message": "no" }));
    github.trouble(Trouble { at, reply, after: false });
    let error = pushers().await.expect_err("not allowed").to_string();
    assert!(error.contains("403") && error.contains("read the commits"), "{error}");
    clean(&github);
}

#[tokio::test]
async fn whoever_started_a_run_does_not_release_it() {
    let Some(github) = start() else { return };
    let release = |login: &str| {
        let mut world = github.world.lock().expect("nobody fails with this lock");
        world.released.push((login.to_owned(), "production".to_owned()));
    };
    let created = github.now_ms();
    github.started(77, "bob", "cid");
    github.pass(3600);
    let released = admin(&github).released("production").await.expect("a run");
    assert_eq!((released.passed, released.created_ms), (false, Some(created)));
    release("bob");
    release("cid");
    let released = admin(&github).released("production").await.expect("a run");
    assert!(released.passed && released.by.is_empty(), "{released:?}");
    release("ann");
    let released = admin(&github).released("production").await.expect("a run");
    assert_eq!(logins(&released.by), ["ann"]);
    assert!(!admin(&github).released("staging").await.expect("a run").passed);
    clean(&github);
}

#[tokio::test]
async fn a_team_is_asked_for_the_account_and_no_name_leads_elsewhere() {
    let Some(github) = start() else { return };
    github
        .world
        .lock()
        .expect("nobody fails with this lock")
        .teams
        .push(("ann".to_owned(), "acme/sre".to_owned()));
    let person = |login: &str| Person {
        id: github.id(login).to_string(),
        login: Some(login.to_owned()),
        shown: login.to_owned(),
    };
    let host = admin(&github);
    assert!(host.belongs(&person("ann"), "acme/sre").await.expect("a team"));
    assert!(!host.belongs(&person("bob"), "acme/sre").await.expect("a team"));
    let error = host.belongs(&person("bob"), "acme/..").await.expect_err("no team");
    assert!(error.to_string().contains("cannot be part of an address"), "{error}");
    assert!(
        host.merged("..").await.is_err() && host.merged("a/b?c").await.expect("none").is_empty()
    );
    assert!(github.asked().iter().any(|asked| asked.line.contains("/commits/a%2Fb%3Fc/pulls")));
    let no_secret = github.asked().iter().all(|asked| !asked.line.contains(ANN));
    assert!(no_secret);
    clean(&github);
}
