//! Rules over the work of a whole environment, one a file.

pub(crate) mod defer;
pub(crate) mod estimate;
pub(crate) mod moved;
pub(crate) mod order;
pub(crate) mod risk;
pub(crate) mod select;
pub(crate) mod waves;

pub use select::{Selection, addressed};
