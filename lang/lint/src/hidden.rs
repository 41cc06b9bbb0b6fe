//! Characters that nobody sees in the files of the project.

use crate::{Input, codes};
use dax_core::{Diagnostic, FileId};
use dax_syntax::hidden::{Hidden, hidden};
use std::collections::BTreeSet;

/// Two names may differ by them and look alike. What turns or breaks text around it is an error of the parser.
pub(crate) fn run(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    let files: BTreeSet<FileId> = input.own_items().map(|(_, item)| item.span.file).collect();
    for file in files {
        let all = hidden(file, input.loaded.sources.text(file));
        let harmless = all.iter().filter(|one: &&Hidden| !one.deceives());
        found.extend(harmless.map(|one| one.finding(codes::HIDDEN)));
    }
}
