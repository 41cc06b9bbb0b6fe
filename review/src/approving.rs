//! Reviews of change requests as approvals of plans.
//!
//! Invariant: an approval is of a plan that its author was shown. A review counts for the newest
//! plan shown before it, and for every plan that does the same; for none that came after it and
//! does something else. Reviews are read whenever they are needed and kept nowhere, so that one
//! that is dismissed counts no more; the button of a check is recorded like `dax approve`.

use crate::backing::{Seen, Shown, Unseen, seen};
use crate::comment::short;
use crate::place::{Event, Place, change_key};
use crate::plans::{Report, Rules};
use crate::{Forge, ReviewError};
use dax_engine::digest::{digest, effect};
use dax_engine::{Approval, Conditions, Engine, Excluded, Name, Plan, ShownPlan};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{ChangeRequest, Person, Review, ReviewState};
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::rc::Rc;

/// A change request with its reviews as they stand at one time.
pub(crate) struct Reviewed {
    /// The change request.
    pub(crate) change: ChangeRequest,
    /// Reviews that stand.
    pub(crate) reviews: Vec<Review>,
    /// Accounts whose approvals do not count, with the reason.
    pub(crate) excluded: Vec<(Person, String)>,
    /// The reason why nobody's approval counts: it is not known who pushed to it.
    pub(crate) unknown: Option<String>,
}

/// A review that approves nothing that is of use now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The reviewer.
    pub who: String,
    /// The reason.
    pub why: String,
}

impl Lost {
    /// An approval in the state that does not count, by its author and the reason.
    pub(crate) fn by_command((who, why): (Name, String)) -> Self {
        Self { who: who.to_string(), why: format!("approved by `dax approve`, but {why}") }
    }
}

/// Reads a change request and its reviews; who pushed to it where somebody approved it, or where
/// that is wanted in any case.
pub(crate) fn read(forge: &Forge, number: u64, pushers: bool) -> Result<Reviewed, ReviewError> {
    let change = forge.ask(|remote| remote.change(number))?;
    let reviews = forge.ask(|remote| remote.reviews(number))?;
    let pushers = pushers || is_approved(&reviews);
    reviewed(forge, change, reviews, pushers)
}

/// Reports whether one of these reviews approves.
pub(crate) fn is_approved(reviews: &[Review]) -> bool {
    reviews.iter().any(|review| review.state == ReviewState::Approved)
}

/// A change request with reviews that were read, and with the reading of who pushed to it: nobody
/// has to be excluded where nobody approved anything.
pub(crate) fn reviewed(
    forge: &Forge,
    change: ChangeRequest,
    reviews: Vec<Review>,
    pushers: bool,
) -> Result<Reviewed, ReviewError> {
    let mut excluded = vec![(change.author.clone(), format!("opened the {}", forge.request()))];
    let mut unknown = None;
    if pushers {
        match forge.ask(|remote| remote.pushers(&change)) {
            Ok(pushers) => {
                let why = format!("pushed commits of the {}", forge.request());
                excluded.extend(pushers.into_iter().map(|person| (person, why.clone())));
            }
            // Then anybody may have: no review of it counts, and nothing else has to wait for that.
            Err(error @ ProviderError::Unreachable { .. }) => return Err(error.into()),
            Err(error) => unknown = Some(format!("may have pushed to it ({error})")),
        }
    }
    Ok(Reviewed { change, reviews, excluded, unknown })
}

impl Borrow<ChangeRequest> for Reviewed {
    fn borrow(&self) -> &ChangeRequest {
        &self.change
    }
}

impl Reviewed {
    /// The reason why an account may not approve this change request.
    pub(crate) fn excludes(&self, person: &Person) -> Option<&str> {
        let found = self.excluded.iter().find(|(one, _)| one.id == person.id);
        found.map(|(_, why)| why.as_str()).or(self.unknown.as_deref())
    }

