//! Names of people, groups and teams in rules of approvals.
//!
//! They stand in lines that people decide by. A name that could be nobody's is refused where it is
//! written, so that none reads like something that dax says.

/// Characters that a name may have, in words.
pub const ALLOWED: &str = "letters, digits and `-_.:/@[]{}`, at most 128 of them";

/// Longest name, in characters: two of a code host with a `/`, and what stands before them.
const LONGEST: usize = 128;

/// Whether a text can be a login, an `id:…`, a group or a team of a code host.
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:/@[]{}".contains(c);
    (1..=LONGEST).contains(&text.len()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_is_one_of_a_code_host_or_of_dax_mod() {
        for name in ["ann", "ann@example.com", "id:42", "id:{5f0c}", "team:sre", "acme/sre"] {
            assert!(is_name(name), "{name}");
        }
        assert!(is_name("renovate[bot]"));
        for name in ["", "ann, bob", "x) · approved by ann", "a\nb", "ann\u{202e}"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(!is_name(&"y".repeat(129)));
    }
}
