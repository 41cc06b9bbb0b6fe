//! The words of the language that no module declares: what each is for, and what a whole one looks like.

/// A word with its explanation and a form to fill in, with gaps as `${1:name}`.
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) about: &'static str,
    pub(crate) form: &'static str,
}

const fn word(word: &'static str, about: &'static str, form: &'static str) -> Word {
    Word { word, about, form }
}

/// Words that begin an item.
pub(crate) const ITEMS: &[Word] = &[
    word(
        "import",
        "Makes the names of another module known.",
        "import ${1:local} from \"${2:std/local}\"",
    ),
    word(
        "param",
        "A value that whoever plans gives; with a default it may be left out.",
        "param ${1:name}: ${2:string} = ${3:\"value\"}",
    ),
    word("let", "A name for a value.", "let ${1:name} = ${0:value}"),
    word(
        "fn",
        "A function: it computes a value and does nothing else.",
        "fn ${1:name}(${2:a: int}) -> ${3:int} = ${0:a}",
    ),
    word("type", "A name for a type.", "type ${1:Name} = {\n  ${2:field}: ${0:string}\n}"),
    word(
        "secret",
        "A reference to a secret; its value is read when it is needed and never shown.",
        "secret ${1:name}: string from ${2:env}(\"${0:VARIABLE}\")",
    ),
    word(
        "provider",
        "A platform that services run on, with how it is reached.",
        "provider ${1:local.machine} {\n  $0\n}",
    ),
    word(
        "service",
        "Something that runs: its revisions, its traffic and its capacity are what a plan changes.",
        "service ${1:name} {\n  image = \"$2\"\n  replicas = default ${3:1}\n  $0\n}",
    ),
    word(
        "resource",
        "An object of one system that runs nothing.",
        "resource ${1:kubernetes.object} ${2:name} {\n  $0\n}",
    ),
    word(
        "strategy",
        "How a new revision takes over from the one before.",
        "strategy ${1:careful}: ${2:canary} {\n  step ${3:10%} hold ${4:1m}\n  $0\n}",
    ),
    word(
        "environment",
        "A place that the program is planned for: what runs there, on what, and by which rules.",
        "environment ${1:production} {\n  bind ${2:service} to ${3:local.machine}\n  $0\n}",
    ),
    word(
        "patch",
        "Changes a service of an imported module.",
        "patch ${1:module.service} {\n  $0\n}",
    ),
    word(
        "moved",
        "Says what a service was called before, so that it is renamed and not made again.",
        "moved ${1:old_name} to ${2:new_name}",
    ),
    word(
        "removed",
        "Says what becomes of a service that the program no longer has.",
        "removed ${1:name} { ${2|keep,destroy|} }",
    ),
    word(
        "policy",
        "Rules that programs, plans or runs have to keep.",
        "policy ${1:name} on ${2|check,plan,apply|} {\n  deny ${3:s} in services where ${4:s.replicas < 2} { message = \"${5:why}\" }\n}",
    ),
    word(
        "test",
        "What has to hold of the plans of this program.",
        "test \"${1:what holds}\" {\n  assert ${0:plan(environment.dev).web.replicas >= 1}\n}",
    ),
];

/// Words that begin a member of an environment.
pub(crate) const ENVIRONMENT: &[Word] = &[
    word("bind", "Says what a service runs on.", "bind ${1:service} to ${2:provider}"),
    word("set", "Values of a service in this environment.", "set ${1:service} {\n  $0\n}"),
    word(
        "rollout",
        "Says how new revisions of a service take over.",
        "rollout ${1:service} with ${2:strategy}",
    ),
    word("after", "Another environment comes first.", "after ${1:staging} { soak = ${2:1h} }"),
    word(
        "approve",
        "People have to agree before anything is changed.",
        "approve ${1:1} of [\"${2:team:sre}\"]",
    ),
    word("protect", "A service may not be destroyed.", "protect ${1:service} from destroy"),
    word(
        "release",
        "Services that are taken back together.",
        "release ${1:name} of [${2:service}]",
    ),
    word("adopt", "Takes over what runs already under the service's name.", "adopt ${1:service}"),
    word(
        "preview",
        "A preview environment: one for each change request, whose number is the key.",
        "preview",
    ),
    word(
        "on",
        "What happens when a step fails.",
        "on failure ${1|rollback,rollback_all,hold,continue|}",
    ),
    word(
        "window",
        "When the environment may be changed.",
        "window [\"${1:mon}\"] from \"${2:09:00}\" to \"${3:17:00}\" zone \"${4:UTC}\"",
    ),
];

/// Words that begin a rule of a policy.
pub(crate) const POLICY: &[Word] = &[
    word(
        "deny",
        "What this finds may not be.",
        "deny ${1:s} in ${2:services} where ${3:s.replicas < 2} { message = \"${4:why}\" }",
    ),
    word(
        "warn",
        "What this finds is told.",
        "warn ${1:s} in ${2:services} where ${3:s.replicas < 2} { message = \"${4:why}\" }",
    ),
];

/// Words that begin a member of a test.
pub(crate) const TEST: &[Word] = &[
    word("assert", "This has to hold.", "assert ${0:condition}"),
    word("let", "A name for a value.", "let ${1:p} = plan(environment.${2:dev})"),
    word("given", "This is tried with many values of a type.", "given ${1:count}: ${2:int 1..9}"),
    word(
        "expect",
        "This finding has to be made.",
        "expect ${1:DAX3008} from ${0:plan(environment.dev)}",
    ),
];

/// Words that stand before a value.
pub(crate) const STRENGTHS: &[Word] = &[
    word("default", "Gives way to every other value for the place.", "default "),
    word("override", "Wins over other values for the place.", "override "),
    word("sealed", "Wins, and every other value for the place is a mistake.", "sealed "),
];

/// A form without its gaps: `bind service to provider`.
pub fn plain(form: &str) -> String {
    let mut out = String::new();
    let mut rest = form;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(inner) = rest.strip_prefix('{') {
            let Some(end) = closing(inner) else { break };
            let gap = inner[..end].trim_start_matches(|c: char| c.is_ascii_digit());
            let filled = match gap.strip_prefix('|') {
                Some(choice) => choice.split([',', '|']).next().unwrap_or_default(),
                None => gap.strip_prefix(':').unwrap_or_default(),
            };
            out.push_str(filled);
            rest = &inner[end + 1..];
        } else {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        }
    }
    out.push_str(rest);
    out
}

/// Where the gap that was opened ends.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| match c {
        '{' => {
            depth += 1;
            None
        }
        '}' if depth == 0 => Some(at),
        '}' => {
            depth -= 1;
            None
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_language_is_explained() {
        let sorted = |mut words: Vec<&'static str>| {
            words.sort_unstable();
            words
        };
        let explained = |words: &[Word]| sorted(words.iter().map(|word| word.word).collect());
        let known = |words: &[(&'static str, &'static str)]| {
            sorted(words.iter().map(|(word, _)| *word).collect())
        };
        assert_eq!(explained(ITEMS), sorted(dax_syntax::split::ITEM_WORDS.to_vec()));
        assert_eq!(explained(ENVIRONMENT), known(dax_sema::ENVIRONMENT_WORDS));
        assert_eq!(explained(TEST), known(dax_sema::TEST_WORDS));
    }

    #[test]
    fn a_form_without_gaps_is_a_program_of_the_language() {
        for word in ITEMS {
            let text = format!("{}\n", plain(word.form).replace("  \n", ""));
            let (_, faults) = dax_syntax::parse(dax_core::FileId::default(), &text);
            assert!(faults.is_empty(), "{text}\n{faults:?}");
        }
    }
}
