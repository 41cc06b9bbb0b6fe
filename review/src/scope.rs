//! What a pipeline is about: which projects and environments, held against which commit.

use crate::place::{Event, Place};
use crate::{Forge, Open, ReviewError, previews};
use dax_engine::{Name, Params, render::Flavour};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What somebody wants of a pipeline.
pub struct Options {
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// The revision before the change, where it is not to be found out.
    pub base: Option<String>,
    /// Only these environments.
    pub environments: Vec<String>,
    /// Every environment of the projects that are touched, or of the one of this folder when none is.
    pub all: bool,
    /// Parameters.
    pub params: Params,
    /// What the check is called.
    pub check: String,
    /// Whether nothing is to be kept, because nothing is said either.
    pub dry: bool,
    /// Where plans and reports are written.
    pub output: PathBuf,
}

/// A project with the environments that are planned.
pub(crate) struct Scope {
    /// Its folder from the top of the repository, `.` for the top itself.
    pub(crate) folder: String,
    /// Where that is.
    pub(crate) path: PathBuf,
    /// Environments, with how each is touched.
    pub(crate) environments: BTreeMap<Name, &'static str>,
    /// Environments of which the change alters the conditions.
    pub(crate) altered: BTreeSet<Name>,
    /// What the project is called, where the change takes the whole of it away.
    pub(crate) gone: Option<Name>,
}

/// Whose Markdown a place reads.
pub fn flavour(place: Option<&Place>) -> Flavour {
    match place.map(|place| place.kind) {
        Some("gitlab") => Flavour::GitLab,
        Some("bitbucket") => Flavour::Bitbucket,
        _ => Flavour::GitHub,
    }
}

/// The projects and environments that a change touches.
pub(crate) fn scope(
    options: &Options,
    place: Option<&Place>,
    base: &str,
    open: Open<'_>,
) -> Result<Vec<Scope>, ReviewError> {
    let top = dax_engine::top(&options.folder)?;
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    let empty = |folder: &str| Scope {
        folder: folder.to_owned(),
        path: top.join(folder),
        environments: BTreeMap::new(),
        altered: BTreeSet::new(),
        gone: None,
    };
    for one in dax_engine::affected(&options.folder, base)? {
        let scope = scopes.entry(one.folder.clone()).or_insert_with(|| empty(&one.folder));
        if one.conditions {
            scope.altered.insert(one.environment.clone());
        }
        scope.environments.insert(one.environment, one.how);
        scope.gone = (!scope.path.join("dax.mod").is_file()).then_some(one.project);
    }
    if scopes.is_empty() && options.folder.join("dax.mod").is_file() {
        let here = options.folder.canonicalize().unwrap_or_else(|_| options.folder.clone());
        let folder = here
            .strip_prefix(&top)
            .ok()
            .and_then(Path::to_str)
            .filter(|path| !path.is_empty())
            .unwrap_or(".");
        scopes.insert(folder.to_owned(), empty(folder));
    }
    for scope in scopes.values_mut().filter(|scope| scope.gone.is_none()) {
        let engine = open(&scope.path)?;
        let declared = engine.declared_environments()?;
        if options.all {
            for name in declared.keys() {
                scope.environments.entry(name.clone()).or_insert("wanted");
            }
        }
        // What was shown before and is touched no more is shown once more, so that no old plan is left standing.
        if let Some(place) =
            place.filter(|place| matches!(place.event, Event::Change { .. } | Event::Button { .. }))
        {
            for name in engine.reviewed(&place.change_key())? {
                scope.environments.entry(name).or_insert("touched no more");
            }
        }
        previews::choose(&mut scope.environments, &declared, place);
        if !options.environments.is_empty() {
            scope.environments.retain(|name, _| {
                options
                    .environments
                    .iter()
                    .any(|wanted| wanted == name || previews::template(name) == wanted)
            });
        }
    }
    Ok(scopes.into_values().filter(|scope| !scope.environments.is_empty()).collect())
}

/// The commit that a change is held against.
pub(crate) fn base(
    options: &Options,
    place: Option<&Place>,
    forge: Option<&Forge>,
) -> Result<String, ReviewError> {
    if let Some(base) = &options.base {
        return Ok(base.clone());
    }
    let folder = &options.folder;
    let shallow = |commit: &str| {
        ReviewError::Place(format!(
            "this clone does not have commit {commit}, so what the change touches cannot be seen: fetch the whole history \
             (`fetch-depth: 0` of actions/checkout, `GIT_DEPTH: 0` of GitLab, `clone: depth: full` of Bitbucket)"
        ))
    };
    let head = dax_engine::revision(folder, "HEAD")?
        .ok_or_else(|| ReviewError::Place("this repository has no commit yet".to_owned()))?;
    let first = || head.parents.first().cloned().ok_or_else(|| shallow("before HEAD"));
    let Some(place) = place else {
        return Err(ReviewError::Place(
            "this is no pipeline that dax knows: say --base REV to hold the change against a revision".to_owned(),
        ));
    };
    let since = |other: &str| -> Result<String, ReviewError> {
        dax_engine::common(folder, &head.id, other)?.ok_or_else(|| shallow(other))
    };
    match &place.event {
        // What is checked out tries the merge: its first parent is the branch that it goes to.
        Event::Change { .. }
            if head.parents.len() == 2 && head.parents.get(1) == Some(&place.commit) =>
        {
            first()
        }
        Event::Change { base: Some(base), .. } => since(base),
        Event::Queue { base, .. } if !base.is_empty() => since(base),
        Event::Change { number, base: None, .. } | Event::Button { number, .. } => {
            let forge = forge.ok_or_else(|| {
                ReviewError::Place("nobody can be asked for the branch: say --base REV".to_owned())
            })?;
            since(&format!("origin/{}", forge.ask(|remote| remote.change(*number))?.base))
        }
        Event::Push { before: Some(before) } => match dax_engine::revision(folder, before)? {
            Some(found) => Ok(found.id),
            None => first(),
        },
        Event::Push { before: None }
        | Event::Release { .. }
        | Event::Closed { .. }
        | Event::Queue { .. }
        | Event::Other => first(),
    }
}
