//! One suite for every place that keeps a state: memory, SQLite, sealed, PostgreSQL and an S3-compatible storage.

use dax_machine::journal::{Entry, Outcome};
use dax_plan::StepId;
use dax_provider_api::BoxFuture;
use dax_store::audit::Actor;
use dax_store::blobs::{Blobs, Credentials, MemoryBlobs};
use dax_store::{
    Anchor, Approval, Ending, Holder, Key, LEASE_MS, Lease, Pin, Report, Sealed, Signal, Snapshot,
    Sqlite, Store, StoreError, What, Wish,
};
use dax_store_postgres::PostgresBlobs;
use dax_store_s3::S3Blobs;
use dax_tests::peers;
use dax_tests::state_rows::{snapshot, some_plan};
use dax_tests::world::{Crash, Mortal};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Opens a place of its own for each name, and the same one for the same name.
type Open<'o> = &'o (dyn Fn(&str) -> BoxFuture<'static, Arc<dyn Blobs>> + Sync);

const ALIVE: &(dyn Fn(&Holder) -> bool + Sync) = &|_| false;

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), host: "here".to_owned(), pid: 1, started: 1 }
}

fn actor(at_ms: u64) -> Actor {
    Actor { who: "ann".into(), why: "because".to_owned(), at_ms, ..Actor::default() }
}

fn ending<'e>(outcome: &'e Outcome, state: Option<&'e Snapshot>) -> Ending<'e> {
    Ending {
        outcome,
        state,
        name: None,
        complete: Vec::new(),
        verified: true,
        gates: Vec::new(),
        pin: false,
    }
}

/// A report without a finding.
fn sound(report: Report) -> Report {
    assert_eq!(report.findings, [], "{report:?}");
    report
}

async fn store(open: Open<'_>, name: &str) -> Store {
    Store::open(open(name).await, None).await.expect("a store")
}

/// The whole suite.
async fn conforms(open: Open<'_>) {
    leases(open).await;
    runs(open).await;
    fencing(open).await;
    torn(open).await;
    readers(open).await;
    messages(open).await;
    many_entries(open).await;
    fingerprints(open).await;
}

/// All who use a state have one key of fingerprints, also when they ask at once.
async fn fingerprints(open: Open<'_>) {
    let one = store(open, "fingerprints").await;
    let other = store(open, "fingerprints").await;
    let (first, second) = tokio::join!(one.fingerprint_key(None), other.fingerprint_key(None));
    let key = first.expect("a key");
    assert!(second.expect("a key") == key, "two who ask at once get two keys");
    let late = store(open, "fingerprints").await;
    assert!(late.fingerprint_key(Some([7; 32])).await.expect("a key") == key, "it is changed");
    let elsewhere = store(open, "no fingerprints").await;
    assert!(!elsewhere.has_fingerprint_key().await.expect("readable"));
}

async fn leases(open: Open<'_>) {
    let store = store(open, "leases").await;
    store.acquire("dev", &holder("ann@host"), 1_000, ALIVE).await.expect("the first");
    let refused =
        store.acquire("dev", &holder("bob@host"), 2_000, ALIVE).await.expect_err("the second");
    assert!(
        matches!(&refused, StoreError::Held { holder, .. } if holder == "ann@host"),
        "{refused}"
    );
    store
        .acquire("other", &holder("bob@host"), 2_000, ALIVE)
        .await
        .expect("another environment is free");
    let taken = store
        .acquire("dev", &holder("bob@host"), 2_000, &|_| true)
        .await
        .expect("the first is gone");
    let mut again = store
        .acquire("dev", &holder("eve@host"), 2_000 + LEASE_MS, ALIVE)
        .await
        .expect("the lease ran out");
    assert!(again.epoch > taken.epoch);
    store.renew(&mut again, 3_000 + LEASE_MS).await.expect("prolonged");
    store.release(&mut again).await.expect("given back");
    store.acquire("dev", &holder("ann@host"), 4_000, ALIVE).await.expect("it is free");
    assert_eq!(
        store
            .unlock("dev", &holder("admin"), 5_000)
            .await
            .expect("taken away")
            .map(|holder| holder.name),
        Some("ann@host".to_owned())
    );
    assert_eq!(store.holder("dev").await.expect("readable"), None);
    let mut names = store.environments().await.expect("readable");
    names.sort();
    assert_eq!(names, ["dev", "other"]);
}

