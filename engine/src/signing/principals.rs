//! Names of one person among the allowed signers: the principals of one key.

use std::collections::{BTreeMap, BTreeSet};

/// Names by key, in small letters. Patterns are left out, and so are authorities, whose key stands
/// for many people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Principals {
    keys: BTreeMap<String, BTreeSet<String>>,
}

impl Principals {
    /// Those of some lines of allowed signers.
    pub(crate) fn of<'l>(lines: impl IntoIterator<Item = &'l str>) -> Self {
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (names, key) in lines.into_iter().filter_map(line) {
            keys.entry(key).or_default().extend(names);
        }
        Self { keys }
    }

    /// Every name for which a key signs that signs for this one, itself among them.
    pub(crate) fn beside(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = name.to_ascii_lowercase();
        let own = self.keys.values().filter(move |names| names.contains(&name));
        own.flatten().map(String::as_str)
    }
}

/// The names and the key of a line; nothing for one that says nothing, or that is of an authority.
/// Source: ssh-keygen(1), section "ALLOWED SIGNERS".
fn line(text: &str) -> Option<(BTreeSet<String>, String)> {
    let text = text.trim();
    let words = words(text);
    let (names, rest) = words.split_first().filter(|_| !text.starts_with('#'))?;
    let is_kind =
        |word: &&String| ["ssh-", "ecdsa-", "sk-"].iter().any(|start| word.starts_with(start));
    let at = rest.iter().position(|word| is_kind(&word))?;
    let is_authority =
        |word: &String| word.to_ascii_lowercase().split(',').any(|one| one == "cert-authority");
    if rest[..at].iter().any(is_authority) {
        return None;
    }
    let key = rest.get(at + 1)?.clone();
    let is_name = |name: &&str| !name.is_empty() && !name.contains(['*', '?', '!']);
    let names = names.split(',').map(str::trim).filter(is_name);
    Some((names.map(str::to_ascii_lowercase).collect(), key))
}

/// Words of a line; a white space between quotation marks ends none.
fn words(text: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                if !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(letter),
        }
    }
    all.extend((!word.is_empty()).then_some(word));
    all
}

#[cfg(test)]
mod tests {
    use super::Principals;

    #[test]
    fn the_principals_of_a_key_are_one_person_and_those_of_an_authority_are_many() {
        let text = "\
# ann
ann@example.com,Ann namespaces=\"dax-approval,a b\" ssh-ed25519 AAAA1 ann's
\"ann of old\" ssh-ed25519 AAAA1
bob valid-before=\"20270101\" ecdsa-sha2-nistp256 AAAA2
bob,robert ssh-ed25519 AAAA3
dan,eve cert-authority,namespaces=\"dax-approval\" ssh-ed25519 AAAA4
*@example.com,!mallory@example.com,fay sk-ssh-ed25519@openssh.com AAAA5
of no key
";
        let principals = Principals::of(text.lines());
        let beside = |name: &str| principals.beside(name).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(beside("ANN"), ["ann", "ann of old", "ann@example.com"]);
        assert_eq!(beside("bob"), ["bob", "bob", "robert"]);
        assert_eq!(beside("dan"), Vec::<String>::new());
        assert_eq!(beside("fay"), ["fay"]);
        assert_eq!(beside("cid"), Vec::<String>::new());
    }
}
