//! Calls: functions written in dax, and those behind `native`.

use super::{Eval, Evaluator, Scope, Stop, expr, plain};
use crate::names::Symbol;
use crate::natives;
use crate::program::ModuleId;
use dax_core::{Name, Span, Value};
use dax_ir::Node;
use dax_syntax::ast::{Expr, ExprKind, FnItem, Ident};
use std::rc::Rc;

/// Calls inside calls; functions do not recurse, so a program's own nesting never comes near it.
const MAX_CALL_DEPTH: u32 = 64;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn call(
        &self,
        function: &'a Expr,
        args: &'a [(Option<Ident>, Expr)],
        span: Span,
        scope: &mut Scope,
    ) -> Eval<Node> {
        let (module, name) = match &function.kind {
            ExprKind::Name(name) => (scope.module, name),
            ExprKind::Get(alias, name) => match &alias.kind {
                ExprKind::Name(alias) => match self.context.names.value(scope.module, alias) {
                    Some(Symbol::Import(module)) => (*module, &name.name),
                    _ => return Err(Stop),
                },
                _ => return Err(Stop),
            },
            _ => return Err(Stop),
        };
        match self.context.lookup(module, name) {
            Some((module, Symbol::Fn(item))) => self.call_fn(module, item, args, span, scope),
            None if name == "plan" => self.plan_call(args, span, scope),
            _ => Err(Stop),
        }
    }

    fn call_fn(
        &self,
        module: ModuleId,
        item: &'a FnItem,
        args: &'a [(Option<Ident>, Expr)],
        span: Span,
        scope: &mut Scope,
    ) -> Eval<Node> {
        let mut given: Vec<Option<Rc<Node>>> = vec![None; item.params.len()];
        for (position, (named, arg)) in args.iter().enumerate() {
            let at = match named {
                Some(named) => item.params.iter().position(|(param, _)| param.name == named.name),
                None => Some(position),
            };
            let (at, (_, written)) =
                at.and_then(|at| Some((at, item.params.get(at)?))).ok_or(Stop)?;
            let ty = self.context.resolve_with(module, written, &item.type_params, false);
            let value = self.eval_shared(arg, scope)?;
            given[at] = Some(self.conform_shared(value, &ty)?);
        }
        let values: Vec<Rc<Node>> = given.into_iter().collect::<Option<_>>().ok_or(Stop)?;
        let result = match &item.body.kind {
            ExprKind::Name(word)
                if word == "native" && natives::find(&item.name.name).is_some() =>
            {
                self.native(&item.name.name, &values, span)
            }
            _ => {
                // A function that calls itself was reported; the fuel would end it, but the stack would end first.
                if self.depth.get() >= MAX_CALL_DEPTH {
                    return Err(Stop);
                }
                self.depth.set(self.depth.get() + 1);
                let names = item.params.iter().map(|(param, _)| param.name.clone());
                let mut inner = Scope { module, locals: names.zip(values).collect() };
                let result = self.eval(&item.body, &mut inner);
                self.depth.set(self.depth.get() - 1);
                result
            }
        };
        self.conform(
            result?,
            &self.context.resolve_with(module, &item.result, &item.type_params, false),
        )
    }

    fn native(&self, name: &Name, args: &[Rc<Node>], span: Span) -> Eval<Node> {
        let run = natives::find(name).ok_or(Stop)?;
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            self.spend(expr::size(arg), span)?;
            let value = arg.value();
            if let Some(unknown) = value.unknown() {
                return Ok(Node::leaf(Value::Unknown(Box::new(unknown.clone())), plain(span)));
            }
            let mut secrets = Vec::new();
            value.secrets(&mut secrets);
            if !secrets.is_empty() && !natives::is_blind(name) {
                return Err(Stop);
            }
            values.push(value);
        }
        let node = expr::from_value(self.checked(run(&values), span)?, span);
        self.spend(expr::size(&node), span)?;
        Ok(node)
    }
}
