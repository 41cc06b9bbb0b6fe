//! State that was changed, rearranged, emptied or deleted: whoever reads it is told, or gets what was written.

use dax_files::Private;
use dax_store::blobs::{Blobs, MemoryBlobs};
use dax_store::{Anchor, Approval, Holder, Key, Sealed, Sqlite, Store, StoreError};
use dax_tests::state_rows::{answers, lies, place, snapshot, sound, survives, write};
use dax_tests::world::now;
use std::path::Path;
use std::sync::Arc;

fn same(text: &str) -> String {
    text.to_owned()
}

#[test]
fn every_row_that_is_changed_cut_moved_or_gone_is_told_by_verify_and_gives_no_other_answer() {
    let written = now(answers(place(sound())));
    assert!(written.iter().all(|(_, answer)| answer.is_ok()), "{written:?}");
    for (key, bytes) in sound() {
        let middle = bytes.len() / 2;
        let flipped = |at: usize| {
            let mut other = bytes.clone();
            other[at] ^= 1;
            Some(other)
        };
        let other = sound().values().find(|other| *other != bytes).cloned();
        let changes = (0..bytes.len()).step_by(3).map(flipped).chain([
            Some(bytes[..middle].to_vec()),
            Some(Vec::new()),
            other,
            None,
        ]);
        for (number, changed) in changes.enumerate() {
            // One message may be missing, for nothing counts them; and a list of points that another has replaced.
            let last = sound().keys().rfind(|key| key.starts_with("points/"));
            let replaced = key.starts_with("points/") && Some(key) != last;
            let uncounted = changed.is_none() && (replaced || key.starts_with("approvals/"));
            let mut rows = sound().clone();
            match changed {
                Some(bytes) => drop(rows.insert(key.clone(), bytes)),
                None => drop(rows.remove(key)),
            }
            let found = now(answers(place(&rows)));
            assert_eq!(lies(&written, &found), "", "`{key}`, change {number}");
            let told = found.iter().any(|(name, answer)| match answer {
                Err(_) => true,
                Ok(report) => *name == "verify" && !report.contains("findings: []"),
            });
            // What is only written otherwise, as `1` for `2` in a format that both mean the same, is no damage.
            let meta = key == "meta";
            assert!(told || uncounted || meta, "`{key}`, change {number}: nobody was told");
        }
    }
}

#[test]
fn any_bytes_in_any_row_give_an_error_or_what_was_written() {
    let mut state = 11_u64;
    for _ in 0..3_000 {
        let mut bytes = Vec::new();
        for _ in 0..40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bytes.push((state >> 33) as u8);
        }
        let length = usize::from(bytes[39]) % 40;
        survives(&bytes[..length]);
    }
}

#[test]
fn a_packed_text_that_claims_to_be_huge_takes_no_memory() {
    for size in [u32::MAX, 1 << 31, 1 << 20] {
        let mut rows = sound().clone();
        let bytes = [b"lz4\x01".as_slice(), &size.to_le_bytes(), &[0x10, b'x']].concat();
        rows.insert("heads/dev".to_owned(), bytes);
        let found = now(answers(place(&rows)));
        let refused = found.iter().find(|(name, _)| *name == "state").expect("asked");
        let error = refused.1.as_ref().expect_err("refused").to_string();
        assert!(error.contains("claims to be"), "{error}");
    }
}

#[test]
fn a_head_of_an_older_version_is_read_and_protected_by_the_next_write() {
    let mut rows = sound().clone();
    let text = String::from_utf8(rows["heads/dev"].clone()).expect("text");
    let at = text.rfind(",\"sum\":\"").expect("a digest");
    let old = format!("{}}}", &text[..at]).replace("\"summed\":true,", "");
    rows.insert("heads/dev".to_owned(), old.into_bytes());
    let blobs = place(&rows);
    now(async {
        let store = Store::open(blobs.clone(), None).await.expect("a store");
        let report = store.verify("dev").await.expect("readable");
        assert_eq!(
            (report.findings.len(), report.unprotected.as_slice()),
            (0, ["heads/dev".to_owned()].as_slice())
        );
        let holder = Holder { name: "bob".to_owned(), host: "here".to_owned(), pid: 2, started: 2 };
        let mut lease = store.acquire("dev", &holder, 1, &|_| true).await.expect("a lease");
        store.release(&mut lease).await.expect("given back");
        let report = store.verify("dev").await.expect("readable");
        assert_eq!((report.findings.len(), report.unprotected.len()), (0, 0));
    });
}

