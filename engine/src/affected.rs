//! Which projects and environments a change touches: the graph before it held against the graph after it.

use crate::conditions::{Conditions, LARGEST_SIGNERS};
use crate::files::Disk;
use crate::git::{AtRevision, Tree};
use crate::{EngineError, Missing, Params, diagnostic, git};
use dax_core::Name;
use dax_ir::{Environment, Graph};
use dax_project::{FileSystem, Loaded};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An environment that a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// The project's folder, counted from the top of the repository.
    pub folder: String,
    /// The project's name.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// How: `changed`, `new`, `removed`, `unknown` when it could not be computed, or `unreadable` for
    /// a project as a whole that cannot be read: then no environment is named.
    pub how: &'static str,
    /// The services that differ, as far as they are known; of a project that is `unreadable`, why.
    pub services: Vec<String>,
    /// Paths of the fields that differ, by service; without any path it may be any field of the
    /// service, and without a map any of all.
    pub fields: Option<BTreeMap<String, BTreeSet<String>>>,
    /// Whether its conditions differ, see [`Conditions`].
    pub conditions: bool,
}

/// What stands for the conditions of an environment among its services.
const CONDITIONS: &str = "the environment itself";

/// What a project denotes at one side of a change.
struct Side {
    project: Name,
    environments: BTreeMap<Name, BTreeMap<String, Json>>,
    /// Environments of which not everything could be computed.
    partial: BTreeSet<Name>,
    /// All texts, for what could not be computed.
    texts: Vec<(String, String)>,
}

/// The environments that differ between a revision and the working tree, of every project in the repository.
///
/// # Errors
/// The folder is in no git repository, there is no such revision, or a project cannot be read.
pub fn affected(folder: &Path, base: &str) -> Result<Vec<Affected>, EngineError> {
    let top = git::top(folder)?;
    let before = Tree::at(&top, base)?;
    let mut projects: BTreeSet<String> =
        before.paths().filter_map(|path| project_folder(path)).collect();
    find_projects(&top, &mut projects)?;
    let mut all = Vec::new();
    for prefix in projects {
        let disk = Disk::new(&top.join(&prefix));
        let signers_now = |path: &str| {
            let read = disk.read("", path);
            read.map_err(|source| EngineError::File { path: format!("{prefix}{path}"), source })
        };
        let old = side_at(&before, &prefix)?;
        let new = match side(&disk, &signers_now) {
            Ok(new) => new,
            Err(error) => {
                // The other projects are looked at all the same.
                all.push(unreadable(&prefix, old.as_ref(), &error));
                continue;
            }
        };
        compare(&prefix, old.as_ref(), new.as_ref(), &mut all);
    }
    Ok(all)
}

/// The environments that differ between a commit and the one that it follows, of every project in
/// the repository: what the commit brought.
///
/// # Errors
/// There is no such commit in this clone, or git cannot be asked.
pub fn brought(folder: &Path, commit: &str) -> Result<Vec<Affected>, EngineError> {
    let top = git::top(folder)?;
    let found = crate::revision(folder, commit)?;
    let found = found.ok_or_else(|| EngineError::MissingCommit { commit: commit.to_owned() })?;
    let before = match found.parents.first() {
        Some(parent) => Tree::at(&top, parent)?,
        None => Tree::empty(&top),
    };
    let after = Tree::at(&top, &found.id)?;
    let projects: BTreeSet<String> =
        before.paths().chain(after.paths()).filter_map(|path| project_folder(path)).collect();
    let mut all = Vec::new();
    for prefix in projects {
        let (old, new) = (side_at(&before, &prefix)?, side_at(&after, &prefix)?);
        compare(&prefix, old.as_ref(), new.as_ref(), &mut all);
    }
    Ok(all)
}

/// A project at a commit.
///
/// A program that is broken before a change must not keep it from being mended: what it has is new
/// then. So are signers that cannot be read.
fn side_at(tree: &Tree, prefix: &str) -> Result<Option<Side>, EngineError> {
    let files = AtRevision { tree, prefix: prefix.to_owned() };
    let signers = |path: &str| {
        let unread = |error: std::io::Error| Some(error.to_string().into_bytes());
        Ok(files.read_most("", path, LARGEST_SIGNERS).unwrap_or_else(unread))
    };
    match side(&files, &signers) {
        Err(EngineError::Project(_)) => Ok(None),
        other => other,
    }
}

pub(crate) fn project_folder(path: &str) -> Option<String> {
    let prefix = path.strip_suffix("dax.mod")?;
    let own = !prefix.split('/').any(|part| part == dax_project::packages::VENDOR);
    (own && (prefix.is_empty() || prefix.ends_with('/'))).then(|| prefix.to_owned())
}

/// Every folder with a `dax.mod`, hidden ones, copies of packages and what git leaves out aside.
pub(crate) fn find_projects(top: &Path, into: &mut BTreeSet<String>) -> Result<(), EngineError> {
    let listed = git::git(
        top,
        &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*dax.mod"],
    )?;
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let path = String::from_utf8_lossy(path);
        if top.join(&*path).is_file() {
            into.extend(project_folder(&path));
        }
    }
    Ok(())
}

/// The bytes of a file of a project that is no part of the program; nothing where there is none.
type ReadFile<'r> = &'r dyn Fn(&str) -> Result<Option<Vec<u8>>, EngineError>;

