//! Policies as conditions of an environment: which there are, and a digest of what each says.
//!
//! Invariant: what decides about a policy's answer stands in its digest: its rules, and the values,
//! functions, types and data files that they reach by name, also in other modules. Comments,
//! spacing and places do not. A word that only looks like such a name is followed, too: a digest
//! that changes once too often is asked about, one that does not change never is.

use crate::Loaded;
use dax_core::{Name, Span};
use dax_sema::ModuleId;
use dax_sema::walk::walk_item;
use dax_syntax::ast::{Expr, ExprKind, Item, ItemKind};
use dax_syntax::split;
use dax_syntax::tree::{Kind, Tree};
use std::collections::BTreeSet;

/// A policy that holds for an environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Policy {
    /// Its name; of an imported module with the module's path before it.
    pub name: Name,
    /// The phase in which it is asked: `check`, `plan` or `apply`.
    pub phase: Name,
    /// A digest of what decides about its answer.
    pub digest: Name,
}

impl Loaded {
    /// The policies that hold for an environment, by name.
    pub fn policies(&self, environment: &str) -> Vec<Policy> {
        let found = dax_sema::policies(&self.program, environment).into_iter();
        let mut all: Vec<Policy> = found
            .map(|policy| {
                let path = &self.program.modules[policy.module.0].path;
                let name = match path.as_str() {
                    "" => policy.name.clone(),
                    path => Name::new(format!("{path}.{}", policy.name)),
                };
                let digest = self.policy_digest(policy.module, policy.rules);
                Policy { name, phase: policy.phase, digest }
            })
            .collect();
        all.sort();
        all
    }

    /// A digest of rules of a module and of all that they reach by name.
    fn policy_digest(&self, module: ModuleId, rules: Span) -> Name {
        // A head of their own makes them an item again, whatever else stands in that of theirs.
        let rules_text =
            canonical(&format!("policy p on check {{\n{}\n}}", self.sources.slice(rules)));
        let reach = self.reach(module);
        let mut data = BTreeSet::new();
        let own = self.items(module).find(|item| holds(item.span, rules));
        own.into_iter().for_each(|item| self.data_of(module, item, &mut data));
        let mut known = words(&rules_text);
        let mut texts: BTreeSet<(String, String)> = BTreeSet::new();
        loop {
            let before = texts.len();
            for at in &reach {
                let path = &self.program.modules[at.0].path;
                for item in self.items(*at) {
                    if declares(item).is_some_and(|name| known.contains(name.as_str())) {
                        let text = canonical(self.sources.slice(item.span));
                        if texts.insert((path.to_string(), text.clone())) {
                            known.append(&mut words(&text));
                            self.data_of(*at, item, &mut data);
                        }
                    }
                }
            }
            if texts.len() == before {
                break;
            }
        }
        let all = serde_json::json!([rules_text, texts, data]).to_string();
        Name::new(blake3::hash(all.as_bytes()).to_hex().as_str())
    }

    /// A module and those that it imports, directly or through others; the standard library is left
    /// out, it comes with dax.
    fn reach(&self, module: ModuleId) -> BTreeSet<ModuleId> {
        let (mut seen, mut open) = (BTreeSet::from([module]), vec![module]);
        while let Some(next) = open.pop() {
            for target in self.program.modules[next.0].imports.values() {
                if !self.program.is_std(*target) && seen.insert(*target) {
                    open.push(*target);
                }
            }
        }
        seen
    }

    fn items(&self, module: ModuleId) -> impl Iterator<Item = &Item> {
        self.program.modules[module.0].files.iter().flat_map(|file| &file.items)
    }

    /// The data files that an item reads, each with what it holds.
    fn data_of(&self, module: ModuleId, item: &Item, into: &mut BTreeSet<String>) {
        let files = &self.program.modules[module.0].data;
        walk_item(item, &mut |expr: &Expr| {
            if let ExprKind::Data(path) = &expr.kind {
                let held = files.get(path).map(|node| node.value());
                let held = held.as_ref().map(dax_core::Value::shape);
                into.insert(serde_json::json!([path, held]).to_string());
            }
        });
    }
}

