//! Which type a written type denotes.

use crate::codes;
use crate::context::Context;
use crate::names::Symbol;
use crate::offers::CURSOR;
use crate::program::ModuleId;
use crate::ty::{FieldType, Phase, Record, RefKind, Type, Vars};
use dax_core::{Diagnostic, Name, Span, Unit, Value, suggest};
use dax_syntax::ast::{Ident, TypeExpr, TypeItem, TypeKind};
use indexmap::IndexMap;
use std::sync::Arc;

/// Types that no module declares.
pub(crate) const BUILT_IN: &[&str] = &[
    "any", "bool", "int", "number", "string", "none", "unset", "List", "Set", "Map", "Secret",
    "Static", "Plan", "Apply", "Ref", "Duration", "Bytes", "Percent", "Cpu", "Rate",
];

/// Where a written type stands.
#[derive(Clone, Copy)]
struct At<'v, 'a> {
    module: ModuleId,
    /// What the type parameters stand for.
    vars: &'v Vars<'a>,
    /// Whether faults are said here; every type is resolved more than once.
    report: bool,
}

impl<'a> Context<'a> {
    /// A type of the prelude, such as `Service`.
    pub(crate) fn prelude_type(&self, name: &str) -> Type<'a> {
        let module =
            self.program.prelude.iter().find(|m| self.names.module(**m).types.contains_key(name));
        module.map_or(Type::Error, |module| self.named_type(*module, name).unwrap_or(Type::Error))
    }

    /// The type named `name` in a module, or nothing when there is none.
    pub(crate) fn named_type(&self, module: ModuleId, name: &str) -> Option<Type<'a>> {
        let key = (module, Name::new(name));
        if let Some(known) = self.types.borrow().get(&key) {
            return Some(known.clone().unwrap_or(Type::Error));
        }
        let item = *self.names.module(module).types.get(name)?;
        self.types.borrow_mut().insert(key.clone(), None);
        let vars = item
            .type_params
            .iter()
            .map(|param| (param.name.clone(), Type::Var(param.name.clone())))
            .collect();
        let ty = self.named_as(item, At { module, vars: &vars, report: true });
        self.types.borrow_mut().insert(key, Some(ty.clone()));
        Some(ty)
    }

    /// The type of an item under its own name.
    fn named_as(&self, item: &'a TypeItem, at: At<'_, 'a>) -> Type<'a> {
        let name = item.name.name.clone();
        match self.resolve_at(&item.ty, at) {
            Type::Record(record) => {
                Type::Record(Arc::new(Record { name: Some(name), ..(*record).clone() }))
            }
            Type::Error => Type::Error,
            other => Type::Named(name, Arc::new(other)),
        }
    }

    /// The type that a written type denotes; what is wrong with it is reported when `report` is set.
    pub(crate) fn resolve(
        &self,
        module: ModuleId,
        written: &'a TypeExpr,
        report: bool,
    ) -> Type<'a> {
        self.resolve_at(written, At { module, vars: &Vars::new(), report })
    }

    /// The same inside of a function with type parameters.
    pub(crate) fn resolve_with(
        &self,
        module: ModuleId,
        written: &'a TypeExpr,
        params: &[Ident],
        report: bool,
    ) -> Type<'a> {
        let vars = params
            .iter()
            .map(|param| (param.name.clone(), Type::Var(param.name.clone())))
            .collect();
        self.resolve_at(written, At { module, vars: &vars, report })
    }

    fn resolve_at(&self, written: &'a TypeExpr, at: At<'_, 'a>) -> Type<'a> {
        let inner = |ty: &'a TypeExpr| Arc::new(self.resolve_at(ty, at));
        match &written.kind {
            TypeKind::Literal(text) => Type::Literal(text.clone()),
            TypeKind::Union(all) => {
                Type::Union(all.iter().map(|one| self.resolve_at(one, at)).collect())
            }
            TypeKind::Optional(one) => Type::Optional(inner(one)),
            TypeKind::Where(base, condition) => Type::Where(inner(base), condition, at.module),
            TypeKind::Keyed(base, field) => self.keyed(base, field, at),
            TypeKind::Record { fields, open } => {
                let mut record =
                    Record { name: None, fields: IndexMap::new(), open: *open, module: at.module };
                for field in fields {
                    let ty = self.resolve_at(&field.ty, at);
                    let default = field.default.as_ref();
                    let ty =
                        FieldType { ty, optional: field.optional, default, span: field.name.span };
                    if record.fields.insert(field.name.name.clone(), ty).is_some() && at.report {
                        let detail = format!("the field `{}` is declared twice", field.name.name);
                        self.error(codes::DUPLICATE, field.name.span, detail);
                    }
                }
                Type::Record(Arc::new(record))
            }
            TypeKind::Name { path, args, range } => {
                let base = self.named(written, path, args, at);
                match range.as_deref() {
                    Some((low, high)) => self.ranged(base, low, high, written.span, at.report),
                    None => base,
                }
            }
        }
    }

    fn keyed(&self, base: &'a TypeExpr, field: &Ident, at: At<'_, 'a>) -> Type<'a> {
        let list = self.resolve_at(base, at);
        let element = match list.core() {
            Type::List(element) => element.record().cloned(),
            _ => None,
        };
        let sound = matches!(list, Type::Error)
            || element.is_some_and(|record| record.fields.contains_key(&field.name));
        if !sound && at.report {
            let detail = format!("`{list}` has no elements with a field `{}`", field.name);
            self.report(
                Diagnostic::new(codes::BAD_TYPE, field.span, detail)
                    .help("write `List<Record> keyed by field`"),
            );
        }
        if sound { Type::Keyed(Arc::new(list), field.name.clone()) } else { list }
    }

    fn ranged(
        &self,
        base: Type<'a>,
        low: &Value,
        high: &Value,
        span: Span,
        report: bool,
    ) -> Type<'a> {
        let fits = |bound: &Value| match (base.core(), bound) {
            (Type::Int | Type::Number, Value::Int(_))
            | (Type::Number, Value::Decimal(_))
            | (Type::Error, _) => true,
            (Type::Unit(unit), Value::Quantity(quantity)) => quantity.unit == *unit,
            _ => false,
        };
        if !fits(low) || !fits(high) || crate::operators::compare(low, high).is_gt() {
            if report {
                let detail = format!("`{low}..{high}` is no range of `{base}`");
                self.error(codes::BAD_TYPE, span, detail);
            }
            return base;
        }
        Type::Range(Arc::new(base), low.clone(), high.clone())
    }

    fn named(
        &self,
        written: &'a TypeExpr,
        path: &'a [Ident],
        args: &'a [TypeExpr],
        at: At<'_, 'a>,
    ) -> Type<'a> {
        let [name] = path else {
            return self.imported(written, path, args, at);
        };
        let one = |make: &dyn Fn(Arc<Type<'a>>) -> Type<'a>| match args {
            [arg] => make(Arc::new(self.resolve_at(arg, at))),
            _ => {
                if at.report {
                    let detail = format!("`{0}` takes one type, as in `{0}<string>`", name.name);
                    self.error(codes::BAD_TYPE, written.span, detail);
                }
                Type::Error
            }
        };
        if let Some(var) = at.vars.get(&name.name) {
            return var.clone();
        }
        if name.name == CURSOR {
            self.offer_types(at.module);
            return Type::Error;
        }
        if at.report
            && let Some(item) = self.type_item(at.module, &name.name)
        {
            self.note(name.span, Some(item.name.span));
        }
        // What a module declares is what it means, also where the language has a type of that name.
        if let Some(own) = self.applied(at.module, &name.name, args, written.span, at) {
            return own;
        }
        let plain = match name.name.as_str() {
            "any" => Some(Type::Any),
            "bool" => Some(Type::Bool),
            "int" => Some(Type::Int),
            "number" => Some(Type::Number),
            "string" => Some(Type::String),
            "none" => Some(Type::None),
            "unset" => Some(Type::Unset),
            "Query" => Some(Type::Query),
            "Condition" => Some(Type::Condition),
            other => Unit::from_type_name(other).map(Type::Unit),
        };
        if let Some(plain) = plain {
            return self.without_args(plain, args, written.span, at);
        }
        match name.name.as_str() {
            "List" => return one(&Type::List),
            "Set" => return one(&Type::Set),
            "Map" => return one(&Type::Map),
            "Secret" => return one(&Type::Secret),
            "Static" => return one(&|ty| Type::Phase(Phase::Static, ty)),
            "Plan" => return one(&|ty| Type::Phase(Phase::Plan, ty)),
            "Apply" => return one(&|ty| Type::Phase(Phase::Apply, ty)),
            "Ref" => {
                if let [TypeExpr { kind: TypeKind::Name { path, .. }, .. }] = args
                    && let Some(kind) = RefKind::ALL
                        .into_iter()
                        .find(|k| path.first().is_some_and(|p| p.name == k.word()))
                {
                    return Type::Ref(kind);
                }
            }
            _ => {}
        }
        let found = self
            .program
            .prelude
            .iter()
            .copied()
            .find_map(|module| self.applied(module, &name.name, args, written.span, at));
        found.unwrap_or_else(|| {
            if at.report {
                self.unknown_type(at.module, name);
            }
            Type::Error
        })
    }

    fn without_args(
        &self,
        ty: Type<'a>,
        args: &[TypeExpr],
        span: Span,
        at: At<'_, 'a>,
    ) -> Type<'a> {
        if !args.is_empty() && at.report {
            self.error(codes::BAD_TYPE, span, format!("`{ty}` takes no types"));
        }
        ty
    }

    /// A declared type with its parameters filled in.
    fn applied(
        &self,
        module: ModuleId,
        name: &str,
        args: &'a [TypeExpr],
        span: Span,
        at: At<'_, 'a>,
    ) -> Option<Type<'a>> {
        let item = *self.names.module(module).types.get(name)?;
        if self.types.borrow().get(&(module, Name::new(name))).is_some_and(Option::is_none) {
            if at.report {
                let diagnostic = Diagnostic::new(
                    codes::CIRCULAR_DEFINITION,
                    span,
                    format!("the type `{name}` holds itself"),
                );
                self.report(
                    diagnostic.help("types are finite: hold the inner part as `any` or by a key"),
                );
            }
            return Some(Type::Error);
        }
        if item.type_params.len() != args.len() {
            if at.report {
                let params: Vec<&str> =
                    item.type_params.iter().map(|param| param.name.as_str()).collect();
                let detail = match params.as_slice() {
                    [] => format!("`{name}` takes no types"),
                    some => format!(
                        "`{name}` takes {} types: `{name}<{}>`",
                        some.len(),
                        some.join(", ")
                    ),
                };
                self.error(codes::BAD_TYPE, span, detail);
            }
            return Some(Type::Error);
        }
        let ty = self.named_type(module, name)?;
        if args.is_empty() {
            return Some(ty);
        }
        let filled = item
            .type_params
            .iter()
            .zip(args)
            .map(|(param, arg)| (param.name.clone(), self.resolve_at(arg, at)))
            .collect();
        Some(ty.with_vars(&filled))
    }

    fn imported(
        &self,
        written: &'a TypeExpr,
        path: &'a [Ident],
        args: &'a [TypeExpr],
        at: At<'_, 'a>,
    ) -> Type<'a> {
        let text: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
        let mut diagnostic = Diagnostic::new(
            codes::UNKNOWN_TYPE,
            written.span,
            format!("there is no type `{}`", text.join(".")),
        );
        if let [alias, name] = path {
            match self.names.value(at.module, &alias.name) {
                Some(Symbol::Import(target)) => {
                    if name.name == CURSOR {
                        self.offer_module(*target, true);
                        return Type::Error;
                    }
                    if at.report
                        && let Some(item) = self.names.module(*target).types.get(&name.name)
                    {
                        self.note(alias.span, Some(self.names.declared(at.module, &alias.name)));
                        self.note(name.span, Some(item.name.span));
                    }
                    if let Some(ty) = self.applied(*target, &name.name, args, written.span, at) {
                        return ty;
                    }
                    let known = self.names.module(*target).types.keys().map(Name::as_str);
                    if let Some(meant) = suggest::nearest(&name.name, known) {
                        diagnostic = diagnostic
                            .help(format!("did you mean `{}.{meant}`?", alias.name))
                            .fix(name.span, meant);
                    }
                }
                _ if self.is_broken(at.module, &alias.name) => return Type::Error,
                _ => diagnostic = diagnostic.help(format!("`{}` is not imported", alias.name)),
            }
        }
        if at.report {
            self.report(diagnostic);
        }
        Type::Error
    }

    fn unknown_type(&self, module: ModuleId, name: &Ident) {
        if self.is_broken(module, &name.name) {
            return;
        }
        let mut diagnostic = Diagnostic::new(
            codes::UNKNOWN_TYPE,
            name.span,
            format!("there is no type `{}`", name.name),
        );
        let modules = self.program.prelude.iter().chain([&module]);
        let named = modules.flat_map(|m| self.names.module(*m).types.keys()).map(Name::as_str);
        if let Some(meant) = suggest::nearest(&name.name, BUILT_IN.iter().copied().chain(named)) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(name.span, meant);
        }
        self.report(diagnostic);
    }
}
