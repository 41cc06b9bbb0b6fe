//! The account of what a text leaves out for its length.

use super::changes;
use crate::shorten::grouped;

/// A text of at most so many bytes, with what was left out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// Everything that was left out.
    pub cut: Cut,
}

/// Everything that was left out of a text for its length, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Changes without their steps.
    pub steps: usize,
    /// Fields of changes that are named.
    pub fields: usize,
    /// Other lines of such changes.
    pub lines: usize,
    /// Changes that are not named.
    pub unnamed: usize,
    /// Lists that are not there at all.
    pub lists: usize,
    /// Lines of lists that are there.
    pub beyond: usize,
}

impl Cut {
    /// Reports whether each change is named, with the fields that decide what runs.
    pub const fn names_all(&self) -> bool {
        self.unnamed == 0 && self.lists == 0
    }

    /// Everything that was left out, in words: `the steps of 3 changes, 969 fields`.
    pub fn text(&self) -> Option<String> {
        let counted = |count: usize, word: &str| -> Option<String> {
            let ending = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{} {word}{ending}", grouped(count)))
        };
        let parts: Vec<String> = [
            (self.steps > 0).then(|| format!("the steps of {}", changes(self.steps))),
            counted(self.fields, "field"),
            counted(self.lines, "other line").filter(|_| self.fields == 0),
            (self.unnamed > 0).then(|| format!("the names of {}", changes(self.unnamed))),
            counted(self.lists, "list"),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