/// The name under which an item is reached from a policy: of a value, a function or a type.
///
/// Services are what policies judge; what they say is no part of a policy.
fn declares(item: &Item) -> Option<&Name> {
    match &item.kind {
        ItemKind::Field(field) => field.path.first().map(|part| &part.name),
        ItemKind::Fn(function) => Some(&function.name.name),
        ItemKind::Type(ty) => Some(&ty.name.name),
        ItemKind::Broken(name) => name.as_ref().map(|name| &name.name),
        ItemKind::Command(_) => None,
    }
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

/// Words of a text that could be names, those in texts included.
fn words(text: &str) -> BTreeSet<String> {
    let apart = |c: char| !(c.is_alphanumeric() || c == '_');
    text.split(apart).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A text without comments, formatted.
fn canonical(text: &str) -> String {
    let mut gone = Vec::new();
    for chunk in split::split(text) {
        let tree = Tree::parse(text, &chunk);
        let comments = tree.nodes.iter().filter(|node| node.kind == Kind::COMMENT);
        gone.extend(
            comments
                .map(|node| (chunk.start + node.start as usize, chunk.start + node.end as usize)),
        );
    }
    let (mut out, mut at) = (String::new(), 0);
    for (start, end) in gone {
        out.push_str(text.get(at..start).unwrap_or_default());
        at = end;
        // A line that was only a comment goes with its break.
        let line = out.rfind('\n').map_or(0, |at| at + 1);
        if out[line..].trim().is_empty() && text[end..].starts_with('\n') {
            out.truncate(line);
            at += 1;
        }
    }
    out.push_str(text.get(at..).unwrap_or_default());
    dax_syntax::format(&out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileSystem;
    use std::collections::BTreeMap;

    struct Files(BTreeMap<&'static str, String>);

    impl FileSystem for Files {
        fn read(&self, _: &str, path: &str) -> Result<Option<Vec<u8>>, std::io::Error> {
            Ok(self.0.get(path).map(|text| text.clone().into_bytes()))
        }

        fn list(&self, _: &str, folder: &str) -> Result<Option<Vec<String>>, std::io::Error> {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let below = self.0.keys().filter_map(|path| path.strip_prefix(&prefix));
            let names: BTreeSet<String> = below
                .map(|rest| rest.split_inclusive('/').next().unwrap_or(rest).to_owned())
                .collect();
            Ok((!names.is_empty()).then(|| names.into_iter().collect()))
        }
    }

    const MAIN: &str = r#"import rules from "./rules"
import memory from "std/memory"

provider memory.world {
}

service web {
  image = "web:1"
}

environment production {
  bind web to memory.world
}

let least = 2
fn few(n: int) -> bool = n < least + rules.more

policy enough on plan of environment.production {
  deny s in services where few(s.replicas) { message = "${s.name} has few" }
}
"#;
    const RULES: &str = "let more = 1\nlet other = 1\n";

    fn digest(main: &str, rules: &str) -> Name {
        let files = Files(BTreeMap::from([
            ("dax.mod", "project = \"shop\"\nedition = 2026\n".to_owned()),
            ("main.dax", main.to_owned()),
            ("rules/rules.dax", rules.to_owned()),
        ]));
        let loaded = crate::load(&files).expect("a project");
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let found = loaded.policies("production");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].name.as_str(), found[0].phase.as_str()), ("enough", "plan"));
        found[0].digest.clone()
    }

    #[test]
    fn a_policy_is_what_it_says_and_reaches_and_not_how_it_is_written() {
        let before = digest(MAIN, RULES);
        let comment = MAIN.replace("  deny", "  # never fewer\n  deny");
        let spaced = comment.replace("where few", "where   few").replace("n < least", "n <  least");
        assert_eq!(digest(&spaced, RULES), before);
        assert_eq!(digest(&MAIN.replace("web:1", "web:2"), RULES), before);
        assert_eq!(digest(&format!("let unrelated = 1\n{MAIN}"), RULES), before);
        assert_eq!(digest(MAIN, &RULES.replace("other = 1", "other = 2")), before);
    }

    #[test]
    fn a_policy_changes_with_each_value_and_function_that_it_reaches() {
        let before = digest(MAIN, RULES);
        for (old, new) in [
            ("few(s.replicas)", "few(s.replicas) and false"),
            ("has few", "has too few"),
            ("least = 2", "least = 0"),
            ("n < least", "n > least"),
            ("deny s", "warn s"),
        ] {
            assert_ne!(digest(&MAIN.replace(old, new), RULES), before, "{old} to {new}");
        }
        assert_ne!(digest(MAIN, &RULES.replace("more = 1", "more = 0")), before);
    }

    #[test]
    fn a_policy_of_another_environment_is_none_of_this_one() {
        let main = MAIN.replace(
            "environment production {\n",
            "environment staging {\n  bind web to memory.world\n}\n\nenvironment production {\n",
        );
        let files = Files(BTreeMap::from([
            ("dax.mod", "project = \"shop\"\nedition = 2026\n".to_owned()),
            ("main.dax", main),
            ("rules/rules.dax", RULES.to_owned()),
        ]));
        let loaded = crate::load(&files).expect("a project");
        assert_eq!(loaded.policies("staging"), []);
        assert_eq!(loaded.policies("production").len(), 1);
    }
}