async fn runs(open: Open<'_>) {
    let first = store(open, "runs").await;
    assert_eq!(first.state("dev").await.expect("readable").0, Snapshot::default());
    let mut lease = first.acquire("dev", &holder("ann"), 0, ALIVE).await.expect("a lease");
    let made = some_plan();
    for (id, revision) in [(1, "aaaaaaaa"), (2, "bbbbbbbb"), (3, "cccccccc")] {
        assert_eq!(
            first.begin(&mut lease, &made, vec!["bob".into()], &actor(id)).await.expect("a run"),
            id
        );
        let entries =
            [Entry::Intent { step: StepId(0), at_ms: 5 }, Entry::Done { step: StepId(0) }];
        first.append(&mut lease, &entries).await.expect("written");
        // Another process finds it as it is.
        let second = store(open, "runs").await;
        let (found, same, journal) =
            second.unfinished("dev").await.expect("readable").expect("there is one");
        assert_eq!((found, &same, journal.as_slice()), (id, &made, &entries[..]));
        let name = (id == 2).then(|| "good".into());
        let state = snapshot(revision);
        let last = [Entry::End { outcome: Outcome::Succeeded }];
        first
            .finish(
                &mut lease,
                &last,
                Ending { name, ..ending(&Outcome::Succeeded, Some(&state)) },
                &actor(id + 10),
            )
            .await
            .expect("ended");
        assert!(second.unfinished("dev").await.expect("readable").is_none());
        assert_eq!(second.journal("dev", id).await.expect("readable").len(), 3);
        let (now, version) = second.state("dev").await.expect("readable");
        assert_eq!((now, version.serial), (state, id));
    }
    let points = first.points("dev").await.expect("readable");
    assert_eq!(
        points.iter().map(|point| (point.serial, point.name.as_deref())).collect::<Vec<_>>(),
        [(3, None), (2, Some("good")), (1, None)]
    );
    assert_eq!(first.state_at("dev", 2).await.expect("readable"), Some(snapshot("bbbbbbbb")));
    assert_eq!(first.state_at("dev", 9).await.expect("readable"), None);
    let history = first.runs("dev").await.expect("readable");
    assert_eq!(
        history
            .iter()
            .map(|run| (run.id, run.left, run.started_ms, run.ended_ms))
            .collect::<Vec<_>>(),
        [(3, Some(3), 3, Some(13)), (2, Some(2), 2, Some(12)), (1, Some(1), 1, Some(11))]
    );
    assert!(
        history
            .iter()
            .all(|run| run.approved_by == ["bob"] && run.why == "because" && run.verified)
    );
    first.pin(&mut lease, true, &actor(20)).await.expect("pinned");
    let pin = Pin { by: "ann".into(), reason: "because".to_owned(), at_ms: 20, serial: 3 };
    assert_eq!(first.pinned("dev").await.expect("readable"), Some(pin));
    first.pin(&mut lease, false, &actor(21)).await.expect("let go");
    let records = first.audit("dev").await.expect("a chain");
    assert_eq!(
        records.iter().map(|record| record.seq).collect::<Vec<_>>(),
        (1..=8).collect::<Vec<_>>()
    );
    assert!(matches!(records[7].what, What::Pin { pinned: false }));
    let report = first.verify("dev").await.map(sound).expect("readable");
    assert_eq!(
        (report.states, report.records, report.journals, report.entries, report.orphans.len()),
        (3, 8, 3, 9, 0)
    );
}

/// Everything that a holder of a lease writes, one after another.
async fn write(store: &Store, lease: &mut Lease, at: usize) -> Result<(), StoreError> {
    match at {
        0 => store.begin(lease, &some_plan(), Vec::new(), &actor(1)).await.map(|_| ()),
        1 => store.append(lease, &[Entry::Intent { step: StepId(0), at_ms: 1 }]).await,
        2 => store.renew(lease, 5).await,
        3 => store.append(lease, &[Entry::Done { step: StepId(0) }]).await,
        4 => store.append_waiting(lease, &[], Some(&Outcome::Interrupted)).await,
        5 => store.note(lease, &actor(2), What::Resume { run: 1 }).await,
        6 => {
            store
                .finish(lease, &[], ending(&Outcome::Succeeded, Some(&snapshot("old"))), &actor(3))
                .await
        }
        7 => store.pin(lease, true, &actor(4)).await,
        _ => store.release(lease).await,
    }
}

const WRITES: usize = 9;

