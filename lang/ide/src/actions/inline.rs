//! The value of a `let` in place of its name.

use super::{Action, ActionKind, with_comments};
use crate::definitions::Kind;
use crate::head::past_blank_lines;
use crate::project::Project;
use crate::rename::Edit;
use dax_core::Span;
use dax_syntax::ast::{ExprKind, ItemKind};

impl Project {
    pub(super) fn inlinings(&self, selection: Span) -> Option<Action> {
        let here = self.occurrence(selection.file, selection.start)?;
        let definition =
            self.definition(here.key).filter(|definition| definition.kind == Kind::Let)?;
        let (module, ast) = self.loaded.file(definition.span.file)?;
        if !self.loaded.program.is_own(module) {
            return None;
        }
        let field = ast.items.iter().find_map(|item| match &item.kind {
            ItemKind::Field(field) if item.span == definition.whole => Some(field),
            _ => None,
        })?;
        let value = self.loaded.sources.slice(field.value.span);
        let loose = matches!(
            field.value.kind,
            ExprKind::Binary(..) | ExprKind::If(_) | ExprKind::Unary(..)
        );
        let value = if loose { format!("({value})") } else { value.to_owned() };
        let places = self.named(selection.file, definition.key, false);
        // Behind a dot, from another module, its names would mean something else.
        let all_here = places
            .iter()
            .all(|place| self.loaded.file(place.file).is_some_and(|(of, _)| of == module));
        if places.is_empty() || !all_here {
            return None;
        }
        let mut edits: Vec<Edit> =
            places.into_iter().map(|span| Edit { span, text: value.clone() }).collect();
        let text = self.text(definition.span.file);
        let whole = definition.whole;
        let gone = Span {
            start: with_comments(text, whole.start),
            end: past_blank_lines(text, whole.end),
            ..whole
        };
        edits.push(Edit { span: gone, text: String::new() });
        Some(Action::new(format!("Inline `{}`", definition.name), ActionKind::Inline, edits))
    }
}
