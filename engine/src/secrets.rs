//! Secrets: read where they are, fingerprinted with a key of the state, never kept.

use crate::EngineError;
use dax_core::{Code, Diagnostic, Name, SecretPart, SecretRef, Value};
use dax_ir::{Data, Environment, Node};
use std::path::Path;

/// A secret that cannot be read. Explained in docs/diagnostics/DAX7002.md.
pub const NO_SECRET: Code = Code::error(7002, "the secret cannot be read");

/// The value of a secret.
pub(crate) fn read(root: &Path, secret: &SecretRef) -> Result<String, String> {
    let name = &secret.name;
    if !secret.parts.is_empty() {
        let mut text = String::new();
        for part in &secret.parts {
            match part {
                SecretPart::Text(piece) => text.push_str(piece),
                SecretPart::Secret(inner) => text.push_str(&read(root, inner)?),
            }
        }
        return Ok(text);
    }
    let value = match secret.source.as_str() {
        "env" => std::env::var(secret.key.as_str()).map_err(|error| match error {
            std::env::VarError::NotPresent => {
                format!("secret `{name}`: the environment variable `{}` is not set", secret.key)
            }
            std::env::VarError::NotUnicode(_) => {
                format!("secret `{name}`: the environment variable `{}` is not text", secret.key)
            }
        }),
        "file" => crate::files::secret(root, secret.key.as_str()).map_err(|why| {
            format!("secret `{name}`: the file `{}` cannot be read: {why}", secret.key)
        }),
        other => Err(format!("secret `{name}`: the source `{other}` is not built into this dax")),
    }?;
    // What a pipeline gives for a secret that it lacks: with it a service would run that is open to all.
    if value.is_empty() {
        let found = match secret.source.as_str() {
            "env" => format!("the environment variable `{}` is set to nothing", secret.key),
            _ => format!("the file `{}` is empty", secret.key),
        };
        return Err(format!(
            "secret `{name}`: {found}, and an empty secret is none; give it a value, or write `\"\"` in its place where \
             nothing is meant"
        ));
    }
    Ok(value)
}

/// Fills in the fingerprint of every secret of an environment, so that a changed value is a change.
/// The key of fingerprints is asked for, and made where the state has none, when the first secret is met.
pub(crate) fn fingerprint(
    root: &Path,
    own_key: &dyn Fn() -> Result<Key, EngineError>,
    environment: &mut Environment,
) -> Result<Vec<Diagnostic>, EngineError> {
    let mut problems = Vec::new();
    let mut key = None;
    for service in environment.services.values_mut() {
        fill(
            &mut service.desired,
            root,
            &mut || match key {
                Some(key) => Ok(key),
                None => {
                    let read = own_key()?;
                    key = Some(read);
                    Ok(read)
                }
            },
            &mut problems,
        )?;
    }
    Ok(problems)
}

type Key = [u8; 32];

fn fill(
    node: &mut Node,
    root: &Path,
    key: &mut dyn FnMut() -> Result<Key, EngineError>,
    problems: &mut Vec<Diagnostic>,
) -> Result<(), EngineError> {
    match &mut node.data {
        Data::Leaf(Value::Secret(secret)) => match read(root, secret) {
            Ok(value) => {
                let hash = blake3::keyed_hash(&key()?, value.as_bytes()).to_hex();
                secret.fingerprint = Name::new(&hash[..16]);
            }
            Err(message) => problems.push(Diagnostic::new(NO_SECRET, node.origin.span, message)),
        },
        Data::Leaf(_) => {}
        Data::List(items) => {
            items.iter_mut().try_for_each(|item| fill(item, root, key, problems))?
        }
        Data::Map(map) => map.values_mut().try_for_each(|item| fill(item, root, key, problems))?,
    }
    Ok(())
}
