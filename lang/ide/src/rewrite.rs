//! Changes of a text as small edits, so that a cursor stays where it was.

use crate::Bytes;

/// Bytes that are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// What goes.
    pub range: Bytes,
    /// What comes.
    pub text: String,
}

/// What formatting changes; nothing where a text is formatted. Each run of lines that differ is one edit.
pub fn formatted(text: &str) -> Vec<Rewrite> {
    let new = dax_syntax::format(text);
    let diff = similar::TextDiff::from_lines(text, new.as_str());
    let (mut all, mut at): (Vec<Rewrite>, usize) = (Vec::new(), 0);
    let mut open = false;
    for change in diff.iter_all_changes() {
        let value = change.value();
        match change.tag() {
            similar::ChangeTag::Equal => {
                at += value.len();
                open = false;
                continue;
            }
            _ if !open => {
                all.push(Rewrite { range: at..at, text: String::new() });
                open = true;
            }
            _ => {}
        }
        let Some(last) = all.last_mut() else { continue };
        if change.tag() == similar::ChangeTag::Delete {
            at += value.len();
            last.range.end = at;
        } else {
            last.text.push_str(value);
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
