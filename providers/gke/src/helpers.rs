//! Files and programs by which the library of Google Cloud finds credentials: in a pipeline none that the checkout
//! chooses.
//!
//! Pipelines often write the file into the checkout, so it may lie there. What it says must then be harmless whoever
//! wrote it: it runs nothing, and only Google gets what it makes the library read.
//! Source: <https://google.aip.dev/auth/4117>.

use dax_provider_api::checkout::{Checkout, Variable, named_or_home};
use dax_provider_api::trust;
use serde_json::Value as Json;

/// The variable that names the file, and its place below the home folder.
const FILE: (&str, &str) =
    ("GOOGLE_APPLICATION_CREDENTIALS", ".config/gcloud/application_default_credentials.json");
/// Addresses in it that a credential is sent to, at whatever depth: the library reads
/// `source_credentials` as credentials again.
const ADDRESSES: [&str; 4] =
    ["token_url", "token_uri", "token_info_url", "service_account_impersonation_url"];

/// Refuses what the checkout would decide.
///
/// # Errors
/// The text says what, and what to do.
pub(crate) fn check(checkout: &Checkout, variable: Variable<'_>) -> Result<(), String> {
    let Some(path) = named_or_home(variable, FILE.0, FILE.1) else { return Ok(()) };
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let shown = path.display();
    let text = std::fs::read(&path).map_err(|error| format!("{shown}: {error}"))?;
    // What is no JSON is refused by the library, with its own words.
    let file: Json = serde_json::from_slice(&text).unwrap_or_default();
    let (mut programs, mut addresses) = (Vec::new(), Vec::new());
    walk(&file, &mut |name, text| match name {
        "command" => programs.extend(text.split_whitespace().next()),
        _ if ADDRESSES.contains(&name) => addresses.push((name, text)),
        _ => {}
    });
    let inside = checkout.contains(&path);
    if let Some(program) = programs.into_iter().find(|one| inside || checkout.fills(one)) {
        return Err(format!(
            "{shown} runs `{}` for credentials, and the checkout of this pipeline decides what that is: whoever opens a \
             change request would choose what runs with the job's credentials. Let the job write the file outside of the \
             checkout, with the whole path of a program outside of it",
            dax_core::printable::Line::new(program)
        ));
    }
    let address = addresses.into_iter().find(|(_, url)| !trust::is_trusted(url, &is_google));
    if let Some((name, url)) = address.filter(|_| inside) {
        return Err(format!(
            "{shown} lies in the checkout of this pipeline and sends credentials to {} (`{}`), which is not Google's: let \
             the job write the file outside of the checkout; if the address is meant, say {}={}",
            dax_core::printable::Line::new(url),
            name,
            trust::VARIABLE,
            dax_core::printable::Line::new(url)
        ));
    }
    Ok(())
}

/// Shows each text of a document with the name under which it stands.
fn walk<'j>(json: &'j Json, see: &mut dyn FnMut(&'j str, &'j str)) {
    match json {
        Json::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Json::String(text) => see(name, text),
            other => walk(other, see),
        }),
        Json::Array(items) => items.iter().for_each(|item| walk(item, see)),
        _ => {}
    }
}

fn is_google(host: &str) -> bool {
    host == "googleapis.com" || host.ends_with(".googleapis.com")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn said(text: &str, file: &str) -> Result<(), String> {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(outer.path().join("checkout/.git")).unwrap();
        let path = outer.path().join(file);
        let inner = outer.path().join("checkout").display().to_string();
        std::fs::write(&path, text.replace("CHECKOUT", &inner)).unwrap();
        let variable = |name: &str| -> Option<OsString> {
            match name {
                "GITHUB_ACTIONS" => Some("true".into()),
                "GOOGLE_APPLICATION_CREDENTIALS" => Some(path.clone().into()),
                _ => None,
            }
        };
        let checkout = Checkout::new(&outer.path().join("checkout"), &variable).unwrap();
        check(&checkout, &variable)
    }

    /// A file as `google-github-actions/auth` writes it, with another part.
    fn file(token_url: &str, source: &str) -> String {
        format!(
            r#"{{"type": "external_account", "token_url": "{token_url}", "credential_source": {{{source}}}}}"#
        )
    }

    #[test]
    fn a_file_in_the_checkout_runs_nothing_and_sends_to_google_alone() {
        let google = "https://sts.googleapis.com/v1/token";
        let url = r#""url": "https://token.actions.githubusercontent.com/x""#;
        said(&file(google, url), "checkout/gha-creds.json").unwrap();
        let environ = r#""file": "/proc/self/environ""#;
        for wrong in [
            "https://evil.example/v1/token",
            "https://evilgoogleapis.com",
            "http://sts.googleapis.com",
        ] {
            let refused = said(&file(wrong, environ), "checkout/creds.json").unwrap_err();
            assert!(refused.contains("not Google's"), "{refused}");
            // The job's own file says what it likes.
            said(&file(wrong, environ), "creds.json").unwrap();
        }
        let runs =
            |command: &str| file(google, &format!(r#""executable": {{"command": "{command}"}}"#));
        for (text, place) in [
            (runs("/usr/bin/env"), "checkout/creds.json"),
            (runs("CHECKOUT/evil --a"), "creds.json"),
            (runs("./evil"), "creds.json"),
        ] {
            let refused = said(&text, place).unwrap_err();
            assert!(refused.contains("decides what that is"), "{refused}");
        }
        // The library reads what is inside as credentials again.
        let within = |inner: &str| {
            format!(r#"{{"type": "impersonated_service_account", "source_credentials": {inner}}}"#)
        };
        let deep = within(&file("https://evil.example/v1/token", environ));
        assert!(said(&deep, "checkout/creds.json").unwrap_err().contains("not Google's"));
        let deep = within(&runs("/usr/bin/env"));
        assert!(said(&deep, "checkout/creds.json").unwrap_err().contains("decides what that is"));
        said(&runs("/opt/token --for shop"), "creds.json").unwrap();
        said("no json", "checkout/creds.json").unwrap();
    }
}
