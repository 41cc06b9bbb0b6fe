//! Secrets: read where they are, fingerprinted with a key of the project, never kept.

use crate::files;
use dax_core::{Code, Diagnostic, Name, SecretPart, SecretRef, Value};
use dax_ir::{Data, Environment, Node};
use std::io::Read;
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
    match secret.source.as_str() {
        "env" => std::env::var(secret.key.as_str()).map_err(|error| match error {
            std::env::VarError::NotPresent => {
                format!("secret `{name}`: the environment variable `{}` is not set", secret.key)
            }
            std::env::VarError::NotUnicode(_) => {
                format!("secret `{name}`: the environment variable `{}` is not text", secret.key)
            }
        }),
        "file" => std::fs::read_to_string(root.join(secret.key.as_str()))
            .map(|text| text.strip_suffix('\n').unwrap_or(&text).to_owned())
            .map_err(|error| {
                format!("secret `{name}`: the file `{}` cannot be read: {error}", secret.key)
            }),
        other => Err(format!("secret `{name}`: the source `{other}` is not built into this dax")),
    }
}

/// Fills in the fingerprint of every secret of an environment, so that a changed value is a change.
pub(crate) fn fingerprint(
    root: &Path,
    folder: &Path,
    environment: &mut Environment,
) -> std::io::Result<Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut key = None;
    for service in environment.services.values_mut() {
        fill(
            &mut service.desired,
            root,
            &mut || match key {
                Some(key) => Ok(key),
                None => {
                    let read = project_key(folder)?;
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
    key: &mut dyn FnMut() -> std::io::Result<Key>,
    problems: &mut Vec<Diagnostic>,
) -> std::io::Result<()> {
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

/// The key of the project's fingerprints, made on first use and readable by this user only.
fn project_key(folder: &Path) -> std::io::Result<Key> {
    files::private_folder(folder)?;
    let path = folder.join("fingerprint.key");
    let mut key = [0; 32];
    match std::fs::File::open(&path) {
        Ok(mut file) => file.read_exact(&mut key)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
            let mut options = std::fs::File::options();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            std::io::Write::write_all(&mut options.open(&path)?, &key)?;
        }
        Err(error) => return Err(error),
    }
    Ok(key)
}
