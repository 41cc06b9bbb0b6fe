//! `dax why`: every value that was offered for a place, and the names behind the one that won.

use crate::context::Context;
use crate::eval::{self, Params};
use crate::program::Program;
use dax_core::{Name, Span, Value};
use dax_ir::Origin;

/// A value that was offered for a place.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
    /// Items that its expression names, with the place of each.
    pub names: Vec<(Name, Span)>,
}

/// What was offered for `service`'s field at `path` in an environment, in the order in which it was read.
pub fn contributions(
    program: &Program,
    params: &Params,
    environment: &str,
    service: &str,
    path: &[Name],
) -> Vec<Contribution> {
    let context = Context::new(program);
    eval::offers(&context, params, environment, service)
        .into_iter()
        .filter_map(|offer| {
            let common = offer.path.len().min(path.len());
            if offer.path[..common] != path[..common] {
                return None;
            }
            let node = path[common..].iter().try_fold(&offer.node, |node, key| node.get(key))?;
            let names = context.names_behind(node.origin.span);
            Some(Contribution { value: node.value(), origin: node.origin, names })
        })
        .collect()
}

impl Context<'_> {
    /// The project's items that the expression at a span names.
    fn names_behind(&self, span: Span) -> Vec<(Name, Span)> {
        let root = &self.program.modules[self.program.root.0];
        let mut names = Vec::new();
        for item in root.files.iter().flat_map(|file| &file.items) {
            if item.span.file == span.file
                && item.span.start <= span.start
                && span.end <= item.span.end
            {
                crate::walk::walk_item(item, &mut |expr| {
                    let inside = span.start <= expr.span.start && expr.span.end <= span.end;
                    if let (true, dax_syntax::ast::ExprKind::Name(name)) = (inside, &expr.kind)
                        && let Some((_, at)) = self.names.module(self.program.root).values.get(name)
                    {
                        names.push((name.clone(), *at));
                    }
                });
            }
        }
        names
    }
}
