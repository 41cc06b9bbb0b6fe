//! Types as a program.

use crate::types::Types;
use dax_syntax::write::{self, Item, ItemKind, Mismatch, RecordField, Type, one_line};

/// All types, each behind what it needs, below a comment that says where they come from.
///
/// # Errors
/// The text does not read back as it was meant.
pub(crate) fn text(types: Types, head: String) -> Result<String, Mismatch> {
    let items = types.all.into_iter().map(|(name, named)| {
        let notes = named.notes.iter().map(|note| format!("Note: {}.", one_line(note)));
        let doc = std::iter::once(named.doc).chain(notes).filter(|text| !text.is_empty());
        Item {
            notes: Vec::new(),
            doc: doc.collect(),
            kind: ItemKind::Type(name, settled(named.ty)),
        }
    });
    write::write(&write::Program { head: vec![head], items: items.collect() })
}

/// The type as it reads best: what may be absent of a union is one more alternative.
fn settled(ty: Type) -> Type {
    let inner = |ty: Box<Type>| Box::new(settled(*ty));
    match ty {
        Type::Optional(of) => match settled(*of) {
            Type::Union(mut all) => {
                all.push(Type::Name("none".into()));
                Type::Union(all)
            }
            other => Type::Optional(Box::new(other)),
        },
        Type::Union(all) => Type::Union(all.into_iter().map(settled).collect()),
        Type::Of(name, of) => Type::Of(name, inner(of)),
        Type::Keyed(of, key) => Type::Keyed(inner(of), key),
        Type::Where(base, conditions) => Type::Where(inner(base), conditions),
        Type::Record(fields, open) => {
            let settle = |field: RecordField| RecordField { ty: settled(field.ty), ..field };
            Type::Record(fields.into_iter().map(settle).collect(), open)
        }
        plain @ (Type::Name(_) | Type::Literal(_) | Type::Range(..)) => plain,
    }
}
