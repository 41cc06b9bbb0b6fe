//! The scope of a pipeline: which projects and environments, held against which commit.

use crate::comment::short;
use crate::pending::Changes;
use crate::place::{Event, Place, change_key, same_commit};
use crate::previews::{self, Target, Tip};
use crate::{Forge, Open, Output, ReviewError, Say};
use dax_engine::{
    Affected, Declared, Engine, EngineError, Name, Params, Revision, render::Flavour,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options of a pipeline.
pub struct Options {
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// The revision before the change, where it is not to be found out.
    pub base: Option<String>,
    /// Only these environments.
    pub environments: Vec<String>,
    /// True for every environment of the projects that are touched, or of the one of this folder
    /// when none is.
    pub all: bool,
    /// Parameters.
    pub params: Params,
    /// The name of the check.
    pub check: String,
    /// True when nothing is to be kept, because nothing is said either.
    pub dry: bool,
    /// The folder that plans and reports are written to.
    pub output: Output,
}

/// An environment that is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    /// The kind of touch: `changed`, `new`, `removed`, `unknown`, `wanted` or alike.
    pub(crate) how: &'static str,
    /// The commit that it is held against; nothing where there is none.
    pub(crate) base: Option<String>,
}

/// A project with the environments that are planned.
pub(crate) struct Scope {
    /// Its folder from the top of the repository, `.` for the top itself.
    pub(crate) folder: String,
    /// The path of that.
    pub(crate) path: PathBuf,
    /// Environments.
    pub(crate) environments: BTreeMap<Name, Touched>,
    /// The name of a project that the change removes as a whole.
    pub(crate) gone: Option<Name>,
    /// Remarks about what is left out.
    pub(crate) remarks: Vec<String>,
    /// The reason why a project cannot be read at all.
    pub(crate) broken: Option<String>,
}

/// The Markdown that the code host of a CI context reads.
pub fn flavour(place: Option<&Place>) -> Flavour {
    flavour_of(place.map_or("github", |place| place.kind))
}

/// The Markdown of a kind of code host.
pub(crate) fn flavour_of(kind: &str) -> Flavour {
    match kind {
        "gitlab" => Flavour::GitLab,
        "bitbucket" => Flavour::Bitbucket,
        _ => Flavour::GitHub,
    }
}

/// The projects and environments that a change touches since `base`, or all where there is none.
pub(crate) fn scope(
    options: &Options,
    place: Option<&Place>,
    forge: Option<&Forge>,
    base: Option<&str>,
    open: Open<'_>,
) -> Result<Vec<Scope>, ReviewError> {
    let top = dax_engine::top(&options.folder)?;
    let mut tip: Option<Result<Tip, String>> = None;
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    for (folder, _) in dax_engine::projects(&options.folder)? {
        scopes.insert(folder.clone(), empty(&top, &folder));
    }
    if let Some(base) = base {
        for one in dax_engine::affected(&options.folder, base)? {
            let scope =
                scopes.entry(one.folder.clone()).or_insert_with(|| empty(&top, &one.folder));
            if one.how == "unreadable" {
                scope.broken = Some(one.services.join("; "));
                continue;
            }
            let touched = Touched { how: one.how, base: Some(base.to_owned()) };
            scope.environments.insert(one.environment, touched);
            scope.gone = (!scope.path.join("dax.mod").is_file()).then_some(one.project);
        }
    }
    let here = here(options, &top);
    // Of projects that are not touched only the one of this folder is looked at.
    scopes.retain(|folder, scope| base.is_none() || !scope.is_empty() || *folder == here);
    for scope in scopes.values_mut().filter(|scope| scope.gone.is_none()) {
        let engine = open(&scope.path)?;
        // One project that cannot be read keeps no other from being planned.
        let declared = match declared(&engine, place) {
            Ok(declared) => declared,
            Err(error) => {
                scope.broken.get_or_insert(error);
                scope.environments.clear();
                continue;
            }
        };
        let touched = |how: &'static str| Touched { how, base: base.map(str::to_owned) };
        if options.all || base.is_none() {
            let how = if base.is_none() { "new" } else { "wanted" };
            for name in declared.keys() {
                scope.environments.entry(name.clone()).or_insert_with(|| touched(how));
            }
        }
        // A plan that was shown before and is touched no more is shown once more, so that no old
        // one is left standing.
        let number = place.and_then(|place| match place.event {
            Event::Change { .. } | Event::Button { .. } => place.number(),
            _ => None,
        });
        if let Some(number) = number {
            for name in engine.shown_environments(&change_key(number))? {
                let template = Name::from(previews::template(&name));
                let is_there = declared.contains_key(&template);
                let how = if is_there { "touched no more" } else { "removed" };
                // A keyed one is this change request's own, or none of its business.
                let name = match previews::number(&name) {
                    Some(key) if key == number && is_there => template,
                    Some(key) if key == number => name,
                    None if dax_engine::keyed(&name).1.is_none() => name,
                    _ => continue,
                };
                scope.environments.entry(name).or_insert_with(|| touched(how));
            }
        }
        let mut target = Target::default();
        let wanted = previews::wanted(options, &scope.environments, &declared, place);
        if let Some((number, forge)) = wanted.zip(forge) {
            let tip = match &tip {
                Some(tip) => tip,
                None => tip.insert(previews::tip(options, place, forge, number)?),
            };
            match tip {
                Ok(tip) => {
                    let (found, remarks) = Target::read(&engine, options, tip.clone(), number)?;
                    target = found;
                    scope.remarks.extend(remarks);
                }
                Err(remark) => scope.remarks.push(remark.clone()),
            }
        }
        let remarks = previews::choose(&mut scope.environments, &declared, &target, place);
        scope.remarks.extend(remarks);
        choose(options, scope);
    }
    twins(options, &mut scopes, open)?;
    Ok(scopes.into_values().filter(|scope| !scope.is_empty()).collect())
}

