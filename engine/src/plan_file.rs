//! Saved plans: written with a digest and, where the state has a key, a seal; proved when they are read.

use crate::{Engine, EngineError};
use dax_core::printable::Text;
use dax_plan::Plan;
use dax_plan::model::{FORMAT_VERSION, Mode};
use dax_plan::proof;
use dax_store::Key;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// No plan is larger: one of a hundred thousand services has some 200 MB.
const MOST_BYTES: u64 = 1 << 30;
/// For which use of the state's key the key of the seals is derived.
const SEALING: &str = "dax saved plans 2026 seal";

#[derive(Serialize, Deserialize)]
struct PlanFile {
    digest: String,
    /// A keyed hash of the digest: whoever wrote it has the key of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
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

/// A plan as a file has it, proved.
pub(crate) struct Saved {
    /// The plan.
    pub(crate) plan: Plan,
    /// Whether it bears the seal of this state's key.
    pub(crate) sealed: bool,
}

/// The seal of a digest; none with a key that only reads.
fn seal(key: &Key, digest: &str) -> Option<blake3::Hash> {
    Some(blake3::keyed_hash(&key.derive(SEALING)?, digest.as_bytes()))
}

/// Writes a plan.
pub(crate) fn write(plan: &Plan, key: Option<&Key>, path: &Path) -> Result<(), EngineError> {
    dax_files::write_given(path, &bytes(plan, key))
        .map_err(|source| EngineError::File { path: shown(path), source })
}

/// Content of a plan's file.
fn bytes(plan: &Plan, key: Option<&Key>) -> Vec<u8> {
    let digest = dax_plan::digest::digest(plan);
    let mac = key.and_then(|key| Some(seal(key, &digest)?.to_hex().to_string()));
    let file = PlanFile { digest, mac, plan: plan.clone() };
    let text = serde_json::to_string(&file)
        .expect("plan values serialise: no map has keys that are not text");
    Text::json(&text).as_str().as_bytes().to_vec()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Reads a plan: its digest, its seal where there is a key, and everything that can be derived from it.
pub(crate) fn read(path: &Path, key: Option<&Key>) -> Result<Saved, EngineError> {
    let file = |source| EngineError::File { path: shown(path), source };
    let text = dax_files::read_given(path, MOST_BYTES)
        .and_then(|found| found.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
        .map_err(file)?;
    parse(&text, key).map_err(|message| EngineError::PlanFile { path: shown(path), message })
}

/// Reads the text of a plan file.
///
/// # Errors
/// What is wrong with it, with the field.
pub(crate) fn parse(text: &[u8], key: Option<&Key>) -> Result<Saved, String> {
    let head: Head = json(text)?;
    if head.plan.format_version > FORMAT_VERSION {
        return Err(format!("it was written by a newer dax (format {})", head.plan.format_version));
    }
    if head.plan.format_version < FORMAT_VERSION {
        return Err(format!(
            "it was written by an earlier dax (format {}): plan again",
            head.plan.format_version
        ));
    }
    let PlanFile { digest, mac, plan } = json(text)?;
    if dax_plan::digest::digest(&plan) != digest {
        return Err("it was changed after it was written".to_owned());
    }
    let sealed = match key.and_then(|key| seal(key, &digest)).zip(mac) {
        None => false,
        Some((seal, mac)) => {
            // Hashes compare in constant time.
            if blake3::Hash::from_hex(&mac).ok() != Some(seal) {
                return Err("it was not made with the key of this state".to_owned());
            }
            true
        }
    };
    if plan.mode != Mode::Apply {
        return Err("`plan.mode` is not `apply`, and only such plans are saved".to_owned());
    }
    match proof::prove(&plan).first() {
        None => Ok(Saved { plan, sealed }),
        Some(unsound) => Err(format!("`plan.{}` {}", unsound.field, unsound.message)),
    }
}

/// Reads JSON; an error names the field and its place.
fn json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.into_inner());
        match (error.classify(), path.as_str()) {
            (serde_json::error::Category::Data, ".") => error.to_string(),
            (serde_json::error::Category::Data, path) => format!("`{path}`: {error}"),
            (_, _) => format!("it is no JSON: {error}"),
        }
    })?;
    reader.end().map_err(|error| format!("something stands behind it: {error}"))?;
    Ok(value)
}

