//! What reviewers were shown, and what they said of it, kept in the state.

use crate::signing::Principals;
use crate::{Engine, EngineError, git};
use dax_core::Name;
use dax_provider_api::review::Person;
use dax_store::audit::Brought;
use dax_store::{Approval, ShownPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Facts about a plan from a code host, read just now.
#[derive(Clone, Debug, Default)]
pub struct Reviews {
    /// Approvals: they count beside those of the state, and are never stored as approvals.
    pub approvals: Vec<Approval>,
    /// People whose approvals in the state do not count, because the change is theirs.
    pub excluded: Vec<Excluded>,
    /// The change requests that are carried out, where they are known.
    pub brought: Option<Brought>,
}

/// A person whose approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excluded {
    /// The account.
    pub person: Person,
    /// The reason, as a sentence about that person: `opened the pull request`.
    pub why: String,
}

impl Excluded {
    /// Whether an approval under a name is this person's: by the name itself, or by one for which
    /// the same key signs.
    pub(crate) fn is(&self, by: &str, principals: &Principals) -> bool {
        self.person.is(by) || principals.beside(by).any(|name| self.person.is(name))
    }
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
    /// Keeps a plan that is shown to reviewers, or is about to be.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn keep_shown(&self, shown: &ShownPlan) -> Result<(), EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.keep_shown(&shown.plan.environment, shown))?)
    }

    /// The plans of a change that reviewers were shown or were about to be, the oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn shown_plans(
        &self,
        environment: &str,
        change: &str,
    ) -> Result<Vec<ShownPlan>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.shown_plans(environment, change))?)
    }

    /// The changes for which a plan of an environment was shown: `pr-12`, `commit-…`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn shown_changes(&self, environment: &str) -> Result<Vec<Name>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.shown_changes(environment))?)
    }

    /// The environments of which reviewers were shown a plan for a change.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn shown_environments(&self, change: &str) -> Result<Vec<Name>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.shown_environments(change))?)
    }

    /// The change requests that were carried out in an environment, each with the time of the last
    /// decision about it by the clock of the code host, in milliseconds since 1970.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn brought(&self, environment: &str) -> Result<BTreeMap<u64, u64>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.brought(environment))?)
    }

    /// Whether the state has an approval of a plan as a whole.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_approval(&self, environment: &str, digest: &str) -> Result<bool, EngineError> {
        let store = self.store()?;
        let known = self.runtime.block_on(store.approvals(environment, digest))?;
        Ok(known.iter().any(|approval| approval.step.is_none()))
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
            at_ms: store.now_ms(),
            signature: None,
            names: Vec::new(),
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
