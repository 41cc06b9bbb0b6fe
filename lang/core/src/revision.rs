//! Names of revisions.

use crate::{Name, Value};
use serde::{Deserialize, Serialize};

/// A revision: eight hexadecimal digits of the digest of its fields, so that equal content has one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionId(pub Name);

impl RevisionId {
    /// The name of the revision with these fields.
    pub fn of(spec: &Value) -> Self {
        let canonical =
            serde_json::to_vec(spec).expect("values serialise: no map has keys that are not text");
        let hex = blake3::hash(&canonical).to_hex();
        Self(Name::new(&hex[..8]))
    }
}

impl std::fmt::Display for RevisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
