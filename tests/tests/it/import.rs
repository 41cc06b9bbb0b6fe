//! What other tools describe becomes programs that check, and names what it leaves out; no text of
//! theirs leaves the place that it is written to.

use dax_tests::{Files, cases, load, params, properties};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// Texts that try to become more than a name, an amount, a text or a comment.
const ATTACKS: [&str; 22] = [
    "1\nlet evil = 1\n#",
    "1 }\n  protect web from destroy\n  #",
    "1\r\nlet evil = 1\r\n#",
    "1\rlet evil = 1\r#",
    "\u{2028}let evil = 1\u{2029}",
    "\u{85}let evil = 1\u{b}\u{c}",
    "\"\nlet evil = 1\n#",
    "\"\"\"\nlet evil = 1\n\"\"\"",
    "\\\"\nlet evil = 1",
    "\\",
    "${evil}",
    "$${evil} \\${evil}",
    "{{ evil }} {{args.evil}}",
    "#",
    "## evil\nlet evil = 1",
    "# dax: allow DAX9011 because evil",
    "\u{202e}live\u{202c}",
    "\u{0}\u{1b}[2J\u{200b}\u{feff}",
    "result[0] < 1\n && let evil = 1",
    "removed evil { destroy }",
    "1 }, evil: 1, #",
    "",
];

/// A manifest of which there is a program.
const SETTINGS: &str = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n";

fn import(text: &str) -> Result<dax_import::Imported, String> {
    let request = dax_import::Request {
        texts: &[properties::manifests(text)],
        environment: "production",
        context: "shop",
        kubeconfig: None,
        adopt: false,
    };
    dax_import::import(&request)
}

/// What the checker finds in a program.
fn findings(program: &str) -> Vec<String> {
    let (_, found) = load(&Files::project(program)).analyse(&params(&[]));
    found.iter().map(|finding| format!("{} {}", finding.code, finding.detail)).collect()
}

#[test]
fn manifests_become_services_that_check() {
    for (case, folder) in cases("import") {
        let text = std::fs::read_to_string(folder.join("in.yaml")).expect("manifests");
        let imported = import(&text).expect("services");
        assert_eq!(findings(&imported.text), Vec::<String>::new(), "{}", imported.text);
        properties::manifest(&text);
        super::compare(
            "import",
            &case,
            &format!("{}--- left\n{}\n", imported.text, imported.left.join("\n")),
        );
    }
}

#[test]
fn schemas_become_types_that_check() {
    for (case, folder) in cases("schema") {
        let text = std::fs::read_to_string(folder.join("in.yaml")).expect("a schema");
        let written = properties::schema(&text).expect("types");
        assert_eq!(findings(&written), Vec::<String>::new(), "{written}");
        super::compare("schema", &case, &written);
    }
}

#[test]
fn what_holds_no_object_is_an_error_and_so_is_what_is_no_yaml() {
    let refused = |text: &str| import(text).expect_err("an error");
    assert!(
        refused("kind: ConfigMap\nmetadata: {name: a}\n")
            .contains("there is no object of Kubernetes in it")
    );
    assert!(refused("a: [1\n").contains("this is no YAML"));
}

#[test]
fn an_environment_has_a_name_that_is_a_word() {
    for environment in ["", "a b", "a-b", "none", "x {\n}\nlet evil = 1\n#"] {
        let texts = [properties::manifests(SETTINGS)];
        let request = dax_import::Request {
            texts: &texts,
            environment,
            context: "shop",
            kubeconfig: None,
            adopt: false,
        };
        let refused = dax_import::import(&request).expect_err("an error");
        assert!(refused.contains("is no name of an environment") && !refused.contains('\n'));
    }
}

#[test]
fn context_and_kubeconfig_are_texts() {
    let texts = [properties::manifests(SETTINGS)];
    for attack in ATTACKS {
        let request = dax_import::Request {
            texts: &texts,
            environment: "production",
            context: attack,
            kubeconfig: Some(attack),
            adopt: true,
        };
        let imported = dax_import::import(&request).expect("a program");
        assert!(!properties::words(&imported.text).contains("evil"), "{}", imported.text);
        assert_eq!(findings(&imported.text), Vec::<String>::new(), "{}", imported.text);
    }
}

/// The places of all values that are no list and no map, and of all keys.
fn places(json: &Json, at: &str, found: &mut Vec<(String, Option<String>)>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                found.push((at.to_owned(), Some(key.clone())));
                places(value, &format!("{at}/{}", escaped(key)), found);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        _ => found.push((at.to_owned(), None)),
    }
}

/// The value with another text at a place: in a value's stead, or in that of a key.
fn replaced(json: &Json, (at, key): &(String, Option<String>), text: &str) -> Json {
    let mut json = json.clone();
    let place = json.pointer_mut(at).expect("a place");
    match (key, place) {
        (Some(key), Json::Object(map)) => {
            let renamed = std::mem::take(map).into_iter();
            let rename = |name: String| if name == *key { text.to_owned() } else { name };
            *map = renamed.map(|(name, value)| (rename(name), value)).collect::<Map<_, _>>();
        }
        (_, place) => *place = Json::from(text),
    }
    json
}

