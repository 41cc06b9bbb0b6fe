//! The comment of which there is one, and those of others.

use crate::{admin, clean, with};
use dax_provider_api::review::{Comment, Posted, SourceControl};
use dax_tests::peers::github::{ACTIONS, GitHub, start};
use dax_tests::peers::http::{Reply, serve_whole};
use serde_json::{Value as Json, json};

const MARKER: &str = "<!-- dax:shop:production -->";

fn comment(change: u64, text: &str) -> Comment {
    Comment { change, marker: MARKER.to_owned(), body: format!("{MARKER}\n{text}") }
}

async fn write(host: &impl SourceControl, change: u64, text: &str) -> Posted {
    host.comment(&comment(change, text)).await.expect("it answers")
}

/// The comments of a pull request as author and text.
fn all(github: &GitHub, number: u64) -> Vec<(String, String)> {
    let path = format!("/repos/acme/shop/issues/{number}/comments");
    let notes = github.person(dax_tests::peers::github::ADMIN, "GET", &path, &Json::Null);
    let text = |note: &Json| {
        let body = note["body"].as_str().unwrap_or_default();
        let author = note["user"]["login"].as_str().unwrap_or_default();
        (author.to_owned(), body.replace(MARKER, "").trim().to_owned())
    };
    notes.as_array().into_iter().flatten().map(text).collect()
}

fn pair(author: &str, text: &str) -> (String, String) {
    (author.to_owned(), text.to_owned())
}

#[tokio::test]
async fn a_comment_of_somebody_else_with_the_marker_is_not_touched() {
    let Some(github) = start() else { return };
    let number = github.open("feature", "h1");
    github.comment(number, "mallory", &format!("{MARKER}\nall is well"));
    let host = admin(&github);
    assert!(host.own_comments(number, MARKER).await.expect("comments").is_empty());
    for text in ["first", "second"] {
        let posted = write(&host, number, text).await;
        assert_eq!(posted.remark, None);
        assert_eq!(all(&github, number), [pair("mallory", "all is well"), pair("admin", text)]);
    }
    // Another process finds it again.
    write(&admin(&github), number, "third").await;
    assert_eq!(all(&github, number), [pair("mallory", "all is well"), pair("admin", "third")]);
    let own = admin(&github).own_comments(number, MARKER).await.expect("comments");
    assert_eq!(own, [format!("{MARKER}\nthird")]);
    clean(&github);
}

#[tokio::test]
async fn a_job_of_actions_knows_its_own_comments() {
    let Some(github) = start() else { return };
    let number = github.open("feature", "h1");
    github.comment(number, "mallory", &format!("{MARKER}\nall is well"));
    write(&admin(&github), number, "of a person").await;
    for text in ["first", "second"] {
        let job = with(&github.url(), ACTIONS, Some("77"));
        write(&job, number, text).await;
        let own = job.own_comments(number, MARKER).await.expect("comments");
        assert_eq!(own, [format!("{MARKER}\n{text}")]);
    }
    assert_eq!(
        all(&github, number),
        [
            pair("mallory", "all is well"),
            pair("admin", "of a person"),
            pair("github-actions[bot]", "second"),
        ]
    );
    clean(&github);
}

/// Where neither `/user` nor a query tells, it is the bot of Actions; a person of that name is not.
#[tokio::test]
async fn where_nothing_tells_who_asks_only_a_bot_can_be_meant() {
    let note = |id: u64, login: &str, kind: &str| {
        json!({
            "id": id, "body": MARKER, "html_url": "https://github.com/c",
            "user": { "id": id + 100, "login": login, "type": kind },
        })
    };
    let server = serve_whole(move |asked| match (asked.method(), asked.path()) {
        ("GET", "/user") => Reply::json(403, &json!({ "message": "not accessible" })),
        ("POST", "/graphql") => Reply::json(404, &json!({ "message": "Not Found" })),
        ("GET", _) => Reply::json(
            200,
            &json!([
                note(1, "github-actions", "User"),
                note(2, "github-actions[bot]", "Bot"),
                note(3, "other[bot]", "Bot"),
            ]),
        ),
        ("PATCH", _) => Reply::json(200, &note(2, "github-actions[bot]", "Bot")),
        _ => Reply::json(500, &json!({ "message": "unexpected" })),
    });
    let host = with(&server.url(), "ghs_token", None);
    host.comment(&comment(4, "text")).await.expect("it answers");
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines.last().map(String::as_str), Some("PATCH /repos/acme/shop/issues/comments/2"));
}
