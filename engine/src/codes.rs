//! Every diagnostic code, for `dax explain` and for the test that each has a page.

use dax_core::Code;

/// All codes of all crates, by number.
pub fn codes() -> Vec<Code> {
    let mut all: Vec<Code> = [
        dax_syntax::parser::CODES,
        dax_sema::codes::CODES,
        dax_plan::CODES,
        crate::planning::CODES,
        dax_project::CODES,
        dax_lint::CODES,
    ]
    .concat();
    all.sort_by_key(|code| code.number);
    all
}

/// Formats a `.dax` text.
pub fn format(text: &str) -> String {
    dax_syntax::format(text)
}