/// A place for each kind of place in the fixtures of an area, with the fixture that it stands in.
fn kinds_of_places(area: &str) -> Vec<(Json, (String, Option<String>))> {
    let read = |(_, folder): (String, std::path::PathBuf)| {
        let text = std::fs::read_to_string(folder.join("in.yaml")).expect("a text");
        (text.len(), serde_saphyr::from_multiple::<Json>(&text).expect("documents"))
    };
    let mut fixtures: Vec<_> = cases(area).into_iter().map(read).collect();
    // A place that several have is tried in the smallest.
    fixtures.sort_by_key(|(length, _)| *length);
    let mut known = BTreeSet::new();
    let mut kept = Vec::new();
    for (_, documents) in fixtures {
        for document in &documents {
            let mut found = Vec::new();
            places(document, "/0", &mut found);
            for (at, key) in found {
                let pattern: String = at.chars().filter(|c| !c.is_ascii_digit()).collect();
                if known.insert((document["kind"].to_string(), pattern, key.clone())) {
                    kept.push((related(document, &documents), (at, key)));
                }
            }
        }
    }
    kept
}

/// A document, and behind it those that name it or that it names.
fn related(document: &Json, all: &[Json]) -> Json {
    let names = |one: &Json, other: &Json| {
        let name = other["metadata"]["name"].as_str().filter(|name| !name.is_empty());
        name.is_some_and(|name| one.to_string().contains(name))
    };
    let others = all
        .iter()
        .filter(|other| *other != document && (names(document, other) || names(other, document)));
    std::iter::once(document).chain(others).cloned().collect()
}

#[test]
fn no_scalar_and_no_key_of_a_manifest_becomes_code() {
    let (mut tried, mut written) = (0, 0);
    for (all, place) in kinds_of_places("import") {
        // All keys are written by the same few functions.
        let step = if place.1.is_some() { 4 } else { 1 };
        for attack in ATTACKS.iter().step_by(step) {
            let list = replaced(&all, &place, attack);
            let text = serde_json::json!({ "kind": "List", "items": list }).to_string();
            tried += 1;
            let Some(program) = properties::manifest(&text) else { continue };
            written += 1;
            let words = properties::words(&program);
            let evil = words.iter().find(|word| ["evil", "protect"].contains(&word.as_str()));
            assert_eq!(evil, None, "{place:?} {attack:?}\n{program}");
        }
    }
    eprintln!("{tried} manifests, {written} programs");
    assert!(written > 3_000, "{written} of {tried}");
}

#[test]
fn no_scalar_and_no_key_of_a_schema_becomes_code() {
    let (mut tried, mut written) = (0, 0);
    for (all, place) in kinds_of_places("schema") {
        let step = if place.1.is_some() { 4 } else { 1 };
        for attack in ATTACKS.iter().step_by(step) {
            let documents = replaced(&all, &place, attack);
            let documents = documents.as_array().expect("documents").iter();
            let text = documents.map(Json::to_string).collect::<Vec<_>>().join("\n---\n");
            tried += 1;
            let Some(program) = properties::schema(&text) else { continue };
            written += 1;
            let words = properties::words(&program);
            assert!(!words.contains("evil"), "{place:?} {attack:?}\n{program}");
        }
    }
    eprintln!("{tried} schemas, {written} texts");
    assert!(written > 1_000, "{written} of {tried}");
}

#[test]
fn long_texts_and_deep_values_are_written_or_named() {
    let long = "evil \"${".repeat(1_300);
    let manifest = |value: &Json| {
        serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": value }, "data": { "a": value },
        })
        .to_string()
    };
    let program = properties::manifest(&manifest(&Json::from(long))).expect("a program");
    assert!(!properties::words(&program).contains("evil"));
    let deep = |depth| (0..depth).fold(Json::from(1), |inner, _| Json::from(vec![inner]));
    let of = |depth| {
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "A", "metadata": { "name": "a" }, "spec": deep(depth),
        });
        let settings =
            serde_json::json!({ "apiVersion": "v1", "kind": "B", "metadata": { "name": "b" } });
        import(&serde_json::json!({ "kind": "List", "items": [object, settings] }).to_string())
            .expect("a program")
    };
    assert_eq!(of(80).left, Vec::<String>::new());
    let refused = of(100);
    assert!(refused.left[0].contains("its values nest deeper than"), "{:?}", refused.left);
    assert!(refused.text.contains("resource kubernetes.object b"));
}

#[test]
fn torn_manifests_and_schemas_give_errors_or_programs() {
    let noise =
        ["\n", "\"", "#", "${", "{", "]", ": ", "- ", "\u{0}", "\u{202e}", "\t", "1e999", "&a *a"];
    let mut state = 11_u64;
    let mut below = |end: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % end.max(1)
    };
    let mut written = [0, 0];
    for (which, area) in ["import", "schema"].into_iter().enumerate() {
        for (_, folder) in cases(area) {
            let text = std::fs::read_to_string(folder.join("in.yaml")).expect("a text");
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            for _ in 0..60 {
                let mut torn = text.clone();
                let at = below(bounds.len());
                let end = (at + below(12)).min(bounds.len() - 1);
                torn.replace_range(bounds[at]..bounds[end], noise[below(noise.len())]);
                let program = if which == 0 {
                    properties::manifest(&torn)
                } else {
                    properties::schema(&torn)
                };
                written[which] += usize::from(program.is_some());
            }
        }
    }
    assert!(written[0] > 100 && written[1] > 30, "{written:?}");
}
