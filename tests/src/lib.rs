//! Helpers of the tests: text goes in, text is compared; only this file knows how.

pub mod edits;
pub mod kill;
pub mod peers;
pub mod plans;
pub mod programs;
pub mod properties;
pub mod random;
pub mod soak;
pub mod state_rows;
pub mod world;

use dax_core::{Diagnostic, Name, ResourceAddr, Sources};
use dax_model::Traits;
use dax_plan::model::{AppliedService, Mode, StateVersion};
use dax_plan::{LiveState, Plan, Request, Selection, desired};
use dax_project::{FileSystem, Loaded, Missing, Params};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Files in memory, by path.
#[derive(Clone, Debug, Default)]
pub struct Files(pub BTreeMap<String, String>);

impl Files {
    /// A project of one file.
    pub fn project(main: &str) -> Self {
        let files = [("dax.mod", "project = \"test\"\n"), ("main.dax", main)];
        Self(files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    }

    /// The files below a folder, with a `dax.mod` if it has none.
    pub fn read(folder: &Path) -> Self {
        let mut files = Self::default();
        files.add(folder, "");
        files.0.entry("dax.mod".to_owned()).or_insert_with(|| "project = \"test\"\n".to_owned());
        files
    }

    fn add(&mut self, folder: &Path, prefix: &str) {
        for entry in std::fs::read_dir(folder).expect("a folder of the tests") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name in UTF-8");
            let path = format!("{prefix}{name}");
            if entry.path().is_dir() {
                if !name.starts_with('.') {
                    self.add(&entry.path(), &format!("{path}/"));
                }
            } else {
                self.0.insert(path, std::fs::read_to_string(entry.path()).expect("a text"));
            }
        }
    }
}

impl FileSystem for Files {
    fn read(&self, within: &str, path: &str) -> Result<Option<Vec<u8>>, std::io::Error> {
        Ok(self.0.get(&beneath(within, path)).map(|text| text.clone().into_bytes()))
    }

    fn list(&self, within: &str, folder: &str) -> Result<Option<Vec<String>>, std::io::Error> {
        let folder = beneath(within, folder);
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.0.keys().filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<String> =
            below.map(|rest| rest.split_inclusive('/').next().unwrap_or(rest).to_owned()).collect();
        names.dedup();
        Ok((!names.is_empty() || folder.is_empty()).then_some(names))
    }
}

/// A path beneath a folder, either of which may be empty.
fn beneath(folder: &str, path: &str) -> String {
    if folder.is_empty() || path.is_empty() {
        return format!("{folder}{path}");
    }
    format!("{folder}/{path}")
}

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Parameters that are given, and those that are lacking ignored.
pub fn params(given: &[(&str, &str)]) -> Params {
    let values =
        given.iter().map(|(name, value)| (Name::from(*name), (*value).to_owned())).collect();
    Params {
        values,
        typed: BTreeMap::new(),
        missing: Missing::Ignore,
        only: None,
        outputs: BTreeMap::new(),
    }
}

/// Loads a project; the loading itself cannot fail in memory.
pub fn load(files: &Files) -> Loaded {
    dax_project::load(files).expect("files in memory are readable")
}

/// What `check` finds, as text: place, code, what is marked, what to do.
pub fn check(files: &Files, params: &Params) -> String {
    let loaded = load(files);
    let (_, diagnostics) = loaded.analyse(params);
    describe(&loaded.sources, &diagnostics)
}

/// Diagnostics as text.
pub fn describe(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(out, "{}", diagnostic.one_line(sources));
        let marked = sources.slice(diagnostic.span);
        let _ = writeln!(out, "    at: {}", marked.lines().next().unwrap_or(""));
        for related in &diagnostic.related {
            let _ = writeln!(out, "    {}: {}", sources.location(related.span), related.label);
        }
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "    help: {help}");
        }
        if let Some(fix) = &diagnostic.fix {
            let _ =
                writeln!(out, "    fix: {:?} at {}", fix.replacement, sources.location(fix.span));
        }
    }
    if out.is_empty() { "no errors\n".to_owned() } else { out }
}

/// A plan for an environment of a project, from what was applied and what runs.
pub fn plan(
    loaded: &Loaded,
    given: &Params,
    environment: &str,
    applied: &BTreeMap<ResourceAddr, AppliedService>,
    live: &LiveState,
) -> (Plan, Vec<Diagnostic>) {
    plan_part(loaded, given, environment, applied, live, Selection::default())
}

/// What the platforms of the tests can do: those in memory everything, the others what this machine can.
pub fn traits(instance: &Name) -> Traits {
    let memory = instance.starts_with("memory.");
    if instance.starts_with("kubernetes.") {
        return Traits {
            header_routes: true,
            mirror: true,
            commands: true,
            commands_once: true,
            fenced: true,
            rolls: true,
            controllers: vec!["flagger".into(), "argo".into()],
            immutable: vec!["namespace".into()],
            revised: vec!["ports".into()],
            place: Some("namespace".into()),
            ..Traits::default()
        };
    }
    Traits {
        header_routes: true,
        mirror: memory,
        commands: true,
        commands_once: true,
        fenced: true,
        exclusive_ports: !memory,
        immutable: if memory { vec!["zone".into()] } else { Vec::new() },
        ..Traits::default()
    }
}

/// A plan for a part of an environment.
pub fn plan_part(
    loaded: &Loaded,
    given: &Params,
    environment: &str,
    applied: &BTreeMap<ResourceAddr, AppliedService>,
    live: &LiveState,
    selection: Selection,
) -> (Plan, Vec<Diagnostic>) {
    let (graph, mut diagnostics) = loaded.analyse(given);
    let Some(found) = graph.environments.get(environment) else {
        return (empty_plan(environment), diagnostics);
    };
    let locate = |span| loaded.sources.location(span);
    let desired = desired::from_graph(found, &locate);
    let request = Request {
        project: graph.project.clone(),
        environment: environment.into(),
        mode: Mode::Apply,
        params: BTreeMap::new(),
        providers: BTreeMap::new(),
        unreachable: BTreeSet::new(),
        sources: Name::default(),
        base: StateVersion::default(),
        applied,
        live,
        traits: &traits,
        selection,
        locate: &locate,
    };
    let (plan, more) = dax_plan::plan(&desired, &request);
    diagnostics.extend(more);
    (plan, diagnostics)
}

fn empty_plan(environment: &str) -> Plan {
    let nothing = BTreeMap::new();
    let live = LiveState::new();
    let request = Request {
        project: Name::default(),
        environment: environment.into(),
        mode: Mode::Apply,
        params: BTreeMap::new(),
        providers: BTreeMap::new(),
        unreachable: BTreeSet::new(),
        sources: Name::default(),
        base: StateVersion::default(),
        applied: &nothing,
        live: &live,
        traits: &traits,
        selection: Selection::default(),
        locate: &|_| String::new(),
    };
    dax_plan::plan(&desired::Desired::default(), &request).0
}

/// The folders of an area's fixtures, by name.
pub fn cases(area: &str) -> Vec<(String, PathBuf)> {
    let folder = root().join("tests/fixtures").join(area);
    let mut cases: Vec<(String, PathBuf)> = std::fs::read_dir(&folder)
        .expect("a folder of fixtures")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().into_string().expect("a name in UTF-8"), entry.path()))
        .collect();
    cases.sort();
    cases
}