/// An applier is stopped before each of its writes, longer than its lease lasts: none of its later writes counts.
async fn fencing(open: Open<'_>) {
    for stopped in 0..WRITES {
        let name = format!("fencing-{stopped}");
        let slow = store(open, &name).await;
        let mut old = slow.acquire("dev", &holder("old"), 0, ALIVE).await.expect("a lease");
        for at in 0..stopped {
            write(&slow, &mut old, at).await.expect("it holds the lease");
        }
        let other = store(open, &name).await;
        let mut new =
            other.acquire("dev", &holder("new"), 2 * LEASE_MS, ALIVE).await.expect("it ran out");
        assert!(new.epoch > old.epoch);
        if other.unfinished("dev").await.expect("readable").is_none() {
            other.begin(&mut new, &some_plan(), Vec::new(), &actor(5)).await.expect("a run");
        }
        other.append(&mut new, &[Entry::GoBack]).await.expect("it holds the lease");
        let before = other.unfinished("dev").await.expect("readable");
        let (counters, audit) = (
            other.counters("dev").await.expect("readable"),
            other.audit("dev").await.expect("a chain").len(),
        );
        for at in stopped..WRITES {
            // Without a run of its own there is nothing to write.
            if let Err(error) = write(&slow, &mut old, at).await {
                assert!(
                    matches!(&error, StoreError::Fenced { holder, .. } if holder == "new"),
                    "write {at}: {error}"
                );
            }
            assert_eq!(
                other.counters("dev").await.expect("readable"),
                counters,
                "write {at} of an old holder changed the head"
            );
        }
        assert_eq!(other.unfinished("dev").await.expect("readable"), before);
        assert_eq!(other.audit("dev").await.expect("a chain").len(), audit);
        let end = Outcome::RolledBack { step: None, message: "taken over".to_owned() };
        other
            .finish(&mut new, &[], ending(&end, None), &actor(6))
            .await
            .expect("it holds the lease");
        other.verify("dev").await.map(sound).expect("readable");
    }
}

async fn torn(open: Open<'_>) {
    let torn = Arc::new(Mortal::over(open("torn").await));
    let dying = Store::open(torn.clone(), None).await.expect("a store");
    let mut lease = dying.acquire("dev", &holder("ann"), 0, ALIVE).await.expect("a lease");
    dying.begin(&mut lease, &some_plan(), Vec::new(), &actor(1)).await.expect("a run");
    dying
        .append(&mut lease, &[Entry::Intent { step: StepId(0), at_ms: 1 }])
        .await
        .expect("written");
    torn.begin(Crash::TornWrite(0));
    dying.append(&mut lease, &[Entry::Done { step: StepId(0) }]).await.expect_err("it died");
    let state = snapshot("torn");
    torn.begin(Crash::TornWrite(0));
    dying
        .finish(&mut lease, &[], ending(&Outcome::Succeeded, Some(&state)), &actor(2))
        .await
        .expect_err("it died");
    // Who comes next sees nothing of what was torn, and writes the same places anew.
    let store = store(open, "torn").await;
    let mut lease =
        store.acquire("dev", &holder("bob"), 0, &|_| true).await.expect("the first is gone");
    let (run, _, journal) =
        store.unfinished("dev").await.expect("readable").expect("it has not ended");
    assert_eq!((run, journal.len()), (1, 1));
    assert_eq!(store.state("dev").await.expect("readable").1.serial, 0);
    store.append(&mut lease, &[Entry::Done { step: StepId(0) }]).await.expect("written");
    store
        .finish(&mut lease, &[], ending(&Outcome::Succeeded, Some(&snapshot("whole"))), &actor(3))
        .await
        .expect("ended");
    assert_eq!(store.state("dev").await.expect("readable").0, snapshot("whole"));
    let report = store.verify("dev").await.map(sound).expect("readable");
    // Its state, the list of points with it, and the record of its end.
    assert_eq!(report.orphans.len(), 3, "what was torn is left behind and named: {report:?}");
}

