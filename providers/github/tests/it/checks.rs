//! Check runs that began and have to end.

use crate::{admin, clean, with};
use dax_provider_api::review::{Check, CheckState, SourceControl};
use dax_tests::peers::github::{REPOSITORY, Trouble, start};
use dax_tests::peers::http::{Reply, serve_whole};
use serde_json::json;

fn check(state: CheckState) -> Check {
    Check {
        name: "dax".to_owned(),
        commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        state,
        title: "planned".to_owned(),
        summary: "all is well".to_owned(),
        annotations: Vec::new(),
        url: None,
        token: "t".to_owned(),
    }
}

#[tokio::test]
async fn a_check_that_cannot_be_ended_once_is_ended_by_the_next_try() {
    let Some(github) = start() else { return };
    let host = admin(&github);
    for status in [403, 404, 422, 401, 409] {
        host.check(&check(CheckState::Running)).await.expect("it begins");
        let at = format!("PATCH /repos/{REPOSITORY}/check-runs/");
        let reply = Reply::json(status, &json!({ "message": "not now" }));
        github.trouble(Trouble { at, reply, after: false });
        let posted = host.check(&check(CheckState::Passed)).await.expect("it ends");
        assert_eq!((posted.annotated, posted.remark), (true, None), "{status}");
        let open = |run: &&serde_json::Value| run["status"] != "completed";
        let runs = github.checks(&check(CheckState::Passed).commit);
        assert!(runs.iter().find(open).is_none(), "{status}: {runs:?}");
    }
    clean(&github);
}

#[tokio::test]
async fn where_it_stays_another_run_of_its_name_ends_and_what_stays_is_said() {
    let Some(github) = start() else { return };
    let host = admin(&github);
    host.check(&check(CheckState::Running)).await.expect("it begins");
    for _ in 0..2 {
        let at = format!("PATCH /repos/{REPOSITORY}/check-runs/");
        let reply = Reply::json(404, &json!({ "message": "Not Found" }));
        github.trouble(Trouble { at, reply, after: false });
    }
    let posted = host.check(&check(CheckState::Failed)).await.expect("it ends");
    let remark = posted.remark.expect("a remark");
    assert!(remark.starts_with("Check run ") && remark.contains("stays `in progress`"), "{remark}");
    let runs = github.checks(&check(CheckState::Failed).commit);
    let last = runs.last().expect("runs");
    assert_eq!((runs.len(), last["conclusion"].as_str()), (2, Some("failure")));
    clean(&github);
}

/// Nothing may be written any more: a commit status says how it went, and what stays open is said.
#[tokio::test]
async fn a_status_that_stands_in_for_a_check_says_which_run_stays() {
    let server = serve_whole(|asked| match (asked.method(), asked.path()) {
        ("POST", path) if path.ends_with("/check-runs") && asked.body.contains("in_progress") => {
            Reply::json(201, &json!({ "id": 5, "status": "in_progress" }))
        }
        ("GET", _) => Reply::json(200, &json!({ "total_count": 0, "check_runs": [] })),
        ("POST", path) if path.contains("/statuses/") => Reply::json(201, &json!({})),
        _ => Reply::json(403, &json!({ "message": "taken away" })),
    });
    let host = with(&server.url(), "token", None);
    host.check(&check(CheckState::Running)).await.expect("it begins");
    let posted = host.check(&check(CheckState::Passed)).await.expect("a status");
    let remark = posted.remark.expect("a remark");
    assert!(remark.contains("A commit status says how it went"), "{remark}");
    assert!(remark.contains("Check run 5 of commit 0123456789"), "{remark}");
}
