//! Change requests that were merged since an environment was applied last.

mod queue;

use crate::approving::{self, Reviewed, shown};
use crate::backing::Shown;
use crate::comment::short;
use crate::parts::Part;
use crate::place::{Place, change_key};
use crate::scope::Options;
use crate::{Forge, ReviewError};
use dax_engine::{Affected, Engine, EngineError, Name, ShownPlan};
use dax_provider_api::review::ChangeRequest;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Most commits of which the change requests are asked for: each is a call.
const MOST: usize = 1000;

/// Change requests of a code host, each asked for once in a job.
pub(crate) struct Changes<'f> {
    forge: &'f Forge,
    merged: RefCell<BTreeMap<String, Vec<ChangeRequest>>>,
    brought: RefCell<BTreeMap<String, Vec<Affected>>>,
    changes: RefCell<BTreeMap<u64, Rc<ChangeRequest>>>,
    reviewed: RefCell<BTreeMap<(u64, bool), Rc<Reviewed>>>,
}

/// Commits that came since an environment was applied last, and where they come from; their reviews
/// are known where `C` holds them.
pub(crate) struct Pending<C = ChangeRequest> {
    /// The commits on the branch, with the newest.
    pub(crate) commits: BTreeSet<String>,
    /// Change requests that brought them, the first merged first.
    pub(crate) changes: Vec<Rc<C>>,
    /// Each commit with the change request that brought it, if one did.
    pub(crate) brought: Vec<(String, Option<u64>)>,
}

/// Fields that a commit changed in an environment, by git: nobody can say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    /// The commit.
    pub(crate) commit: String,
    /// The change request that brought the commit, if one did.
    pub(crate) number: Option<u64>,
    /// Their paths by service, see [`Affected::fields`].
    pub(crate) fields: Option<BTreeMap<String, BTreeSet<String>>>,
    /// True when it changed the conditions.
    pub(crate) conditions: bool,
}

impl Touch {
    /// Reports whether the commit may have brought one of these parts.
    pub(crate) fn brings_any(&self, parts: &BTreeSet<Part>) -> bool {
        parts.iter().any(|part| !part.surrounds() && self.brings(part))
    }

    /// Reports whether the commit may have brought a part.
    fn brings(&self, part: &Part) -> bool {
        if part.of.is_empty() {
            return self.conditions;
        }
        let Some(fields) = &self.fields else { return true };
        let Some(paths) = fields.get(&part.of) else { return false };
        let Some(leaf) = part.kind.strip_prefix("leaf ") else { return true };
        // A map may be compared as a whole on one side and by its entries on the other.
        let within = |one: &str, other: &str| {
            one.strip_prefix(other)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        paths.is_empty() || paths.iter().any(|path| within(leaf, path) || within(path, leaf))
    }
}

/// The change requests that may have brought a part last, and nothing for commits without one; no
/// set where no commit brought it. `touches` are in the order of their commits; `shown` says
/// whether a plan was shown for a change request.
///
/// Where it cannot be computed what commits changed, any of them may have taken the part back and
/// brought it again. Then all of them count, unless one of them was shown to nobody.
pub(crate) fn last_bringers(
    part: &Part,
    touches: &[Touch],
    shown: &dyn Fn(Option<u64>) -> bool,
) -> Option<BTreeSet<Option<u64>>> {
    let bringing: Vec<&Touch> = touches.iter().filter(|touch| touch.brings(part)).collect();
    let last = bringing.iter().rposition(|touch| touch.fields.is_some());
    // What one commit brought came with each of its change requests.
    let since = match last {
        Some(at) => bringing.iter().position(|touch| touch.commit == bringing[at].commit)?,
        None => 0,
    };
    let numbers: BTreeSet<Option<u64>> = bringing[since..].iter().map(|one| one.number).collect();
    let is_unseen = |touch: &&&Touch| touch.fields.is_none() && !shown(touch.number);
    let unseen: BTreeSet<Option<u64>> =
        bringing[since..].iter().filter(is_unseen).map(|one| one.number).collect();
    match (bringing.is_empty(), unseen.is_empty()) {
        (true, _) => None,
        (false, true) => Some(numbers),
        (false, false) => Some(unseen),
    }
}

/// Plans that were shown for a change request, or for a commit without one.
pub(crate) struct Source<C> {
    /// The change request.
    pub(crate) change: Option<Rc<C>>,
    /// The plans, the oldest first.
    pub(crate) plans: Vec<ShownPlan>,
    /// The same, as decisions need them.
    pub(crate) shown: Vec<Shown>,
    /// The time at which the change request was carried out last, where it was.
    pub(crate) spent_ms: Option<u64>,
}

impl<C> Source<C> {
    /// Reports whether a plan may stand behind an apply: what was carried out once is taken back
    /// by others for a reason, and is approved anew.
    pub(crate) fn stands(&self, plan: &Shown) -> bool {
        is_unspent(plan.at_ms, self.spent_ms)
    }

