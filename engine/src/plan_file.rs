//! Saved plans: the plan with its digest, checked when it is read.

use crate::EngineError;
use dax_plan::Plan;
use dax_plan::model::FORMAT_VERSION;
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct PlanFile {
    digest: String,
    plan: Plan,
}

/// Only the version, read first so that a newer file is named as such.
#[derive(Deserialize)]
struct Head {
    plan: Version,
}

#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

/// Writes a plan.
pub(crate) fn write(plan: &Plan, path: &Path) -> Result<(), EngineError> {
    let file = PlanFile { digest: dax_plan::digest::digest(plan), plan: plan.clone() };
    let text = serde_json::to_vec(&file)
        .expect("plan values serialise: no map has keys that are not text");
    std::fs::write(path, text)
        .map_err(|source| EngineError::File { path: path.display().to_string(), source })
}

/// Reads a plan and holds it against its digest.
pub(crate) fn read(path: &Path) -> Result<Plan, EngineError> {
    let shown = path.display().to_string();
    let text =
        std::fs::read(path).map_err(|source| EngineError::File { path: shown.clone(), source })?;
    let wrong = |message: String| EngineError::PlanFile { path: shown.clone(), message };
    let head: Head = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if head.plan.format_version > FORMAT_VERSION {
        return Err(wrong(format!(
            "it was written by a newer dax (format {})",
            head.plan.format_version
        )));
    }
    let file: PlanFile = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if dax_plan::digest::digest(&file.plan) != file.digest {
        return Err(wrong("it was changed after it was written".to_owned()));
    }
    Ok(file.plan)
}