    /// The accounts whose approvals in the state do not count either. Where it is not known who
    /// pushed, those of anybody else do: `dax approve` is the way on there.
    pub(crate) fn excluded(&self) -> impl Iterator<Item = Excluded> {
        let excluded = self.excluded.iter().cloned();
        excluded.map(|(person, why)| Excluded { person, why })
    }
}

/// Reports whether an account belongs to a team of the code host; it does not where that cannot
/// be seen, which becomes a remark.
pub(crate) fn belongs(
    forge: &Forge,
    person: &Person,
    team: &str,
    remarks: &mut Vec<String>,
) -> bool {
    forge.ask(|remote| remote.belongs(person, team)).unwrap_or_else(|error| {
        remarks.push(error.to_string());
        false
    })
}

/// Names and groups that rules ask for: those of a plan and of each set of conditions.
pub(crate) struct Asked<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// Conditions of the program, of the base and of the last apply, as far as there are any.
    pub(crate) conditions: Vec<&'a Conditions>,
}

impl Asked<'_> {
    /// Names that approval gates list: people, groups of `dax.mod`, teams of the code host.
    fn of(&self) -> BTreeSet<&Name> {
        let gates = self.conditions.iter().flat_map(|one| &one.approvals);
        let asked = gates.flat_map(|gate| &gate.of);
        self.plan.approvals.iter().flat_map(|gate| &gate.of).chain(asked).collect()
    }

    /// An approval of an account, under the names by which the rules know it.
    pub(crate) fn approval(
        &self,
        forge: &Forge,
        person: &Person,
        reason: &str,
        at_ms: u64,
        remarks: &mut Vec<String>,
    ) -> Approval {
        let (mut names, mut groups) = (BTreeSet::new(), Vec::new());
        for (group, members) in self.conditions.iter().flat_map(|one| &one.groups) {
            let own: Vec<&Name> = members.iter().filter(|member| person.is(member)).collect();
            if !own.is_empty() {
                groups.push(group.clone());
            }
            names.extend(own.into_iter().cloned());
        }
        for name in self.of() {
            if person.is(name) {
                names.insert(name.clone());
            }
            // `team:sre` is a group of the project; `acme/sre` a team of the code host.
            if name.contains('/') && belongs(forge, person, name, remarks) {
                groups.push(name.clone());
            }
        }
        groups.sort();
        groups.dedup();
        Approval {
            digest: Name::new(digest(self.plan)),
            step: None,
            by: person.name().into(),
            groups,
            reason: reason.to_owned(),
            at_ms,
            signature: None,
            names: names.into_iter().collect(),
        }
    }
}

/// A digest of what a plan does and of the conditions it was shown with.
pub(crate) fn bound(plan: &Plan, conditions: Option<&str>) -> String {
    format!("{}-{}", effect(plan), conditions.unwrap_or("none"))
}

/// A plan that was shown, as decisions need it.
pub(crate) fn shown(plan: &ShownPlan) -> Shown {
    let conditions = plan.conditions.as_deref();
    let mut parts = crate::parts::parts(&plan.plan);
    parts.insert(crate::parts::conditions(conditions.unwrap_or("none")));
    Shown {
        commit: plan.commit.to_string(),
        at_ms: plan.at_ms,
        certain: plan.shown,
        effect: bound(&plan.plan, conditions),
        parts,
    }
}

/// Approvals of a plan by reviews of a change request.
#[derive(Default)]
pub(crate) struct Voices {
    /// Accounts that approved.
    pub(crate) people: Vec<Person>,
    /// Their approvals, for the plan that is asked about.
    pub(crate) approvals: Vec<Approval>,
    /// Approvals that do not count for it.
    pub(crate) lost: Vec<Lost>,
    /// True when one of those who approved may write to the repository.
    pub(crate) writes: bool,
}

