//! The difference of two image references, in as few characters as say it.

use crate::shorten;

/// Characters of a reference that a headline shows.
const MOST: usize = 60;
/// Digits of a digest of an image.
const DIGITS: usize = 12;

/// An image reference in its parts.
struct Reference<'r> {
    repository: &'r str,
    tag: Option<&'r str>,
    digest: Option<&'r str>,
}

fn parse(image: &str) -> Reference<'_> {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let name = rest.rfind('/').map_or(0, |at| at + 1);
    match rest[name..].split_once(':') {
        Some((short, tag)) => {
            Reference { repository: &rest[..name + short.len()], tag: Some(tag), digest }
        }
        None => Reference { repository: rest, tag: None, digest },
    }
}

/// Both references, each by what the other has not: tags, digests, or all of it.
pub(super) fn difference(before: &str, after: &str) -> (String, String) {
    let (old, new) = (parse(before), parse(after));
    if old.repository == new.repository {
        match (old.tag == new.tag, old.digest == new.digest) {
            (false, true) => {
                if let (Some(old), Some(new)) = (old.tag, new.tag) {
                    return (short(old), short(new));
                }
            }
            (true, false) => {
                if let (Some(old), Some(new)) = (old.digest, new.digest) {
                    let (old, new) = (digits(old), digits(new));
                    // Digests that only begin alike are shown as a whole.
                    if old != new {
                        return (old, new);
                    }
                }
            }
            (true, true) | (false, false) => {}
        }
    }
    (reference(before), reference(after))
}

/// A whole reference, its digest shortened.
pub(super) fn reference(image: &str) -> String {
    match image.split_once('@') {
        Some((name, digest)) => format!("{}@{}", short(name), digits(digest)),
        None => short(image),
    }
}

fn short(text: &str) -> String {
    shorten::text(text, MOST)
}

fn digits(digest: &str) -> String {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn only_what_differs_of_two_references_is_shown() {
        let (one, two) = ("sha256:0123456789abcdef0", "sha256:fedcba98765432100");
        let cases = [
            ("acme/web:1".to_owned(), "acme/web:2".to_owned()),
            ("acme/web:1".to_owned(), "evil/web:1".to_owned()),
            ("host:5000/web:1".to_owned(), "host:5000/web:2".to_owned()),
            (format!("acme/web@{one}"), format!("acme/web@{two}")),
            (format!("acme/web:1@{one}"), format!("acme/web:1@{two}")),
            (format!("acme/web:1@{one}"), format!("acme/web:2@{two}")),
            ("acme/web".to_owned(), "acme/web:2".to_owned()),
            ("acme/web:1".to_owned(), format!("acme/web:1@{one}")),
        ];
        let shown: Vec<String> = cases
            .iter()
            .map(|(before, after)| difference(before, after))
            .map(|(before, after)| format!("{before} → {after}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
    1 → 2
    acme/web:1 → evil/web:1
    1 → 2
    0123456789ab → fedcba987654
    0123456789ab → fedcba987654
    acme/web:1@0123456789ab → acme/web:2@fedcba987654
    acme/web → acme/web:2
    acme/web:1 → acme/web:1@0123456789ab
    "#);
    }
}