impl Engine {
    /// The key that the state is sealed with, if it is.
    fn sealing_key(&self) -> Result<Option<Key>, EngineError> {
        let wrong = |message| EngineError::NoKey { message };
        self.state.key.as_deref().map(Key::parse).transpose().map_err(wrong)
    }

    /// The key that reads the sealed state and writes nothing but what reviewers are shown, for jobs
    /// that only plan; none where the state has no key.
    ///
    /// # Errors
    /// The state's key is none.
    pub fn reading_key(&self) -> Result<Option<String>, EngineError> {
        Ok(self.sealing_key()?.map(|key| key.reading()))
    }

    /// Saves a plan, sealed where the state has a key.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_plan(&self, plan: &Plan, path: &Path) -> Result<(), EngineError> {
        write(plan, self.sealing_key()?.as_ref(), path)
    }

    /// Content of a plan's file, sealed where the state has a key, for whoever writes it into a folder of its own.
    ///
    /// # Errors
    /// The state's key is none.
    pub fn plan_bytes(&self, plan: &Plan) -> Result<Vec<u8>, EngineError> {
        Ok(bytes(plan, self.sealing_key()?.as_ref()))
    }

    /// Reads a saved plan to show it.
    ///
    /// # Errors
    /// The file cannot be read, is no plan, was changed, or says something that no planner would.
    pub fn open_plan(&self, path: &Path) -> Result<Plan, EngineError> {
        Ok(read(path, self.sealing_key()?.as_ref())?.plan)
    }

    /// Reads a saved plan to carry it out.
    ///
    /// # Errors
    /// Those of [`Self::open_plan`]; nobody vouches for it, or the program says something else.
    pub fn open_plan_to_apply(
        &self,
        path: &Path,
        expect: Option<&str>,
    ) -> Result<Plan, EngineError> {
        let key = self.sealing_key()?;
        let Saved { plan, sealed } = read(path, key.as_ref())?;
        let wrong = |message: String| EngineError::PlanFile { path: shown(path), message };
        let project = dax_project::read_manifest(&crate::files::Disk::new(&self.root))?.project;
        if plan.project != project {
            let message =
                format!("it is one of the project `{}`, and this is `{project}`", plan.project);
            return Err(wrong(message));
        }
        if let Some(digits) = expect {
            expected(digits, &plan)?;
        }
        if sealed || expect.is_some_and(is_vouching) {
            return Ok(plan);
        }
        if key.is_some() {
            let digest = dax_plan::digest::digest(&plan);
            return Err(wrong(format!(
                "it bears no seal, and this state has a key: make it again with `dax plan -o`, or let somebody who \
                 has read it say `--expect {digest}`"
            )));
        }
        self.nothing_waits(&plan.environment)?;
        self.hold_against_program(&plan)?;
        Ok(plan)
    }
}

/// So many digits of a digest name one plan and no other.
const VOUCHING: usize = 32;

/// Reports whether the digits that somebody gives name one plan and no other, so that they approve it.
pub fn is_vouching(expected: &str) -> bool {
    expected.len() >= VOUCHING
}

/// Makes sure that a plan is the one that somebody expects.
///
/// # Errors
/// [`EngineError::OtherDigest`] where its digest is another and does not begin so.
pub fn expected(expected: &str, plan: &Plan) -> Result<(), EngineError> {
    let found = dax_plan::digest::digest(plan);
    if !expected.is_empty() && found.starts_with(expected) {
        return Ok(());
    }
    Err(EngineError::OtherDigest { expected: expected.to_owned(), found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_with_its_field() {
        let wrong = |text: &str| parse(text.as_bytes(), None).err().unwrap_or_default();
        let lacks = wrong(r#"{"digest": "", "plan": {"format_version": 2, "project": "p"}}"#);
        assert!(lacks.starts_with("`plan`: missing field `environment`"), "{lacks}");
        let deep = r#"{"digest":"","plan":{"format_version":2,"project":"p","environment":"e","mode":"apply","params":{},
            "sources":"","base":{"lineage":"","serial":-1}}}"#;
        assert!(wrong(deep).starts_with("`plan.base.serial`: "), "{}", wrong(deep));
        assert!(wrong("{").starts_with("it is no JSON"), "{}", wrong("{"));
        let newer = r#"{"digest":"","plan":{"format_version":99}}"#;
        assert!(wrong(newer).contains("newer dax"), "{}", wrong(newer));
        let former = r#"{"digest":"","plan":{"format_version":1}}"#;
        assert!(wrong(former).contains("earlier dax"), "{}", wrong(former));
    }
}
