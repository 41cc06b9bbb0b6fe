//! What mends findings.

use super::{Action, ActionKind, touch};
use crate::project::Project;
use crate::rename::Edit;
use dax_core::{Diagnostic, Span};
use dax_sema::codes;

impl Project {
    /// What mends the findings at a selection.
    pub(super) fn fixes(&self, selection: Span) -> Vec<Action> {
        let found = self.diagnostics();
        let here = found
            .get(&selection.file)
            .into_iter()
            .flatten()
            .filter(|one| touch(one.span, selection));
        let mut all = Vec::new();
        let mut lacking: Vec<&Diagnostic> = Vec::new();
        for one in here {
            if let Some(fix) = &one.fix {
                let there = self.loaded.sources.slice(fix.span);
                let title = match (there.trim().is_empty(), fix.replacement.trim().is_empty()) {
                    (true, _) => format!("Insert `{}`", fix.replacement.trim()),
                    (_, true) => format!("Remove `{}`", there.trim()),
                    _ => format!("Replace `{}` by `{}`", there.trim(), fix.replacement.trim()),
                };
                let edit = Edit { span: fix.span, text: fix.replacement.clone() };
                all.push(Action {
                    mends: Some((*one).clone()),
                    ..Action::new(title, ActionKind::Fix, vec![edit])
                });
            }
            if one.code == codes::MISSING_FIELD {
                lacking.push(one);
            }
            if one.code == codes::NOT_IMPORTED
                && let Some(import) = one.help.as_deref().and_then(imported)
            {
                let edit =
                    Edit { span: self.behind_imports(selection), text: format!("{import}\n") };
                all.push(Action {
                    mends: Some((*one).clone()),
                    ..Action::new(format!("Add `{import}`"), ActionKind::Fix, vec![edit])
                });
            }
        }
        all.extend(self.fill(&lacking));
        all
    }

    /// All fields that are missing in one record at once.
    fn fill(&self, lacking: &[&Diagnostic]) -> Option<Action> {
        let first = lacking.first()?;
        let span = first.span;
        let text = self.loaded.sources.slice(span);
        let end = text.rfind('}')?;
        let fields: Vec<(&str, &str)> = lacking
            .iter()
            .filter(|one| one.span == span)
            .filter_map(|one| missing(&one.detail))
            .collect();
        let entries = text.trim_start().starts_with('{');
        let join = if entries { ": " } else { " = " };
        let written: Vec<String> =
            fields.iter().map(|(name, ty)| format!("{name}{join}{}", sample(ty))).collect();
        let before = &text[..end];
        let at = span.start + u32::try_from(before.trim_end().len()).ok()?;
        let over_lines = before.contains('\n');
        let empty = before.trim_end().ends_with('{');
        let line = self.text(span.file)[..span.start as usize + end]
            .rsplit('\n')
            .next()
            .unwrap_or_default();
        let indent = " ".repeat(line.len() - line.trim_start().len());
        let inserted: String = if over_lines {
            written.iter().map(|field| format!("\n{indent}  {field}")).collect()
        } else {
            format!(
                "{} {}",
                if empty || before.trim_end().ends_with(',') { "" } else { "," },
                written.join(", ")
            )
        };
        let inserted = if !over_lines && empty && !before.ends_with(' ') {
            format!("{inserted} ")
        } else {
            inserted
        };
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let edit = Edit { span: Span { start: at, end: at, ..span }, text: inserted };
        Some(Action {
            mends: Some((*first).clone()),
            ..Action::new(
                format!("Add missing fields: {}", names.join(", ")),
                ActionKind::Fix,
                vec![edit],
            )
        })
    }

    /// Where another import goes.
    pub(super) fn behind_imports(&self, selection: Span) -> Span {
        let text = self.text(selection.file);
        let mut at = 0;
        let mut end = 0;
        for line in text.split_inclusive('\n') {
            at += line.len();
            if line.starts_with("import ") {
                end = at;
            }
        }
        let end = u32::try_from(end).unwrap_or(0);
        Span { file: selection.file, start: end, end }
    }
}

/// The import that a help asks for: "add `import vault from \"std/vault\"`".
fn imported(help: &str) -> Option<&str> {
    help.split('`').find(|part| part.starts_with("import "))
}

/// The field that a finding misses: "`name: type` is missing".
fn missing(detail: &str) -> Option<(&str, &str)> {
    detail.split('`').nth(1)?.split_once(": ")
}

/// A value to begin with.
fn sample(ty: &str) -> String {
    let ty = ["Static<", "Plan<", "Apply<"]
        .iter()
        .find_map(|phase| ty.strip_prefix(phase)?.strip_suffix('>'))
        .unwrap_or(ty);
    let head = ty.split(['<', ' ', '?']).next().unwrap_or(ty);
    match head {
        "int" | "number" => ty
            .split_once(' ')
            .and_then(|(_, range)| range.split_once(".."))
            .map_or("0", |(low, _)| low)
            .to_owned(),
        "bool" => "false".to_owned(),
        "List" | "Set" => "[]".to_owned(),
        "Map" => "{}".to_owned(),
        _ if ty.starts_with('"') => ty.split(" | ").next().unwrap_or(ty).to_owned(),
        _ if ty.starts_with('{') => "{}".to_owned(),
        _ => dax_core::Unit::from_type_name(head)
            .map_or_else(|| "\"\"".to_owned(), |unit| unit.example().to_owned()),
    }
}
