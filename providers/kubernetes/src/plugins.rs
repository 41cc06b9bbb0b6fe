//! Programs that kubeconfigs run in a pipeline: none that the checkout chooses.
//!
//! A kubeconfig outside of the checkout is the job's own word; the programs that it runs only have to lie
//! outside as well. One inside was written by whoever opened the change request. It runs a plugin only where the job
//! allows that very command line, and the token of the plugin goes only to a server that the job trusts.

use dax_provider_api::checkout::{ALLOWED, Checkout};
use dax_provider_api::trust;
use kube::config::{AuthInfo, Cluster, ExecConfig, Kubeconfig};
use std::path::Path;

/// Variables that a kubeconfig of the checkout may set for a plugin: they choose among what the job has.
const VARIABLES: [&str; 4] =
    ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS"];
/// Characters of a command line in an error.
const LONGEST_SHOWN: usize = 300;

/// Refuses what the checkout would decide; names the program by its path, so that nothing is looked up again.
///
/// # Errors
/// The text says what would run or be sent, and what to do.
pub(crate) fn check(
    config: &mut Kubeconfig,
    context: &str,
    checkout: &Checkout,
    inside: bool,
) -> Result<(), String> {
    let Some((cluster, user)) = parts(config, context) else { return Ok(()) };
    if inside {
        check_inside(&cluster, &user, checkout)?;
    }
    let program = match (&user.exec, &user.auth_provider) {
        (Some(exec), _) => exec.command.clone(),
        (None, Some(provider)) => provider.config.get("cmd-path").cloned(),
        (None, None) => None,
    };
    let Some(command) = program else { return Ok(()) };
    let found = checkout.program(&command).map_err(|why| {
        format!(
            "it runs `{}`, and {why}: in a pipeline no program of the checkout is run; name one outside of it by its \
             whole path",
            shown(&command)
        )
    })?;
    let found = found.to_str().ok_or("the path of its program is no text")?.to_owned();
    let name = config
        .contexts
        .iter()
        .find(|one| one.name == context)
        .and_then(|one| one.context.as_ref()?.user.clone());
    let infos = config.auth_infos.iter_mut();
    for info in infos.filter(|info| Some(&info.name) == name.as_ref()) {
        let Some(user) = &mut info.auth_info else { continue };
        if let Some(exec) = &mut user.exec {
            exec.command = Some(found.clone());
        } else if let Some(provider) = &mut user.auth_provider {
            provider.config.insert("cmd-path".to_owned(), found.clone());
        }
    }
    Ok(())
}

/// The cluster and the user of a context.
fn parts(config: &Kubeconfig, context: &str) -> Option<(Cluster, AuthInfo)> {
    let found = config.contexts.iter().find(|one| one.name == context)?.context.as_ref()?;
    let cluster = config.clusters.iter().find(|one| one.name == found.cluster);
    let cluster = cluster.and_then(|one| one.cluster.clone()).unwrap_or_default();
    let user = crate::kubeconfig::user(config, context).cloned().unwrap_or_default();
    Some((cluster, user))
}

/// What a kubeconfig of the checkout may not want.
fn check_inside(cluster: &Cluster, user: &AuthInfo, checkout: &Checkout) -> Result<(), String> {
    if user.auth_provider.is_some() {
        return Err(refusal("it runs an `auth-provider`"));
    }
    if user.token_file.is_some() {
        return Err(refusal("it sends the content of a file (`tokenFile`)"));
    }
    let files = [
        ("client-certificate", &user.client_certificate),
        ("client-key", &user.client_key),
        ("certificate-authority", &cluster.certificate_authority),
    ];
    for (name, path) in files {
        if path.as_ref().is_some_and(|path| !checkout.contains(Path::new(path))) {
            return Err(refusal(&format!("it reads a file outside of the checkout (`{name}`)")));
        }
    }
    user.exec.as_ref().map_or(Ok(()), |exec| check_plugin(exec, cluster, checkout))
}

fn check_plugin(exec: &ExecConfig, cluster: &Cluster, checkout: &Checkout) -> Result<(), String> {
    let command = exec.command.as_deref().unwrap_or_default();
    let args = exec.args.as_deref().unwrap_or_default();
    let words = std::iter::once(command).chain(args.iter().map(String::as_str));
    let line = words.collect::<Vec<_>>().join(" ");
    let runs = format!("it runs the plugin `{}` (`exec`)", shown(&line));
    if !checkout.allows(command, args.iter().map(String::as_str)) {
        return Err(refusal(&format!(
            "{runs}, which the job does not allow (in {ALLOWED}, this whole command line)"
        )));
    }
    let set = exec.env.iter().flatten().filter_map(|pair| pair.get("name"));
    if let Some(name) = set.into_iter().find(|name| !VARIABLES.contains(&name.as_str())) {
        return Err(refusal(&format!("{runs} and sets {} for it", shown(name))));
    }
    let server = cluster.server.as_deref().unwrap_or_default();
    if !trust::is_trusted(server, &|_| false) {
        return Err(refusal(&format!(
            "{runs} for a token that goes to {}, which the job does not trust (in {})",
            shown(server),
            trust::VARIABLE
        )));
    }
    if cluster.proxy_url.is_some() || cluster.insecure_skip_tls_verify == Some(true) {
        return Err(refusal(&format!(
            "{runs} for a token that others than its server would see (`proxy-url`, `insecure-skip-tls-verify`)"
        )));
    }
    Ok(())
}

