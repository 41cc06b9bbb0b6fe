//! Plain values as `default` or `override`, and back.

use super::{Action, ActionKind, item_at, touch};
use crate::project::Project;
use crate::rename::Edit;
use dax_core::Span;
use dax_syntax::ast::{Field, ItemKind, Member, Strength};

impl Project {
    pub(super) fn strengths(&self, selection: Span) -> Vec<Action> {
        let Some(item) = item_at(self, selection) else { return Vec::new() };
        let ItemKind::Command(command) = &item.kind else { return Vec::new() };
        if !matches!(command.word.name.as_str(), "service" | "resource" | "patch" | "environment") {
            return Vec::new();
        }
        let Some(field) = field_at(command.body.as_deref().unwrap_or(&[]), selection) else {
            return Vec::new();
        };
        if field.lead.is_some() {
            return Vec::new();
        }
        let text = self.text(selection.file);
        let value = field.value.span.start as usize;
        let before = &text[..value];
        let mark = match field.strength {
            Strength::Plain => "",
            Strength::Default => "default",
            Strength::Override => "override",
            Strength::Sealed => "sealed",
        };
        let start = before.trim_end().strip_suffix(mark).map_or(value, str::len);
        let start = if mark.is_empty() { value } else { start };
        let span = Span {
            start: u32::try_from(start).unwrap_or(0),
            end: field.value.span.start,
            ..field.value.span
        };
        let name: Vec<&str> = field.path.iter().map(|part| part.name.as_str()).collect();
        let to = |word: &str, title: String| {
            Action::new(title, ActionKind::Rewrite, vec![Edit { span, text: word.to_owned() }])
        };
        let name = name.join(".");
        let mut all = Vec::new();
        if field.strength != Strength::Default {
            all.push(to("default ", format!("Let others say `{name}`: make it `default`")));
        }
        if field.strength != Strength::Override {
            all.push(to("override ", format!("Win over others: make `{name}` an `override`")));
        }
        if field.strength != Strength::Plain {
            all.push(to("", format!("Make `{name}` plain")));
        }
        all
    }
}

/// The innermost field at a place.
fn field_at(members: &[Member], place: Span) -> Option<&Field> {
    members.iter().find_map(|member| match member {
        Member::Field(field) if touch(field.span, place) => Some(field),
        Member::Command(command) if touch(command.span, place) => {
            field_at(command.body.as_deref()?, place)
        }
        _ => None,
    })
}
