//! Which service, and which field of it, a byte of a text is about.

use crate::project::Project;
use dax_core::{FileId, Name, Span, Value};
use dax_sema::{ModuleId, Naming};
use dax_syntax::ast::{Arg, Command, Expr, ExprKind, ItemKind, Member};

/// A field of a service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceField<'p> {
    /// The service, as the module names it.
    pub(crate) service: Naming<'p>,
    pub(crate) module: ModuleId,
    /// Names from the service inwards; none for the service itself.
    pub(crate) path: Vec<Name>,
    /// The environment whose value is meant, where the text speaks of one.
    pub(crate) environment: Option<Name>,
}

fn holds(span: Span, at: u32) -> bool {
    span.start <= at && at <= span.end
}

impl Project {
    /// The field that is named at a byte: in a service, in `set` of an environment, in `patch`.
    pub(crate) fn service_field(&self, file: FileId, at: u32) -> Option<ServiceField<'_>> {
        let (module, ast) = self.loaded.file(file)?;
        let item = ast.items.iter().find(|item| holds(item.span, at))?;
        let ItemKind::Command(command) = &item.kind else { return None };
        let body = command.body.as_deref().unwrap_or(&[]);
        match (command.word.name.as_str(), command.args.as_slice()) {
            ("service", [Arg::Expr(Expr { kind: ExprKind::Name(name), span }), ..]) => {
                let path = if holds(*span, at) { Vec::new() } else { path_at(body, at)? };
                Some(ServiceField { service: Naming::Item(name), module, path, environment: None })
            }
            ("patch", [Arg::Expr(target)]) => Some(ServiceField {
                service: Naming::Expr(target),
                module,
                path: path_at(body, at)?,
                environment: None,
            }),
            ("environment", [Arg::Expr(Expr { kind: ExprKind::Name(environment), .. }), ..]) => {
                let member = body.iter().find_map(|member| match member {
                    Member::Command(member)
                        if holds(member.span, at) && member.word.name == "set" =>
                    {
                        Some(member)
                    }
                    _ => None,
                })?;
                let Some(Arg::Expr(target)) = member.args.first() else { return None };
                let path = if holds(target.span, at) {
                    Vec::new()
                } else {
                    path_at(member.body.as_deref().unwrap_or(&[]), at)?
                };
                Some(ServiceField {
                    service: Naming::Expr(target),
                    module,
                    path,
                    environment: Some(environment.clone()),
                })
            }
            _ => None,
        }
    }
}

/// The path of the field whose name stands at a byte.
fn path_at(members: &[Member], at: u32) -> Option<Vec<Name>> {
    members.iter().find_map(|member| match member {
        Member::Field(field) if holds(field.span, at) => {
            let known = field.path.iter().position(|part| holds(part.span, at));
            let mut path: Vec<Name> =
                field.lead.iter().chain(&field.path).map(|part| part.name.clone()).collect();
            match known {
                Some(part) => {
                    path.truncate(part + 1 + usize::from(field.lead.is_some()));
                    Some(path)
                }
                None => {
                    path.extend(key_at(&field.value, at)?);
                    Some(path)
                }
            }
        }
        Member::Command(command) if holds(command.span, at) => command_at(command, at),
        _ => None,
    })
}

fn command_at(command: &Command, at: u32) -> Option<Vec<Name>> {
    if holds(command.word.span, at) {
        return Some(vec![command.word.name.clone()]);
    }
    let mut path = vec![command.word.name.clone()];
    path.extend(path_at(command.body.as_deref()?, at)?);
    Some(path)
}

/// The keys of a written map that lead to the one at a byte.
fn key_at(expr: &Expr, at: u32) -> Option<Vec<Name>> {
    let ExprKind::Map(None, entries) = &expr.kind else { return None };
    entries.iter().find_map(|entry| {
        let ExprKind::Literal(Value::Str(key)) = &entry.key.kind else { return None };
        if holds(entry.key.span, at) {
            return Some(vec![key.clone()]);
        }
        let mut path = vec![key.clone()];
        path.extend(key_at(&entry.value, at)?);
        Some(path)
    })
}
