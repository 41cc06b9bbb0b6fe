//! The provider of GitLab against the test service.

use dax_provider_api::review::{
    Comment, Credential, Person, Protection, Remote, ReviewState, SourceControl,
};
use dax_provider_gitlab::GitLab;
use dax_tests::peers::gitlab::{self, World, id};
use dax_tests::peers::http::Server;
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MARKER: &str = "<!-- dax:shop:production -->";

struct Test {
    server: Server,
    world: Arc<Mutex<World>>,
}

impl Test {
    /// A server with merge request 4, whose newest commit is `h1`.
    fn new() -> Self {
        let (server, world) = gitlab::start();
        world.lock().expect("a lock").heads.insert(4, "h1".to_owned());
        Self { server, world }
    }

    fn host(&self) -> GitLab {
        let remote = Remote {
            kind: "gitlab".to_owned(),
            api: format!("{}/api/v4", self.server.url()),
            repository: "7".to_owned(),
            run: Some("77".to_owned()),
            credential: Credential::Token(gitlab::TOKEN.to_owned()),
            dry: false,
            patience: Duration::ZERO,
            watch: Arc::new(|_| {}),
        };
        dax_provider_gitlab::gitlab(&remote).expect("a project")
    }

    fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().expect("a lock"));
    }

    async fn pushers(&self) -> Result<Vec<String>, String> {
        let change = self.host().change(4).await.expect("a merge request");
        let people = self.host().pushers(&change).await.map_err(|error| error.to_string())?;
        Ok(people.into_iter().map(|one| one.shown).collect())
    }

    async fn protection(&self, rules: Json) -> Result<Protection, String> {
        self.set(|world| {
            world.protected.insert("production".to_owned(), rules);
        });
        let found = self.host().protection("production").await;
        Ok(found.map_err(|error| error.to_string())?.expect("an environment"))
    }
}

fn shown(people: &[Person]) -> Vec<&str> {
    people.iter().map(|one| one.shown.as_str()).collect()
}

#[tokio::test]
async fn approvals_bear_their_time_and_a_commit_only_where_a_push_takes_all_away() {
    for tells in [true, false] {
        let test = Test::new();
        test.set(|world| world.tells_approved_at = tells);
        let before = test.host().clock().await.expect("a time");
        gitlab::approve(&test.world, 4, "ann");
        gitlab::want_changes(&test.world, 4, "mallory");
        test.set(|world| {
            world.levels.insert("mallory".to_owned(), 10);
        });
        let after = test.host().clock().await.expect("a time");
        for (reset, selective, commit) in
            [(false, false, None), (true, true, None), (true, false, Some("h1"))]
        {
            test.set(|world| {
                world.reset_on_push = reset;
                world.selective_removals = selective;
            });
            let reviews = test.host().reviews(4).await.expect("reviews");
            assert_eq!(reviews.len(), 2, "{reviews:?}");
            let ann = &reviews[0];
            assert_eq!((ann.by.id.as_str(), ann.writes), (id("ann").to_string().as_str(), true));
            assert_eq!(ann.commit.as_deref(), commit);
            let at = ann.at_ms.expect("a time");
            assert!(before < at && at < after, "{before} {at} {after}");
            // A guest who wants changes may not write.
            let mallory = &reviews[1];
            assert_eq!((mallory.state, mallory.writes), (ReviewState::ChangesRequested, false));
        }
    }
}

/// A commit whose author and committer are somebody's.
fn commit(sha: &str, by: &str) -> (String, String, String) {
    let email = format!("{by}@example.com");
    (sha.to_owned(), email.clone(), email)
}

