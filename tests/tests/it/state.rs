//! The state: lease and epoch, chained journal, damaged and newer files.

use dax_apply::journal::{Entry, Outcome};
use dax_apply::{Holder, Snapshot, Store, StoreError};
use dax_plan::{Plan, StepId};
use dax_tests::{Files, load, params, plan};
use std::collections::BTreeMap;
use std::path::Path;

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), host: "here".to_owned(), pid: 1, started: 1 }
}

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("state.db")).expect("a new state")
}

fn some_plan() -> Plan {
    plan(&load(&Files::project("environment dev {\n}\n")), &params(&[]), "dev", &BTreeMap::new(), &BTreeMap::new()).0
}

const ALIVE: &dyn Fn(&Holder) -> bool = &|_| false;

#[test]
fn a_second_holder_is_refused_with_the_first_ones_name_until_the_lease_runs_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    store.acquire("dev", &holder("ann@host"), 1_000, ALIVE).expect("the first");
    let refused = store.acquire("dev", &holder("bob@host"), 2_000, ALIVE).expect_err("the second");
    assert!(refused.to_string().contains("ann@host"), "{refused}");
    store.acquire("other", &holder("bob@host"), 2_000, ALIVE).expect("another environment is free");
    store.acquire("dev", &holder("bob@host"), 2_000, &|_| true).expect("the first is gone");
    store.acquire("dev", &holder("eve@host"), 1_000_000, ALIVE).expect("the lease ran out");
}

#[test]
fn a_late_write_of_an_old_holder_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut old = open(folder.path());
    let lease = old.acquire("dev", &holder("old"), 0, ALIVE).expect("a lease");
    let run = old.begin(&lease, &some_plan(), "apply", "old", 0).expect("a run");
    let mut new = open(folder.path());
    let newer = new.acquire("dev", &holder("new"), 1_000_000, ALIVE).expect("it ran out");
    assert!(newer.epoch > lease.epoch);
    let late = old.append(&lease, run, &[Entry::Done { step: StepId(0) }]).expect_err("too late");
    assert!(matches!(&late, StoreError::Fenced { holder, .. } if holder == "new"), "{late}");
    assert!(matches!(old.finish(&lease, run, &[], &Outcome::Succeeded, None, 1), Err(StoreError::Fenced { .. })));
    assert!(matches!(old.renew(&lease, 1), Err(StoreError::Fenced { .. })));
    assert_eq!(new.journal(run).expect("readable"), []);
}

#[test]
fn a_run_that_has_not_ended_is_found_with_its_plan_and_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    let lease = store.acquire("dev", &holder("ann"), 0, ALIVE).expect("a lease");
    let plan = some_plan();
    let run = store.begin(&lease, &plan, "apply", "ann", 0).expect("a run");
    let entries = [Entry::Intent { step: StepId(0), at_ms: 5 }, Entry::Done { step: StepId(0) }];
    store.append(&lease, run, &entries).expect("written");
    let (found, same, journal) = store.unfinished("dev").expect("readable").expect("there is one");
    assert_eq!((found.id, &same, journal.as_slice()), (run, &plan, &entries[..]));
    let snapshot = Snapshot::default();
    store.finish(&lease, run, &[], &Outcome::Succeeded, Some(&snapshot), 9).expect("ended");
    assert!(store.unfinished("dev").expect("readable").is_none());
    assert_eq!(store.state("dev").expect("readable").1.serial, 1);
}

/// Changes the file behind the store's back.
fn meddle(folder: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join("state.db")).expect("the file");
    connection.execute_batch(sql).expect("changed");
}

#[test]
fn a_changed_journal_and_a_changed_state_are_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    let lease = store.acquire("dev", &holder("ann"), 0, ALIVE).expect("a lease");
    let run = store.begin(&lease, &some_plan(), "apply", "ann", 0).expect("a run");
    store.append(&lease, run, &[Entry::Done { step: StepId(0) }, Entry::Done { step: StepId(1) }]).expect("written");
    store.finish(&lease, run, &[], &Outcome::Succeeded, Some(&Snapshot::default()), 9).expect("ended");
    meddle(folder.path(), "UPDATE journal SET entry = replace(entry, '0', '7') WHERE seq = 1");
    assert!(matches!(store.journal(run), Err(StoreError::Corrupt { .. })));
    meddle(folder.path(), "UPDATE states SET body = '{\"services\":{} }'");
    assert!(matches!(store.state("dev"), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_damaged_file_and_one_of_a_newer_version_are_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    meddle(folder.path(), "PRAGMA user_version = 99");
    let newer = Store::open(&folder.path().join("state.db")).err().expect("refused");
    assert!(matches!(newer, StoreError::Newer { found: 99, .. }), "{newer}");
    let path = folder.path().join("noise.db");
    std::fs::write(&path, vec![7; 8192]).expect("written");
    let damaged = Store::open(&path).err().expect("refused");
    assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged}");
    assert_eq!(std::fs::read(&path).expect("there"), vec![7; 8192]);
}

#[test]
fn a_hundred_thousand_entries_are_written_in_batches_and_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    let lease = store.acquire("dev", &holder("ann"), 0, ALIVE).expect("a lease");
    let run = store.begin(&lease, &some_plan(), "apply", "ann", 0).expect("a run");
    let entries: Vec<Entry> = (0..100_000).map(|n| Entry::Done { step: StepId(n) }).collect();
    for batch in entries.chunks(1_000) {
        store.append(&lease, run, batch).expect("written");
    }
    assert_eq!(store.journal(run).expect("readable"), entries);
}
