//! Commits of the repository that holds a project, and the program as it was at one of them.
//!
//! A name of a commit comes from whoever started a job, so git never takes one for an option.

use crate::{Engine, EngineError, git, now_ms};
use dax_core::Name;
use dax_project::{Declared, Loaded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its hash.
    pub id: String,
    /// The commits that it follows, of a merge the branch that it was merged into first.
    pub parents: Vec<String>,
}

/// The top folder of the repository that holds a folder.
///
/// # Errors
/// It is in none.
pub fn top(folder: &Path) -> Result<PathBuf, EngineError> {
    git::top(folder)
}

/// The commit that a name stands for; nothing where this clone has no such commit.
///
/// # Errors
/// Git cannot be asked.
pub fn revision(folder: &Path, name: &str) -> Result<Option<Revision>, EngineError> {
    let commit = format!("{name}^{{commit}}");
    if git::git(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).is_err()
    {
        return Ok(None);
    }
    let out = git::git(folder, &["rev-list", "--parents", "-n", "1", "--end-of-options", name])?;
    let mut ids = String::from_utf8_lossy(&out)
        .split_whitespace()
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter();
    Ok(ids.next().map(|id| Revision { id, parents: ids.collect() }))
}

/// The newest commit that two have in common; nothing when there is none in this clone.
///
/// # Errors
/// Git cannot be asked.
pub fn common(folder: &Path, one: &str, other: &str) -> Result<Option<String>, EngineError> {
    let Ok(out) = git::git(folder, &["merge-base", "--end-of-options", one, other]) else {
        return Ok(None);
    };
    Ok(Some(String::from_utf8_lossy(&out).trim().to_owned()).filter(|id| !id.is_empty()))
}

/// The commit that a folder is at; nothing outside of a repository, or before the first commit.
///
/// # Errors
/// Git cannot be asked.
pub fn head_commit(folder: &Path) -> Result<Option<Revision>, EngineError> {
    revision(folder, "HEAD")
}

/// The commits of the first-parent line that `to` has and `from` has not, the oldest first.
///
/// Without `from` it is the whole line, the first commit of the repository included.
///
/// # Errors
/// [`EngineError::MissingCommit`] where this clone lacks one; git cannot be asked.
pub fn commits(folder: &Path, from: Option<&str>, to: &str) -> Result<Vec<String>, EngineError> {
    git::commits(folder, from, to, &[])
}

/// Files of programs anywhere in a repository, as git matches them from its top.
const PROGRAMS: [&str; 3] = [":/*.dax", ":/*dax.mod", ":/*dax.lock"];

/// The commits of the first-parent line from `from`, left out, to `to` that change a file of a
/// program, the oldest first.
///
/// # Errors
/// As [`commits`].
pub fn commits_of_programs(
    folder: &Path,
    from: &str,
    to: &str,
) -> Result<Vec<String>, EngineError> {
    git::commits(folder, Some(from), to, &PROGRAMS)
}

/// The commits of the first-parent line of a revision that change a file of a program, from the
/// first one on that names an environment, the oldest first.
///
/// # Errors
/// [`EngineError::MissingCommit`] where this clone lacks the revision; git cannot be asked.
pub fn commits_naming(
    folder: &Path,
    to: &str,
    environment: &str,
) -> Result<Vec<String>, EngineError> {
    // Of a keyed one the program has the name without its key.
    let name = environment.split('[').next().unwrap_or_default();
    git::commits_since_text(folder, to, &PROGRAMS, name)
}

/// Whether one commit is another one, or comes before it.
///
/// # Errors
/// [`EngineError::MissingCommit`] where this clone lacks one; git cannot be asked.
pub fn is_ancestor(folder: &Path, one: &str, other: &str) -> Result<bool, EngineError> {
    git::is_ancestor(folder, one, other)
}

/// The branches of a clone below a whole name: the rest of each one's name, and its commit.
///
/// # Errors
/// Git cannot be asked.
pub fn branches_below(folder: &Path, name: &str) -> Result<Vec<(String, String)>, EngineError> {
    let below = format!("{}/", name.trim_end_matches('/'));
    let args = ["for-each-ref", "--format=%(objectname) %(refname)", &below];
    let out = git::git(folder, &args)?;
    let text = String::from_utf8_lossy(&out);
    let branch = |line: &str| {
        let (commit, name) = line.split_once(' ')?;
        Some((name.strip_prefix(&below)?.to_owned(), commit.to_owned()))
    };
    Ok(text.lines().filter_map(branch).collect())
}