    /// The plans that may stand behind an apply.
    pub(crate) fn standing(&self) -> Vec<Shown> {
        self.shown.iter().filter(|plan| self.stands(plan)).cloned().collect()
    }
}

/// Reports whether a plan was shown after its change request was carried out last. What happened
/// in one second may have happened in any order.
pub(crate) fn is_unspent(at_ms: u64, spent_ms: Option<u64>) -> bool {
    spent_ms.is_none_or(|spent| at_ms / 1000 > spent / 1000)
}

impl<'f> Changes<'f> {
    pub(crate) fn new(forge: &'f Forge) -> Self {
        Self {
            forge,
            merged: RefCell::default(),
            brought: RefCell::default(),
            changes: RefCell::default(),
            reviewed: RefCell::default(),
        }
    }

    /// A change request.
    pub(crate) fn change(&self, number: u64) -> Result<Rc<ChangeRequest>, ReviewError> {
        if let Some(known) = self.changes.borrow().get(&number) {
            return Ok(known.clone());
        }
        let found = Rc::new(self.forge.ask(|remote| remote.change(number))?);
        self.changes.borrow_mut().insert(number, found.clone());
        Ok(found)
    }

    /// A change request with its reviews, as they stood when it was asked for first; with those
    /// who pushed where somebody approved it, or where that is wanted in any case.
    pub(crate) fn reviewed(&self, number: u64, pushers: bool) -> Result<Rc<Reviewed>, ReviewError> {
        if let Some(known) = self.reviewed.borrow().get(&(number, pushers)) {
            return Ok(known.clone());
        }
        let found = Rc::new(approving::read(self.forge, number, pushers)?);
        self.reviewed.borrow_mut().insert((number, pushers), found.clone());
        Ok(found)
    }

    /// The same with the reviews as they stand now; with those who pushed where somebody approved,
    /// or where that is wanted in any case.
    pub(crate) fn with_reviews(
        &self,
        pending: &Pending,
        pushers: bool,
    ) -> Result<Pending<Reviewed>, ReviewError> {
        let mut read = Vec::new();
        for known in &pending.changes {
            let number = known.number;
            // One that is merged stays as it is; to an open one somebody may have pushed.
            let change = match known.merged {
                true => (**known).clone(),
                false => self.forge.ask(|remote| remote.change(number))?,
            };
            read.push((change, self.forge.ask(|remote| remote.reviews(number))?));
        }
        // Whoever pushed to one of them approves none of those that bring the same.
        let pushers = pushers || read.iter().any(|(_, reviews)| approving::is_approved(reviews));
        let mut changes = Vec::new();
        for (change, reviews) in read {
            changes.push(Rc::new(approving::reviewed(self.forge, change, reviews, pushers)?));
        }
        let (commits, brought) = (pending.commits.clone(), pending.brought.clone());
        Ok(Pending { commits, changes, brought })
    }

    fn merged(&self, commit: &str) -> Result<Vec<ChangeRequest>, ReviewError> {
        if let Some(known) = self.merged.borrow().get(commit) {
            return Ok(known.clone());
        }
        let found = self.forge.ask(|remote| remote.merged(commit))?;
        self.merged.borrow_mut().insert(commit.to_owned(), found.clone());
        Ok(found)
    }

    /// The change requests that were merged into the branch of a job since `base`.
    pub(crate) fn since(
        &self,
        options: &Options,
        place: &Place,
        base: Option<&str>,
    ) -> Result<Pending, ReviewError> {
        let mut line = match base {
            Some(base) => dax_engine::commits(&options.folder, Some(base), "HEAD")?,
            None => Vec::new(),
        };
        // What an older one brought would be of nobody, and could be in any plan.
        if let Some(over) = line.len().checked_sub(MOST).filter(|over| *over > 0) {
            let message = format!(
                "{} commits came since the last apply, of which {}s are asked for {MOST} at most: \
                 run this job for an older commit first, such as {}, or apply once by hand",
                line.len(),
                self.forge.request(),
                short(&line[line.len() - over - 1])
            );
            return Err(EngineError::Denied { message }.into());
        }
        if line.is_empty() {
            line.push(place.commit.clone());
        }
        let (mut changes, mut known) = (Vec::new(), BTreeSet::new());
        let mut brought = Vec::new();
        for commit in &line {
            let mut by = Vec::new();
            for change in self.merged(commit)?.into_iter().rev() {
                if change.merged && is_here(place, &change) {
                    by.push(Some(change.number));
                    if known.insert(change.number) {
                        changes.push(Rc::new(change));
                    }
                }
            }
            if by.is_empty() {
                by.push(None);
            }
            brought.extend(by.into_iter().map(|number| (commit.clone(), number)));
        }
        Ok(Pending { commits: line.into_iter().collect(), changes, brought })
    }

