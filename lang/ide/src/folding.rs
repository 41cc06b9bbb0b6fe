//! What can be folded away: brackets over several lines, comments, imports.

use dax_syntax::split;
use dax_syntax::tree::{Kind, Tree};

/// Lines that can be folded into their first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fold {
    /// The line that stays, from 0.
    pub start: u32,
    /// The last line that goes.
    pub end: u32,
    /// What it is.
    pub kind: FoldKind,
}

/// What is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoldKind {
    /// Something in brackets.
    Region,
    /// Comments.
    Comment,
    /// Imports.
    Imports,
}

/// Everything in a text that can be folded, in order.
pub fn folds(text: &str) -> Vec<Fold> {
    let mut all = runs(text, |line| line.starts_with('#'), FoldKind::Comment);
    all.extend(runs(text, |line| line.starts_with("import "), FoldKind::Imports));
    let ends: Vec<usize> =
        text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    for chunk in split::split(text) {
        let line = |at: u32| {
            u32::try_from(ends.partition_point(|end| *end < chunk.start + at as usize))
                .unwrap_or(u32::MAX)
        };
        let tree = Tree::parse(text, &chunk);
        let brackets =
            [Kind::body, Kind::list, Kind::map, Kind::call, Kind::ty_record, Kind::paren];
        for node in tree.nodes.iter().filter(|node| brackets.contains(&node.kind)) {
            let (start, end) = (line(node.start), line(node.end.saturating_sub(1).max(node.start)));
            // The closing bracket stays in sight.
            if end > start + 1 {
                all.push(Fold { start, end: end - 1, kind: FoldKind::Region });
            }
        }
    }
    all.sort_unstable();
    all.dedup_by_key(|fold| fold.start);
    all
}

/// Lines in a row that have something in common, from the second on.
fn runs(text: &str, fits: impl Fn(&str) -> bool, kind: FoldKind) -> Vec<Fold> {
    let mut all: Vec<Fold> = Vec::new();
    let mut open: Option<Fold> = None;
    for (at, line) in (0_u32..).zip(text.lines()) {
        match (&mut open, fits(line)) {
            (Some(fold), true) => fold.end = at,
            (None, true) => open = Some(Fold { start: at, end: at, kind }),
            (_, false) => all.extend(open.take()),
        }
    }
    all.extend(open);
    all.retain(|fold| fold.end > fold.start);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_comments_and_imports_fold_and_the_closing_bracket_stays() {
        let text = "import a from \"a\"\nimport b from \"b\"\n\n# one\n# two\nservice web {\n  env = {\n    A: \"1\"\n    B: \"2\"\n  }\n}\n\nservice api { replicas = 1 }\nservice open {\n  replicas = 1\n";
        let shown: Vec<String> = folds(text)
            .iter()
            .map(|fold| format!("{}-{} {:?}", fold.start, fold.end, fold.kind))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        0-1 Imports
        3-4 Comment
        5-9 Region
        6-8 Region
        "#);
    }
}
