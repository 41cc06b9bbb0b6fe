//! Blockers of a plan at this moment: a pin, an environment that comes first, a window, approvals,
//! and the conditions that a change loosens.

use crate::conditions::asked::{Answer, Question, answer};
use crate::conditions::{
    AfterRule, Base, ConditionKind, Conditions, OwnConditions, RecordedConditions, WindowRule,
    is_same, of_plan,
};
use crate::signing::{self, Principals, Statement};
use crate::{Engine, EngineError, Excluded, Reviews};
use dax_core::{Name, ResourceAddr};
use dax_plan::Plan;
use dax_plan::model::{Gate, Mode, Window};
use dax_render::Rule;
pub use dax_render::Standing;
use dax_store::{Approval, Store};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Services of which nothing is known.
fn unreachable(plan: &Plan) -> Vec<String> {
    let names: Vec<&str> = plan.unreachable.iter().map(ResourceAddr::name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let excludes: Vec<String> = names.iter().map(|name| format!("--exclude {name}")).collect();
    let (names, excludes) = (names.join(", "), excludes.join(" "));
    vec![format!(
        "nothing is known of {names}: plan again when they can be reached, or leave them out with `{excludes}`"
    )]
}

/// Why a plan cannot be applied now: the first blocker, with its reasons where something cannot be
/// read, else the approvals that are lacking.
pub fn denial(plan: &Plan, standing: &Standing) -> Option<String> {
    let shown = if plan.unreachable.is_empty() { 1 } else { standing.obstacles.len() };
    let first: Vec<&str> = standing.obstacles.iter().take(shown).map(String::as_str).collect();
    if !first.is_empty() {
        return Some(first.join("; "));
    }
    let lacking: Vec<&dax_render::Progress> =
        standing.approvals.iter().filter(|one| one.lacking() > 0).collect();
    if lacking.is_empty() {
        return None;
    }
    let environment = &plan.environment;
    let texts: Vec<String> = lacking.iter().map(|one| one.lacking_text()).collect();
    let command = dax_render::by_review(plan, standing)
        .unwrap_or_else(|| format!("`{}`", dax_render::approve_command(plan, standing)));
    let by_old = lacking.iter().any(|one| one.rule != Rule::Program);
    let texts_of = |verb: &str, what: &[String]| match by_old && !what.is_empty() {
        true => format!("this change {verb} `{environment}` ({}): ", what.join("; ")),
        false => String::new(),
    };
    let loosens = texts_of("loosens", &standing.loosens)
        + &texts_of("alters the strategies of", &standing.strategies);
    let lacks = format!("{loosens}it needs the approval of {}: {command}", texts.join("; and of "));
    let said = std::iter::once(lacks).chain(standing.void.iter().cloned());
    Some(said.collect::<Vec<_>>().join("; "))
}

fn other_program(plan: &Plan) -> String {
    format!(
        "this program is not the one that the plan was made from, and it loosens the conditions of \
         `{}`: plan again",
        plan.environment
    )
}

/// Approvals of a plan, and why others do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Those that count.
    pub approvals: Vec<Approval>,
    /// Whoever gave an approval that does not count, with the reason.
    pub refused: Vec<(Name, String)>,
}

impl Counted {
    /// A sentence for each person of whom there are only approvals that do not count, with the
    /// reason why the last of them does not.
    fn void(&self) -> Vec<String> {
        let counts = |who: &Name| self.approvals.iter().any(|one| is_same(&one.by, who));
        let refused: BTreeMap<&Name, &String> = self
            .refused
            .iter()
            .filter(|(who, _)| !counts(who))
            .map(|(who, why)| (who, why))
            .collect();
        let said = |(who, why)| format!("the approval of {who} does not count: {why}");
        refused.into_iter().map(said).collect()
    }

