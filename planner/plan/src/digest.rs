//! Canonical bytes and digests: equal values have equal bytes, whatever machine wrote them.

use crate::model::{AppliedService, Plan};
use dax_core::Name;
use serde::Serialize;

/// JSON with sorted keys and no white space; every map of the plan is ordered, so one serialisation is enough.
pub(crate) fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plan values serialise: no map has keys that are not text")
}

/// The digest of a plan: BLAKE3 over its canonical bytes, as 64 hexadecimal digits.
pub fn digest(plan: &Plan) -> String {
    blake3::hash(&canonical(plan)).to_hex().to_string()
}

/// Tells what was applied from anything else; a plan remembers it so that it is noticed when the state has moved on.
pub fn fingerprint(applied: &AppliedService) -> Name {
    Name::new(&blake3::hash(&canonical(applied)).to_hex()[..16])
}
