//! Kubeconfigs: a person's own is believed, one that a program names may only say what it holds itself.
//!
//! A kubeconfig can name programs to run and files whose content is sent to its server. A checkout can hold one.

use crate::plugins;
use dax_provider_api::checkout::Checkout;
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
/// It cannot be read, is a program's and wants something of this machine, or lets a checkout decide what runs.
pub(crate) fn read(
    path: &Path,
    context: &str,
    by: NamedBy,
    checkout: Option<&Checkout>,
) -> Result<Kubeconfig, String> {
    let shown = path.display();
    let wrong = |error: &dyn std::fmt::Display| format!("the kubeconfig {shown}: {error}");
    let real = path.canonicalize().map_err(|error| wrong(&error))?;
    let found = std::fs::metadata(&real).map_err(|error| wrong(&error))?;
    if !found.is_file() || found.len() > LONGEST {
        return Err(wrong(&"it is not a regular file of at most 4 MiB"));
    }
    let mut config =
        Kubeconfig::read_from(&real).map_err(|error| wrong(&crate::connect::chain(&error)))?;
    if let Some(checkout) = checkout {
        // Also a link of the checkout that leads to a file outside of it: the checkout chose it.
        let inside = checkout.contains(path) || checkout.contains(&real);
        plugins::check(&mut config, context, checkout, inside).map_err(|error| wrong(&error))?;
        if inside {
            return Ok(config);
        }
    }
    let is_own = || own().iter().any(|own| own.canonicalize().is_ok_and(|own| own == real));
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

/// Reads the kubeconfigs of this person for a context.
///
/// # Errors
/// They cannot be read, or one of them lets a checkout decide what runs.
pub(crate) fn read_own(context: &str, checkout: Option<&Checkout>) -> Result<Kubeconfig, String> {
    let mut config = Kubeconfig::read().map_err(|error| crate::connect::chain(&error))?;
    if let Some(checkout) = checkout {
        // Merged, nobody knows any more which file a user came from.
        let inside = own().into_iter().find(|path| checkout.contains(path));
        let named = |path: &PathBuf| format!("the kubeconfig {} (KUBECONFIG)", path.display());
        let shown = inside.as_ref().map_or_else(|| "the kubeconfig".to_owned(), named);
        plugins::check(&mut config, context, checkout, inside.is_some())
            .map_err(|error| format!("{shown}: {error}"))?;
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
        read(&path, "one", by, None).map(drop)
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
        let refused = read(Path::new("/dev/zero"), "one", NamedBy::Program, None).unwrap_err();
        assert!(refused.contains("not a regular file"), "{refused}");
    }
}
