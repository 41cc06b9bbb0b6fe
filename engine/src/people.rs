//! What people do to an environment beside applying: they approve, stop, pin and look after the state.

use crate::conditions::{ApprovalRule, Conditions};
use crate::signing::{self, Statement};
use crate::standing::is_signed;
use crate::{Engine, EngineError, Missing, Params, holder};
use dax_core::Name;
use dax_plan::StepId;
use dax_render::{Progress, Rule};
use dax_store::audit::Actor;
use dax_store::{Approval, Pin, Record, Report, Signal, What, Wish};
use dax_store::{Store, StoreError};
use std::path::Path;
use std::time::Duration;

/// What somebody approves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approved {
    /// The plan with this digest, of 64 digits.
    Plan(String),
    /// A step of the run that is under way.
    Step(StepId),
}

/// An approval that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who approved.
    pub by: Name,
    /// Groups of `dax.mod` that count them among their members.
    pub groups: Vec<Name>,
    /// That no rule asks for them, with who is asked.
    pub warning: Option<String>,
}

/// What is applied in an environment.
#[derive(Clone, Debug)]
pub struct Snapshotted {
    /// The environment.
    pub environment: Name,
    /// Which state it is.
    pub version: dax_plan::model::StateVersion,
    /// The services.
    pub services:
        std::collections::BTreeMap<dax_core::ResourceAddr, dax_plan::model::AppliedService>,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Whoever carries the run out was told.
    Told,
    /// Nobody carries it out.
    Nobody,
}