/// The environments that a program declares; in a pipeline it has to be that of the commit, since
/// everything that is asked, kept and recorded is of that.
fn declared(engine: &Engine, place: Option<&Place>) -> Result<BTreeMap<Name, Declared>, String> {
    let said = |error: EngineError| error.to_string();
    let declared = engine.declared_environments().map_err(said)?;
    match place {
        Some(_) => match engine.uncommitted().map_err(said)? {
            Some(why) => Err(format!("{why}: a pipeline plans and applies what was committed")),
            None => Ok(declared),
        },
        None => Ok(declared),
    }
}

/// Breaks projects of one name, also where the change touches only one of them: they would share a
/// state, kept plans and comments.
fn twins(
    options: &Options,
    scopes: &mut BTreeMap<String, Scope>,
    open: Open<'_>,
) -> Result<(), ReviewError> {
    if scopes.values().all(|scope| scope.gone.is_some()) {
        return Ok(());
    }
    let mut known: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for (folder, path) in dax_engine::projects(&options.folder)? {
        // One that cannot be read is no project yet.
        if let Ok((name, _)) = open(&path).and_then(|engine| engine.people()) {
            known.entry(name).or_default().push(folder);
        }
    }
    for scope in scopes.values_mut().filter(|one| one.gone.is_none() && one.broken.is_none()) {
        let own = known.iter().find(|(_, folders)| folders.contains(&scope.folder));
        let Some((name, folders)) = own else { continue };
        if let Some(other) = folders.iter().find(|folder| **folder != scope.folder) {
            scope.broken = Some(format!(
                "the project `{name}` is in {other} as well: give one of them another name"
            ));
        }
    }
    Ok(())
}

