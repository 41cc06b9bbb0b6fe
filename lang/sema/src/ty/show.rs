//! Types as a reader of messages sees them, and the smallest part in which two differ.

use super::Type;
use std::fmt::{Display, Formatter, Result};

/// Fields that a record without a name shows before it is cut short.
const SHOWN_FIELDS: usize = 6;

impl Display for Type<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Error => f.write_str("?"),
            Self::Any => f.write_str("any"),
            Self::None => f.write_str("none"),
            Self::Unset => f.write_str("unset"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::Unit(unit) => f.write_str(unit.type_name()),
            Self::Literal(text) => write!(f, "{text:?}"),
            Self::Union(all) => {
                for (i, one) in all.iter().enumerate() {
                    write!(f, "{}{one}", if i == 0 { "" } else { " | " })?;
                }
                Ok(())
            }
            Self::Optional(inner) => match **inner {
                Self::Union(_) => write!(f, "({inner})?"),
                _ => write!(f, "{inner}?"),
            },
            Self::List(inner) => write!(f, "List<{inner}>"),
            Self::Set(inner) => write!(f, "Set<{inner}>"),
            Self::Map(inner) => write!(f, "Map<{inner}>"),
            Self::Record(record) => match &record.name {
                Some(name) => f.write_str(name),
                None => {
                    f.write_str("{")?;
                    for (i, (name, field)) in record.fields.iter().take(SHOWN_FIELDS).enumerate() {
                        let mark = if field.optional { "?" } else { "" };
                        write!(f, "{} {name}{mark}: {}", if i == 0 { "" } else { "," }, field.ty)?;
                    }
                    if record.open || record.fields.len() > SHOWN_FIELDS {
                        f.write_str(", ...")?;
                    }
                    f.write_str(" }")
                }
            },
            Self::Secret(inner) => write!(f, "Secret<{inner}>"),
            Self::Range(inner, low, high) => write!(f, "{inner} {low}..{high}"),
            Self::Where(inner, ..) => write!(f, "{inner} where …"),
            Self::Named(name, _) | Self::Var(name) => f.write_str(name),
            Self::Keyed(inner, field) => write!(f, "{inner} keyed by {field}"),
            // Everything that is not said to be later is static.
            Self::Phase(super::Phase::Static, inner) => write!(f, "{inner}"),
            Self::Phase(phase, inner) => write!(f, "{}<{inner}>", phase.word()),
            Self::Ref(kind) => write!(f, "Ref<{}>", kind.word()),
            Self::Query => f.write_str("Query"),
            Self::Condition => f.write_str("Condition"),
        }
    }
}

impl Type<'_> {
    /// Where in a nested type the two first differ: the path, what is there, what is wanted.
    ///
    /// Nothing when the types differ as wholes.
    pub(crate) fn difference(&self, want: &Self) -> Option<(String, String, String)> {
        let mut path = String::new();
        let (have, want) = differ(self, want, &mut path);
        if path.is_empty() { None } else { Some((path, have, want)) }
    }
}

fn differ(have: &Type<'_>, want: &Type<'_>, path: &mut String) -> (String, String) {
    let shown = || (have.to_string(), want.to_string());
    match (have.core(), want.core()) {
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) => {
            path.push_str("[…]");
            differ(a, b, path)
        }
        (Type::Map(a), Type::Map(b)) => {
            path.push_str(".*");
            differ(a, b, path)
        }
        (Type::Record(a), Type::Map(b)) => {
            match a.fields.iter().find(|(_, field)| !field.ty.fits(b)) {
                Some((name, field)) => {
                    path.push('.');
                    path.push_str(name);
                    differ(&field.ty, b, path)
                }
                None => shown(),
            }
        }
        (Type::Record(a), Type::Record(b)) => {
            for (name, field) in &b.fields {
                match a.fields.get(name) {
                    Some(have) if !have.read().fits(&field.read()) => {
                        path.push('.');
                        path.push_str(name);
                        return differ(&have.read(), &field.read(), path);
                    }
                    None if !field.may_lack() => {
                        path.push('.');
                        path.push_str(name);
                        return ("nothing".to_owned(), field.ty.to_string());
                    }
                    _ => {}
                }
            }
            match a.fields.iter().find(|(name, _)| !b.open && !b.fields.contains_key(*name)) {
                Some((name, field)) => {
                    path.push('.');
                    path.push_str(name);
                    (field.ty.to_string(), "no such field".to_owned())
                }
                None => shown(),
            }
        }
        _ => shown(),
    }
}
