//! Moving what one environment proved to another: the same artefacts by the same program, and nothing else.

use crate::{
    Engine, EngineError, Judged, Missing, Outcome, Params, PlanRequest, Promoted, Selection,
};
use dax_core::{Name, ResourceAddr, Value};
use dax_store::audit::Commit;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The field of a service that names what it runs.
const ARTEFACT: &str = "image";

/// What was proved in an environment, and cannot be changed any more.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The environment.
    pub from: Name,
    /// The run that brought it there.
    pub run: u64,
    /// How long ago that ended.
    pub age: Duration,
    /// Whether an analysis passed on the way.
    pub verified: bool,
    /// The commit of the program.
    pub commit: Option<Commit>,
    /// The digest of the program's texts.
    pub config: Name,
    /// What it was applied with.
    pub params: BTreeMap<Name, Value>,
    /// What each service runs.
    pub artefacts: BTreeMap<ResourceAddr, Name>,
    /// The digest of all of that.
    pub digest: Name,
}

impl Bundle {
    /// Services whose artefact is named by a tag, which may lead elsewhere tomorrow.
    pub fn loose(&self) -> Vec<&ResourceAddr> {
        self.artefacts
            .iter()
            .filter(|(_, image)| !image.contains("@sha256:"))
            .map(|(addr, _)| addr)
            .collect()
    }

    /// For the record of the run that moves it.
    pub fn record(&self) -> Promoted {
        Promoted { from: self.from.clone(), run: self.run, bundle: self.digest.clone() }
    }
}

fn denied(message: String) -> EngineError {
    EngineError::Denied { message }
}

impl Engine {
    /// What an environment has proved.
    ///
    /// # Errors
    /// [`EngineError::Denied`] when it has proved nothing: its last run did not succeed, or what runs there is not what it
    /// applied. The state or a platform cannot be read.
    pub fn bundle(&self, from: &str) -> Result<Bundle, EngineError> {
        let declared = self.declared_environments()?;
        if !declared.contains_key(dax_core::keyed(from).0) {
            return Err(EngineError::unknown_environment(
                from,
                declared.keys().map(ToString::to_string).collect(),
            ));
        }
        let store = self.store()?;
        let runs = self.runtime.block_on(store.runs(from))?;
        let last = runs.first().ok_or_else(|| {
            denied(format!("nothing was ever applied in `{from}`, so it has proved nothing"))
        })?;
        match (&last.outcome, last.mode.as_str()) {
            (Some(Outcome::Succeeded), "apply") => {}
            (Some(Outcome::Succeeded), mode) => {
                return Err(denied(format!(
                    "the last run of `{from}` was a {mode}: apply there what is to be promoted"
                )));
            }
            (Some(outcome), _) => {
                return Err(denied(format!(
                    "run {} of `{from}`, its last, was {}",
                    last.id,
                    outcome.word()
                )));
            }
            (None, _) => return Err(denied(format!("run {} of `{from}` has not ended", last.id))),
        }
        let drifted = self.drift(from)?;
        if let Some(first) = drifted.drift.first() {
            return Err(denied(format!(
                "what runs in `{from}` is not what was applied there ({} differs first): `dax drift -e {from}` shows it",
                first.addr
            )));
        }
        if drifted.services == 0 {
            return Err(denied(format!("nothing runs in `{from}`")));
        }
        let gone = || {
            denied(format!(
                "the plan of run {} of `{from}` is no longer kept: apply there again",
                last.id
            ))
        };
        let plan = self.runtime.block_on(store.plan_of(from, last.id))?.ok_or_else(gone)?;
        let (snapshot, _) = self.runtime.block_on(store.state(from))?;
        let image = |(addr, service): (&ResourceAddr, &dax_plan::model::AppliedService)| {
            Some((addr.clone(), Name::from(service.values.get(ARTEFACT).and_then(Value::as_str)?)))
        };
        let artefacts: BTreeMap<ResourceAddr, Name> =
            snapshot.services.iter().filter_map(image).collect();
        let whole = json!({ "artefacts": artefacts, "config": plan.sources, "params": plan.params, "project": plan.project });
        let digest = Name::new(blake3::hash(whole.to_string().as_bytes()).to_hex());
        Ok(Bundle {
            from: from.into(),
            run: last.id,
            age: Duration::from_millis(
                store.now_ms().saturating_sub(last.ended_ms.unwrap_or_default()),
            ),
            verified: runs
                .iter()
                .take_while(|run| run.outcome == Some(Outcome::Succeeded))
                .any(|run| run.verified),
            commit: last.commit.clone(),
            config: plan.sources,
            params: plan.params,
            artefacts,
            digest,
        })
    }

    /// Plans what brings a bundle to another environment.
    ///
    /// # Errors
    /// [`EngineError::Denied`] when this program is not the bundle's, or another artefact would come; those of
    /// [`Self::plan`].
    pub fn plan_promotion(
        &self,
        bundle: &Bundle,
        to: &str,
    ) -> Result<(Judged, PlanRequest), EngineError> {
        if *to == *bundle.from {
            return Err(denied(format!("`{to}` has it already")));
        }
        let params = Params {
            values: BTreeMap::new(),
            typed: bundle.params.clone(),
            missing: Missing::Report,
            only: None,
            outputs: BTreeMap::new(),
        };
        let request = PlanRequest {
            environment: to.to_owned(),
            params,
            selection: Selection::default(),
            adopt: None,
        };
        let judged = self.plan(&request)?;
        let plan = &judged.plan;
        if !plan.sources.is_empty() && plan.sources != bundle.config {
            let commit = match &bundle.commit {
                Some(commit) => format!(
                    "check out commit {}, or apply this program to `{}` first",
                    commit.id, bundle.from
                ),
                None => format!("apply this program to `{}` first", bundle.from),
            };
            return Err(denied(format!(
                "this program is not the one that `{}` has proved: {commit}",
                bundle.from
            )));
        }
        for (addr, result) in &plan.result {
            let Some(service) = result else { continue };
            let Some(image) = service.values.get(ARTEFACT).and_then(Value::as_str) else {
                continue;
            };
            match bundle.artefacts.get(addr) {
                Some(proved) if proved == image => {}
                Some(proved) => {
                    return Err(denied(format!(
                        "{addr} would run {image} in `{to}`, and `{}` has proved {proved}",
                        bundle.from
                    )));
                }
                None => {
                    return Err(denied(format!(
                        "{addr} does not run in `{}`, so nothing of it was proved",
                        bundle.from
                    )));
                }
            }
        }
        Ok((judged, request))
    }
}