    /// The same without the approvals of some people.
    fn without(self, excluded: &[Excluded], signers: Option<&str>) -> Self {
        let Self { approvals, mut refused } = self;
        let principals = Principals::of(signers.into_iter().flat_map(str::lines));
        let mut counted = Vec::new();
        for approval in approvals {
            match excluded.iter().find(|one| one.is(&approval.by, &principals)) {
                Some(one) => {
                    let why = format!("{} {}", approval.by, one.why);
                    refused.push((approval.by, why));
                }
                None => counted.push(approval),
            }
        }
        Self { approvals: counted, refused }
    }
}

/// Older conditions of an environment, with whose they are and their commit.
type Old<'o> = (Rule, &'o Conditions, Option<String>);

/// The conditions that are asked beside those of the program.
fn older<'o>(base: Option<&'o Base>, recorded: Option<&'o RecordedConditions>) -> Vec<Old<'o>> {
    let base = base.into_iter().flat_map(Base::all);
    let base = base.map(|base| (Rule::Base, &base.conditions, Some(base.commit.clone())));
    let recorded = recorded.map(|recorded| {
        let commit = recorded.commit.as_ref().map(|commit| commit.id.to_string());
        (Rule::Applied, &recorded.conditions, commit)
    });
    base.chain(recorded).collect()
}

/// The allowed signers that are in force: the oldest conditions that have any decide.
fn signers(base: Option<&Base>, recorded: Option<&Conditions>, new: &Conditions) -> Option<String> {
    older_signers(base, recorded).or_else(|| new.signers_text())
}

fn older_signers(base: Option<&Base>, recorded: Option<&Conditions>) -> Option<String> {
    let recorded = recorded.and_then(Conditions::signers_text);
    recorded.or_else(|| base?.all().find_map(|base| base.conditions.signers_text()))
}

impl Engine {
    /// Blockers of a plan now, by the approvals of the state.
    ///
    /// # Errors
    /// [`EngineError::Stale`] where other conditions were recorded since it was made; as
    /// [`Engine::standing_with`].
    pub fn standing(&self, plan: &Plan) -> Result<Standing, EngineError> {
        self.same_conditions(&self.store()?, plan, None)?;
        self.standing_with(plan, &Reviews::default(), None)
    }

    /// Makes sure that the conditions that a plan was held against are still those that were
    /// recorded last: its approvals are of what it loosens of these, and of no others. Conditions
    /// that are in force already loosen nothing.
    ///
    /// # Errors
    /// [`EngineError::Stale`] where they are not; the state or the program cannot be read.
    pub(crate) fn same_conditions(
        &self,
        store: &Store,
        plan: &Plan,
        known: Option<&Conditions>,
    ) -> Result<(), EngineError> {
        if plan.mode != Mode::Apply {
            return Ok(());
        }
        let environment = &plan.environment;
        let recorded = self.recorded_in(store, environment)?.map(|recorded| recorded.conditions);
        if recorded.as_ref().map(Conditions::digest) == plan.base.conditions {
            return Ok(());
        }
        let computed;
        let new = match known {
            Some(known) => known,
            None => {
                computed = match self.conditions(environment, &of_plan(plan)) {
                    // That is said with what blocks the plan.
                    Err(EngineError::UnknownEnvironment { .. }) => return Ok(()),
                    found => found?,
                };
                &computed
            }
        };
        if recorded.as_ref() == Some(new) {
            return Ok(());
        }
        let message =
            format!("other conditions of `{environment}` were recorded since it was made");
        Err(EngineError::Stale { message })
    }

    /// Blockers of a plan now.
    ///
    /// `reviews` are facts from a code host. Its approvals count beside those of the state where
    /// their digest is that of the plan, and need no signature; whom it names as excluded approves
    /// nothing in the state either. `base` holds the conditions of the
    /// commit that the plan's change is made from: where the program loosens them, or those that
    /// were recorded with the last apply, they are asked as well.
    ///
    /// # Errors
    /// The state or the program cannot be read.
    pub fn standing_with(
        &self,
        plan: &Plan,
        reviews: &Reviews,
        base: Option<&Base>,
    ) -> Result<Standing, EngineError> {
        let store = self.store()?;
        let mut standing = self.standing_of(&store, plan, None, reviews, base)?;
        if !plan.unreachable.is_empty() {
            let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            let at = standing.obstacles.len().min(1);
            standing.obstacles.splice(at..at, unread.values().cloned());
        }
        Ok(standing)
    }

