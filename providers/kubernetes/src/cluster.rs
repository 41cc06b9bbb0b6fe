//! A cluster as one process knows it: its API, and what need not be asked again.

use crate::api::Api;
use crate::watching::Views;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// A cluster.
pub(crate) struct Cluster {
    pub(crate) api: Arc<Api>,
    /// What is watched.
    pub(crate) views: Views,
    /// Namespaces that are there.
    pub(crate) namespaces: tokio::sync::Mutex<BTreeSet<String>>,
    /// Generations of what holds pods as they were written last, by namespace and name.
    pub(crate) generations: Mutex<BTreeMap<(String, String), i64>>,
}

impl std::ops::Deref for Cluster {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}