fn side(files: &dyn FileSystem, read: ReadFile<'_>) -> Result<Option<Side>, EngineError> {
    let loaded = match dax_project::load(files) {
        Ok(loaded) => loaded,
        Err(dax_project::ProjectError::NoManifest) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let params = Params::none(Missing::Ignore);
    let (graph, diagnostics) = loaded.analyse(&params);
    let broken = diagnostic::has_errors(&diagnostics);
    let signers = match &loaded.manifest.signers {
        Some(path) => read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        None => None,
    };
    Ok(Some(describe(&loaded, &graph, broken, signers.as_deref())))
}

fn describe(loaded: &Loaded, graph: &Graph, broken: bool, signers: Option<&str>) -> Side {
    let sources = &loaded.sources;
    let own = sources.ids().filter(|file| !sources.name(*file).starts_with("std/"));
    let mut side = Side {
        project: graph.project.clone(),
        environments: BTreeMap::new(),
        partial: BTreeSet::new(),
        texts: own
            .map(|file| (sources.name(file).to_owned(), sources.text(file).to_owned()))
            .collect(),
    };
    for environment in graph.environments.values() {
        if broken || environment.services.len() < loaded.bound_names(&environment.name).len() {
            side.partial.insert(environment.name.clone());
        }
        side.environments.insert(environment.name.clone(), services(loaded, environment, signers));
    }
    side
}

/// What an environment wants of each service, without the places that said so, and its conditions.
fn services(
    loaded: &Loaded,
    environment: &Environment,
    signers: Option<&str>,
) -> BTreeMap<String, Json> {
    let service = |service: &dax_ir::Service| {
        json!({
            "provider": service.provider.instance, "config": service.provider.config.value().shape(),
            "binding": service.binding.value().shape(), "values": service.desired.value().shape(), "protected": service.protected,
            "strategy": [service.strategy.name, service.strategy.kind], "strategy_config": service.strategy.config.value().shape(),
            "needs": service.needs.iter().map(|need| &need.addr).collect::<BTreeSet<_>>(),
        })
    };
    let mut all: BTreeMap<String, Json> =
        environment.services.values().map(|one| (one.addr.to_string(), service(one))).collect();
    let conditions = Conditions::of(loaded, environment, signers);
    all.insert(CONDITIONS.to_owned(), json!(conditions.digest()));
    all
}

/// A project that cannot be read now.
fn unreadable(prefix: &str, old: Option<&Side>, error: &EngineError) -> Affected {
    Affected {
        folder: shown_folder(prefix),
        project: old.map(|side| side.project.clone()).unwrap_or_default(),
        environment: Name::default(),
        how: "unreadable",
        services: vec![format!("{prefix}{error}")],
        fields: None,
        conditions: true,
    }
}

/// A project's folder as messages have it.
fn shown_folder(prefix: &str) -> String {
    if prefix.is_empty() { ".".to_owned() } else { prefix.trim_end_matches('/').to_owned() }
}

fn compare(prefix: &str, old: Option<&Side>, new: Option<&Side>, into: &mut Vec<Affected>) {
    let names: BTreeSet<&Name> =
        [old, new].into_iter().flatten().flat_map(|side| side.environments.keys()).collect();
    let Some(project) = new.or(old).map(|side| side.project.clone()) else { return };
    let same_texts = old.zip(new).is_some_and(|(old, new)| old.texts == new.texts);
    for name in names {
        let (before, after) = (
            old.and_then(|side| side.environments.get(name)),
            new.and_then(|side| side.environments.get(name)),
        );
        let partial = [old, new].into_iter().flatten().any(|side| side.partial.contains(name));
        let (how, services) = match (before, after) {
            (None, _) => ("new", Vec::new()),
            (_, None) => ("removed", Vec::new()),
            (Some(before), Some(after)) => {
                let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                let changed: Vec<String> = all
                    .into_iter()
                    .filter(|addr| before.get(*addr) != after.get(*addr))
                    .cloned()
                    .collect();
                match (changed.is_empty(), partial && !same_texts) {
                    (true, false) => continue,
                    (true, true) => ("unknown", Vec::new()),
                    (false, _) => ("changed", changed),
                }
            }
        };
        let told = how == "changed" && !partial;
        let fields = before.zip(after).filter(|_| told).map(|(before, after)| {
            let one = |addr: &String| (addr.clone(), fields(before.get(addr), after.get(addr)));
            services.iter().filter(|addr| *addr != CONDITIONS).map(one).collect()
        });
        let folder = shown_folder(prefix);
        let conditions = services.iter().any(|one| one == CONDITIONS);
        into.push(Affected {
            folder,
            project: project.clone(),
            environment: name.clone(),
            how,
            services,
            fields,
            conditions,
        });
    }
}

/// Paths of the fields in which a service differs; none where more than its fields does.
fn fields(before: Option<&Json>, after: Option<&Json>) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let (Some(before), Some(after)) = (before, after) else { return paths };
    let rest = |json: &Json| {
        let mut json = json.clone();
        json.as_object_mut().map(|fields| fields.remove("values"));
        json
    };
    if rest(before) == rest(after) {
        differing("", &before["values"], &after["values"], &mut paths);
    }
    paths
}

fn differing(path: &str, before: &Json, after: &Json, into: &mut BTreeSet<String>) {
    if before == after {
        return;
    }
    let (Json::Object(old), Json::Object(new)) = (before, after) else {
        into.insert(path.to_owned());
        return;
    };
    for key in old.keys().chain(new.keys()) {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let side =
            |side: &serde_json::Map<String, Json>| side.get(key).cloned().unwrap_or_default();
        differing(&inner, &side(old), &side(new), into);
    }
}