    /// The same; `known` are the conditions of the program, where they were computed already.
    pub(crate) fn standing_of(
        &self,
        store: &Store,
        plan: &Plan,
        known: Option<&OwnConditions>,
        reviews: &Reviews,
        base: Option<&Base>,
    ) -> Result<Standing, EngineError> {
        // The way back and the way out are never held up.
        if plan.mode != Mode::Apply {
            return Ok(Standing::default());
        }
        let recorded = self.recorded_in(store, &plan.environment)?;
        if plan.is_empty() && recorded.is_none() && base.is_none() {
            return Ok(Standing::default());
        }
        let computed;
        let own = match known {
            Some(known) => known,
            None => {
                computed = match self.own_conditions(&plan.environment, &of_plan(plan)) {
                    Ok(own) => own,
                    Err(EngineError::UnknownEnvironment { .. }) => {
                        return Ok(Standing {
                            obstacles: vec![format!(
                                "the program no longer has `{}`, so its conditions cannot be asked",
                                plan.environment
                            )],
                            ..Standing::default()
                        });
                    }
                    Err(error) => return Err(error),
                };
                &computed
            }
        };
        let new = &own.conditions;
        let old = older(base, recorded.as_ref());
        let named = |one: &Conditions| one.rules().next().is_some();
        let asks = !plan.approvals.is_empty()
            || named(new)
            || old.iter().any(|(_, conditions, _)| named(conditions));
        let signers = signers(base, recorded.as_ref().map(|one| &one.conditions), new);
        let counted = match asks {
            true => self.counted(store, plan, signers.as_deref(), reviews)?,
            false => Counted::default(),
        };
        let before: Vec<(Rule, &Conditions)> =
            old.iter().map(|(rule, conditions, _)| (*rule, *conditions)).collect();
        let found = answer(&Question {
            gates: &plan.approvals,
            is_empty: plan.is_empty(),
            new,
            old: &before,
            approvals: &counted.approvals,
        });
        let mut standing = if plan.is_empty() {
            Standing::default()
        } else {
            self.now_blocked(store, plan, &found, &old)?
        };
        if !found.is_approved() {
            standing.void = counted.void();
            standing.early = false;
        }
        standing.signed = signers.is_some();
        // Who approved a saved plan was shown what its own program loosens, not what this one does.
        if !found.loosens.is_empty() && plan.sources != own.sources {
            standing.obstacles.insert(0, other_program(plan));
            standing.early = false;
        }
        for change in &found.loosens {
            match change.kind {
                ConditionKind::Strategy => standing.strategies.push(change.to_string()),
                _ => standing.loosens.push(change.to_string()),
            }
        }
        standing.approvals = found.progress;
        Ok(standing)
    }

