//! Kubeconfigs: a person's own is believed, one that a program names may only say what it holds itself.
//!
//! A kubeconfig can name programs to run and files whose content is sent to its server. A checkout can hold one.

use kube::config::{AuthInfo, Kubeconfig};
use std::path::{Path, PathBuf};

/// More than any kubeconfig has.
const LONGEST: u64 = 4 << 20;

/// Whose word a kubeconfig is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// Somebody at the command line.
    Person,
    /// A file of the project.
    Program,
}

/// The kubeconfigs of this person: those of `KUBECONFIG`, or else the default one.
fn own() -> Vec<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").filter(|text| !text.is_empty());
    match named {
        Some(list) => std::env::split_paths(&list).collect(),
        None => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    }
}

/// Reads a kubeconfig for one of its contexts.
///
/// # Errors
/// It cannot be read, or it is a program's and wants something of this machine.
pub(crate) fn read(path: &Path, context: &str, by: NamedBy) -> Result<Kubeconfig, String> {
    let shown = path.display();
    let wrong = |error: &dyn std::fmt::Display| format!("the kubeconfig {shown}: {error}");
    let path = path.canonicalize().map_err(|error| wrong(&error))?;
    let found = std::fs::metadata(&path).map_err(|error| wrong(&error))?;
    if !found.is_file() || found.len() > LONGEST {
        return Err(wrong(&"it is not a regular file of at most 4 MiB"));
    }
    let config =
        Kubeconfig::read_from(&path).map_err(|error| wrong(&crate::connect::chain(&error)))?;
    let is_own = || own().iter().any(|own| own.canonicalize().is_ok_and(|own| own == path));
    if by == NamedBy::Program
        && let Some(what) = user(&config, context).and_then(wants)
        && !is_own()
    {
        return Err(format!(
            "the kubeconfig {shown} {what}, and only the program names it: a program does not choose what runs on this \
             machine or which of its files are sent. If it is yours, say KUBECONFIG={shown}"
        ));
    }
    Ok(config)
}

/// The user of a context.
pub(crate) fn user<'c>(config: &'c Kubeconfig, context: &str) -> Option<&'c AuthInfo> {
    let context = config.contexts.iter().find(|one| one.name == context)?;
    let user = context.context.as_ref()?.user.as_ref()?;
    config.auth_infos.iter().find(|info| info.name == *user)?.auth_info.as_ref()
}

/// What a user needs of this machine beside the kubeconfig itself.
fn wants(user: &AuthInfo) -> Option<&'static str> {
    match () {
        () if user.exec.is_some() => Some("runs a plugin (`exec`)"),
        () if user.auth_provider.is_some() => Some("runs an `auth-provider`"),
        () if user.token_file.is_some() => Some("sends the content of a file (`tokenFile`)"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(user: &str, by: NamedBy) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("way");
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://evil.example'}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\ncontexts: [{{name: one, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(&path, text).unwrap();
        read(&path, "one", by).map(drop)
    }

    #[test]
    fn a_program_names_no_plugin_and_no_file_to_send() {
        let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: id}";
        let provider = "auth-provider: {name: gcp, config: {cmd-path: id}}";
        for (user, word) in
            [(exec, "plugin"), (provider, "auth-provider"), ("tokenFile: /etc/passwd", "tokenFile")]
        {
            let refused = said(user, NamedBy::Program).unwrap_err();
            assert!(refused.contains(word) && refused.contains("KUBECONFIG="), "{refused}");
            said(user, NamedBy::Person).unwrap();
        }
        said("token: inline", NamedBy::Program).unwrap();
        said("username: a, password: b", NamedBy::Program).unwrap();
    }

    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let refused = read(Path::new("/dev/zero"), "one", NamedBy::Program).unwrap_err();
        assert!(refused.contains("not a regular file"), "{refused}");
    }
}
