//! Patterns for branches and tags that may be deployed.
//!
//! Source: Ruby's `File.fnmatch` with `FNM_PATHNAME`, as GitHub has it for deployment branches:
//! <https://docs.ruby-lang.org/en/master/File.html#method-c-fnmatch>.

use std::collections::BTreeSet;

/// A piece of a pattern.
#[derive(Debug)]
enum Piece {
    /// This letter.
    Letter(char),
    /// Any letter but `/`.
    One,
    /// Any letters but `/`.
    Some,
    /// Any number of folders, each with the `/` behind it.
    Folders,
    /// A letter within one of these ranges, or within none of them; never `/`.
    Set { ranges: Vec<(char, char)>, other: bool },
}

/// Match of a name with a pattern: `*` stands for anything but `/`, `**/` for any folders, `?` for
/// one letter, `[a-z]` for one of these and `[!a-z]` for another one.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let Some(pieces) = pieces(pattern) else { return false };
    let name: Vec<char> = name.chars().collect();
    // Which positions of the name can be reached with the pattern so far: no pattern takes more
    // than its length times the name's.
    let mut reached: BTreeSet<usize> = BTreeSet::from([0]);
    for piece in &pieces {
        let mut next = BTreeSet::new();
        for from in reached {
            let letter = name.get(from).copied();
            match piece {
                Piece::Some => {
                    let rest = name[from..].iter().position(|letter| *letter == '/');
                    next.extend(from..=rest.map_or(name.len(), |rest| from + rest));
                }
                Piece::Folders => {
                    next.insert(from);
                    let ends = (from..name.len()).filter(|at| name[*at] == '/');
                    next.extend(ends.map(|at| at + 1));
                }
                Piece::Letter(_) | Piece::One | Piece::Set { .. } => {
                    if letter.is_some_and(|letter| piece.is(letter)) {
                        next.insert(from + 1);
                    }
                }
            }
        }
        reached = next;
    }
    reached.contains(&name.len())
}

impl Piece {
    /// Reports whether it stands for a letter by itself.
    fn is(&self, letter: char) -> bool {
        match self {
            Self::Letter(own) => *own == letter,
            Self::One => letter != '/',
            Self::Set { ranges, other } => {
                let within = ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter));
                letter != '/' && within != *other
            }
            Self::Some | Self::Folders => false,
        }
    }
}

/// The pieces of a pattern; nothing for one that fits no name, as its set does not end.
fn pieces(pattern: &str) -> Option<Vec<Piece>> {
    let letters: Vec<char> = pattern.chars().collect();
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some(letter) = letters.get(at) {
        let rest = &letters[at..];
        let begins = at == 0 || letters[at - 1] == '/';
        let (piece, length) = match letter {
            '*' if begins && rest.starts_with(&['*', '*', '/']) => (Piece::Folders, 3),
            '*' => (Piece::Some, 1),
            '?' => (Piece::One, 1),
            '[' => set(rest)?,
            '\\' => (Piece::Letter(rest.get(1).copied().unwrap_or('\\')), 2),
            letter => (Piece::Letter(*letter), 1),
        };
        all.push(piece);
        at += length;
    }
    Some(all)
}

/// A set at the beginning of some letters, with its length.
fn set(letters: &[char]) -> Option<(Piece, usize)> {
    let other = matches!(letters.get(1), Some('!' | '^'));
    let mut at = if other { 2 } else { 1 };
    let mut ranges = Vec::new();
    // One letter, which may have a sign before it that takes its meaning away.
    let single = |at: usize| match letters.get(at)? {
        '\\' => Some((*letters.get(at + 1)?, at + 2)),
        letter => Some((*letter, at + 1)),
    };
    while *letters.get(at)? != ']' {
        let (from, next) = single(at)?;
        let is_range = letters.get(next) == Some(&'-') && *letters.get(next + 1)? != ']';
        let (to, next) = if is_range { single(next + 1)? } else { (from, next) };
        ranges.push((from, to));
        at = next;
    }
    Some((Piece::Set { ranges, other }, at + 1))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stops_at_a_slash() {
        assert!(fits("main", "main"));
        assert!(!fits("main", "mainline"));
        assert!(fits("release/*", "release/1.2"));
        assert!(!fits("release/*", "release/1/2"));
        assert!(fits("release/*/*", "release/1/2"));
        assert!(fits("v?.*", "v1.20"));
        assert!(!fits("*", "a/b"));
        assert!(fits("a*b*c", "aXbYc"));
    }

    #[test]
    fn two_stars_stand_for_folders_where_a_slash_follows() {
        for name in ["release/x", "release/1/x", "release/1/2/x"] {
            assert!(fits("release/**/x", name), "{name}");
        }
        assert!(!fits("release/**/x", "release/1/y"));
        assert!(fits("**/x", "x") && fits("**/x", "a/b/x") && !fits("**/x", "ax"));
        // Elsewhere they are two of one star.
        assert!(fits("release/**", "release/1") && !fits("release/**", "release/1/2"));
        assert!(!fits("release-**/x", "release-1/2/x"));
    }

    #[test]
    fn a_set_stands_for_one_letter_of_it() {
        assert!(fits("v[0-9].[0-9]", "v1.2") && !fits("v[0-9].[0-9]", "vX.2"));
        assert!(fits("[a-cx]*", "cat") && fits("[a-cx]*", "xat") && !fits("[a-cx]*", "dog"));
        assert!(fits("[!a-c]og", "dog") && fits("[^a-c]og", "dog") && !fits("[!a-d]og", "dog"));
        assert!(fits("[a-]x", "-x") && fits("[\\]]x", "]x") && fits("\\*x", "*x"));
        assert!(!fits("a[!b]c", "a/c") && !fits("a[/]c", "a/c") && !fits("[ab", "[ab"));
        assert!(!fits("[ab", "a") && !fits("\\*x", "yx"));
        // Alternatives are letters like any others.
        assert!(!fits("{a,b}", "a") && fits("{a,b}", "{a,b}"));
    }
}
