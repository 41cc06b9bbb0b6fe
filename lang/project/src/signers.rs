//! The file of allowed signers that `dax.mod` names: whether each line of it names a key.
//!
//! OpenSSH passes over a line that it cannot read, so that approvals of its owner silently never count.
//! Source: ssh-keygen(1), section "ALLOWED SIGNERS".

use crate::codes::SIGNERS;
use crate::{FileSystem, Loaded};
use dax_core::{Diagnostic, FileId, Span, suggest};

/// The options of a line.
const OPTIONS: [&str; 4] = ["cert-authority", "namespaces", "valid-after", "valid-before"];
/// Shape of a line.
const FORM: &str = "a line has names, options joined by commas, and a key: \
                    `ann,ann@example.com namespaces=\"dax-approval\" ssh-ed25519 AAAA…`";

impl Loaded {
    /// Finds what is wrong with the allowed signers, and keeps their text for the messages.
    pub fn check_signers(&mut self, files: &dyn FileSystem) {
        let Some((path, span)) = self.manifest.signers.clone().zip(self.manifest.signers_span)
        else {
            return;
        };
        // Whoever reads it for its content says why that cannot be done.
        let Ok(read) = files.read("", &path) else { return };
        let Some(bytes) = read else {
            let detail = format!("`signers` names `{path}`, and there is no such file");
            let found = Diagnostic::new(SIGNERS, span, detail);
            let help = "add it to the repository, or take `signers` away";
            return self.diagnostics.push(found.help(help));
        };
        let text = String::from_utf8_lossy(&bytes);
        let found = match text.contains(char::REPLACEMENT_CHARACTER) {
            true => vec![Finding::of_all("it is not UTF-8 text")],
            false => lines(&text),
        };
        if !found.is_empty() {
            let file = self.sources.add(&path, text.into());
            self.diagnostics.extend(found.into_iter().map(|one| one.diagnostic(file)));
        }
    }
}

/// Something that is wrong with a line.
struct Finding {
    start: usize,
    end: usize,
    detail: String,
}

impl Finding {
    fn of_all(detail: &str) -> Self {
        Self { start: 0, end: 0, detail: detail.to_owned() }
    }

    fn diagnostic(self, file: FileId) -> Diagnostic {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let span = Span { file, start: at(self.start), end: at(self.end) };
        Diagnostic::new(SIGNERS, span, self.detail).help(FORM)
    }
}

/// What is wrong with a text, line by line.
fn lines(text: &str) -> Vec<Finding> {
    let (mut found, mut count, mut start) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n') {
        let said = line.trim();
        let begins = start + (line.len() - line.trim_start().len());
        start += line.len();
        if said.is_empty() || said.starts_with('#') {
            continue;
        }
        count += 1;
        if let Err(detail) = signer(said) {
            found.push(Finding { start: begins, end: begins + said.len(), detail });
        }
    }
    if count == 0 {
        found.push(Finding::of_all("no line names a key, so no approval ever counts"));
    }
    found
}

/// Reads a line.
fn signer(line: &str) -> Result<(), String> {
    let (_, rest) = word(line);
    if rest.is_empty() {
        return Err("it names no key".to_owned());
    }
    let (first, after) = word(rest);
    if key(rest) {
        return Ok(());
    }
    let (name, _) = first.split_once('=').unwrap_or((first, ""));
    let is_option = OPTIONS.iter().any(|option| option.eq_ignore_ascii_case(name));
    if !first.contains(['=', ',']) && !is_option {
        let (kind, rest) = (first, word(after).0);
        return Err(match rest {
            "" if kind.starts_with("AAAA") => "its key has no type before it".to_owned(),
            "" => format!("`{kind}` is no key"),
            _ => format!("`{kind}` is not followed by a key of that type, or is no option"),
        });
    }
    for option in options(first) {
        self::option(option)?;
    }
    match word(after).0 {
        "" => Err("it names no key".to_owned()),
        _ if key(after) => Ok(()),
        next => {
            let name = next.split_once('=').map_or(next, |(name, _)| name);
            Err(match OPTIONS.contains(&name) {
                true => format!("options are joined by commas: `{first},{next}`"),
                false => format!("`{next}` is not followed by a key of that type"),
            })
        }
    }
}