/// The approvals that the reviews of a change request give to plans of one effect. Authors and
/// pushers of those `beside` it, whose changes are in the plan as well, do not count either.
#[expect(clippy::too_many_arguments)]
pub(crate) fn voices(
    forge: &Forge,
    reviewed: &Reviewed,
    beside: &[&Rc<Reviewed>],
    plans: &[Shown],
    wanted: &str,
    merged: &BTreeSet<String>,
    asked: &Asked<'_>,
    remarks: &mut Vec<String>,
) -> Voices {
    let mut voices = Voices::default();
    let number = reviewed.change.number;
    for review in reviewed.reviews.iter().filter(|one| one.state == ReviewState::Approved) {
        let mut lost = |why: String| {
            voices.lost.push(Lost { who: review.by.shown.clone(), why });
        };
        let excluded = beside.iter().find_map(|other| {
            let why = other.excludes(&review.by)?;
            Some(format!("{why} {}, which is in the plan", other.change.number))
        });
        let own = reviewed.excludes(&review.by).map(str::to_owned);
        if let Some(why) = own.or(excluded) {
            lost(format!("{why}, so this approval does not count"));
            continue;
        }
        let one = Seen { commit: review.commit.as_deref(), at_ms: review.at_ms };
        match seen(&one, plans, merged) {
            Ok(plan) if plan.effect == wanted => {
                let reason = format!("by a review of {} {number}", forge.request());
                let at_ms = review.at_ms.unwrap_or_default();
                let approval = asked.approval(forge, &review.by, &reason, at_ms, remarks);
                // Of a public repository, anybody in the world may submit a review.
                if !review.writes && approval.names.is_empty() && approval.groups.is_empty() {
                    lost(
                        "may not write to the repository and is named by no rule, so this \
                         approval does not count"
                            .to_owned(),
                    );
                    continue;
                }
                voices.approvals.push(approval);
                voices.people.push(review.by.clone());
                voices.writes |= review.writes;
            }
            Ok(_) => lost("approved another plan, which was shown before: approve again".into()),
            Err(unseen) => lost(reason(unseen, review)),
        }
    }
    voices
}

fn reason(unseen: Unseen, review: &Review) -> String {
    match unseen {
        Unseen::Early => "approved before a plan was shown: approve again".to_owned(),
        Unseen::OtherCommit => match &review.commit {
            Some(commit) => {
                format!("approved commit {}, not the one of the plan: approve again", short(commit))
            }
            None => "approved another commit: approve again".to_owned(),
        },
        Unseen::Uncertain => "approved while the plan was being replaced: approve again".to_owned(),
        Unseen::Unknown => "approved a commit that the code host does not tell: let a push take \
                            approvals away, then approve again"
            .to_owned(),
    }
}

/// Reviews that request changes and that hold an apply up: of those who may write to the
/// repository, and of those whom a rule names.
pub(crate) fn objections(
    forge: &Forge,
    reviewed: &Reviewed,
    asked: &Asked<'_>,
    remarks: &mut Vec<String>,
) -> Vec<String> {
    let (mut all, request) = (Vec::new(), forge.request());
    let requested = |review: &&Review| review.state == ReviewState::ChangesRequested;
    for review in reviewed.reviews.iter().filter(requested) {
        let named = || {
            let approval = asked.approval(forge, &review.by, "", 0, &mut Vec::new());
            asked.of().iter().any(|name| review.by.is(name) || approval.groups.contains(name))
        };
        if review.writes || named() {
            all.push(format!(
                "`{}` requested changes in {request} {}: dismiss that review, or have them approve",
                review.by.shown, reviewed.change.number
            ));
        } else {
            remarks.push(format!(
                "`{}` requested changes in {request} {}, but may not write to the repository: \
                 nothing waits for it",
                review.by.shown, reviewed.change.number
            ));
        }
    }
    all
}

