//! A code host with a runtime of its own, so that synchronous code can talk to it, also from inside
//! of a run.

use crate::{ReviewError, comment, scope};
use dax_provider_api::review::{DeploymentStatus, Remote, SourceControl};
use dax_provider_api::{BoxFuture, ProviderError};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Reaches a code host; nothing comes back for one that is not built in. Called inside of a
/// runtime.
pub type Connect<'c> = &'c dyn Fn(&Remote) -> Result<Option<Arc<dyn SourceControl>>, ProviderError>;

/// A code host that can be asked.
pub struct Forge {
    runtime: Runtime,
    remote: Arc<dyn SourceControl>,
    request: &'static str,
}

impl Forge {
    /// Reaches a code host.
    ///
    /// # Errors
    /// It is not built in, or its address makes no sense.
    pub fn new(remote: &Remote, connect: Connect<'_>) -> Result<Self, ReviewError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime
            .map_err(|source| ReviewError::File { path: "the runtime".to_owned(), source })?;
        let entered = runtime.enter();
        let found = connect(remote)?;
        let request = comment::request(scope::flavour_of(&remote.kind));
        drop(entered);
        let remote = found.ok_or_else(|| {
            ReviewError::Place(format!("`{}` is not built into this dax", remote.kind))
        })?;
        Ok(Self { runtime, remote, request })
    }

    /// The code host's word for a change request.
    pub(crate) fn request(&self) -> &'static str {
        self.request
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Those of the code host.
    pub fn ask<'f, T>(
        &'f self,
        call: impl FnOnce(&'f dyn SourceControl) -> BoxFuture<'f, Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        self.runtime.block_on(call(&*self.remote))
    }

    /// The code host, for questions that need no waiting.
    pub(crate) fn remote(&self) -> &dyn SourceControl {
        &*self.remote
    }

    /// A line of statuses of deployments, told one after the other while something else goes on.
    pub(crate) fn line(&self) -> Line {
        let (sender, mut receiver) = mpsc::unbounded_channel::<DeploymentStatus>();
        let remote = self.remote.clone();
        let task = self.runtime.spawn(async move {
            let mut faults = Vec::new();
            while let Some(status) = receiver.recv().await {
                if let Err(error) = remote.deployed(&status).await {
                    faults.push(error.to_string());
                }
            }
            faults
        });
        Line { sender, task }
    }

    /// Waits until all of a line was told; says what could not be.
    pub(crate) fn finish(&self, line: Line) -> Vec<String> {
        drop(line.sender);
        self.runtime.block_on(line.task).unwrap_or_else(|error| vec![error.to_string()])
    }
}

/// Statuses on their way.
pub(crate) struct Line {
    sender: mpsc::UnboundedSender<DeploymentStatus>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Line {
    /// Tells a status when those before it are told.
    pub(crate) fn tell(&self, status: DeploymentStatus) {
        let _ = self.sender.send(status);
    }
}