#[tokio::test]
async fn who_pushed_is_told_by_events_and_else_by_addresses_that_have_an_account() {
    let test = Test::new();
    let people = |all: &[&str]| Ok(all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    assert_eq!(test.pushers().await, people(&["bob"]));
    gitlab::push(&test.world, 4, "cid", "h2");
    gitlab::push(&test.world, 4, "ann", "h3");
    assert_eq!(test.pushers().await, people(&["bob", "ann", "cid"]));
    test.set(|world| {
        world.no_events = true;
        world.commits.insert(4, vec![commit("h2", "cid"), commit("h3", "eve")]);
    });
    assert_eq!(test.pushers().await, people(&["cid", "eve"]));
    test.set(|world| {
        world.commits.insert(4, vec![commit("h3", "nobody")]);
    });
    let error = test.pushers().await.expect_err("no account");
    assert!(error.contains("does not show all pushes to the branch of merge request 4"), "{error}");
    assert!(error.contains("no account for the address in commit h3"), "{error}");
    test.set(|world| {
        world.commits.insert(4, vec![commit("h2", "cid")]);
    });
    let error = test.pushers().await.expect_err("another head");
    assert!(error.contains("does not list commit h3"), "{error}");
}

#[tokio::test]
async fn whoever_pushed_before_it_was_opened_pushed_to_it() {
    let test = Test::new();
    test.set(|world| world.heads.clear());
    gitlab::push(&test.world, 4, "ann", "h1");
    gitlab::push(&test.world, 4, "eve", "h2");
    test.set(|world| {
        world.opened.insert(4, world.now_ms() + 1);
    });
    assert_eq!(test.pushers().await, Ok(vec!["ann".to_owned(), "eve".to_owned()]));
}

#[tokio::test]
async fn what_an_access_token_pushed_is_of_those_whose_commits_they_are() {
    const BOT: &str = "project_7_bot";
    let test = Test::new();
    test.set(|world| world.heads.clear());
    gitlab::push(&test.world, 4, BOT, "h1");
    test.set(|world| {
        world.commits.insert(4, vec![commit("h1", "ann")]);
    });
    assert_eq!(test.pushers().await, Ok(vec![BOT.to_owned(), "ann".to_owned()]));
    let own = format!("{BOT}@noreply.gitlab.example");
    test.set(|world| {
        world.commits.insert(4, vec![("h1".to_owned(), own.clone(), own)]);
    });
    assert_eq!(test.pushers().await, Ok(vec![BOT.to_owned()]));
    test.set(|world| {
        world.commits.insert(4, vec![commit("h1", "nobody")]);
    });
    let error = test.pushers().await.expect_err("no account");
    assert!(error.contains("`project_7_bot`, which need not be a person, pushed to"), "{error}");
}

#[tokio::test]
async fn a_note_of_somebody_else_with_the_marker_is_not_touched() {
    let test = Test::new();
    gitlab::note(&test.world, 4, "mallory", &format!("{MARKER} all is well"));
    let (host, marker) = (test.host(), MARKER.to_owned());
    for text in ["first", "second"] {
        let body = format!("{MARKER} {text}");
        let comment = Comment { change: 4, marker: marker.clone(), body: body.clone() };
        assert_eq!(host.comment(&comment).await.expect("it answers").remark, None);
        assert_eq!(
            test.host().own_comments(4, MARKER).await.expect("notes"),
            std::slice::from_ref(&body)
        );
        let world = test.world.lock().expect("a lock");
        let all: Vec<&str> = world.notes.iter().map(|(.., body)| body.as_str()).collect();
        assert_eq!(all, [format!("{MARKER} all is well").as_str(), body.as_str()]);
    }
}

#[tokio::test]
async fn every_rule_of_a_protected_environment_is_read() {
    let test = Test::new();
    test.set(|world| {
        let own = |group: &str, login: &str| (group.to_owned(), login.to_owned());
        world.members = vec![own("acme/sre", "ann")];
        world.inherited = vec![own("acme/sre", "cid")];
        world.levels.extend([("eve".to_owned(), 40), ("cid".to_owned(), 50)]);
    });
    let found = test
        .protection(json!({ "name": "production", "approval_rules": [
            { "access_level": 40, "required_approvals": 2, "access_level_description": "Maintainers" },
            { "user_id": id("ann"), "required_approvals": 1 },
            { "group_id": 50, "required_approvals": 1, "group_inheritance_type": 0 },
            { "group_id": 50, "required_approvals": 1, "group_inheritance_type": 1 },
            { "access_level": 60, "required_approvals": 1, "access_level_description": "Administrators" },
        ]}))
        .await
        .expect("rules");
    let rules: Vec<(u32, Vec<&str>, Vec<&str>)> = found
        .reviewers
        .iter()
        .map(|one| (one.count, shown(&one.people), one.teams.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        rules,
        [
            (2, vec!["cid", "eve"], vec![]),
            (1, vec!["ann"], vec![]),
            (1, vec!["ann"], vec![]),
            (1, vec![], vec!["acme/sre"]),
        ]
    );
    assert_eq!(found.unread, ["1 approvals of Administrators"]);
    // Those whom the group inherits belong to it, too.
    let person = |login: &str| Person { id: id(login).to_string(), ..Person::default() };
    assert!(test.host().belongs(&person("cid"), "acme/sre").await.expect("a group"));
    assert!(!test.host().belongs(&person("eve"), "acme/sre").await.expect("a group"));
    // What cannot be read is not taken as kept.
    let absent = json!({ "approval_rules": [{ "user_id": 99, "required_approvals": 1 }] });
    let error = test.protection(absent).await.expect_err("an account that is not shown");
    assert!(error.contains("does not show account 99"), "{error}");
    test.set(|world| world.no_members = true);
    let level = json!({ "approval_rules": [{ "access_level": 40, "required_approvals": 2 }] });
    let found = test.protection(level).await.expect("rules");
    assert_eq!(found.unread, ["2 approvals of access level 40"]);
    assert!(found.reviewers.is_empty());
}

#[tokio::test]
async fn the_older_count_is_of_those_who_may_deploy_and_who_started_must_be_one_of_them() {
    let test = Test::new();
    let rules = json!({
        "required_approval_count": 2,
        "deploy_access_levels": [{ "user_id": id("ann") }, { "user_id": id("cid") }],
    });
    let found = test.protection(rules.clone()).await.expect("rules");
    assert_eq!(found.reviewers[0].count, 2);
    assert_eq!(shown(&found.reviewers[0].people), ["ann", "cid"]);
    assert_eq!(found.unread, ["who may deploy, and `bob` is not known to"]);
    test.set(|world| {
        world.started.insert("77".to_owned(), "ann".to_owned());
    });
    assert_eq!(test.protection(rules).await.expect("rules").unread, Vec::<String>::new());
}

#[tokio::test]
async fn a_404_is_an_answer_only_where_the_project_is_shown() {
    let test = Test::new();
    assert_eq!(test.host().protection("production").await.expect("an answer"), None);
    test.set(|world| world.blind = true);
    let error = test.host().protection("production").await.expect_err("nothing is shown");
    assert!(error.to_string().contains("does not show what protects the environment"), "{error}");
}

#[tokio::test]
async fn a_job_that_gitlab_let_through_says_who_approved_it() {
    let test = Test::new();
    let release = |login: &str| {
        let entry = ("77".to_owned(), "production".to_owned(), login.to_owned());
        test.set(|world| world.released.push(entry));
    };
    let released = test.host().released("production").await.expect("a pipeline");
    assert!(!released.passed && released.created_ms.is_some(), "{released:?}");
    release("bob");
    let released = test.host().released("production").await.expect("a pipeline");
    assert!(released.passed && released.by.is_empty(), "bob started it: {released:?}");
    release("ann");
    let released = test.host().released("production").await.expect("a pipeline");
    assert_eq!(shown(&released.by), ["ann"]);
    assert!(!test.host().released("staging").await.expect("a pipeline").passed);
}