/// Whether this clone holds the whole history, so that a commit without a parent is the first one.
///
/// # Errors
/// Git cannot be asked.
pub fn is_whole(folder: &Path) -> Result<bool, EngineError> {
    let out = git::git(folder, &["rev-parse", "--is-shallow-repository"])?;
    Ok(String::from_utf8_lossy(&out).trim() == "false")
}

/// The first line of a commit's message.
///
/// # Errors
/// Git cannot be asked, or there is no such commit.
pub fn subject(folder: &Path, commit: &str) -> Result<String, EngineError> {
    let out = git::git(folder, &["log", "-1", "--format=%s", "--end-of-options", commit])?;
    Ok(String::from_utf8_lossy(&out).trim().to_owned())
}

/// How long ago the commit was made that a folder is at; nothing outside of a repository.
pub fn age(folder: &Path) -> Option<Duration> {
    git::head(folder).map(|(_, at_ms)| Duration::from_millis(now_ms().saturating_sub(at_ms)))
}

/// The files of a commit.
#[derive(Clone)]
pub(crate) struct Committed {
    /// The commit, by its hash.
    commit: String,
    /// Its files.
    tree: Arc<git::Tree>,
    /// The project's folder, empty or with `/` behind.
    prefix: String,
}

impl Committed {
    /// The program; nothing where the project is not there.
    pub(crate) fn load(&self) -> Result<Option<Loaded>, EngineError> {
        match dax_project::load(&self.files()) {
            Ok(loaded) => Ok(Some(loaded)),
            Err(dax_project::ProjectError::NoManifest) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A file of the project; nothing where it is not there.
    pub(crate) fn read(&self, path: &str, most: u64) -> std::io::Result<Option<Vec<u8>>> {
        self.files().read_most("", path, most)
    }

    /// The commit, by its hash.
    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    fn files(&self) -> git::AtRevision<'_> {
        git::AtRevision { tree: &self.tree, prefix: self.prefix.clone() }
    }
}

impl Engine {
    /// The files of a commit; those of the last one asked for are kept.
    pub(crate) fn committed(&self, name: &str) -> Result<Committed, EngineError> {
        let commit = git::commit(&self.root, name)?;
        let mut kept = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.as_ref().filter(|known| known.commit == commit) {
            return Ok(known.clone());
        }
        let top = git::top(&self.root)?;
        let here = |path: &Path| {
            path.canonicalize()
                .map_err(|source| EngineError::File { path: path.display().to_string(), source })
        };
        let (root, whole) = (here(&self.root)?, here(&top)?);
        let below = root.strip_prefix(&whole).ok().and_then(Path::to_str).unwrap_or_default();
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        let tree = Arc::new(git::Tree::at(&top, &commit)?);
        let prefix = self.home(&tree, prefix);
        let found = Committed { commit, tree, prefix };
        *kept = Some(found.clone());
        Ok(found)
    }

    /// The folder that the project has in a commit: the one that it has here, or another one where
    /// that holds no project of its name there. A project that moves keeps its rules.
    fn home(&self, tree: &git::Tree, here: String) -> String {
        let project = |files: &dyn dax_project::FileSystem| {
            dax_project::read_manifest(files).ok().map(|manifest| manifest.project)
        };
        let own = project(&crate::files::Disk::new(&self.root));
        let is_own = |prefix: &String| {
            own.is_some() && project(&git::AtRevision { tree, prefix: prefix.clone() }) == own
        };
        if is_own(&here) {
            return here;
        }
        let folders = tree.paths().filter_map(|path| crate::affected::project_folder(path));
        folders.into_iter().find(is_own).unwrap_or(here)
    }

    /// The environments that the program declares, by name.
    ///
    /// # Errors
    /// The project cannot be loaded.
    pub fn declared_environments(&self) -> Result<BTreeMap<Name, Declared>, EngineError> {
        let loaded = dax_project::load(&crate::files::Disk::new(&self.root))?;
        Ok(loaded.environments().into_iter().collect())
    }

    /// The environments that the program of a commit declares, by name; none where the project is
    /// not there.
    ///
    /// # Errors
    /// [`EngineError::MissingCommit`] where this clone lacks the commit; the project cannot be
    /// loaded.
    pub fn declared_at(&self, commit: &str) -> Result<BTreeMap<Name, Declared>, EngineError> {
        let loaded = self.committed(commit)?.load()?;
        Ok(loaded.map(|loaded| loaded.environments().into_iter().collect()).unwrap_or_default())
    }
}