/// The environments of which the branch has something that was not applied yet: each is held
/// against the commit that was applied last, so that a run that was cancelled or never started
/// loses nothing. `pushed` is the commit before this push.
pub(crate) fn unapplied(
    options: &Options,
    place: &Place,
    pushed: Option<&str>,
    changes: &Changes<'_>,
    open: Open<'_>,
    say: Say<'_>,
) -> Result<Vec<Scope>, ReviewError> {
    let top = dax_engine::top(&options.folder)?;
    let mut scopes: BTreeMap<String, Scope> = scope(options, Some(place), None, pushed, open)?
        .into_iter()
        .map(|scope| (scope.folder.clone(), scope))
        .collect();
    let mut known: BTreeMap<String, Vec<Affected>> = BTreeMap::new();
    for (folder, path) in dax_engine::projects(&options.folder)? {
        let mut scope = scopes.remove(&folder).unwrap_or_else(|| empty(&top, &folder));
        if scope.broken.is_some() {
            scopes.insert(folder, scope);
            continue;
        }
        let engine = open(&path)?;
        let declared = match declared(&engine, Some(place)) {
            Ok(declared) => declared,
            Err(error) => {
                scope.broken = Some(error);
                scopes.insert(folder, scope);
                continue;
            }
        };
        for (name, _) in declared.iter().filter(|(_, declared)| !declared.keyed) {
            let Some(applied) = engine.last_applied(name)? else {
                // Never applied, although a plan of it was shown: its run may have been cancelled.
                if !changes.merged_of(place, &engine.shown_changes(name)?)?.is_empty() {
                    let touched = Touched { how: "new", base: pushed.map(str::to_owned) };
                    scope.environments.entry(name.clone()).or_insert(touched);
                }
                continue;
            };
            let Some(applied) = applied.commit() else {
                say(&format!(
                    "`{name}` was last applied from files that are no commit's, or in part: all \
                     that differs from its state is looked at"
                ));
                let touched = Touched { how: "unknown", base: pushed.map(str::to_owned) };
                scope.environments.entry(name.clone()).or_insert(touched);
                continue;
            };
            let base = match since(options, place, name, &applied.id, &mut *say)? {
                Since::Commit(base) => base,
                Since::Later => {
                    scope.environments.remove(name);
                    continue;
                }
                // What was pushed is looked at; what nobody was shown holds it up.
                Since::Lost => continue,
            };
            if !known.contains_key(&base) {
                known.insert(base.clone(), dax_engine::affected(&options.folder, &base)?);
            }
            let found =
                known[&base].iter().find(|one| one.folder == folder && one.environment == *name);
            let before = scope.environments.remove(name);
            let how = match (found, before) {
                (Some(one), _) => one.how,
                (None, Some(touched)) if options.all => touched.how,
                (None, _) => continue,
            };
            scope.environments.insert(name.clone(), Touched { how, base: Some(base) });
        }
        choose(options, &mut scope);
        if !scope.is_empty() {
            scopes.insert(folder, scope);
        }
    }
    twins(options, &mut scopes, open)?;
    Ok(scopes.into_values().collect())
}

/// The commit that an environment has to be brought up to date from.
enum Since {
    /// A commit: the one that was applied last, or where the branch left it.
    Commit(String),
    /// A later commit of the branch was applied already.
    Later,
    /// The commit that was applied last is nowhere any more.
    Lost,
}

/// The commit since which an environment has to be brought up to date.
fn since(
    options: &Options,
    place: &Place,
    environment: &str,
    applied: &str,
    say: Say<'_>,
) -> Result<Since, ReviewError> {
    let folder = &options.folder;
    let head = head(folder)?;
    if same_commit(&head.id, applied) {
        return Ok(Since::Commit(head.id));
    }
    if dax_engine::revision(folder, applied)?.is_none() {
        if !dax_engine::is_whole(folder)? {
            return Err(shallow(applied));
        }
        say(&format!(
            "`{environment}` is at commit {}, which is not in the repository any more: what this \
             push brought is looked at",
            short(applied)
        ));
        return Ok(Since::Lost);
    }
    if dax_engine::is_ancestor(folder, applied, &head.id)? {
        return Ok(Since::Commit(applied.to_owned()));
    }
    if dax_engine::is_ancestor(folder, &head.id, applied)? {
        say(&format!(
            "`{environment}` is at commit {} already, which comes after {}: nothing is applied",
            short(applied),
            short(&place.commit)
        ));
        return Ok(Since::Later);
    }
    let common = dax_engine::common(folder, applied, &head.id)?;
    say(&format!(
        "`{environment}` is at commit {}, which is not on this branch: all that came since they \
         parted is looked at",
        short(applied)
    ));
    Ok(common.map_or(Since::Lost, Since::Commit))
}

impl Scope {
    fn is_empty(&self) -> bool {
        self.environments.is_empty() && self.remarks.is_empty() && self.broken.is_none()
    }
}

fn empty(top: &Path, folder: &str) -> Scope {
    Scope {
        folder: folder.to_owned(),
        path: top.join(folder),
        environments: BTreeMap::new(),
        gone: None,
        remarks: Vec::new(),
        broken: None,
    }
}