async fn readers(open: Open<'_>) {
    let writer = store(open, "readers").await;
    let mut lease = writer.acquire("dev", &holder("ann"), 0, ALIVE).await.expect("a lease");
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let reader = store(open, "readers").await;
        let done = done.clone();
        tasks.push(tokio::spawn(async move {
            let (mut reads, mut seen) = (0_u64, 0);
            while !done.load(Ordering::Acquire) || reads == 0 {
                let (_, version) = reader.state("dev").await.expect("a whole state");
                assert!(version.serial >= seen, "a reader never goes back in time");
                seen = version.serial;
                reader.unfinished("dev").await.expect("a whole journal");
                reader.audit("dev").await.expect("a whole chain");
                reads += 1;
                tokio::task::yield_now().await;
            }
            reads
        }));
    }
    for run in 1..=8 {
        writer.begin(&mut lease, &some_plan(), Vec::new(), &actor(run)).await.expect("a run");
        for step in 0..5 {
            writer
                .append(&mut lease, &[Entry::Done { step: StepId(step) }])
                .await
                .expect("written");
            tokio::task::yield_now().await;
        }
        writer
            .finish(
                &mut lease,
                &[],
                ending(&Outcome::Succeeded, Some(&snapshot(&format!("r{run}")))),
                &actor(run),
            )
            .await
            .expect("ended");
    }
    done.store(true, Ordering::Release);
    for task in tasks {
        assert!(task.await.expect("a reader that lives") > 0);
    }
}

async fn messages(open: Open<'_>) {
    let store = store(open, "messages").await;
    for (by, at_ms) in [("bob", 2), ("ann", 1)] {
        let approval = Approval {
            digest: "abcd".into(),
            step: None,
            by: by.into(),
            groups: vec!["team:sre".into()],
            reason: String::new(),
            at_ms,
            signature: None,
            names: Vec::new(),
        };
        store.approve("dev", &approval).await.expect("written");
    }
    let names: Vec<_> = store
        .approvals("dev", "abcd")
        .await
        .expect("readable")
        .into_iter()
        .map(|approval| approval.by)
        .collect();
    assert_eq!(names, ["ann", "bob"]);
    assert!(store.approvals("dev", "other").await.expect("readable").is_empty());
    let signal =
        Signal { wish: Wish::Abort, by: "ann".into(), reason: "smoke".to_owned(), at_ms: 3 };
    store.signal("dev", 7, &signal).await.expect("written");
    assert_eq!(store.take_signals("dev", 7).await.expect("readable"), [signal]);
    assert!(
        store.take_signals("dev", 7).await.expect("readable").is_empty(),
        "a signal is told once"
    );
}

async fn many_entries(open: Open<'_>) {
    let store = store(open, "many").await;
    let mut lease = store.acquire("dev", &holder("ann"), 0, ALIVE).await.expect("a lease");
    store.begin(&mut lease, &some_plan(), Vec::new(), &actor(1)).await.expect("a run");
    let entries: Vec<Entry> = (0..100_000).map(|n| Entry::Done { step: StepId(n) }).collect();
    for batch in entries.chunks(1_000) {
        store.append(&mut lease, batch).await.expect("written");
    }
    assert_eq!(store.journal("dev", 1).await.expect("readable"), entries);
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

#[test]
fn memory_conforms() {
    let places: std::sync::Mutex<BTreeMap<String, Arc<MemoryBlobs>>> = std::sync::Mutex::default();
    block(conforms(&|name| {
        let place: Arc<dyn Blobs> =
            places.lock().expect("a lock").entry(name.to_owned()).or_default().clone();
        Box::pin(async move { place })
    }));
}

#[test]
fn sqlite_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    block(conforms(&|name| {
        let place: Arc<dyn Blobs> =
            Arc::new(Sqlite::open(&path.join(format!("{name}.db"))).expect("a file"));
        Box::pin(async move { place })
    }));
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn a_sealed_state_conforms() {
    let key = Key::parse(KEY).expect("a key");
    let places: std::sync::Mutex<BTreeMap<String, Arc<MemoryBlobs>>> = std::sync::Mutex::default();
    block(conforms(&|name| {
        let place = places.lock().expect("a lock").entry(name.to_owned()).or_default().clone();
        let place: Arc<dyn Blobs> = Arc::new(Sealed::new(place, &key).expect("sealed"));
        Box::pin(async move { place })
    }));
    let texts: Vec<u8> = places
        .lock()
        .expect("a lock")
        .values()
        .flat_map(|place| place.all().into_values().flatten())
        .collect();
    for plain in ["services", "lineage", "entry", "because"] {
        assert!(
            !texts.windows(plain.len()).any(|window| window == plain.as_bytes()),
            "`{plain}` stands there in the open"
        );
    }
}

#[test]
fn postgresql_conforms() {
    let Some(server) = peers::postgres() else { return };
    let url = format!("postgres://dax@127.0.0.1:{}/postgres", server.port);
    block(conforms(&|name| {
        let (url, name) = (url.clone(), name.to_owned());
        Box::pin(async move {
            Arc::new(
                PostgresBlobs::open(&url, &name, Credentials::Ambient).await.expect("a database"),
            ) as Arc<dyn Blobs>
        })
    }));
}

#[test]
fn an_s3_compatible_storage_conforms() {
    let Some(server) = peers::minio() else { return };
    // The library reads where and who from variables, as `aws` does; a child process keeps them from the other tests.
    let test = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "stores::s3_in_a_process_of_its_own", "--ignored", "--nocapture"])
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", server.port))
        .envs([
            ("AWS_ACCESS_KEY_ID", "daxdax"),
            ("AWS_SECRET_ACCESS_KEY", "daxdaxdax"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
        ])
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&test.stdout);
    assert!(
        test.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&test.stderr)
    );
}