fn refusal(what: &str) -> String {
    format!(
        "{what}, and it lies in the checkout of this pipeline: whoever opens a change request would choose what runs with \
         the job's credentials. Nothing was run. Let the job write a kubeconfig outside of the checkout and name it in \
         KUBECONFIG"
    )
}

/// A text of the checkout for an error: bounded, in one line.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_SHOWN).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", dax_core::printable::Line::new(&short))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeconfig::{NamedBy, read};
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;

    /// A machine with a checkout and a program in it, and one outside.
    struct World {
        outer: tempfile::TempDir,
        allowed: String,
    }

    impl World {
        fn new(allowed: &str) -> Self {
            let outer = tempfile::tempdir().unwrap();
            for folder in ["checkout/.git", "bin"] {
                std::fs::create_dir_all(outer.path().join(folder)).unwrap();
            }
            for program in ["checkout/evil", "bin/token"] {
                let path = outer.path().join(program);
                std::fs::write(&path, "#!/bin/sh\n").unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self { outer, allowed: allowed.to_owned() }
        }

        fn checkout(&self) -> Checkout {
            let variable = |name: &str| -> Option<OsString> {
                match name {
                    "GITHUB_ACTIONS" => Some("true".into()),
                    "PATH" => Some(self.outer.path().join("bin").into()),
                    ALLOWED => Some(self.allowed.clone().into()),
                    _ => None,
                }
            };
            Checkout::new(&self.outer.path().join("checkout"), &variable).unwrap()
        }

        /// Reads a kubeconfig in a folder of the machine; gives the program that it would run.
        fn read(&self, folder: &str, cluster: &str, user: &str) -> Result<Option<String>, String> {
            let path = self.outer.path().join(folder).join("way");
            let text = format!(
                "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://evil.example'{cluster}}}}}]\n\
                 users: [{{name: u, user: {{{user}}}}}]\ncontexts: [{{name: one, context: {{cluster: c, user: u}}}}]\n"
            );
            std::fs::write(&path, text).unwrap();
            let config = read(&path, "one", NamedBy::Person, Some(&self.checkout()))?;
            let user = crate::kubeconfig::user(&config, "one").cloned().unwrap_or_default();
            Ok(user.exec.and_then(|exec| exec.command))
        }
    }

    fn exec(command: &str, more: &str) -> String {
        format!("exec: {{apiVersion: client.authentication.k8s.io/v1, command: {command}{more}}}")
    }

    #[test]
    fn a_kubeconfig_of_the_checkout_runs_and_sends_nothing_of_the_machine() {
        let world = World::new("");
        for (user, why) in [
            (exec("sh", ", args: [-c, env]").as_str(), "it runs the plugin `sh -c env`"),
            (&exec("token", ""), "which the job does not allow (in DAX_ALLOW_EXEC"),
            (&exec("./evil", ""), "/checkout/./evil"),
            ("auth-provider: {name: gcp, config: {cmd-path: id}}", "auth-provider"),
            ("tokenFile: /proc/self/environ", "tokenFile"),
            ("client-certificate: /etc/hostname, client-key: /etc/hostname", "client-certificate"),
        ] {
            let refused = world.read("checkout", "", user).unwrap_err();
            assert!(refused.contains(why) && refused.contains("KUBECONFIG"), "{refused}");
        }
        let refused = world.read("checkout", ", certificate-authority: /etc/passwd", "token: a");
        assert!(refused.unwrap_err().contains("certificate-authority"));
        let inner = "client-certificate: a.crt, client-key: a.key";
        for user in ["token: inline", "username: a, password: b", inner] {
            assert_eq!(world.read("checkout", ", certificate-authority: ca.crt", user), Ok(None));
        }
    }

    #[test]
    fn what_a_job_allows_sends_no_token_where_the_job_says_nothing() {
        let world = World::new("token --for shop");
        let args = ", args: [--for, shop]";
        let refused = world.read("checkout", "", &exec("token", args)).unwrap_err();
        assert!(
            refused.contains("https://evil.example, which the job does not trust"),
            "{refused}"
        );
        let preload = format!("{args}, env: [{{name: LD_PRELOAD, value: /x.so}}]");
        let refused = world.read("checkout", "", &exec("token", &preload)).unwrap_err();
        assert!(refused.contains("sets LD_PRELOAD"), "{refused}");
    }

    #[test]
    fn a_kubeconfig_of_the_job_runs_programs_outside_of_the_checkout_by_their_path() {
        let world = World::new("");
        let token = world.outer.path().join("bin/token").display().to_string();
        for command in ["token", &token] {
            assert_eq!(world.read("bin", "", &exec(command, "")), Ok(Some(token.clone())));
        }
        let evil = world.outer.path().join("checkout/evil").display().to_string();
        let provider = format!("auth-provider: {{name: gcp, config: {{cmd-path: '{evil}'}}}}");
        for user in [exec(&evil, ""), exec("../checkout/evil", ""), exec("evil", ""), provider] {
            let refused = world.read("bin", "", &user).unwrap_err();
            assert!(
                refused.contains("in a pipeline no program of the checkout is run"),
                "{refused}"
            );
        }
        assert_eq!(world.read("bin", "", "tokenFile: /etc/hostname"), Ok(None));
    }
}
