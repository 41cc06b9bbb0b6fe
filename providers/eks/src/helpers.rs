//! Files and programs by which the library of AWS finds credentials: in a pipeline none that the checkout chooses.
//!
//! A profile can name a program (`credential_process`), an address that requests go to and a file whose content is
//! sent, so a configuration in the checkout is taken for nothing.
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.

use dax_provider_api::checkout::{Checkout, Variable, named_or_home};

/// The variable that names each file, and its place below the home folder.
const FILES: [(&str, &str); 2] =
    [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
/// The setting of a profile that names a program.
const PROCESS: &str = "credential_process";

/// Refuses what the checkout would decide.
///
/// # Errors
/// The text says what, and what to do.
pub(crate) fn check(checkout: &Checkout, variable: Variable<'_>) -> Result<(), String> {
    for (name, below_home) in FILES {
        let Some(path) = named_or_home(variable, name, below_home) else { continue };
        if path.symlink_metadata().is_err() {
            continue;
        }
        let shown = path.display();
        if checkout.contains(&path) {
            return Err(format!(
                "{shown}, which AWS credentials are looked for in ({name}), lies in the checkout of this pipeline: whoever \
                 opens a change request would choose what runs with the job's credentials. Let the job write it outside of \
                 the checkout"
            ));
        }
        let text = std::fs::read(&path).map_err(|error| format!("{shown}: {error}"))?;
        let text = String::from_utf8_lossy(&text);
        if let Some(program) = processes(&text).find(|program| checkout.fills(program)) {
            return Err(format!(
                "{shown}: a profile runs `{program}` ({PROCESS}), and the checkout of this pipeline decides what that is: \
                 name a program outside of it by its whole path"
            ));
        }
    }
    Ok(())
}

/// The programs of profiles.
fn processes(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (name, command) = line.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case(PROCESS) {
            return None;
        }
        let command = command.trim();
        // A shell reads it, so a program can stand in quotes.
        match command.chars().next()? {
            quote @ ('"' | '\'') => command[1..].split(quote).next(),
            _ => command.split_whitespace().next(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn said(config: &str, file: &str) -> Result<(), String> {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(outer.path().join("checkout/.git")).unwrap();
        let path = outer.path().join(file);
        let inner = outer.path().join("checkout").display().to_string();
        std::fs::write(&path, config.replace("CHECKOUT", &inner)).unwrap();
        let variable = |name: &str| -> Option<OsString> {
            match name {
                "GITLAB_CI" => Some("true".into()),
                "AWS_CONFIG_FILE" => Some(path.clone().into()),
                _ => None,
            }
        };
        let checkout = Checkout::new(&outer.path().join("checkout"), &variable).unwrap();
        check(&checkout, &variable)
    }

    #[test]
    fn the_checkout_names_no_profile_and_no_program_of_one() {
        let refused = said("[default]\nregion = eu-west-1\n", "checkout/config").unwrap_err();
        assert!(refused.contains("lies in the checkout of this pipeline"), "{refused}");
        for command in ["CHECKOUT/evil --a", "./evil", "'CHECKOUT/evil' --a", "\"../x y\" z"] {
            let config = format!("[default]\ncredential_process = {command}\n");
            let refused = said(&config, "config").unwrap_err();
            assert!(refused.contains("credential_process"), "{refused}");
        }
        for config in ["[default]\nregion = a\n", "[a]\ncredential_process=/opt/x --b ./c\n"] {
            said(config, "config").unwrap();
        }
    }
}
