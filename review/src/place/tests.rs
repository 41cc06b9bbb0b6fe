//! Variables of jobs, and the CI contexts that they make.

use super::*;
use std::collections::BTreeMap;

fn found(variables: &[(&str, &str)], event: &str) -> Result<Option<Place>, String> {
    let known: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let read = |_: &str| Some(event.to_owned());
    place(&|name| known.get(name).map(|text| (*text).to_owned()), &read)
        .map_err(|error| error.to_string())
}

const ACTIONS: [(&str, &str); 5] = [
    ("GITHUB_ACTIONS", "true"),
    ("GITHUB_EVENT_PATH", "event.json"),
    ("GITHUB_SHA", "merge"),
    ("GITHUB_REPOSITORY", "acme/shop"),
    ("GITHUB_RUN_ID", "77"),
];

#[test]
fn a_machine_that_runs_no_pipeline_is_none() {
    assert!(found(&[("HOME", "/root"), ("GITLAB_CI", "")], "").unwrap().is_none());
}

#[test]
fn a_pull_request_is_known_by_its_own_newest_commit_and_a_fork_by_its_repository() {
    let event = |from: &str| {
        let pull = serde_json::json!({
            "number": 4,
            "head": { "sha": "head", "repo": { "full_name": from } },
            "base": { "sha": "base", "repo": { "full_name": "acme/shop" } },
        });
        serde_json::json!({ "action": "opened", "pull_request": pull }).to_string()
    };
    let variables = [&ACTIONS[..], &[("GITHUB_EVENT_NAME", "pull_request")]].concat();
    let place = found(&variables, &event("acme/shop")).unwrap().unwrap();
    assert_eq!(
        place.event,
        Event::Change { number: 4, base: Some("base".to_owned()), fork: false }
    );
    assert_eq!((place.commit.as_str(), place.change_key().as_str()), ("head", "pr-4"));
    assert_eq!(place.url.as_deref(), Some("https://github.com/acme/shop/actions/runs/77"));
    let place = found(&variables, &event("mallory/shop")).unwrap().unwrap();
    assert!(matches!(place.event, Event::Change { fork: true, .. }));
}

#[test]
fn a_merge_group_tells_its_pull_request_by_its_branch() {
    let variables = [&ACTIONS[..], &[("GITHUB_EVENT_NAME", "merge_group")]].concat();
    let group = serde_json::json!({
        "head_sha": "group",
        "base_sha": "base",
        "head_ref": "refs/heads/gh-readonly-queue/main/pr-123-0a1b2c",
    });
    let event = serde_json::json!({ "action": "checks_requested", "merge_group": group });
    let event = &event.to_string();
    let place = found(&variables, event).unwrap().unwrap();
    assert_eq!(
        place.event,
        Event::Queue { number: Some(123), base: "base".to_owned(), gone: false }
    );
    assert_eq!(place.commit, "group");
}

#[test]
fn a_new_branch_has_nothing_before_it() {
    let variables =
        [&ACTIONS[..], &[("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/heads/release/1")]]
            .concat();
    let place =
        found(&variables, &format!(r#"{{"before":"{}"}}"#, "0".repeat(40))).unwrap().unwrap();
    assert_eq!((place.event, place.branch.as_str()), (Event::Push { before: None }, "release/1"));
}

#[test]
fn a_job_without_its_variables_says_which() {
    let error = found(&[("GITHUB_ACTIONS", "true")], "").unwrap_err();
    assert_eq!(error, "the variable GITHUB_EVENT_PATH is not set, as it is in every job");
    let variables = [&ACTIONS[..], &[("GITHUB_EVENT_NAME", "push")]].concat();
    assert!(found(&variables, "no json").unwrap_err().starts_with("event.json is no event: "));
}

#[test]
fn a_merge_train_is_a_queue_and_a_tag_a_release() {
    let common = [
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
        ("CI_PROJECT_ID", "7"),
        ("CI_COMMIT_SHA", "train"),
    ];
    let train = [
        ("CI_MERGE_REQUEST_IID", "4"),
        ("CI_MERGE_REQUEST_EVENT_TYPE", "merge_train"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "base"),
    ];
    let place = found(&[&common[..], &train[..]].concat(), "").unwrap().unwrap();
    assert_eq!(place.event, Event::Queue { number: Some(4), base: "base".to_owned(), gone: false });
    let place = found(&[&common[..], &[("CI_COMMIT_TAG", "v1")]].concat(), "").unwrap().unwrap();
    assert_eq!(
        (place.event.clone(), place.change_key().as_str()),
        (Event::Release { tag: "v1".to_owned() }, "commit-train")
    );
}

#[test]
fn a_job_that_ends_previews_without_a_number_is_no_other_job() {
    let gitlab = [
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
        ("CI_PROJECT_ID", "7"),
        ("CI_COMMIT_SHA", "head"),
    ];
    let bitbucket = [
        ("BITBUCKET_BUILD_NUMBER", "3"),
        ("BITBUCKET_BRANCH", "feature"),
        ("BITBUCKET_COMMIT", "head"),
        ("BITBUCKET_REPO_FULL_NAME", "acme/shop"),
    ];
    for common in [gitlab, bitbucket] {
        let closed = |number| found(&[&common[..], &[("DAX_CLOSED", number)]].concat(), "");
        assert_eq!(closed("12").unwrap().unwrap().event, Event::Closed { number: 12 });
        for (number, what) in [("", "is empty"), (" ", "is empty"), ("main", "is no number")] {
            let error = closed(number).unwrap_err();
            assert!(error.starts_with(&format!("DAX_CLOSED {what}: ")), "{error}");
        }
    }
}