    /// The services of an environment that each pending commit changed.
    pub(crate) fn touched(
        &self,
        options: &Options,
        folder: &str,
        environment: &Name,
        pending: &Pending<Reviewed>,
    ) -> Result<Vec<Touch>, ReviewError> {
        let mut all = Vec::new();
        for (commit, number) in &pending.brought {
            let known = self.brought.borrow().get(commit).cloned();
            let found = match known {
                Some(found) => found,
                None => dax_engine::brought(&options.folder, commit)?,
            };
            self.brought.borrow_mut().entry(commit.clone()).or_insert_with(|| found.clone());
            let here = found
                .into_iter()
                .find(|one| one.folder == folder && one.environment == *environment);
            if let Some(one) = here {
                let conditions = one.conditions || one.fields.is_none();
                let commit = commit.clone();
                all.push(Touch { commit, number: *number, fields: one.fields, conditions });
            }
        }
        Ok(all)
    }

    /// Those change requests of `shown` that were merged into the branch of a job.
    pub(crate) fn merged_of(
        &self,
        place: &Place,
        shown: &[Name],
    ) -> Result<Vec<Rc<ChangeRequest>>, ReviewError> {
        let mut merged = Vec::new();
        for number in shown.iter().filter_map(|name| name.strip_prefix("pr-")?.parse().ok()) {
            let change = self.change(number)?;
            if change.merged && is_here(place, &change) {
                merged.push(change);
            }
        }
        Ok(merged)
    }