/// A file with such a state, large enough for pages of each kind.
fn file(path: &Path) {
    let sqlite = Arc::new(Sqlite::open(path).expect("a file"));
    now(write(sqlite.clone(), &|text| format!("{text}{}", "x".repeat(3_000))));
    let store = now(Store::open(sqlite.clone(), None)).expect("a store");
    for number in 0..60 {
        let approval = Approval {
            digest: "abcd".into(),
            step: None,
            by: format!("person {number}").into(),
            groups: Vec::new(),
            reason: "because ".repeat(30),
            at_ms: number,
            signature: None,
            names: Vec::new(),
        };
        now(store.approve("dev", &approval)).expect("written");
    }
    drop((sqlite, store));
    let connection = rusqlite::Connection::open(path).expect("the file");
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").expect("one file");
}

const PAGE: usize = 4096;

#[test]
fn pages_that_are_swapped_copied_or_emptied_give_an_error_or_what_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    file(&path);
    let bytes = std::fs::read(&path).expect("there");
    let opened = |path: &Path| match Sqlite::open(path) {
        Ok(sqlite) => now(answers(Arc::new(sqlite))),
        Err(error) => vec![("open", Err(error))],
    };
    let written = opened(&path);
    assert!(written.iter().all(|(_, answer)| answer.is_ok()), "{written:?}");
    let pages = bytes.len() / PAGE;
    assert!(pages > 15, "{pages} pages");
    let (mut refused, mut harmless) = (0, 0);
    let mut check = |what: String, changed: Vec<u8>| {
        let damaged = folder.path().join("damaged.db");
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("damaged.db{ending}")));
        }
        std::fs::write(&damaged, changed).expect("written");
        let found = opened(&damaged);
        assert_eq!(lies(&written, &found), "", "{what}");
        if found.iter().any(|(_, answer)| answer.is_err()) { refused += 1 } else { harmless += 1 }
    };
    let page = |number: usize| number * PAGE..(number + 1) * PAGE;
    for one in 0..pages {
        let mut emptied = bytes.clone();
        emptied[page(one)].fill(0);
        check(format!("page {one} emptied"), emptied);
        for other in 0..pages {
            let mut copied = bytes.clone();
            copied[page(other)].copy_from_slice(&bytes[page(one)]);
            check(format!("page {one} copied to {other}"), copied);
            if one < other {
                let mut swapped = bytes.clone();
                swapped[page(one)].copy_from_slice(&bytes[page(other)]);
                swapped[page(other)].copy_from_slice(&bytes[page(one)]);
                check(format!("pages {one} and {other} swapped"), swapped);
            }
        }
    }
    // A page on itself is no change.
    assert!(refused > 10 * harmless && harmless >= pages, "{refused} refused, {harmless} harmless");
}

/// What opening a state says, with this folder's memory of it.
fn open(blobs: &Arc<MemoryBlobs>, own: &Private, place: &str) -> Result<Store, StoreError> {
    let anchor = Anchor::open(own.clone(), place)?;
    now(Store::open(blobs.clone(), Some(anchor)))
}

fn touch(store: &Store, environment: &str) {
    let holder = Holder { name: "ann".to_owned(), host: "here".to_owned(), pid: 1, started: 1 };
    now(async {
        let mut lease = store.acquire(environment, &holder, 0, &|_| true).await.expect("a lease");
        store.release(&mut lease).await.expect("given back");
    });
}

#[test]
fn a_state_that_this_machine_remembers_and_that_is_gone_or_another_is_refused_with_the_way_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = Private::create(folder.path(), ".dax").expect("a folder");
    let blobs = Arc::new(MemoryBlobs::default());
    touch(&open(&blobs, &own, "a").expect("a new state"), "dev");
    open(&blobs, &own, "a").expect("the same state");
    // Deleted, and replaced by another.
    let empty = Arc::new(MemoryBlobs::default());
    let gone = open(&empty, &own, "a").err().expect("refused").to_string();
    assert!(gone.contains("holds no state") && gone.contains("`dev`"), "{gone}");
    assert!(gone.contains("dax state verify --accept"), "{gone}");
    assert!(empty.all().is_empty(), "nothing was made in its place");
    let other = Arc::new(MemoryBlobs::default());
    now(Store::open(other.clone(), None)).expect("another state");
    let another = open(&other, &own, "a").err().expect("refused");
    assert!(matches!(&another, StoreError::Lost { found: Some(_), .. }), "{another}");
    // Another place is another matter, and what a person accepts is believed.
    open(&other, &own, "b").expect("another place");
    Anchor::forget(&own, "a", None).expect("forgotten");
    touch(&open(&other, &own, "a").expect("accepted"), "dev");
    assert!(open(&blobs, &own, "a").is_err(), "now the first is the other one");
}

