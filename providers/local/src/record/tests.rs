//! A record is believed as it was written where it was written, and in no other form.

use super::*;

fn sample() -> Record {
    let spec = Value::Map(BTreeMap::from([(
        "command".into(),
        Value::List(vec![Value::str("sleep"), Value::str("1")]),
    )]));
    let replica = ReplicaRecord {
        number: 3,
        ports: BTreeMap::from([("http".into(), 4000)]),
        process: Some(Identity { pid: 77, started: 5 }),
        token: Token::fresh(),
        cgroup: None,
    };
    let revision = RevisionRecord { spec, wanted: Wanted(1), replicas: vec![replica] };
    let service = ServiceRecord {
        environment: "dev".into(),
        service: "web".into(),
        settings: BTreeMap::new(),
        traffic: BTreeMap::from([(RevisionId("abcd0123".into()), 10_000)]),
        routes: Vec::new(),
        commands: vec![("dev:1:0:do".into(), Known::Begun)],
        revisions: BTreeMap::from([(RevisionId("abcd0123".into()), revision)]),
    };
    Record { boot: "b".to_owned(), services: vec![service] }
}

#[test]
fn what_was_written_is_read_again_where_it_was_written() {
    let here = Path::new("/project/.dax/local");
    let bytes = encode(&sample(), here).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(), "it is JSON");
    let read = decode(&bytes, here).unwrap();
    assert_eq!(read.services.len(), 1);
    assert_eq!(decode(&bytes, Path::new("/elsewhere/.dax/local")), Err(Doubt::Foreign));
}

#[test]
fn each_byte_that_is_changed_or_lacks_is_noticed() {
    let here = Path::new("/project/.dax/local");
    let bytes = encode(&sample(), here).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(decode(&changed, here).is_err(), "byte {at}");
        assert!(decode(&bytes[..at], here).is_err(), "cut at {at}");
        let _ = parse(&changed);
    }
}

#[test]
fn other_versions_are_named() {
    let here = Path::new("/project/.dax/local");
    let old = br#"{"format_version":1,"services":[]}"#;
    assert_eq!(decode(old, here), Err(Doubt::Version(1)));
    assert!(Doubt::Version(1).to_string().contains("an older dax"));
    assert_eq!(decode(br#"{"format_version":9}"#, here), Err(Doubt::Version(9)));
    assert!(matches!(decode(b"{", here), Err(Doubt::Damaged(_))));
    assert!(matches!(decode(b"", here), Err(Doubt::Damaged(_))));
    assert_eq!(decode(br#"{"format_version":2,"services":[]}"#, here), Err(Doubt::Foreign));
}

/// Records that would do harm if they were believed, made with a good mark.
#[test]
fn what_cannot_be_meant_is_refused_also_with_a_good_mark() {
    let here = Path::new("/project/.dax/local");
    let good = serde_json::to_string(&sample()).unwrap();
    for (from, to) in [
        ("\"pid\":77", "\"pid\":-1"),
        ("\"pid\":77", "\"pid\":1"),
        ("\"pid\":77", "\"pid\":0"),
        ("\"wanted\":1", "\"wanted\":9223372036854775807"),
        ("\"wanted\":1", "\"wanted\":-1"),
        ("\"number\":3", "\"number\":-3"),
        ("\"environment\":\"dev\"", "\"environment\":\"\""),
        ("4000", "70000"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(good, bad, "{from}");
        let body = &bad.as_bytes()[1..];
        let mac = data_encoding::HEXLOWER.encode(&mac(body, here).unwrap());
        let bytes = [head().as_bytes(), mac.as_bytes(), b"\",", body].concat();
        assert!(matches!(decode(&bytes, here), Err(Doubt::Damaged(_))), "{to}");
    }
}

#[test]
fn what_is_made_of_records_is_read_or_refused() {
    let seeds = crate::protocol::tests::seeds("agent_record");
    assert!(seeds.iter().any(|seed| parse(seed).is_ok()));
    crate::protocol::tests::changed(&seeds, 20_000, any_bytes);
}

#[test]
fn after_another_boot_of_the_machine_nothing_of_a_record_runs() {
    let me = Identity::now(i32::try_from(std::process::id()).unwrap()).unwrap();
    let mut record = sample();
    let revisions = record.services[0].revisions.values_mut();
    revisions.for_each(|revision| revision.replicas[0].process = Some(me));
    assert!(record.replicas().all(|replica| replica.running(&[]) == Some(me)));
    let record = record.since_boot();
    assert!(record.replicas().all(|replica| replica.process.is_none()));
    assert!(record.replicas().all(|replica| replica.running(&[]).is_none()));
    let mut same = sample();
    same.boot = process_id::boot();
    assert!(same.since_boot().replicas().all(|replica| replica.process.is_some()));
}
