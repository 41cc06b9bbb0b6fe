//! A run as a code host shows it: a deployment, and how it stands.
//!
//! A plan that was approved is queued; whoever holds the lease runs it; a step that waits for a
//! person is pending; what was taken back failed, and what runs again instead is a deployment of
//! its own, so that the time it took to recover is to be read off the record.

use crate::Forge;
use crate::comment::short;
use crate::forge::Line;
use crate::place::Place;
use dax_engine::{EngineError, Finished, Outcome, Plan, Progress, StoreError, Told, printable};
use dax_provider_api::review::{Deployment, DeploymentState, DeploymentStatus};

/// A deployment that is under way.
pub(crate) struct Deploying<'d> {
    forge: &'d Forge,
    place: &'d Place,
    line: Line,
    deployment: Deployment,
    id: Option<String>,
    /// Remarks about what could not be recorded.
    pub(crate) remarks: Vec<String>,
}

/// Reports whether an environment is what users see, by its name.
fn production(environment: &str) -> bool {
    environment.starts_with("prod") || environment == "live"
}

impl<'d> Deploying<'d> {
    /// Records that a plan is about to be carried out.
    pub(crate) fn queue(
        forge: &'d Forge,
        place: &'d Place,
        environment: String,
        plan: &Plan,
        digest: &str,
    ) -> Self {
        let deployment = Deployment {
            commit: place.commit.clone(),
            branch: place.branch.clone(),
            description: format!("{} changes, plan {}", plan.changes.len(), &digest[..12]),
            production: production(&plan.environment),
            transient: dax_engine::keyed(&plan.environment).1.is_some(),
            environment,
        };
        let mut deploying =
            Self { forge, place, line: forge.line(), deployment, id: None, remarks: Vec::new() };
        match forge.ask(|remote| remote.deploy(&deploying.deployment)) {
            Ok(id) => deploying.id = id,
            // What runs is more than what is recorded of it: the plan is carried out all the same.
            Err(error) => deploying.remarks.push(error.to_string()),
        }
        deploying.tell(DeploymentState::Queued, "approved, waiting for the environment", None);
        deploying
    }

    fn tell(&self, state: DeploymentState, description: &str, url: Option<String>) {
        let Some(id) = &self.id else { return };
        self.line.tell(DeploymentStatus {
            deployment: id.clone(),
            state,
            description: printable::Line::new(description).to_string(),
            url,
            log: self.place.url.clone(),
        });
    }

    /// Hears what happens.
    pub(crate) fn hear(&self, told: &Told) {
        match told {
            Told::Begins => self.tell(DeploymentState::Running, "under way", None),
            Told::Progress(Progress::Awaits(step)) => {
                self.tell(DeploymentState::Pending, &format!("step {step} waits for people"), None)
            }
            Told::Progress(Progress::Open(step, _)) => {
                self.tell(
                    DeploymentState::Pending,
                    &format!("step {step} waits for somebody to decide"),
                    None,
                );
            }
            Told::Progress(Progress::Approved(..)) => {
                self.tell(DeploymentState::Running, "under way again", None)
            }
            Told::Progress(_) | Told::Ends(_) => {}
        }
    }

    /// Records how it ended; gives what could not be recorded.
    pub(crate) fn end(
        mut self,
        finished: Result<&Finished, &EngineError>,
        restored: Option<&str>,
    ) -> Vec<String> {
        match finished {
            // Somebody else applies or did in between: nothing went wrong, and nothing was done.
            Err(EngineError::Stale { .. } | EngineError::Store(StoreError::Held { .. })) => {
                self.tell(DeploymentState::Inactive, "another run came first", None);
            }
            Err(error) => self.tell(DeploymentState::Broken, &error.to_string(), None),
            Ok(finished) => match &finished.outcome {
                Outcome::Succeeded => {
                    let url = finished.urls.first().map(|(_, url)| url.to_string());
                    self.tell(
                        DeploymentState::Succeeded,
                        &format!("run {} is done", finished.run),
                        url,
                    );
                    self.rest();
                }
                Outcome::RolledBack { message, .. } => {
                    self.tell(DeploymentState::Failed, &format!("taken back: {message}"), None);
                    if let Some(commit) = restored {
                        self.restore(commit);
                    }
                }
                Outcome::Held { message, .. } => self.tell(DeploymentState::Pending, message, None),
                Outcome::Stuck { message, .. }
                | Outcome::Diverged { message }
                | Outcome::Abandoned { message } => {
                    self.tell(DeploymentState::Broken, message, None)
                }
                Outcome::Interrupted => {
                    self.tell(DeploymentState::Broken, "interrupted: it can be carried on", None)
                }
            },
        }
        let mut remarks = self.remarks;
        remarks.extend(self.forge.finish(self.line));
        remarks
    }

    /// Says of earlier deployments that they run no more.
    fn rest(&mut self) {
        match self.forge.ask(|remote| remote.running(&self.deployment.environment)) {
            Ok(running) => {
                for id in running.into_iter().filter(|id| Some(id) != self.id.as_ref()) {
                    let description = format!("commit {} runs now", short(&self.deployment.commit));
                    self.line.tell(DeploymentStatus {
                        deployment: id,
                        state: DeploymentState::Inactive,
                        description,
                        url: None,
                        log: None,
                    });
                }
            }
            Err(error) => self.remarks.push(error.to_string()),
        }
    }

    /// Records that what ran before runs again.
    fn restore(&mut self, commit: &str) {
        let description =
            format!("restored after commit {} failed", short(&self.deployment.commit));
        let again = Deployment {
            commit: commit.to_owned(),
            description: description.clone(),
            ..self.deployment.clone()
        };
        match self.forge.ask(|remote| remote.deploy(&again)) {
            Ok(None) => {}
            Ok(Some(id)) => {
                let log = self.place.url.clone();
                self.line.tell(DeploymentStatus {
                    deployment: id.clone(),
                    state: DeploymentState::Succeeded,
                    description,
                    url: None,
                    log,
                });
                self.id = Some(id);
                self.rest();
            }
            Err(error) => self.remarks.push(error.to_string()),
        }
    }
}

/// Says of all deployments of an environment that they run no more.
pub(crate) fn gone(forge: &Forge, environment: &str) -> Vec<String> {
    let running = match forge.ask(|remote| remote.running(environment)) {
        Ok(running) => running,
        Err(error) => return vec![error.to_string()],
    };
    let line = forge.line();
    for id in running {
        let description = "the environment is gone".to_owned();
        line.tell(DeploymentStatus {
            deployment: id,
            state: DeploymentState::Inactive,
            description,
            url: None,
            log: None,
        });
    }
    forge.finish(line)
}
