//! What of a file others can see: as long as it is the same, only the file itself has to be checked again.

use crate::definitions::Key;
use dax_core::Span;
use dax_syntax::ast::{Arg, Command, File, ItemKind, Member};

/// A hash of what other files can see of one: what its items are called and are, without the bodies that nobody reads.
pub(crate) fn interface(file: &File, text: &str) -> Key {
    let slice = |span: Span| text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let mut parts: Vec<&str> = Vec::new();
    for item in &file.items {
        match &item.kind {
            ItemKind::Field(_) | ItemKind::Fn(_) | ItemKind::Type(_) => {
                parts.push(slice(item.span))
            }
            ItemKind::Broken(name) => parts.extend(name.iter().map(|name| name.name.as_str())),
            ItemKind::Command(command) => match command.word.name.as_str() {
                // Nobody can name what these declare.
                "policy" | "test" | "patch" | "moved" | "removed" => {}
                // What an environment binds is what its plan shows to a test, and what another builds upon.
                "environment" => {
                    head(command, slice, &mut parts);
                    for member in command.body.iter().flatten() {
                        if let Member::Command(member) = member {
                            head(member, slice, &mut parts);
                        }
                    }
                }
                "service" | "resource" | "strategy" | "provider" => {
                    head(command, slice, &mut parts)
                }
                _ => parts.push(slice(item.span)),
            },
        }
        parts.push("\n");
    }
    Key::of(parts)
}

fn head<'t>(command: &'t Command, slice: impl Fn(Span) -> &'t str, parts: &mut Vec<&'t str>) {
    parts.push(&command.word.name);
    parts.extend(command.args.iter().map(|arg| match arg {
        Arg::Expr(expr) => slice(expr.span),
        Arg::Type(ty) => slice(ty.span),
    }));
}
