//! Which type a written type denotes.

use crate::codes;
use crate::context::Context;
use crate::program::ModuleId;
use crate::ty::{FieldType, Record, RefKind, Type};
use dax_core::{Diagnostic, Name, Span, Unit, Value, suggest};
use dax_syntax::ast::{Ident, TypeExpr, TypeKind};
use indexmap::IndexMap;
use std::sync::Arc;

impl<'a> Context<'a> {
    /// A type of the prelude, such as `Service`.
    pub(crate) fn prelude_type(&self, name: &str) -> Type<'a> {
        let module = self.program.prelude.iter().find(|m| self.names.module(**m).types.contains_key(name));
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
        let mut ty = self.resolve(module, &item.ty, true);
        if let Type::Record(record) = &mut ty
            && let Some(record) = Arc::get_mut(record)
        {
            record.name = Some(item.name.name.clone());
        }
        self.types.borrow_mut().insert(key, Some(ty.clone()));
        Some(ty)
    }

    /// The type that a written type denotes; what is wrong with it is reported when `report` is set.
    pub(crate) fn resolve(&self, module: ModuleId, written: &'a TypeExpr, report: bool) -> Type<'a> {
        let inner = |ty: &'a TypeExpr| Arc::new(self.resolve(module, ty, report));
        match &written.kind {
            TypeKind::Literal(text) => Type::Literal(text.clone()),
            TypeKind::Union(all) => Type::Union(all.iter().map(|one| self.resolve(module, one, report)).collect()),
            TypeKind::Optional(one) => Type::Optional(inner(one)),
            TypeKind::Where(base, condition) => Type::Where(inner(base), condition, module),
            TypeKind::Record { fields, open } => {
                let mut record = Record { name: None, fields: IndexMap::new(), open: *open, module };
                for field in fields {
                    let ty = self.resolve(module, &field.ty, report);
                    let default = field.default.as_ref();
                    let ty = FieldType { ty, optional: field.optional, default, span: field.name.span };
                    if record.fields.insert(field.name.name.clone(), ty).is_some() && report {
                        let detail = format!("the field `{}` is declared twice", field.name.name);
                        self.error(codes::DUPLICATE, field.name.span, detail);
                    }
                }
                Type::Record(Arc::new(record))
            }
            TypeKind::Name { path, args, range } => {
                let base = self.named(module, written, path, args, report);
                match range.as_deref() {
                    Some((low, high)) => self.ranged(base, low, high, written.span, report),
                    None => base,
                }
            }
        }
    }

    fn ranged(&self, base: Type<'a>, low: &Value, high: &Value, span: Span, report: bool) -> Type<'a> {
        let fits = |bound: &Value| match (&base, bound) {
            (Type::Int | Type::Number, Value::Int(_)) | (Type::Number, Value::Decimal(_)) | (Type::Error, _) => true,
            (Type::Unit(unit), Value::Quantity(quantity)) => quantity.unit == *unit,
            _ => false,
        };
        if !fits(low) || !fits(high) || low > high {
            if report {
                let detail = format!("`{low}..{high}` is no range of `{base}`");
                self.error(codes::BAD_TYPE, span, detail);
            }
            return base;
        }
        Type::Range(Arc::new(base), low.clone(), high.clone())
    }

    fn named(&self, module: ModuleId, written: &'a TypeExpr, path: &'a [Ident], args: &'a [TypeExpr], report: bool) -> Type<'a> {
        let [name] = path else {
            return self.imported(module, written, path, report);
        };
        let one = |make: fn(Arc<Type<'a>>) -> Type<'a>| match args {
            [arg] => make(Arc::new(self.resolve(module, arg, report))),
            _ => {
                if report {
                    let detail = format!("`{0}` takes one type, as in `{0}<string>`", name.name);
                    self.error(codes::BAD_TYPE, written.span, detail);
                }
                Type::Error
            }
        };
        match name.name.as_str() {
            "any" => return Type::Any,
            "bool" => return Type::Bool,
            "int" => return Type::Int,
            "number" => return Type::Number,
            "string" => return Type::String,
            "Query" => return Type::Query,
            "Condition" => return Type::Condition,
            "List" => return one(Type::List),
            "Map" => return one(Type::Map),
            "Secret" => return one(Type::Secret),
            "Ref" => {
                if let [TypeExpr { kind: TypeKind::Name { path, .. }, .. }] = args
                    && let Some(kind) = RefKind::ALL.into_iter().find(|k| path.first().is_some_and(|p| p.name == k.word()))
                {
                    return Type::Ref(kind);
                }
            }
            other => {
                if let Some(unit) = Unit::from_type_name(other) {
                    return Type::Unit(unit);
                }
            }
        }
        let own = self.named_type(module, &name.name);
        let prelude = || self.program.prelude.iter().find_map(|m| self.named_type(*m, &name.name));
        own.or_else(prelude).unwrap_or_else(|| {
            if report {
                self.unknown_type(module, name);
            }
            Type::Error
        })
    }

    fn imported(&self, module: ModuleId, written: &TypeExpr, path: &[Ident], report: bool) -> Type<'a> {
        if let [alias, name] = path
            && let Some(crate::names::Symbol::Import(target)) = self.names.value(module, &alias.name)
            && let Some(ty) = self.named_type(*target, &name.name)
        {
            return ty;
        }
        if report {
            let text: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
            self.error(codes::UNKNOWN_TYPE, written.span, format!("there is no type `{}`", text.join(".")));
        }
        Type::Error
    }

    fn unknown_type(&self, module: ModuleId, name: &Ident) {
        if self.is_broken(module, &name.name) {
            return;
        }
        const BUILT_IN: &[&str] =
            &["any", "bool", "int", "number", "string", "List", "Map", "Secret", "Duration", "Bytes", "Percent", "Cpu", "Rate"];
        let mut diagnostic = Diagnostic::new(codes::UNKNOWN_TYPE, name.span, format!("there is no type `{}`", name.name));
        let modules = self.program.prelude.iter().chain([&module]);
        let named = modules.flat_map(|m| self.names.module(*m).types.keys()).map(Name::as_str);
        if let Some(meant) = suggest::nearest(&name.name, BUILT_IN.iter().copied().chain(named)) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(name.span, meant);
        }
        self.report(diagnostic);
    }
}
