//! Parameters: texts from outside, read as values of their declared types.

use super::{Eval, Evaluator, Scope, Stop, plain};
use crate::codes;
use crate::names::Param;
use crate::program::ModuleId;
use crate::ty::Type;
use dax_core::{Decimal, Diagnostic, FileId, Name, Value};
use dax_ir::Node;
use dax_syntax::ast::{ExprKind, ItemKind};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What to do about a parameter without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Leave out what needs it: checking works without values.
    Ignore,
    /// Report it.
    Report,
}

/// What to compute, and from which values of the project's parameters.
#[derive(Clone, Debug)]
pub struct Params {
    /// By name, as given on the command line.
    pub values: BTreeMap<Name, String>,
    /// By name, as values: what a test gives.
    pub typed: BTreeMap<Name, Value>,
    /// What to do about one that is lacking.
    pub missing: Missing,
    /// The one environment that is wanted; every one without it.
    pub only: Option<Name>,
    /// What the world has said of services already, by `service.name.output`.
    pub outputs: BTreeMap<Name, Value>,
}

impl Params {
    /// None that is given, for every environment.
    pub fn none(missing: Missing) -> Self {
        Self {
            values: BTreeMap::new(),
            typed: BTreeMap::new(),
            missing,
            only: None,
            outputs: BTreeMap::new(),
        }
    }
}

impl Evaluator<'_, '_> {
    pub(super) fn param(&self, module: ModuleId, param: &Param<'_>) -> Eval<Rc<Node>> {
        let key = (module, param.name.name.clone());
        if let Some(known) = self.values.borrow().get(&key) {
            return known.clone();
        }
        let result = self.compute_param(module, param).map(Rc::new);
        self.values.borrow_mut().insert(key, result.clone());
        result
    }

    fn compute_param(&self, module: ModuleId, param: &Param<'_>) -> Eval<Node> {
        let name = &param.name;
        let own_project = module == self.context.program.root;
        let given = if own_project { self.params.values.get(&name.name) } else { None };
        let typed = if own_project { self.params.typed.get(&name.name) } else { None };
        // The names outlive the evaluator's borrow of them; look the parameter up again for its own lifetime.
        let Some(crate::names::Symbol::Param(own)) = self.context.names.value(module, &name.name)
        else {
            return Err(Stop);
        };
        let ty = own.ty.map_or(Type::String, |ty| self.context.resolve(module, ty, false));
        let node = match (given, own.default) {
            _ if typed.is_some() => {
                super::expr::from_value(typed.cloned().unwrap_or_default(), name.span)
            }
            (Some(text), _) => {
                let Some(value) = read(text, &ty) else {
                    let diagnostic = Diagnostic::new(
                        codes::BAD_PARAM,
                        name.span,
                        format!("`{text}` is no `{ty}`"),
                    );
                    self.report(diagnostic.help(format!("give a `{ty}`: `-p {}=…`", name.name)));
                    return Err(Stop);
                };
                Node::leaf(value, plain(name.span))
            }
            (None, Some(default)) => self.eval(default, &mut Scope::of(module))?,
            (None, None) => {
                self.lacks_param.set(self.params.missing == Missing::Ignore);
                if self.params.missing == Missing::Report {
                    let diagnostic = Diagnostic::new(
                        codes::MISSING_PARAM,
                        name.span,
                        format!("`{}` has no value", name.name),
                    );
                    self.report(diagnostic.help(format!("give one: `-p {}=…`", name.name)));
                }
                return Err(Stop);
            }
        };
        self.conform(node, &ty)
    }
}

/// Reads a text as a value of a type: texts as they stand, everything else as it is written in dax.
fn read(text: &str, ty: &Type<'_>) -> Option<Value> {
    match ty.core() {
        Type::String | Type::Literal(_) | Type::Any => Some(Value::str(text)),
        Type::Union(all) => all.iter().find_map(|one| read(text, one)),
        Type::List(element) | Type::Set(element) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::List(items.map(|item| read(item, element)).collect::<Option<_>>()?))
        }
        wanted => {
            let (file, faults) =
                dax_syntax::parse(FileId(u32::MAX), &format!("value = {}", text.trim()));
            let [item] = file.items.as_slice() else { return None };
            let ItemKind::Field(field) = &item.kind else { return None };
            let ExprKind::Literal(value) = &field.value.kind else { return None };
            let fits = match (value, wanted) {
                (Value::Int(_), Type::Int | Type::Number)
                | (Value::Decimal(_), Type::Number)
                | (Value::Bool(_), Type::Bool) => true,
                (Value::Quantity(quantity), Type::Unit(unit)) => quantity.unit == *unit,
                _ => false,
            };
            let value = match (value, wanted) {
                (Value::Int(number), Type::Number) => Value::Decimal(Decimal::from(*number)),
                (value, _) => value.clone(),
            };
            (fits && faults.is_empty()).then_some(value)
        }
    }
}
