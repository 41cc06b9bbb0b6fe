//! Changes of a text as small edits, so that a cursor stays where it was.

use crate::bytes::Bytes;

/// Bytes that are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// What goes.
    pub range: Bytes,
    /// What comes.
    pub text: String,
}

/// What formatting changes; nothing where a text is formatted. Lines that have a counterpart are edits of their own.
pub fn formatted(text: &str) -> Vec<Rewrite> {
    let new = dax_syntax::format(text);
    let diff = similar::TextDiff::from_lines(text, new.as_str());
    let lines = |text: &str| -> Vec<usize> {
        std::iter::once(0)
            .chain(text.split_inclusive('\n').scan(0, |at, line| {
                *at += line.len();
                Some(*at)
            }))
            .collect()
    };
    let (before, after) = (lines(text), lines(&new));
    let mut all = Vec::new();
    let mut push = |old: std::ops::Range<usize>, fresh: std::ops::Range<usize>| {
        all.push(Rewrite {
            range: before[old.start]..before[old.end],
            text: new[after[fresh.start]..after[fresh.end]].to_owned(),
        });
    };
    for op in diff.ops() {
        let (old, fresh) = (op.old_range(), op.new_range());
        match op.tag() {
            similar::DiffTag::Equal => {}
            similar::DiffTag::Replace if old.len() == fresh.len() => {
                old.zip(fresh).for_each(|(old, fresh)| push(old..old + 1, fresh..fresh + 1));
            }
            _ => push(old, fresh),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_make_of_a_text_what_the_formatter_makes_of_it() {
        let text = "let x=1\nlet y = 2\n\n\n\nservice web {\n replicas=2\n}\nlet z=3";
        let edits = formatted(text);
        assert!(edits.len() > 1, "{edits:?}");
        let mut changed = text.to_owned();
        edits.iter().rev().for_each(|edit| changed.replace_range(edit.range.clone(), &edit.text));
        assert_eq!(changed, dax_syntax::format(text));
        assert_eq!(formatted(&changed), []);
    }
}
