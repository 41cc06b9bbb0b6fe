//! The role of plan jobs, made by the SQL that the documentation shows: it forges no approval.

use crate::{block, holder, open};
use dax_store::Store;
use dax_store::audit::Actor;
use dax_store::{Approval, ShownPlan, Signal, StoreError, Wish};
use dax_tests::{peers, state_rows};
use serde_json::json;

const GRANTS: &str = include_str!("../../src/plan_role.sql");
const PAGE: &str = include_str!("../../../../docs/operating.md");

fn shown(change: &str, at_ms: u64) -> ShownPlan {
    ShownPlan {
        change: change.into(),
        commit: "c1".into(),
        at_ms,
        url: None,
        shown: true,
        conditions: None,
        loosens: false,
        plan: state_rows::some_plan(),
    }
}

fn approval() -> Approval {
    Approval {
        digest: "abcd".into(),
        step: None,
        by: "ann".into(),
        groups: vec!["team:sre".into()],
        reason: "forged".to_owned(),
        at_ms: 1,
        signature: None,
        names: Vec::new(),
    }
}

/// A server with a state of everything, the address of its owner and that of a plan job.
fn server() -> Option<(peers::Peer, String, String)> {
    let server = peers::postgres()?;
    let url = |user: &str| format!("postgres://{user}@127.0.0.1:{}/postgres", server.port);
    let (owner, job) = (url("dax"), url("dax_plan"));
    Some((server, owner, job))
}

fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, StoreError>) {
    match result {
        Err(StoreError::ReadOnly { .. } | StoreError::Absent { .. }) => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn the_page_shows_the_rights_that_are_tested() {
    for line in GRANTS.lines().filter(|line| !line.is_empty()) {
        assert!(PAGE.contains(line), "docs/operating.md lacks `{line}`");
    }
}

#[test]
fn a_plan_job_keeps_the_plans_that_it_shows_and_writes_nothing_else() {
    let Some((_server, owner, job)) = server() else { return };
    block(async {
        let blobs = dax_store_postgres::PostgresBlobs::open(
            &owner,
            "shop",
            dax_store::blobs::Credentials::Ambient,
        );
        let blobs = std::sync::Arc::new(blobs.await.expect("a database"));
        state_rows::write(blobs.clone(), &str::to_owned).await;
        peers::shared::sql(&owner, GRANTS);
        let all = |store: Store| async move {
            let (state, _) = store.state("dev").await.expect("readable");
            let runs = store.runs("dev").await.expect("readable");
            let conditions = store.conditions("dev").await.expect("readable");
            (state, runs, conditions, store.approvals("dev", "abcd").await.expect("readable"))
        };
        let before = all(open(&owner).await.expect("the state")).await;

        let store = open(&job).await.expect("a state that may be read");
        let key =
            open(&owner).await.expect("the state").fingerprint_key(None).await.expect("a key");
        assert_eq!(store.fingerprint_key(None).await.expect("readable"), key);
        for at_ms in 1..60 {
            store.keep_shown("dev", &shown("pr-1", at_ms)).await.expect("it may");
        }
        let kept = store.shown_plans("dev", "pr-1").await.expect("readable");
        assert_eq!((kept.len(), kept[0].at_ms), (40, 20), "old ones go");

        refused("an approval", store.approve("dev", &approval()).await);
        let now = store.now_ms();
        refused("a lease", store.acquire("dev", &holder("eve"), now, &|_| true).await);
        refused("a lease of its own", store.acquire("new", &holder("eve"), now, &|_| true).await);
        refused("an unlock", store.unlock("dev", &holder("eve"), now).await);
        let by = "eve".into();
        let signal = Signal { wish: Wish::Abort, by, reason: String::new(), at_ms: 1 };
        refused("a signal", store.signal("dev", 4, &signal).await);
        // A lease that it saw in the hands of another does not help it.
        let owners = open(&owner).await.expect("the state");
        let mut lease =
            owners.acquire("dev", &holder("ann"), now, &|_| true).await.expect("a lease");
        let actor = Actor { who: "eve".into(), ..Actor::default() };
        refused("conditions", store.record_conditions(&mut lease, &json!({}), &actor).await);
        refused("a pin", store.pin(&mut lease, false, &actor).await);
        owners.release(&mut lease).await.expect("given back");
        assert_eq!(all(owners).await, before);
    });
    // Nor by hand.
    let by_hand = |text: &str| {
        let text = format!("SET ROLE dax_plan; {text}");
        std::panic::catch_unwind(|| peers::shared::sql(&owner, &text)).is_ok()
    };
    assert!(
        by_hand("INSERT INTO dax_state VALUES ('shop', 'reviews/dev/x', 1, '')"),
        "as dax does"
    );
    assert!(by_hand("DELETE FROM dax_state WHERE key = 'reviews/dev/x'"), "as dax does");
    let rows = |text: &str| peers::shared::sql(&owner, text);
    let before =
        rows("SELECT key, bytes FROM dax_state WHERE key NOT LIKE 'reviews/%' ORDER BY key");
    for kind in
        ["approvals", "audit", "conditions", "heads", "journal", "plans", "points", "states"]
    {
        let key = format!("{kind}/dev/forged");
        let insert = format!("INSERT INTO dax_state VALUES ('shop', '{key}', 1, '')");
        assert!(!by_hand(&insert), "{kind}: a row was written by hand");
        let delete = format!("DELETE FROM dax_state WHERE key LIKE '{kind}/%'");
        assert!(by_hand(&delete), "it finds none that it may delete");
    }
    for statement in [
        "UPDATE dax_state SET bytes = ''",
        "UPDATE dax_state SET key = 'approvals/dev/x' WHERE key LIKE 'reviews/%'",
        "TRUNCATE dax_state",
        "DROP TABLE dax_state",
        "ALTER TABLE dax_state DISABLE ROW LEVEL SECURITY",
        "DROP POLICY dax_plan_keeps ON dax_state",
    ] {
        assert!(!by_hand(statement), "{statement}");
    }
    let after =
        rows("SELECT key, bytes FROM dax_state WHERE key NOT LIKE 'reviews/%' ORDER BY key");
    assert!(before.len() > 10 && before == after, "{before:?}\n{after:?}");
}

#[test]
fn a_plan_job_that_comes_first_leaves_no_plan_in_a_state_that_is_not_there() {
    let Some((_server, owner, job)) = server() else { return };
    block(async {
        // The table of another project is there, a state of this one is not.
        let blobs = dax_store_postgres::PostgresBlobs::open(
            &owner,
            "other",
            dax_store::blobs::Credentials::Ambient,
        );
        Store::open(std::sync::Arc::new(blobs.await.expect("a database")), None)
            .await
            .expect("a state");
        peers::shared::sql(&owner, GRANTS);
        let store = open(&job).await.expect("nothing is there to be read");
        let text =
            store.keep_shown("dev", &shown("pr-1", 1)).await.expect_err("refused").to_string();
        assert!(text.contains("holds no state yet") && text.contains("once"), "{text}");
        let text = store.fingerprint_key(None).await.expect_err("refused").to_string();
        assert!(text.contains("has no key for fingerprints"), "{text}");
        // After the first command that may write everything it goes on.
        open(&owner).await.expect("a state").fingerprint_key(None).await.expect("a key");
        let store = open(&job).await.expect("a state that may be read");
        store.keep_shown("dev", &shown("pr-1", 1)).await.expect("it may");
        store.fingerprint_key(None).await.expect("readable");
    });
}