    /// Adds the change requests in front of those that are pending for which plans were shown and
    /// that were merged into the branch of a job as well.
    pub(crate) fn before(
        &self,
        options: &Options,
        place: &Place,
        shown: &[Name],
        pending: &mut Pending,
    ) -> Result<(), ReviewError> {
        let known = |number: u64| pending.changes.iter().any(|one| one.number == number);
        let merged = self.merged_of(place, shown)?;
        let mut earlier: Vec<Rc<ChangeRequest>> =
            merged.into_iter().filter(|one| !known(one.number)).collect();
        let line = dax_engine::commits(&options.folder, None, "HEAD")?;
        // What a force push took off the branch brought nothing to it.
        earlier.retain(|one| one.merge_commit.as_ref().is_none_or(|merge| line.contains(merge)));
        let place = |one: &Rc<ChangeRequest>| {
            let merge = one.merge_commit.as_ref();
            (line.iter().position(|commit| Some(commit) == merge), one.number)
        };
        earlier.sort_by_key(place);
        let commits: Vec<(String, Option<u64>)> = earlier
            .iter()
            .filter_map(|one| Some((one.merge_commit.clone()?, Some(one.number))))
            .collect();
        pending.commits.extend(commits.iter().map(|(commit, _)| commit.clone()));
        pending.brought.splice(0..0, commits);
        pending.changes.splice(0..0, earlier);
        Ok(())
    }
}

impl<C: Borrow<ChangeRequest>> Pending<C> {
    /// The plans of an environment that were shown for what is pending, the last merged last.
    pub(crate) fn sources(
        &self,
        engine: &Engine,
        environment: &Name,
    ) -> Result<Vec<Source<C>>, ReviewError> {
        let brought = engine.brought(environment)?;
        let read = |change: Option<Rc<C>>, key: &str| -> Result<Source<C>, ReviewError> {
            let plans = engine.shown_plans(environment, key)?;
            let shown = plans.iter().map(shown).collect();
            let request: Option<&ChangeRequest> = change.as_ref().map(|one| (**one).borrow());
            let spent_ms = request.and_then(|one| brought.get(&one.number).copied());
            Ok(Source { change, plans, shown, spent_ms })
        };
        let mut sources = Vec::new();
        for commit in &self.commits {
            sources.push(read(None, &format!("commit-{commit}"))?);
        }
        for change in &self.changes {
            let request: &ChangeRequest = (**change).borrow();
            sources.push(read(Some(change.clone()), &change_key(request.number))?);
        }
        sources.retain(|source| !source.plans.is_empty() || source.change.is_some());
        Ok(sources)
    }
}

/// Reports whether a change request went to the branch of a job: one that was merged elsewhere
/// brought nothing to it. Of a tag that is the default branch: into any other, anybody may merge
/// who writes to the repository.
fn is_here(place: &Place, change: &ChangeRequest) -> bool {
    let branch = if place.tag { place.main.as_deref() } else { Some(place.branch.as_str()) };
    branch.is_some_and(|branch| change.base == branch || (branch.is_empty() && !place.tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(commit: &str, number: Option<u64>, paths: Option<&[&str]>) -> Touch {
        let fields = paths.map(|paths| {
            let paths = paths.iter().map(ToString::to_string).collect();
            BTreeMap::from([("web".to_owned(), paths)])
        });
        Touch { commit: commit.to_owned(), number, fields, conditions: false }
    }

    #[test]
    fn a_part_is_of_whoever_brought_it_last() {
        let part =
            Part { of: "web".to_owned(), kind: "leaf image".to_owned(), content: "2".to_owned() };
        let image: Option<&[&str]> = Some(&["image"]);
        let size: Option<&[&str]> = Some(&["replicas"]);
        let shown = |number: Option<u64>| number.is_some_and(|number| number < 10);
        let last = |touches: &[Touch]| last_bringers(&part, touches, &shown);
        let set = |numbers: &[Option<u64>]| Some(numbers.iter().copied().collect());
        assert_eq!(last(&[touch("a", Some(1), size)]), None);
        let one = touch("a", Some(1), image);
        assert_eq!(last(&[one.clone(), touch("b", Some(2), size)]), set(&[Some(1)]));
        assert_eq!(last(&[one.clone(), touch("b", Some(2), image)]), set(&[Some(2)]));
        // By a plain push, and by a change request for which nobody was shown a plan.
        assert_eq!(last(&[one.clone(), touch("b", None, image)]), set(&[None]));
        assert_eq!(last(&[one.clone(), touch("b", Some(12), image)]), set(&[Some(12)]));
        // A commit that came with two of them.
        let both = [touch("b", Some(2), image), touch("b", Some(3), image)];
        assert_eq!(
            last(&[std::slice::from_ref(&one), &both[..]].concat()),
            set(&[Some(2), Some(3)])
        );
        // What cannot be computed may be anything, unless nobody was shown it.
        let unknown = |number| touch("c", number, None);
        assert_eq!(last(&[one.clone(), unknown(Some(2))]), set(&[Some(1), Some(2)]));
        assert_eq!(last(&[one.clone(), unknown(None)]), set(&[None]));
        assert_eq!(last(&[unknown(None), one.clone()]), set(&[Some(1)]));
        assert_eq!(last(&[unknown(Some(2)), unknown(Some(12))]), set(&[Some(12)]));
    }

    #[test]
    fn for_a_tag_a_merge_into_another_branch_than_the_default_one_is_none() {
        let variables = |tag: &'static str| {
            move |name: &str| {
                let known = match name {
                    "GITLAB_CI" => "true",
                    "CI_COMMIT_TAG" => tag,
                    "CI_COMMIT_REF_NAME" | "CI_DEFAULT_BRANCH" => "main",
                    "CI_API_V4_URL" | "CI_PROJECT_ID" | "CI_COMMIT_SHA" => "x",
                    _ => return None,
                };
                Some(known.to_owned())
            }
        };
        let change = |base: &str| ChangeRequest {
            number: 1,
            title: String::new(),
            author: dax_provider_api::review::Person {
                id: "1".to_owned(),
                login: None,
                shown: String::new(),
            },
            head: String::new(),
            base: base.to_owned(),
            open: false,
            merged: true,
            merge_commit: None,
            fork: false,
            url: String::new(),
        };
        for tag in ["", "v1"] {
            let place = crate::place::place(&variables(tag), &|_| None);
            let place = place.expect("variables").expect("a pipeline");
            assert_eq!(place.tag, !tag.is_empty());
            assert!(is_here(&place, &change("main")));
            assert!(!is_here(&place, &change("scratch")));
            let unknown = Place { main: None, ..place };
            assert_eq!(is_here(&unknown, &change("main")), tag.is_empty());
        }
    }
}
