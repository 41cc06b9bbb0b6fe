//! Signatures of approvals, made and checked by OpenSSH (`ssh-keygen -Y`).
//!
//! An approval in the state is worth as much as write access to the state. A signature makes it worth a
//! private key instead: the allowed signers come from a protected branch, and whoever can only write rows
//! signs nothing. The keys are those that people have anyway, also in an agent or on a token.
//!
//! Sources: ssh-keygen(1), section "ALLOWED SIGNERS";
//! <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig>.

use crate::command::output_within;
use dax_core::printable::Line;
use dax_plan::StepId;
use serde::Serialize;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

mod principals;
pub(crate) use principals::Principals;

/// Purpose of the signatures: one made for a commit or a file is none for an approval.
pub const NAMESPACE: &str = "dax-approval";
/// Longest time for a signature: somebody may be asked for a passphrase, or to touch a token.
const SIGNING: Duration = Duration::from_mins(2);
/// Longest time for checking one.
const VERIFYING: Duration = Duration::from_secs(20);
/// Longest signature, in bytes; one with a certificate has about 3 KiB.
const LONGEST_SIGNATURE: usize = 64 << 10;
/// Longest file of allowed signers, in bytes.
const LONGEST_SIGNERS: usize = 4 << 20;

/// Content of an approval that its signature covers.
///
/// Groups are left out: who is a member is found out when the approval is counted, and is nobody's claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The lineage of the state, so that it holds for no other one with the same names.
    pub lineage: &'a str,
    /// The digest of the plan, of 64 digits.
    pub digest: &'a str,
    /// The step; the plan as a whole without one.
    pub step: Option<StepId>,
    /// The principal who approves.
    pub by: &'a str,
    /// The time of the approval, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Statement<'_> {
    /// Canonical bytes: one line of JSON, the fields in their order, each of them always there.
    pub fn message(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            dax_approval: u32,
            #[serde(flatten)]
            statement: &'a Statement<'a>,
        }
        let versioned = Versioned { dax_approval: 1, statement: self };
        let mut bytes = serde_json::to_vec(&versioned).expect("texts and numbers are JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// Signs a message with a private key, or with the agent's half of a public key (`….pub`).
///
/// # Errors
/// There is no `ssh-keygen`, or it does not sign: the text says why and what helps.
pub fn sign(key: &Path, message: &[u8]) -> Result<String, String> {
    let shown = key.display().to_string();
    if !key.is_file() {
        let what = if key.exists() { "that is no file" } else { "there is no such file" };
        return Err(format!(
            "the key {}: {what}; pass a private key, or a public key whose private half is in ssh-agent",
            Line::new(&shown)
        ));
    }
    // A path that begins with `-` is no option.
    let key = std::path::absolute(key).map_err(|error| format!("the key {shown}: {error}"))?;
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(&key).stderr(Stdio::piped());
    let output = run(&mut command, message, SIGNING)?;
    let signature = String::from_utf8(output.stdout).unwrap_or_default();
    if !output.status.success() || !signature.starts_with("-----BEGIN SSH SIGNATURE-----") {
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("incorrect passphrase") {
            return Err(format!(
                "the key {0} is locked by a passphrase, and no right one was given: add it to ssh-agent with `ssh-add {0}`",
                Line::new(&shown)
            ));
        }
        return Err(format!(
            "ssh-keygen does not sign with the key {}: {}; of a public key the private half must be in ssh-agent (`ssh-add -l` lists them)",
            Line::new(&shown),
            complaint(&output.stderr)
        ));
    }
    Ok(signature)
}

/// Checks a signature against allowed signers, the text of a file as ssh-keygen(1) describes it.
///
/// `at_ms` is the time for which keys must be valid (`valid-after`, `valid-before`). A time that only the
/// approval itself claims is no such time: whoever holds an expired key can claim any.
///
/// # Errors
/// The signature is none of this principal for this message, or it cannot be checked; the text says which.
pub fn verify(
    allowed_signers: &str,
    principal: &str,
    message: &[u8],
    signature: &str,
    at_ms: u64,
) -> Result<(), String> {
    let shown = Line::new(principal);
    if principal.is_empty() || principal.chars().any(char::is_control) {
        return Err(format!("`{shown}` is no name of a signer"));
    }
    if signature.len() > LONGEST_SIGNATURE {
        return Err(format!("the signature of `{shown}` is larger than 64 KiB"));
    }
    if allowed_signers.len() > LONGEST_SIGNERS {
        return Err("the allowed signers are larger than 4 MiB".to_owned());
    }
    let time = jiff::Timestamp::from_millisecond(i64::try_from(at_ms).unwrap_or(i64::MAX))
        .map_err(|error| format!("the time {at_ms} ms: {error}"))?;
    let time = time.strftime("-Overify-time=%Y%m%d%H%M%S").to_string();
    let file_error = |error: std::io::Error| format!("a file for checking a signature: {error}");
    // Only this user can enter it.
    let folder = tempfile::Builder::new().prefix("dax-").tempdir().map_err(file_error)?;
    let (signers, signed) = (folder.path().join("signers"), folder.path().join("signature"));
    std::fs::write(&signers, allowed_signers).map_err(file_error)?;
    std::fs::write(&signed, signature).map_err(file_error)?;
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-Y", "verify", "-n", NAMESPACE, &time, "-I", principal, "-f"])
        .arg(&signers)
        .arg("-s")
        .arg(&signed)
        // Times without a zone are those of the machine.
        .env("TZ", "UTC")
        .process_group(0)
        .stderr(Stdio::piped());
    let output = run(&mut command, message, VERIFYING)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let why = refusal(&String::from_utf8_lossy(&said), &signers.display().to_string());
    Err(format!("no signature of `{shown}` by an allowed signer: {why}"))
}

/// Reasons why a signature does not count, in the order of the lines of the allowed signers.
///
/// They name no file of this check and no time of it, so that the same reason is the same text every time.
fn refusal(said: &str, signers: &str) -> String {
    let mut all: Vec<String> = Vec::new();
    for line in said.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let reason = match line.strip_prefix(signers).and_then(|rest| rest.strip_prefix(':')) {
            Some(rest) => of_line(rest),
            // The verdict, which the other lines give the reasons for.
            None if line == "Could not verify signature." => continue,
            None => match line.split_once("incorrect signature") {
                Some(_) => "it is of another approval".to_owned(),
                None => Line::new(line).to_string(),
            },
        };
        if !all.contains(&reason) {
            all.push(reason);
        }
    }
    if all.is_empty() {
        return "the key that made it is none of theirs".to_owned();
    }
    let rest = all.len().saturating_sub(MOST_REASONS);
    all.truncate(MOST_REASONS);
    if rest > 0 {
        all.push(format!("{rest} more"));
    }
    all.join("; ")
}

