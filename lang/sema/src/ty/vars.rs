//! Type parameters: found from the arguments of a call, then put in place.

use super::{FieldType, Record, Type};
use dax_core::Name;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Type parameters and what they stand for.
pub(crate) type Vars<'a> = BTreeMap<Name, Type<'a>>;

/// Finds what the type parameters in `param` stand for, given an argument's type.
pub(crate) fn infer_vars<'a>(param: &Type<'a>, arg: &Type<'a>, vars: &mut Vars<'a>) {
    match (param, arg) {
        (Type::Var(name), _) => {
            let arg = arg.clone().widened();
            let joined = match vars.remove(name) {
                Some(known) => known.join(arg),
                None => arg,
            };
            vars.insert(name.clone(), joined);
        }
        (
            Type::Named(_, param)
            | Type::Phase(_, param)
            | Type::Where(param, ..)
            | Type::Range(param, ..)
            | Type::Keyed(param, _),
            _,
        ) => {
            infer_vars(param, arg, vars);
        }
        (Type::Optional(param), _) => infer_vars(param, arg.optional().unwrap_or(arg), vars),
        (Type::List(param) | Type::Set(param) | Type::Map(param) | Type::Secret(param), _) => {
            match (param, arg.core()) {
                (_, Type::Record(record)) => {
                    record.fields.values().for_each(|field| infer_vars(param, &field.ty, vars))
                }
                (_, Type::List(arg) | Type::Set(arg) | Type::Map(arg) | Type::Secret(arg)) => {
                    infer_vars(param, arg, vars)
                }
                _ => {}
            }
        }
        (Type::Record(param), _) => {
            if let Type::Record(arg) = arg.core() {
                for (name, field) in &param.fields {
                    if let Some(given) = arg.fields.get(name) {
                        infer_vars(&field.ty, &given.ty, vars);
                    }
                }
            }
        }
        (Type::Union(all), _) => {
            all.iter().filter(|one| one.has_vars()).for_each(|one| infer_vars(one, arg, vars))
        }
        _ => {}
    }
}

impl<'a> Type<'a> {
    /// Whether a type parameter is in it.
    pub(crate) fn has_vars(&self) -> bool {
        match self {
            Self::Var(_) => true,
            Self::Optional(inner)
            | Self::List(inner)
            | Self::Set(inner)
            | Self::Map(inner)
            | Self::Secret(inner)
            | Self::Range(inner, ..)
            | Self::Where(inner, ..)
            | Self::Named(_, inner)
            | Self::Keyed(inner, _)
            | Self::Phase(_, inner) => inner.has_vars(),
            Self::Union(all) => all.iter().any(Self::has_vars),
            Self::Record(record) => record.fields.values().any(|field| field.ty.has_vars()),
            _ => false,
        }
    }

    /// The type with its parameters put in place; one that nothing was found for fits everything.
    pub(crate) fn with_vars(&self, vars: &Vars<'a>) -> Self {
        if !self.has_vars() {
            return self.clone();
        }
        let inner = |ty: &Arc<Type<'a>>| Arc::new(ty.with_vars(vars));
        match self {
            Self::Var(name) => vars.get(name).cloned().unwrap_or(Self::Error),
            Self::Optional(ty) => Self::Optional(inner(ty)),
            Self::List(ty) => Self::List(inner(ty)),
            Self::Set(ty) => Self::Set(inner(ty)),
            Self::Map(ty) => Self::Map(inner(ty)),
            Self::Secret(ty) => Self::Secret(inner(ty)),
            Self::Range(ty, low, high) => Self::Range(inner(ty), low.clone(), high.clone()),
            Self::Where(ty, condition, module) => Self::Where(inner(ty), condition, *module),
            Self::Named(name, ty) => Self::Named(name.clone(), inner(ty)),
            Self::Keyed(ty, field) => Self::Keyed(inner(ty), field.clone()),
            Self::Phase(phase, ty) => Self::Phase(*phase, inner(ty)),
            Self::Union(all) => Self::Union(all.iter().map(|one| one.with_vars(vars)).collect()),
            Self::Record(record) => {
                let field = |field: &FieldType<'a>| FieldType {
                    ty: field.ty.with_vars(vars),
                    ..field.clone()
                };
                let fields =
                    record.fields.iter().map(|(name, ty)| (name.clone(), field(ty))).collect();
                Self::Record(Arc::new(Record {
                    name: record.name.clone(),
                    fields,
                    open: record.open,
                    module: record.module,
                }))
            }
            other => other.clone(),
        }
    }
}
