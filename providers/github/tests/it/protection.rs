//! Protection rules of environments.

use crate::{admin, clean, set, with};
use dax_provider_api::review::{Branches, RefPattern, SourceControl};
use dax_tests::peers::github::{ANN, GitHub, REPOSITORY, Trouble, start};
use dax_tests::peers::http::Reply;
use serde_json::{Value as Json, json};

fn protect(github: &GitHub, rules: Json) {
    github
        .world
        .lock()
        .expect("nobody fails with this lock")
        .environments
        .insert("production".to_owned(), rules);
}

#[tokio::test]
async fn a_404_is_an_answer_only_where_the_repository_is_shown() {
    let Some(github) = start() else { return };
    assert_eq!(admin(&github).protection("production").await.expect("an answer"), None);
    protect(&github, json!({ "protection_rules": [] }));
    set(&github, |world| {
        world.blind.insert(ANN.to_owned());
    });
    let error = with(&github.url(), ANN, None).protection("production").await;
    let error = error.expect_err("nothing is shown").to_string();
    assert!(error.contains("give the token `actions: read` and `contents: read`"), "{error}");
    assert!(admin(&github).protection("production").await.expect("an answer").is_some());
    let at = format!("GET /repos/{REPOSITORY}/environments/");
    let reply = Reply::json(403, &json!({ "message": "no" }));
    github.trouble(Trouble { at, reply, after: false });
    let error = admin(&github).protection("production").await.expect_err("not allowed");
    assert!(error.to_string().contains("`actions: read`"), "{error}");
    clean(&github);
}

#[tokio::test]
async fn every_rule_is_read_and_those_of_apps_are_named() {
    let Some(github) = start() else { return };
    let reviewer = json!({ "type": "User", "reviewer": github.user("ann") });
    protect(
        &github,
        json!({
            "protection_rules": [
                { "id": 1, "node_id": "x", "type": "wait_timer", "wait_timer": 30 },
                { "id": 2, "node_id": "x", "type": "required_reviewers",
                  "prevent_self_review": true, "reviewers": [reviewer] },
                { "id": 3, "node_id": "x", "type": "branch_policy" },
            ],
            "deployment_branch_policy":
                { "protected_branches": false, "custom_branch_policies": true },
        }),
    );
    set(&github, |world| {
        world.custom_rules.insert("production".to_owned(), vec!["moon".to_owned()]);
        // More than one page.
        let branches: Vec<String> = (0..120).map(|at| format!("b{at}")).collect();
        world.patterns.insert("production".to_owned(), branches);
        let tag = json!([{ "id": 1, "node_id": "x", "name": "v*", "type": "tag" }]);
        world.policies.insert("production".to_owned(), tag);
    });
    let found = admin(&github).protection("production").await.expect("an answer");
    let found = found.expect("an environment");
    assert_eq!(found.wait.as_secs(), 1800);
    assert!(found.no_self_review);
    assert_eq!(found.reviewers[0].people[0].id, github.id("ann").to_string());
    assert_eq!(found.unread, ["the rule of the App `moon`"]);
    let Branches::Named(patterns) = found.branches else { panic!("patterns") };
    assert_eq!(patterns.len(), 121);
    assert_eq!(patterns[120], RefPattern { tag: true, pattern: "v*".to_owned() });
    clean(&github);
}