/// The folder of the options, from the top of the repository.
fn here(options: &Options, top: &Path) -> String {
    let here = options.folder.canonicalize().unwrap_or_else(|_| options.folder.clone());
    let path = here.strip_prefix(top).ok().and_then(Path::to_str);
    path.filter(|path| !path.is_empty()).unwrap_or(".").to_owned()
}

/// Keeps the environments that were asked for by name.
fn choose(options: &Options, scope: &mut Scope) {
    scope.environments.retain(|name, _| covers(options, name));
}

/// Reports whether an environment is one of those that were asked for by name, or all are.
pub(crate) fn covers(options: &Options, name: &str) -> bool {
    let mut wanted = options.environments.iter();
    options.environments.is_empty()
        || wanted.any(|wanted| wanted == name || previews::template(name) == wanted)
}

/// The name under which a clone has a branch of the code host. It is the whole one, so that no tag
/// and no branch that somebody calls `origin/main` is taken for it.
pub(crate) fn tracked(branch: &str) -> String {
    format!("refs/remotes/origin/{branch}")
}

fn head(folder: &Path) -> Result<Revision, ReviewError> {
    dax_engine::revision(folder, "HEAD")?
        .ok_or_else(|| ReviewError::Place("this repository has no commit yet".to_owned()))
}

pub(crate) fn shallow(commit: &str) -> ReviewError {
    ReviewError::Place(format!(
        "this clone does not have the commit {commit}, so what the change touches cannot be seen: \
         {WHOLE}"
    ))
}

/// The remedy for a clone that lacks commits.
pub(crate) const WHOLE: &str = "fetch the whole history (`fetch-depth: 0` of actions/checkout, \
                                `GIT_DEPTH: 0` of GitLab, `clone: depth: full` of Bitbucket)";

/// Makes sure that what is checked out is what the job is about: the commit of the event, or a
/// merge of it. Else a check would be written for a commit that nobody looked at.
pub(crate) fn checked_out(options: &Options, place: &Place) -> Result<(), ReviewError> {
    let head = head(&options.folder)?;
    let merges =
        matches!(place.event, Event::Change { .. } | Event::Button { .. } | Event::Queue { .. });
    let is_merge = merges
        && head.parents.len() == 2
        && head.parents.iter().any(|parent| same_commit(parent, &place.commit));
    if is_merge || same_commit(&head.id, &place.commit) {
        return Ok(());
    }
    Err(ReviewError::Place(format!(
        "the job is about commit {}, but commit {} is checked out: check out the commit of the \
         event (on GitHub `ref:` of actions/checkout; for `check_run` \
         `github.event.check_run.head_sha`)",
        short(&place.commit),
        short(&head.id)
    )))
}

/// The commit that a change is held against; nothing before the first commit.
pub(crate) fn base(
    options: &Options,
    place: Option<&Place>,
    forge: Option<&Forge>,
) -> Result<Option<String>, ReviewError> {
    if let Some(base) = &options.base {
        return Ok(Some(base.clone()));
    }
    let folder = &options.folder;
    let head = head(folder)?;
    let first = || match head.parents.first() {
        Some(parent) => Ok(Some(parent.clone())),
        None if !dax_engine::is_whole(folder)? => Err(shallow("before HEAD")),
        None => Ok(None),
    };
    let Some(place) = place else {
        return Err(ReviewError::Place(
            "this is no pipeline that dax knows: say --base REV to hold the change against a \
             revision"
                .to_owned(),
        ));
    };
    let since = |other: &str| -> Result<Option<String>, ReviewError> {
        dax_engine::common(folder, &head.id, other)?.ok_or_else(|| shallow(other)).map(Some)
    };
    match &place.event {
        // A merge that is tried out: its first parent is the branch that it goes to.
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
            since(&tracked(&forge.ask(|remote| remote.change(*number))?.base))
        }
        Event::Push { before: Some(before) } => match dax_engine::revision(folder, before)? {
            Some(found) => Ok(Some(found.id)),
            None => first(),
        },
        Event::Push { before: None }
        | Event::Release { .. }
        | Event::Closed { .. }
        | Event::Queue { .. }
        | Event::Other => first(),
    }
}