#[test]
#[ignore = "run by the test before it, with the variables that it needs"]
fn s3_in_a_process_of_its_own() {
    block(conforms(&|name| {
        let place: Arc<dyn Blobs> = Arc::new(
            S3Blobs::open("s3://state/teams/shop", name, Credentials::Ambient).expect("a bucket"),
        );
        Box::pin(async move { place })
    }));
}

/// A state of one run in memory, and where it is kept.
async fn small(blobs: &Arc<MemoryBlobs>) -> Store {
    let store = Store::open(blobs.clone(), None).await.expect("a store");
    let mut lease = store.acquire("dev", &holder("ann"), 0, ALIVE).await.expect("a lease");
    store.begin(&mut lease, &some_plan(), Vec::new(), &actor(1)).await.expect("a run");
    store.append(&mut lease, &[Entry::Done { step: StepId(0) }]).await.expect("written");
    store.append(&mut lease, &[Entry::Done { step: StepId(1) }]).await.expect("written");
    store
        .finish(
            &mut lease,
            &[],
            ending(&Outcome::Succeeded, Some(&snapshot("aaaaaaaa"))),
            &actor(2),
        )
        .await
        .expect("ended");
    store.release(&mut lease).await.expect("given back");
    store
}

#[test]
fn states_beyond_those_that_are_kept_go_and_those_with_a_name_stay() {
    block(async {
        let blobs = Arc::new(MemoryBlobs::default());
        let store = Store::open(blobs.clone(), None).await.expect("a store");
        let mut lease = store.acquire("dev", &holder("ann"), 0, ALIVE).await.expect("a lease");
        for run in 1..=60_u64 {
            store.begin(&mut lease, &some_plan(), Vec::new(), &actor(run)).await.expect("a run");
            store.append(&mut lease, &[Entry::GoBack]).await.expect("written");
            let state = snapshot(&format!("r{run:07}"));
            let name = (run == 3).then(|| "golden".into());
            store
                .finish(
                    &mut lease,
                    &[],
                    Ending { name, ..ending(&Outcome::Succeeded, Some(&state)) },
                    &actor(run),
                )
                .await
                .expect("ended");
        }
        let points = store.points("dev").await.expect("readable");
        assert_eq!(
            (points.len(), points[0].serial, points[49].serial, points[50].serial),
            (51, 60, 11, 3)
        );
        assert_eq!(store.state_at("dev", 3).await.expect("readable"), Some(snapshot("r0000003")));
        assert_eq!(store.state_at("dev", 4).await.expect("readable"), None);
        // Journals and plans of the last fifty runs are kept, and texts that a reader of the head before may need.
        let report = store.verify("dev").await.map(sound).expect("readable");
        assert_eq!(report.records, 120);
        assert!((50..=51).contains(&report.journals), "{report:?}");
        let keys = blobs.all();
        assert!(keys.keys().filter(|key| key.starts_with("points/")).count() <= 2);
        assert!(keys.keys().filter(|key| key.starts_with("states/")).count() <= 52);
    });
}