/// Reads an option.
fn option(text: &str) -> Result<(), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.to_ascii_lowercase(), Some(value)),
        None => (text.to_ascii_lowercase(), None),
    };
    if !OPTIONS.contains(&&*name) {
        let meant = suggest::nearest(&name, OPTIONS);
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are {}", OPTIONS.join(", ")),
        };
        return Err(format!("there is no option `{name}`; {help}"));
    }
    if name == "cert-authority" {
        let wrong = || "`cert-authority` has no value".to_owned();
        return value.is_none().then_some(()).ok_or_else(wrong);
    }
    let quoted = value.and_then(|value| value.strip_prefix('"')?.strip_suffix('"'));
    let quoted = quoted.ok_or_else(|| format!("`{name}` has a value in quotes"))?;
    if name.starts_with("valid-") && !is_time(quoted) {
        return Err(format!("`{quoted}` is no time: YYYYMMDD or YYYYMMDDHHMM[SS], perhaps with Z"));
    }
    Ok(())
}

fn is_time(text: &str) -> bool {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    matches!(digits.len(), 8 | 12 | 14) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Options of a line, which commas part outside of quotes.
fn options(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let parts = text.split(move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    parts.collect()
}

/// The first word, up to a space outside of quotes, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_start())
}

/// Whether a text begins with a type of keys and a key of that type.
fn key(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let (Some(kind), Some(coded)) = (words.next(), words.next()) else { return false };
    let Some(bytes) = base64(coded) else { return false };
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let length = u32::from_be_bytes(*length) as usize;
    rest.get(..length) == Some(kind.as_bytes()) && rest.len() > length
}

/// Decodes base64; nothing where it is none.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    text.len().is_multiple_of(4).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMm1njew2Cs1Fw7aZ3+H8nO+09rkteMhFr+GZOeYydnz";

    fn wrong(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|found| found.detail).collect()
    }

    #[test]
    fn lines_that_openssh_reads_are_right() {
        let text = format!(
            "# people\n\nann@example.com,ann namespaces=\"dax-approval\" {KEY} a comment\n\
             bob valid-before=\"20270101\" {KEY}\n\
             \"cid x\" valid-after=\"20260102030405Z\",namespaces=\"git,dax-approval\" {KEY}\n\
             * cert-authority,namespaces=\"dax-approval\" {KEY}\n\tdan\t{KEY}\r\n"
        );
        assert_eq!(wrong(&text), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_openssh_passes_over_is_said() {
        let joined = format!("* cert-authority namespaces=\"dax-approval\" {KEY}");
        let cases = [
            (joined.as_str(), "options are joined by commas: `cert-authority,namespaces="),
            ("ann", "it names no key"),
            ("ann garbage", "`garbage` is no key"),
            ("ann ssh-ed25519 AAAA", "`ssh-ed25519` is not followed by a key of that type"),
            ("ann AAAAC3NzaC1lZDI1NTE5", "its key has no type before it"),
            ("ann namespace=\"git\" ssh-ed25519 x", "did you mean `namespaces`?"),
            ("ann valid-before=\"soon\" ssh-ed25519 x", "`soon` is no time"),
            ("ann namespaces=git ssh-ed25519 x", "`namespaces` has a value in quotes"),
            ("ann namespaces=\"git\"", "it names no key"),
            ("# nobody\n", "no line names a key"),
        ];
        for (text, said) in cases {
            let found = wrong(text);
            assert!(found.len() == 1 && found[0].contains(said), "{text}: {found:?}");
        }
    }
}
