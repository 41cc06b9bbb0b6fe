//! The items of a text and what is in them, as a tree of names.

use crate::bytes::Bytes;
use dax_core::{FileId, Span};
use dax_syntax::ast::{Arg, Command, Expr, ExprKind, Ident, Item, ItemKind, Member};

/// Something with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// `web`, `replicas`, `step`.
    pub name: String,
    /// The word that begins it: `service`, `let`, `type`; empty for a field.
    pub word: String,
    /// All of it.
    pub range: Bytes,
    /// Its name.
    pub name_range: Bytes,
    /// What is in it.
    pub children: Vec<Symbol>,
}

fn bytes(span: Span) -> Bytes {
    span.start as usize..span.end as usize
}

/// The items of a text, in order; what is broken is left out.
pub fn outline(text: &str) -> Vec<Symbol> {
    let (file, _) = dax_syntax::parse(FileId::default(), text);
    file.items.iter().filter_map(|item| symbol(item, text)).collect()
}

fn symbol(item: &Item, text: &str) -> Option<Symbol> {
    let named = |name: &Ident, word: &str| Symbol {
        name: name.name.to_string(),
        word: word.to_owned(),
        range: bytes(item.span),
        name_range: bytes(name.span),
        children: Vec::new(),
    };
    match &item.kind {
        ItemKind::Field(field) => {
            let word = field.lead.as_ref().map_or("", |lead| lead.name.as_str());
            Some(named(field.path.first()?, word))
        }
        ItemKind::Fn(function) => Some(named(&function.name, "fn")),
        ItemKind::Type(ty) => Some(named(&ty.name, "type")),
        ItemKind::Command(command) => {
            let (name, name_range) = called(command, text);
            let children =
                command.body.iter().flatten().map(|member| inner(member, text)).collect();
            Some(Symbol {
                name,
                word: command.word.name.to_string(),
                range: bytes(item.span),
                name_range,
                children,
            })
        }
        ItemKind::Broken(name) => name.as_ref().map(|name| named(name, "")),
    }
}

/// What a command is called: its arguments up to the first that is no name of something.
fn called(command: &Command, text: &str) -> (String, Bytes) {
    let names = command.args.iter().map_while(|arg| match arg {
        Arg::Expr(Expr {
            kind: ExprKind::Name(_) | ExprKind::Get(..) | ExprKind::Literal(_),
            span,
        }) => Some(*span),
        _ => None,
    });
    let Some(span) = names.reduce(Span::to) else {
        return (command.word.name.to_string(), bytes(command.word.span));
    };
    (text.get(bytes(span)).unwrap_or_default().to_owned(), bytes(span))
}

fn inner(member: &Member, text: &str) -> Symbol {
    match member {
        Member::Field(field) => {
            let names = field.path.iter().map(|part| part.span);
            let span = names.reduce(Span::to).unwrap_or(field.span);
            let name = text.get(bytes(span)).unwrap_or_default().to_owned();
            Symbol {
                name,
                word: String::new(),
                range: bytes(field.span),
                name_range: bytes(span),
                children: Vec::new(),
            }
        }
        Member::Command(command) => {
            let (name, name_range) = called(command, text);
            let word = command.word.name.to_string();
            let name = if name == word { name } else { format!("{word} {name}") };
            let children =
                command.body.iter().flatten().map(|member| inner(member, text)).collect();
            Symbol { name, word: String::new(), range: bytes(command.span), name_range, children }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(symbols: &[Symbol], depth: usize) -> String {
        let one = |symbol: &Symbol| {
            let line = format!("{}{} {}\n", "  ".repeat(depth), symbol.word, symbol.name);
            line + &shown(&symbol.children, depth + 1)
        };
        symbols.iter().map(one).collect()
    }

    #[test]
    fn items_are_told_with_what_is_in_them_and_broken_ones_are_no_harm() {
        let text = "let port = 80\n\nservice web {\n  replicas = 2\n  health http \"/\" { every = 2s }\n}\n\nservice {\n\nfn twice(n: int) -> int = n + n\n";
        insta::assert_snapshot!(shown(&outline(text), 0), @r#"
        let port
        service web
           replicas
           health http "/"
             every
        service service
        fn twice
        "#);
    }
}