#[test]
fn an_old_copy_that_is_put_back_is_noticed_where_the_newer_one_was_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = dax_files::Private::create(folder.path(), ".dax").expect("a folder");
    let anchor = || Anchor::open(own.clone(), "here").expect("readable");
    block(async {
        let blobs = Arc::new(MemoryBlobs::default());
        small(&blobs).await;
        let old = blobs.all();
        let store = Store::open(blobs.clone(), Some(anchor())).await.expect("a store");
        let mut lease = store.acquire("dev", &holder("ann"), 0, ALIVE).await.expect("a lease");
        store.begin(&mut lease, &some_plan(), Vec::new(), &actor(3)).await.expect("a run");
        store
            .finish(
                &mut lease,
                &[],
                ending(&Outcome::Succeeded, Some(&snapshot("bbbbbbbb"))),
                &actor(4),
            )
            .await
            .expect("ended");
        store.release(&mut lease).await.expect("given back");
        for (key, bytes) in old {
            blobs.meddle(&key, Some(bytes));
        }
        let store = Store::open(blobs.clone(), Some(anchor())).await.expect("a store");
        let noticed = store.state("dev").await.expect_err("it is older");
        assert!(
            matches!(&noticed, StoreError::Older { environment, .. } if environment == "dev"),
            "{noticed}"
        );
        assert!(
            store.acquire("dev", &holder("bob"), 0, ALIVE).await.is_err(),
            "nothing is written upon it"
        );
        Anchor::forget(&own, "here", Some("dev")).expect("forgotten");
        let store = Store::open(blobs.clone(), Some(anchor())).await.expect("a store");
        assert_eq!(store.state("dev").await.expect("accepted").0, snapshot("aaaaaaaa"));
    });
}

#[test]
fn a_sealed_text_opens_with_its_own_key_under_its_own_name_only() {
    block(async {
        let place = Arc::new(MemoryBlobs::default());
        let key = Key::parse(KEY).expect("a key");
        let sealed = Sealed::new(place.clone(), &key).expect("sealed");
        sealed.put_new("a", b"text".to_vec()).await.expect("written");
        sealed.put_new("b", b"other".to_vec()).await.expect("written");
        let another = Key::parse(&KEY.replace('0', "f")).expect("a key");
        assert!(matches!(
            Sealed::new(place.clone(), &another).expect("sealed").get("a").await,
            Err(StoreError::Sealed { .. })
        ));
        let a = place.all()["a"].clone();
        place.meddle("b", Some(a));
        assert!(
            matches!(sealed.get("b").await, Err(StoreError::Sealed { .. })),
            "one text in another's place"
        );
        assert_eq!(
            sealed.get("a").await.expect("opens").map(|blob| blob.bytes),
            Some(b"text".to_vec())
        );
        // Who has no key is told that one is needed, and who has one although nothing is sealed is told that.
        let place = Arc::new(MemoryBlobs::default());
        Store::open(Arc::new(Sealed::new(place.clone(), &key).expect("sealed")), None)
            .await
            .expect("a store");
        assert!(matches!(
            Store::open(place.clone(), None).await.err(),
            Some(StoreError::Sealed { .. })
        ));
        let place = Arc::new(MemoryBlobs::default());
        Store::open(place.clone(), None).await.expect("a store");
        assert!(matches!(
            Store::open(Arc::new(Sealed::new(place, &key).expect("sealed")), None).await.err(),
            Some(StoreError::Sealed { .. })
        ));
        assert!(Key::parse("short").is_err() && Key::parse(&"g".repeat(64)).is_err());
        assert_eq!(format!("{key:?}"), "***");
    });
}

/// Changes a file behind the store's back.
fn meddle(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).expect("the file");
    connection.execute_batch(sql).expect("changed");
}

#[test]
fn a_damaged_file_and_one_of_a_newer_version_are_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    drop(Sqlite::open(&path).expect("a file"));
    meddle(&path, "PRAGMA user_version = 99");
    let newer = Sqlite::open(&path).err().expect("refused");
    assert!(matches!(newer, StoreError::Newer { found: 99, .. }), "{newer}");
    let path = folder.path().join("noise.db");
    std::fs::write(&path, vec![7; 8192]).expect("written");
    let damaged = Sqlite::open(&path).err().expect("refused");
    assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged}");
    assert_eq!(std::fs::read(&path).expect("there"), vec![7; 8192]);
    block(async {
        let blobs = Arc::new(MemoryBlobs::default());
        blobs
            .put_new("meta", br#"{"format_version":99,"lineage":"x"}"#.to_vec())
            .await
            .expect("written");
        let newer = Store::open(blobs, None).await.err().expect("refused");
        assert!(matches!(newer, StoreError::Newer { found: 99, .. }), "{newer}");
        let blobs = Arc::new(MemoryBlobs::default());
        let former = br#"{"format_version":3,"lineage":"x"}"#.to_vec();
        blobs.put_new("meta", former).await.expect("written");
        let older = Store::open(blobs, None).await.err().expect("refused");
        assert!(matches!(older, StoreError::Former { found: 3, known: 4, .. }), "{older}");
        assert!(older.to_string().contains("dax adopt"), "{older}");
    });
}