/// Most reasons that are told of one signature.
const MOST_REASONS: usize = 3;

/// A reason that names a line of the allowed signers, as in `7: key has expired: verify time … > valid-before …`.
fn of_line(text: &str) -> String {
    let (number, reason) = text.split_once(": ").unwrap_or(("?", text));
    let (number, reason) = (Line::new(number), Line::new(reason).to_string());
    let after = |word: &str| reason.split_once(word).map(|(_, time)| time.to_owned());
    let what = if reason.starts_with("key has expired") {
        after("> valid-before ").map(|time| format!("the key expired on {time}"))
    } else if reason.starts_with("key is not yet valid") {
        after("< valid-after ").map(|time| format!("the key is not valid before {time}"))
    } else if reason.starts_with("key is not permitted for use in signature namespace") {
        Some(format!("the key is for other purposes than `{NAMESPACE}`"))
    } else {
        None
    };
    format!("{} (line {number} of the allowed signers)", what.unwrap_or(reason))
}

fn run(command: &mut Command, message: &[u8], limit: Duration) -> Result<Output, String> {
    output_within(command, message.to_vec(), limit).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "`ssh-keygen` is not on PATH: approvals are signed and checked with OpenSSH 8.2 or newer; \
             install it (`openssh-client`, `openssh`)"
                .to_owned()
        }
        ErrorKind::TimedOut => {
            format!("ssh-keygen: {error} ({} s)", limit.as_secs())
        }
        _ => format!("ssh-keygen cannot be started: {error}"),
    })
}

/// The last words of a program, in one line.
fn complaint(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(2)..].join("; ");
    let last: String = last.chars().take(300).collect();
    if last.is_empty() { "it gives no reason".to_owned() } else { Line::new(&last).to_string() }
}

#[cfg(test)]
mod tests;
