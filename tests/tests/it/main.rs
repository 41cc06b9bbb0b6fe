//! Everything that needs more than one crate: fixtures, pages, plans, and the simulator.

mod analysis;
mod check;
mod comments;
mod damage;
mod format;
mod import;
mod kill;
mod pages;
mod plan;
mod policies;
mod render;
mod replay;
mod robust;
mod rollback;
mod saved;
mod simulate;

mod stdlib;
mod stores;

/// Compares a text with `tests/snapshots/<area>/<case>.snap`.
fn compare(area: &str, case: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(dax_tests::root().join("tests/snapshots").join(area));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(case, text));
}