#[test]
fn a_memory_that_cannot_be_read_is_an_error_and_one_of_the_first_format_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = Private::create(folder.path(), ".dax").expect("a folder");
    let blobs = Arc::new(MemoryBlobs::default());
    let store = open(&blobs, &own, "a").expect("a new state");
    touch(&store, "dev");
    for text in ["", "{", "[]", "{\"format_version\":9,\"places\":{},\"seen\":{}}"] {
        own.replace("anchor.json", text.as_bytes()).expect("written");
        let refused = open(&blobs, &own, "a").err().expect("refused");
        assert!(matches!(&refused, StoreError::Anchor { .. }), "{text}: {refused}");
    }
    std::fs::remove_file(own.path().join("anchor.json")).expect("removed");
    std::os::unix::fs::symlink("/etc/hostname", own.path().join("anchor.json")).expect("a link");
    assert!(open(&blobs, &own, "a").is_err(), "no link is followed");
    // As older versions wrote it: the lineage is known, its place is not.
    let meta: serde_json::Value = serde_json::from_slice(&blobs.all()["meta"]).expect("JSON");
    let lineage = meta["lineage"].as_str().expect("a lineage");
    let old = format!("{{\"{lineage}/dev\":{{\"counter\":1,\"serial\":0}}}}");
    own.replace("anchor.json", old.as_bytes()).expect("written");
    open(&blobs, &own, "a").expect("it is the one");
    let empty = Arc::new(MemoryBlobs::default());
    assert!(matches!(open(&empty, &own, "a").err(), Some(StoreError::Lost { .. })));
    Anchor::forget(&own, "a", None).expect("forgotten");
    open(&empty, &own, "a").expect("a new beginning");
}

#[test]
fn many_writers_of_the_memory_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = Private::create(folder.path(), ".dax").expect("a folder");
    let blobs = Arc::new(MemoryBlobs::default());
    drop(now(Store::open(blobs.clone(), None)).expect("a state"));
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (own, blobs) = (own.clone(), blobs.clone());
            scope.spawn(move || {
                let store = open(&blobs, &own, "a").expect("the state");
                (0..10).for_each(|number| touch(&store, &format!("e{writer}-{number}")));
            });
        }
    });
    let text = own.read("anchor.json", 1 << 20).expect("readable").expect("there");
    let memory: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(memory["seen"].as_object().map(serde_json::Map::len), Some(80));
}

#[test]
fn a_lost_head_or_beginning_is_told_also_where_nobody_remembers() {
    for sealed in [false, true] {
        let inner = Arc::new(MemoryBlobs::default());
        let key = Key::parse(&"0123456789abcdef".repeat(4)).expect("a key");
        let blobs: Arc<dyn Blobs> = if sealed {
            Arc::new(Sealed::new(inner.clone(), &key).expect("sealed"))
        } else {
            inner.clone()
        };
        now(write(blobs.clone(), &same));
        let meta = inner.all()["meta"].clone();
        inner.meddle("meta", None);
        let error = now(Store::open(blobs.clone(), None)).err().expect("refused").to_string();
        assert!(error.contains("`meta` is gone"), "{error}");
        inner.meddle("meta", Some(meta));
        inner.meddle("heads/dev", None);
        let store = now(Store::open(blobs, None)).expect("the state");
        let error = now(store.state("dev")).expect_err("refused").to_string();
        assert!(error.contains("the head of `dev` is gone"), "{error}");
        assert_eq!(now(store.environments()).expect("readable"), ["dev"]);
        let report = now(store.verify("dev")).expect("readable");
        assert_eq!(report.findings[0].key, "heads/dev");
        // An environment that never was has no head to lose.
        assert_eq!(now(store.state("other")).expect("readable").0, Default::default());
        assert_ne!(snapshot("aaaaaaaa"), Default::default());
    }
}

#[test]
fn a_file_that_is_not_there_is_made_by_the_first_write_and_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let sqlite = Sqlite::open(&path).expect("nothing yet");
    assert_eq!(now(sqlite.list("")).expect("readable"), Vec::<String>::new());
    assert!(!path.exists(), "reading makes nothing");
    // An empty file is no more than none.
    std::fs::write(&path, "").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("open to all");
    assert_eq!(now(sqlite.get("a")).expect("readable"), None);
    assert!(now(sqlite.put_new("a", b"text".to_vec())).expect("written"));
    let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let second = Sqlite::open(&path).expect("the file");
    assert_eq!(now(second.list("")).expect("readable"), ["a"]);
    // Neither a link nor a pipe is opened.
    std::os::unix::fs::symlink(&path, folder.path().join("link.db")).expect("a link");
    let status = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.db")).status();
    assert!(status.expect("mkfifo").success());
    for name in ["link.db", "pipe.db"] {
        assert!(Sqlite::open(&folder.path().join(name)).is_err(), "{name}");
    }
}
