//! Findings of dax as a comment shows them: without codes and columns, and with what helps.

/// A finding in a sentence, with its place behind it.
pub(super) fn plain(text: &str) -> String {
    let (place, rest) = located(text);
    let rest = match rest.split_once("]: ") {
        Some((code, rest)) if code.starts_with("error[DAX") || code.starts_with("warning[DAX") => {
            rest
        }
        _ => rest,
    };
    match place {
        Some(place) => format!("{rest} ({place})"),
        None => rest.to_owned(),
    }
}

/// The file and the line that a finding begins with, and the rest of it.
fn located(text: &str) -> (Option<String>, &str) {
    let Some((place, rest)) = text.split_once(": ") else { return (None, text) };
    let mut parts = place.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next());
    let number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    match (file, line) {
        (Some(file), Some(line)) if number(column) && number(Some(line)) => {
            (Some(format!("{file}:{line}")), rest)
        }
        _ => (None, text),
    }
}

/// The remedy against an error.
pub(super) fn remedy(text: &str, environment: &str) -> String {
    if let Some(variable) = variable(text) {
        return format!(
            "Add `{variable}` to the `env` of the step that runs `dax ci` in this job, from the \
             secrets of the code host; nothing is wrong with the program."
        );
    }
    format!("`dax plan -e {environment}` says the same on your machine, with how to mend it.")
}

/// The environment variable that a secret is read from and that is not set.
fn variable(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("the environment variable `")?;
    let (name, rest) = rest.split_once('`')?;
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (rest.starts_with(" is not set") && !name.is_empty() && plain(name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{plain, remedy};

    #[test]
    fn codes_and_columns_are_left_out_and_a_missing_variable_has_its_remedy() {
        let texts = [
            "main.dax:12:55: error[DAX7002]: the secret cannot be read: secret `key`: the environment variable `SHOP_KEY` is not set",
            "main.dax:31:3: warning[DAX4022]: a policy warns: web has one replica",
            "the state cannot be reached",
            "a: b: c",
        ];
        let shown: Vec<String> =
            texts.iter().map(|text| format!("{} | {}", plain(text), remedy(text, "dev"))).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
    the secret cannot be read: secret `key`: the environment variable `SHOP_KEY` is not set (main.dax:12) | Add `SHOP_KEY` to the `env` of the step that runs `dax ci` in this job, from the secrets of the code host; nothing is wrong with the program.
    a policy warns: web has one replica (main.dax:31) | `dax plan -e dev` says the same on your machine, with how to mend it.
    the state cannot be reached | `dax plan -e dev` says the same on your machine, with how to mend it.
    a: b: c | `dax plan -e dev` says the same on your machine, with how to mend it.
    "#);
    }
}
