//! Views of plans for reviewers: one tree for a plan, many targets.
//!
//! Pure: a plan holds all that its rendering needs, so showing one takes no provider and no
//! network. Invariant: a tree holds printable text only ([`dax_core::printable`]), so no target
//! shows another.

mod diff;
pub mod graph;
mod html;
mod json;
mod markdown;
mod plan;
mod shorten;
mod standing;
mod terminal;
#[cfg(test)]
mod testing;
mod tree;
mod values;

pub use diff::diff;
pub use html::html;
pub use json::json;
pub use markdown::{Cut, Fitted, Flavour, escape, fitted, markdown};
pub use plan::{
    action_word, approve_command, by_review, decision, decision_after, details, figures, gravity,
    ordered_leaves, plan, reversal, step_text, stops,
};
pub use shorten::{name as short_name, unseparated, value as short_value};
pub use standing::{Progress, Rule, Standing};
pub use terminal::terminal;
pub use tree::{Block, Chart, Group, Line, Piece, Section, Steps, Tone, rows};
pub use values::millis;