    /// Blockers of a plan that does something, approvals left out.
    fn now_blocked(
        &self,
        store: &Store,
        plan: &Plan,
        found: &Answer,
        old: &[Old<'_>],
    ) -> Result<Standing, EngineError> {
        let mut obstacles = unreachable(plan);
        let mut times = 0;
        let environment = &plan.environment;
        if let Some(pin) = self.runtime.block_on(store.pinned(environment))? {
            let why =
                if pin.reason.is_empty() { String::new() } else { format!(" ({})", pin.reason) };
            obstacles.push(format!(
                "`{environment}` is pinned to state {} since {} by {}{why}; `dax unpin -e {environment}` lets it go on",
                pin.serial,
                shown(pin.at_ms),
                pin.by
            ));
        }
        let rechecked = old.iter().filter(|(rule, ..)| found.recheck.contains(rule));
        let gates = rechecked.clone().flat_map(|(_, conditions, _)| gates(conditions));
        for (gate, is_old) in plan
            .gates
            .iter()
            .cloned()
            .map(|gate| (gate, false))
            .chain(gates.map(|gate| (gate, true)))
        {
            let blocked = match &gate {
                Gate::After { .. } => self.runtime.block_on(after(store, &gate))?,
                Gate::Windows(windows) => closed(windows, store.now_ms()).map(|why| (why, true)),
            };
            let Some((why, is_time)) = blocked else { continue };
            let why = if is_old { format!("{why}, by the rule before this change") } else { why };
            if !obstacles.contains(&why) {
                times += usize::from(is_time);
                obstacles.push(why);
            }
        }
        for (rule, conditions, commit) in rechecked {
            let has = |policy| found.loosens.iter().any(|change| change.is_of(policy));
            if !conditions.policies.iter().any(has) {
                continue;
            }
            match commit {
                Some(commit) => obstacles.extend(self.denied_by(commit, plan)?),
                None => obstacles.push(format!(
                    "policies of {} cannot be asked: the commit of the program is not known",
                    if *rule == Rule::Base { "the base" } else { "the last apply" }
                )),
            }
        }
        let early = times > 0 && times == obstacles.len();
        Ok(Standing { obstacles, early, ..Standing::default() })
    }

    /// Denials by the policies of a commit; that they cannot be asked is one.
    fn denied_by(&self, commit: &str, plan: &Plan) -> Result<Vec<String>, EngineError> {
        match self.policies_at(commit, plan) {
            Ok(denials) => {
                let short: String = commit.chars().take(10).collect();
                let said = denials.into_iter();
                Ok(said.map(|why| format!("a policy of commit {short} denies it: {why}")).collect())
            }
            Err(error @ EngineError::MissingCommit { .. }) => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }

    /// Approvals of a plan as a whole that count: those of the state, signed where they must be, and
    /// those of reviews.
    fn counted(
        &self,
        store: &Store,
        plan: &Plan,
        signers: Option<&str>,
        reviews: &Reviews,
    ) -> Result<Counted, EngineError> {
        let digest = dax_plan::digest::digest(plan);
        let kept = self.runtime.block_on(store.approvals(&plan.environment, &digest))?;
        let kept = kept.into_iter().filter(|approval| approval.step.is_none()).collect();
        let counted = self.signed(store, &plan.project, &plan.environment, kept, signers)?;
        let mut counted = counted.without(&reviews.excluded, signers);
        let read = reviews.approvals.iter();
        let read = read.filter(|one| one.step.is_none() && one.digest == digest);
        counted.approvals.extend(read.cloned());
        Ok(counted)
    }

    /// Approvals of the state with a valid signature; all of them where no signers are known.
    fn signed(
        &self,
        store: &Store,
        project: &str,
        environment: &str,
        approvals: Vec<Approval>,
        signers: Option<&str>,
    ) -> Result<Counted, EngineError> {
        let Some(signers) = signers.filter(|_| !approvals.is_empty()) else {
            return Ok(Counted { approvals, refused: Vec::new() });
        };
        let (_, version) = self.runtime.block_on(store.state(environment))?;
        let mut counted = Counted::default();
        for approval in approvals {
            match is_signed(
                &approval,
                project,
                environment,
                &version.lineage,
                signers,
                store.now_ms(),
            ) {
                // Which teams somebody belongs to is no part of what they signed.
                Ok(()) => {
                    counted.approvals.push(Approval { groups: Vec::new(), ..approval });
                }
                Err(why) => counted.refused.push((approval.by, why)),
            }
        }
        Ok(counted)
    }

    /// Approvals of a plan that count; approvals of its steps included.
    ///
    /// # Errors
    /// The state or the program cannot be read.
    pub fn approvals(&self, environment: &str, digest: &str) -> Result<Vec<Approval>, EngineError> {
        Ok(self.approvals_with(environment, digest, None, &[])?.approvals)
    }

    /// The same where the conditions of a commit are asked as well, whose allowed signers come
    /// before those of the program, and where the approvals of some people do not count.
    ///
    /// # Errors
    /// As [`Engine::approvals`].
    pub fn approvals_with(
        &self,
        environment: &str,
        digest: &str,
        base: Option<&Base>,
        excluded: &[Excluded],
    ) -> Result<Counted, EngineError> {
        let store = self.store()?;
        let kept = self.runtime.block_on(store.approvals(environment, digest))?;
        if kept.is_empty() {
            return Ok(Counted::default());
        }
        let signers = self.signers_in_force(&store, environment, base)?;
        let manifest = dax_project::read_manifest(&crate::files::Disk::new(&self.root))?;
        let signers = signers.as_deref();
        let counted = self.signed(&store, &manifest.project, environment, kept, signers)?;
        Ok(counted.without(excluded, signers))
    }

    /// Whether an approval of an environment counts only when it is signed.
    ///
    /// # Errors
    /// The state or the file of signers cannot be read.
    pub fn wants_signatures(&self, environment: &str) -> Result<bool, EngineError> {
        Ok(self.signers_in_force(&self.store()?, environment, None)?.is_some())
    }

    /// The allowed signers of an environment: those that were recorded, else those of a commit, else
    /// those of the program.
    pub(crate) fn signers_in_force(
        &self,
        store: &Store,
        environment: &str,
        base: Option<&Base>,
    ) -> Result<Option<String>, EngineError> {
        let recorded = self.recorded_in(store, environment)?.map(|recorded| recorded.conditions);
        match older_signers(base, recorded.as_ref()) {
            Some(text) => Ok(Some(text)),
            None => self.own_signers(),
        }
    }
}

/// Checks that an approval is signed by an allowed signer of its name, now.
pub(crate) fn is_signed(
    approval: &Approval,
    project: &str,
    environment: &str,
    lineage: &str,
    signers: &str,
    now_ms: u64,
) -> Result<(), String> {
    let Some(signature) = &approval.signature else {
        return Err("it is not signed: approve with `dax approve --key`".to_owned());
    };
    let statement = Statement {
        project,
        environment,
        lineage,
        digest: &approval.digest,
        step: approval.step,
        by: &approval.by,
        at_ms: approval.at_ms,
    };
    signing::verify(signers, &approval.by, &statement.message(), signature, now_ms)
}

/// Gates of older conditions, as plans have them.
fn gates(conditions: &Conditions) -> Vec<Gate> {
    let after = |rule: &AfterRule| Gate::After {
        environment: rule.environment.clone(),
        soak_ms: rule.soak_ms,
        verified: rule.verified,
        valid_ms: rule.valid_ms,
        span: String::new(),
    };
    let window = |rule: &WindowRule| Window {
        days: rule.days.clone(),
        from: rule.from.clone(),
        to: rule.to.clone(),
        zone: rule.zone.clone(),
        span: "the rule before this change".to_owned(),
    };
    let windows: Vec<Window> = conditions.windows.iter().map(window).collect();
    let windows = (!windows.is_empty()).then_some(Gate::Windows(windows));
    conditions.after.iter().map(after).chain(windows).collect()
}

/// Why the environment that comes first does not allow it yet, and whether that is only a matter of time; nothing when it does.
async fn after(store: &Store, gate: &Gate) -> Result<Option<(String, bool)>, EngineError> {
    let Gate::After { environment, soak_ms, verified, valid_ms, .. } = gate else {
        return Ok(None);
    };
    let runs = store.runs(environment).await?;
    let last = runs.iter().find(|run| run.outcome.is_some());
    let succeeded = last.filter(|run| {
        run.outcome == Some(dax_machine::Outcome::Succeeded) && run.mode != "destroy"
    });
    let Some((run, ended)) = succeeded.and_then(|run| Some((run, run.ended_ms?))) else {
        return Ok(Some((format!("`{environment}` was not applied successfully yet"), false)));
    };
    let since = store.now_ms().saturating_sub(ended);
    Ok(if since < *soak_ms {
        Some((
            format!("`{environment}` must have run for {} first", dax_render::millis(*soak_ms)),
            true,
        ))
    } else if *verified && !run.verified {
        Some((
            format!("no analysis passed in the last run of `{environment}`, and one must have"),
            false,
        ))
    } else if *valid_ms > 0 && since > *valid_ms {
        Some((
            format!(
                "`{environment}` was applied more than {} ago: apply it again first",
                dax_render::millis(*valid_ms)
            ),
            false,
        ))
    } else {
        None
    })
}

/// Why now is not in any of these windows, or nothing when it is.
fn closed(windows: &[Window], now_ms: u64) -> Option<String> {
    let now =
        i64::try_from(now_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
    let mut next: Option<jiff::Timestamp> = None;
    for window in windows {
        match opening(window, now) {
            Ok(None) => return None,
            Ok(Some(at)) => next = Some(next.map_or(at, |next| next.min(at))),
            Err(message) => return Some(message),
        }
    }
    let next = next.map_or_else(String::new, |at| {
        format!("; the next one opens at {}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    });
    Some(format!("it may be changed at certain times only, and not now{next}"))
}

/// When a window opens next; nothing when it is open.
fn opening(window: &Window, now: jiff::Timestamp) -> Result<Option<jiff::Timestamp>, String> {
    let wrong =
        |error: jiff::Error| format!("the window at {} cannot be read: {error}", window.span);
    let zone = jiff::tz::TimeZone::get(&window.zone).map_err(wrong)?;
    let here = now.to_zoned(zone.clone());
    let clock = |text: &str| jiff::civil::Time::strptime("%H:%M", text).map_err(wrong);
    let (from, to) = (clock(&window.from)?, clock(&window.to)?);
    let mut next = None;
    // From yesterday on, for windows that reach past midnight.
    for offset in -1..=8_i64 {
        let date = here.date().checked_add(jiff::Span::new().days(offset)).map_err(wrong)?;
        let name = date.strftime("%a").to_string().to_lowercase();
        if !window.days.iter().any(|day| *day == name) {
            continue;
        }
        let opens = date.to_datetime(from).to_zoned(zone.clone()).map_err(wrong)?.timestamp();
        let last = if to > from { date } else { date.tomorrow().map_err(wrong)? };
        let closes = last.to_datetime(to).to_zoned(zone.clone()).map_err(wrong)?.timestamp();
        if opens <= now && now < closes {
            return Ok(None);
        }
        if opens > now && next.is_none_or(|next| opens < next) {
            next = Some(opens);
        }
    }
    Ok(next)
}

/// A time as RFC 3339 in UTC, to the second.
fn shown(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dax_core::Name;

    fn window(days: &[&str], from: &str, to: &str, zone: &str) -> Window {
        let days = days.iter().map(|day| Name::from(*day)).collect();
        Window { days, from: from.into(), to: to.into(), zone: zone.into(), span: String::new() }
    }

    fn at(text: &str) -> u64 {
        let time: jiff::Timestamp = text.parse().expect("a time");
        u64::try_from(time.as_millisecond()).expect("after 1970")
    }

    #[test]
    fn a_window_is_open_from_its_first_minute_to_the_one_after_its_last_by_its_own_clock() {
        let work = [window(&["mon", "tue"], "09:00", "17:00", "Europe/Vienna")];
        // In November Vienna is one hour ahead; 2026-11-23 is a Monday.
        assert_eq!(closed(&work, at("2026-11-23T08:00:00Z")), None);
        assert_eq!(closed(&work, at("2026-11-23T15:59:59Z")), None);
        let late = closed(&work, at("2026-11-23T16:00:00Z")).expect("closed");
        assert!(late.ends_with("the next one opens at 2026-11-24T08:00:00Z"), "{late}");
        let week = closed(&work, at("2026-11-24T16:00:00Z")).expect("closed");
        assert!(week.ends_with("2026-11-30T08:00:00Z"), "{week}");
    }

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_on_which_it_opens() {
        let night = [window(&["fri"], "22:00", "04:00", "UTC")];
        assert_eq!(closed(&night, at("2026-11-28T03:59:00Z")), None);
        assert!(closed(&night, at("2026-11-28T04:00:00Z")).is_some());
        assert!(closed(&night, at("2026-11-27T03:00:00Z")).is_some());
    }
}