impl Engine {
    /// Records that the person at this machine approves.
    ///
    /// With a key the approval is signed, see [`crate::signing`]. One that can never count, because
    /// no allowed signer signed it, is not recorded.
    ///
    /// # Errors
    /// There is no such environment or run, the key does not sign or is not one that counts for this
    /// person, there is none where approvals must be signed, or the state cannot be written.
    pub fn approve(
        &self,
        environment: &str,
        what: &Approved,
        reason: &str,
        key: Option<&Path>,
    ) -> Result<Receipt, EngineError> {
        let store = self.store()?;
        self.knows_environment(&store, environment)?;
        let mut gate = None;
        let (digest, step) = match what {
            Approved::Plan(digest) => {
                if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    let message = format!(
                        "{}: no such file, and no digest, which has 64 hexadecimal digits; `dax plan` and \
                         `dax show` print it",
                        dax_core::printable::Line::new(digest)
                    );
                    return Err(EngineError::NoApproval { message });
                }
                (Name::new(digest.to_lowercase()), None)
            }
            Approved::Step(step) => {
                let open = self.runtime.block_on(store.unfinished(environment))?;
                let (_, plan, _) = open.ok_or_else(|| EngineError::NothingToResume {
                    environment: Some(environment.to_owned()),
                })?;
                let kind = plan.steps.get(step.0 as usize).map(|step| &step.task);
                let Some(dax_plan::Task::Gate { approval }) = kind else {
                    return Err(EngineError::NoApproval {
                        message: format!("step {step} waits for no approval"),
                    });
                };
                self.knows_approvers(&store, &plan, approval)?;
                gate = Some(ApprovalRule { count: approval.count, of: approval.of.clone() });
                (Name::new(dax_plan::digest::digest(&plan)), Some(*step))
            }
        };
        let by = holder::who();
        let manifest = dax_project::read_manifest(&crate::files::Disk::new(&self.root))?;
        let groups: Vec<Name> = manifest
            .groups
            .iter()
            .filter(|(_, members)| members.contains(&by))
            .map(|(name, _)| name.clone())
            .collect();
        let at_ms = store.now_ms();
        let signers = self.signers_in_force(&store, environment, None)?;
        let (_, version) = self.runtime.block_on(store.state(environment))?;
        let signature = match key {
            None if signers.is_some() => {
                let message = format!(
                    "an approval of `{environment}` counts only when an allowed signer signed it: \
                     pass --key FILE with your SSH key"
                );
                return Err(EngineError::NoApproval { message });
            }
            Some(key) => {
                let statement = Statement {
                    project: &manifest.project,
                    environment,
                    lineage: &version.lineage,
                    digest: &digest,
                    step,
                    by: &by,
                    at_ms,
                };
                let signed = signing::sign(key, &statement.message());
                Some(signed.map_err(|message| EngineError::NoApproval { message })?)
            }
            None => None,
        };
        let approval = Approval {
            digest,
            step,
            by: by.clone(),
            groups: groups.clone(),
            reason: reason.to_owned(),
            at_ms,
            signature,
            names: Vec::new(),
        };
        if let Some(signers) = &signers {
            is_signed(&approval, &manifest.project, environment, &version.lineage, signers, at_ms)
                .map_err(|why| EngineError::NoApproval {
                    message: format!("this approval would not count and is not recorded: {why}"),
                })?;
        }
        self.runtime.block_on(store.approve(environment, &approval))?;
        let warning = self.unasked(&store, environment, &approval, gate)?;
        Ok(Receipt { by, groups, warning })
    }

    /// Makes sure that the program or the state has an environment.
    fn knows_environment(&self, store: &Store, environment: &str) -> Result<(), EngineError> {
        let declared = self.declared_environments()?;
        let (name, key) = dax_core::keyed(environment);
        match declared.get(name) {
            Some(one) if one.keyed == key.is_some() => return Ok(()),
            Some(one) if one.keyed => {
                return Err(EngineError::NeedsKey { name: environment.to_owned() });
            }
            Some(_) | None => {}
        }
        let known = self.runtime.block_on(store.environments())?;
        if known.iter().any(|known| known == environment) {
            return Ok(());
        }
        let declared = declared.keys().map(ToString::to_string).collect();
        Err(EngineError::unknown_environment(environment, declared))
    }

    /// That no rule of the program here, or of the last apply, asks for whoever approved, with who
    /// is asked; nothing where one does, or where no rules are known.
    fn unasked(
        &self,
        store: &Store,
        environment: &str,
        approval: &Approval,
        gate: Option<ApprovalRule>,
    ) -> Result<Option<String>, EngineError> {
        let params = Params::none(Missing::Ignore);
        // An approval is one also while the program here cannot be read.
        let own = self.conditions(environment, &params).ok();
        let recorded = self.recorded_in(store, environment)?.map(|recorded| recorded.conditions);
        let all: Vec<(&Conditions, Rule)> = own
            .iter()
            .map(|own| (own, Rule::Program))
            .chain(recorded.iter().map(|recorded| (recorded, Rule::Applied)))
            .collect();
        if all.is_empty() {
            return Ok(None);
        }
        let mut asked: Vec<String> = Vec::new();
        for (conditions, whose) in all {
            let own: Vec<&ApprovalRule> = match (&gate, whose) {
                (Some(gate), _) => vec![gate],
                (None, Rule::Applied) => conditions.rules().collect(),
                (None, Rule::Program | Rule::Base) => conditions.approvals.iter().collect(),
            };
            for rule in own.into_iter().filter(|rule| rule.count > 0) {
                if conditions.may_approve(&rule.of, approval) {
                    return Ok(None);
                }
                let text = Progress {
                    needed: rule.count,
                    of: rule.of.clone(),
                    members: conditions.members(&rule.of).into_iter().collect(),
                    ..Progress::default()
                };
                let text = text.lacking_text();
                if !asked.contains(&text) {
                    asked.push(text);
                }
            }
        }
        let by = &approval.by;
        Ok(Some(if asked.is_empty() {
            format!("no rule of `{environment}` asks for an approval")
        } else {
            format!("no rule of `{environment}` asks for `{by}`: asked are {}", asked.join(", "))
        }))
    }

    /// Tells whoever carries the environment's run out what is wanted of it.
    ///
    /// # Errors
    /// There is no run, or the state cannot be written.
    pub fn signal(
        &self,
        environment: &str,
        wish: Wish,
        reason: &str,
    ) -> Result<Heard, EngineError> {
        let store = self.store()?;
        let open = self.runtime.block_on(store.open_run(environment))?;
        let run = open.map(|open| open.id).ok_or_else(|| EngineError::NothingToResume {
            environment: Some(environment.to_owned()),
        })?;
        let holder = self.runtime.block_on(store.holder(environment))?;
        if holder.is_none_or(|holder| holder::is_gone(&holder)) {
            return Ok(Heard::Nobody);
        }
        let signal =
            Signal { wish, by: holder::who(), reason: reason.to_owned(), at_ms: store.now_ms() };
        self.runtime.block_on(store.signal(environment, run, &signal))?;
        Ok(Heard::Told)
    }

    /// Pins an environment, so that `apply` leaves it alone, or takes the pin away; says whether that changed anything.
    ///
    /// # Errors
    /// Somebody else holds it, or the state cannot be written.
    pub fn pin(&self, environment: &str, pinned: bool, reason: &str) -> Result<bool, EngineError> {
        let store = self.store()?;
        let before: Option<Pin> = self.runtime.block_on(store.pinned(environment))?;
        if before.is_some() == pinned {
            return Ok(false);
        }
        let mut lease = self.acquire(&store, environment, Duration::ZERO)?;
        let actor = Actor {
            who: holder::who(),
            why: reason.to_owned(),
            at_ms: store.now_ms(),
            ..Actor::default()
        };
        let result =
            self.runtime.block_on(store.pin(&mut lease, pinned, &actor)).map_err(EngineError::from);
        self.release(&store, &mut lease, result)?;
        Ok(true)
    }

    /// Who did what, when and why, the oldest first.
    ///
    /// # Errors
    /// The state cannot be read, or its chain is broken.
    pub fn audit(&self, environment: &str) -> Result<Vec<Record>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.audit(environment))?)
    }

    /// What is applied in an environment, with its version.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn applied(&self, environment: Option<&str>) -> Result<Vec<Snapshotted>, EngineError> {
        let store = self.store()?;
        let environments = self.named_or_all(&store, environment)?;
        let mut all = Vec::new();
        for environment in environments {
            let (snapshot, version) = self.runtime.block_on(store.state(&environment))?;
            all.push(Snapshotted { environment, version, services: snapshot.services });
        }
        Ok(all)
    }

    /// The state of an environment as it is kept; nothing when there is none.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn pull_state(&self, environment: &str) -> Result<Option<String>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.pull(environment))?)
    }

    /// Reads everything that is kept and holds it against its digests. With `accept` what is there is taken as it is,
    /// although this machine remembers another or a newer state.
    ///
    /// # Errors
    /// The state cannot be read. What is wrong with a text of it is a finding.
    pub fn verify_state(
        &self,
        environment: Option<&str>,
        accept: bool,
    ) -> Result<Vec<Report>, EngineError> {
        if accept {
            self.accept_state(environment)?;
        }
        let store = self.store()?;
        let environments = match environment {
            Some(name) => vec![name.into()],
            None => self.runtime.block_on(store.traces())?,
        };
        environments.iter().map(|name| Ok(self.runtime.block_on(store.verify(name))?)).collect()
    }

    /// Takes the lease of an environment away from whoever holds it; says who that was.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn unlock(&self, environment: &str, reason: &str) -> Result<Option<String>, EngineError> {
        let store = self.store()?;
        let former =
            self.runtime.block_on(store.unlock(environment, &holder::this(), store.now_ms()))?;
        let Some(former) = former else { return Ok(None) };
        let mut lease = self.acquire(&store, environment, Duration::ZERO)?;
        let actor = Actor {
            who: holder::who(),
            why: reason.to_owned(),
            at_ms: store.now_ms(),
            ..Actor::default()
        };
        let what = What::Unlock { from: former.name.clone() };
        let result = self
            .runtime
            .block_on(store.note(&mut lease, &actor, what))
            .map_err(|error: StoreError| error.into());
        self.release(&store, &mut lease, result)?;
        Ok(Some(former.name))
    }
}