/// Approvals that the state keeps of an earlier plan with the same effect, as approvals of a plan.
///
/// Who approved the earlier one was shown what it loosens of the conditions that were recorded
/// then; where others are by now, that approval is of nothing that is loosened of these.
pub(crate) fn carried(
    engine: &Engine,
    earlier: &Plan,
    plan: &Plan,
    rules: &Rules,
    excluded: &[Excluded],
) -> Result<Carried, ReviewError> {
    let (then, now) = (digest(earlier), Name::new(digest(plan)));
    let is_of_others = earlier.base.conditions != plan.base.conditions && rules.loosened();
    if then == now.as_str() || is_of_others {
        return Ok(Carried::default());
    }
    let base = rules.base.as_ref();
    let known = engine.approvals_with(&plan.environment, &then, base, excluded)?;
    let whole = known.approvals.into_iter().filter(|approval| approval.step.is_none());
    let approvals = whole
        .map(|approval| Approval {
            reason: format!("approved plan {}, of which this is a part or the same", &then[..12]),
            digest: now.clone(),
            ..approval
        })
        .collect();
    Ok(Carried { approvals, refused: known.refused })
}

/// Approvals of an earlier plan in the state.
#[derive(Default)]
pub(crate) struct Carried {
    /// Those that count.
    pub(crate) approvals: Vec<Approval>,
    /// Whoever gave one that does not, with the reason.
    pub(crate) refused: Vec<(Name, String)>,
}

impl Carried {
    /// A sentence for each approval that does not count.
    pub(crate) fn lost(&self) -> impl Iterator<Item = String> {
        let said =
            |(who, why): &(Name, String)| format!("the approval of {who} does not count: {why}");
        self.refused.iter().map(said)
    }
}

/// Records an approval by a button of the check; gives remarks about it.
pub(crate) fn press(
    place: &Place,
    forge: &Forge,
    engine: &Engine,
    reports: &[Report],
) -> Result<Vec<String>, ReviewError> {
    let Event::Button { identifier, number, by } = &place.event else { return Ok(Vec::new()) };
    if identifier != "approve" {
        return Ok(Vec::new());
    }
    let reviewed = read(forge, *number, true)?;
    if let Some(why) = reviewed.excludes(by) {
        return Ok(vec![format!("`{}` {why} and cannot approve its plans", by.shown)]);
    }
    let mut said = Vec::new();
    for report in reports {
        let Some(planned) = report.planned().filter(|planned| !planned.is_nothing()) else {
            continue;
        };
        // The button stood below the newest plan that was shown before the job was made; one that
        // is run again is of that time still.
        let before = engine.shown_plans(&report.environment, &change_key(*number))?;
        let before: Vec<Shown> = before.iter().map(shown).collect();
        let created = forge.ask(|remote| remote.released(&report.environment))?.created_ms;
        let pressed = Seen { commit: Some(&place.commit), at_ms: created };
        let plan = created.and_then(|_| seen(&pressed, &before, &BTreeSet::new()).ok());
        if plan.is_none_or(|plan| plan.effect != planned.bound()) {
            said.push(format!(
                "the plan of `{}` is another by now: look at it again before you approve it",
                report.environment
            ));
            continue;
        }
        // The button's approval is a row in the state that nobody signs.
        if planned.rules.all().iter().any(|conditions| conditions.signers.is_some()) {
            said.push(format!(
                "approvals of `{}` are signed: the button approves nothing there, \
                 `dax approve --key` does",
                report.environment
            ));
            continue;
        }
        let asked = planned.asked();
        let reason = format!("by the check of {} {number}", forge.request());
        let approval = asked.approval(forge, by, &reason, 0, &mut said);
        let recorded = engine.approve_as(
            &report.environment,
            &planned.digest,
            &approval.by,
            &approval.groups,
            &approval.reason,
        );
        // A job that only plans may not write approvals, and shows its plans all the same.
        if let Err(error) = recorded {
            said.push(format!(
                "the approval of `{}` is not recorded: {error}; `dax approve -e {} {}` approves it",
                report.environment, report.environment, planned.digest
            ));
            continue;
        }
        said.push(format!(
            "`{}` approved the plan {} of `{}`",
            by.shown,
            &planned.digest[..12],
            report.environment
        ));
    }
    Ok(said)
}
