//! The provider of Bitbucket Cloud against the test service.

use dax_provider_api::review::{Comment, Credential, Remote, ReviewState, SourceControl};
use dax_provider_bitbucket::Bitbucket;
use dax_tests::peers::bitbucket::{self, World, uuid};
use dax_tests::peers::http::Server;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MARKER: &str = "[//]: # (dax:shop:production)";
const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";
const THIRD: &str = "3333333333333333333333333333333333333333";

struct Test {
    server: Server,
    world: Arc<Mutex<World>>,
}

impl Test {
    fn new() -> Self {
        let (server, world) = bitbucket::start();
        world.lock().expect("a lock").heads.insert(4, FIRST.to_owned());
        Self { server, world }
    }

    fn host(&self) -> Bitbucket {
        let remote = Remote {
            kind: "bitbucket".to_owned(),
            api: format!("{}/2.0", self.server.url()),
            repository: "acme/shop".to_owned(),
            run: Some("3".to_owned()),
            credential: Credential::Token(bitbucket::TOKEN.to_owned()),
            dry: false,
            patience: Duration::ZERO,
            watch: Arc::new(|_| {}),
        };
        dax_provider_bitbucket::bitbucket(&remote).expect("a repository")
    }

    fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().expect("a lock"));
    }

    async fn pushers(&self) -> Result<Vec<String>, String> {
        let change = self.host().change(4).await.expect("a pull request");
        let people = self.host().pushers(&change).await.map_err(|error| error.to_string())?;
        Ok(people.into_iter().map(|one| one.id).collect())
    }

    fn comments(&self) -> Vec<String> {
        let world = self.world.lock().expect("a lock");
        world.comments.iter().map(|(.., raw)| raw.replace(MARKER, "").trim().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_nickname_is_nobody_and_an_approval_bears_its_time() {
    let test = Test::new();
    let before = test.host().clock().await.expect("a time");
    bitbucket::approve(&test.world, 4, "ann");
    bitbucket::approve_as(&test.world, 4, "{9999}", "ann");
    bitbucket::want_changes(&test.world, 4, "eve");
    let after = test.host().clock().await.expect("a time");
    let reviews = test.host().reviews(4).await.expect("reviews");
    let ids: Vec<&str> = reviews.iter().map(|one| one.by.id.as_str()).collect();
    assert_eq!(ids, ["{0000-ann}", "{9999}", "{0000-eve}"]);
    assert!(reviews.iter().all(|one| !one.by.is("ann") && one.by.login.is_none()));
    assert_eq!(reviews[2].state, ReviewState::ChangesRequested);
    for review in &reviews {
        let at = review.at_ms.expect("a time");
        assert!(before < at && at < after, "{before} {at} {after}");
    }
}

#[tokio::test]
async fn an_approval_is_of_the_newest_commit_only_where_the_destination_is_covered() {
    let test = Test::new();
    bitbucket::approve(&test.world, 4, "ann");
    let kind = "reset_pullrequest_approvals_on_change";
    let glob =
        |pattern: &str| json!({ "kind": kind, "branch_match_kind": "glob", "pattern": pattern });
    let typed = |name: &str| json!({ "kind": kind, "branch_match_kind": "branching_model", "branch_type": name });
    for (restrictions, covered) in [
        (vec![], false),
        (vec![glob("docs/*")], false),
        (vec![glob("docs/*"), glob("ma*")], true),
        (vec![glob("**")], true),
        (vec![typed("production")], true),
        (vec![typed("development"), typed("release")], false),
        (vec![json!({ "kind": "push", "branch_match_kind": "glob", "pattern": "main" })], false),
    ] {
        test.set(|world| world.restrictions = restrictions.clone());
        let reviews = test.host().reviews(4).await.expect("reviews");
        let commit = covered.then(|| FIRST[..12].to_owned());
        assert_eq!(reviews[0].commit, commit, "{restrictions:?}");
    }
    assert!(test.host().protected("main").await.expect("restrictions"));
    assert!(!test.host().protected("feature").await.expect("restrictions"));
    test.set(|world| world.no_restrictions = true);
    let error = test.host().reviews(4).await.expect_err("not shown").to_string();
    assert!(error.contains("the scope `repository:admin`"), "{error}");
}

#[tokio::test]
async fn whether_somebody_writes_is_asked_and_else_told_by_their_part() {
    let test = Test::new();
    bitbucket::want_changes(&test.world, 4, "eve");
    let writes = async || test.host().reviews(4).await.expect("reviews")[0].writes;
    assert!(writes().await, "a reviewer was chosen by somebody who writes");
    test.set(|world| {
        world.permissions.insert(uuid("eve"), "read".to_owned());
    });
    assert!(!writes().await);
    test.set(|world| {
        world.permissions.insert(uuid("eve"), "write".to_owned());
    });
    assert!(writes().await);
}

#[tokio::test]
async fn who_pushed_is_told_by_updates_and_else_by_commits_that_have_an_account() {
    let test = Test::new();
    assert_eq!(test.pushers().await, Ok(vec![uuid("bob")]), "by the commits");
    bitbucket::push(&test.world, 4, "cid", SECOND);
    assert_eq!(test.pushers().await, Ok(vec![uuid("bob"), uuid("cid")]), "of both commits");
    let other = Test::new();
    other.set(|world| {
        world.commits.insert(4, vec![(FIRST.to_owned(), String::new())]);
    });
    let error = other.pushers().await.expect_err("no account");
    assert!(error.contains("no account for its author"), "{error}");
    // What a person pushed since is theirs, whoever is said to be its author; what a bot pushed is not.
    bitbucket::push(&test.world, 4, "eve", THIRD);
    test.set(|world| {
        world.commits.get_mut(&4).expect("commits")[0].1 = String::new();
    });
    assert_eq!(test.pushers().await, Ok(vec![uuid("bob"), uuid("cid"), uuid("eve")]));
    test.set(|world| {
        world.updates.last_mut().expect("an update").by = "dax".to_owned();
    });
    let error = test.pushers().await.expect_err("a bot's");
    assert!(error.contains("no push by a person of commit 3333"), "{error}");
}

#[tokio::test]
async fn a_merge_is_told_with_its_commit() {
    let test = Test::new();
    let change = test.host().change(4).await.expect("a pull request");
    assert!(change.open && !change.merged && change.merge_commit.is_none());
    bitbucket::merge(&test.world, 4, SECOND);
    let found = test.host().merged(SECOND).await.expect("a pull request");
    assert!(found[0].merged && !found[0].open);
    assert_eq!(found[0].merge_commit.as_deref(), Some(&SECOND[..12]));
    assert_eq!(found[0].author.id, uuid("bob"));
    let released = test.host().released("production").await.expect("a pipeline");
    assert!(released.created_ms.is_some() && !released.passed);
}

#[tokio::test]
async fn only_the_comments_of_this_very_account_are_touched() {
    for shows_user in [true, false] {
        let test = Test::new();
        test.set(|world| world.shows_user = shows_user);
        bitbucket::comment(&test.world, 4, "mallory", &format!("{MARKER} all is well"));
        let write = async |host: &Bitbucket, text: &str| {
            let (marker, body) = (MARKER.to_owned(), format!("{MARKER} {text}"));
            let comment = Comment { change: 4, marker, body };
            assert_eq!(host.comment(&comment).await.expect("it answers").remark, None);
        };
        let host = test.host();
        write(&host, "first").await;
        write(&host, "second").await;
        assert_eq!(test.comments(), ["all is well", "second"]);
        // Another process, which a repository's token does not tell who it is.
        let host = test.host();
        write(&host, "third").await;
        assert_eq!(test.comments(), ["all is well", "third"]);
        let own = host.own_comments(4, MARKER).await.expect("comments");
        assert_eq!(own, [format!("{MARKER} third")]);
    }
}
