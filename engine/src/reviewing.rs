//! What reviewers were shown, and what they said of it, kept in the state.

use crate::{Engine, EngineError, Missing, Params, git, now_ms};
use dax_apply::store::{Approval, Review};
use dax_core::Name;
use dax_plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
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
    let Ok(out) = git::git(folder, &["merge-base", one, other]) else { return Ok(None) };
    Ok(Some(String::from_utf8_lossy(&out).trim().to_owned()).filter(|id| !id.is_empty()))
}

/// How long ago the commit was made that a folder is at; nothing outside of a repository.
pub fn age(folder: &Path) -> Option<Duration> {
    git::head(folder).map(|(_, at_ms)| Duration::from_millis(now_ms().saturating_sub(at_ms)))
}

/// The projects of the repository that holds a folder: each one's path from the top, and where that is.
///
/// # Errors
/// It is in none.
pub fn projects(folder: &Path) -> Result<Vec<(String, PathBuf)>, EngineError> {
    let top = git::top(folder)?;
    let mut found = BTreeSet::new();
    crate::affected::find_projects(&top, &mut found)?;
    let shown = |prefix: &String| {
        if prefix.is_empty() { ".".to_owned() } else { prefix.trim_end_matches('/').to_owned() }
    };
    Ok(found.iter().map(|prefix| (shown(prefix), top.join(prefix))).collect())
}

impl Engine {
    /// The environments that the program declares, with whether there is one for each key.
    ///
    /// # Errors
    /// The project cannot be loaded.
    pub fn declared_environments(&self) -> Result<BTreeMap<Name, bool>, EngineError> {
        let loaded = dax_project::load(&crate::files::Disk::new(&self.root))?;
        Ok(loaded.environments().into_iter().collect())
    }

    /// Environments in the order in which they come after one another.
    ///
    /// # Errors
    /// The project cannot be loaded.
    pub fn in_order(&self, params: &Params, names: &[Name]) -> Result<Vec<Name>, EngineError> {
        if names.len() < 2 {
            return Ok(names.to_vec());
        }
        let checked = self.check(&Params { missing: Missing::Ignore, ..params.clone() })?;
        let before = |name: &Name| -> Vec<Name> {
            let found = checked.graph.environments.get(name);
            found
                .map(|found| found.after.iter().map(|after| after.environment.clone()).collect())
                .unwrap_or_default()
        };
        let mut ordered: Vec<Name> = Vec::new();
        let mut left: Vec<Name> = names.to_vec();
        while !left.is_empty() {
            let free = |name: &Name| {
                before(name).iter().all(|first| first == name || !left.contains(first))
            };
            // Those that wait for one another in a circle were reported by the checker.
            let at = left.iter().position(free).unwrap_or(0);
            ordered.push(left.remove(at));
        }
        Ok(ordered)
    }

    /// Keeps a plan that is shown to reviewers.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn keep_review(
        &self,
        change: &str,
        commit: &str,
        url: Option<String>,
        plan: &Plan,
    ) -> Result<(), EngineError> {
        let store = self.store()?;
        let review = Review {
            change: change.into(),
            commit: commit.into(),
            at_ms: now_ms(),
            url,
            plan: plan.clone(),
        };
        Ok(self.runtime.block_on(store.keep_review(&plan.environment, &review))?)
    }

    /// The plans of a change that reviewers were shown, the oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn reviews(&self, environment: &str, change: &str) -> Result<Vec<Review>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.reviews(environment, change))?)
    }

    /// The environments of which reviewers were shown a plan for a change.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn reviewed(&self, change: &str) -> Result<Vec<Name>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.reviewed(change))?)
    }

    /// Who agreed to a plan.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn approvals(&self, environment: &str, digest: &str) -> Result<Vec<Approval>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.approvals(environment, digest))?)
    }

    /// Records that somebody agreed who said so elsewhere; nothing new where that is known.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn approve_as(
        &self,
        environment: &str,
        digest: &str,
        by: &str,
        groups: &[Name],
        reason: &str,
    ) -> Result<(), EngineError> {
        let store = self.store()?;
        let known = self.runtime.block_on(store.approvals(environment, digest))?;
        if known.iter().any(|approval| {
            approval.step.is_none()
                && approval.by == by
                && groups.iter().all(|one| approval.groups.contains(one))
        }) {
            return Ok(());
        }
        let approval = Approval {
            digest: digest.into(),
            step: None,
            by: by.into(),
            groups: groups.to_vec(),
            reason: reason.to_owned(),
            at_ms: now_ms(),
            signature: None,
        };
        Ok(self.runtime.block_on(store.approve(environment, &approval))?)
    }

    /// The project's name, and its people by the group that they belong to.
    ///
    /// # Errors
    /// There is no `dax.mod`.
    pub fn people(&self) -> Result<(Name, BTreeMap<Name, Vec<Name>>), EngineError> {
        let manifest = dax_project::read_manifest(&crate::files::Disk::new(&self.root))?;
        Ok((manifest.project, manifest.groups))
    }

    /// Every environment that has a state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn known_environments(&self) -> Result<Vec<Name>, EngineError> {
        let store = self.store()?;
        self.named_or_all(&store, None)
    }
}
