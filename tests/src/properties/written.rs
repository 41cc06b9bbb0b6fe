//! What holds for every program that dax writes out of manifests and schemas of others.

use dax_core::{FileId, printable};
use dax_syntax::ast::{
    Arg, Command, Expr, ExprKind, Field, Item, ItemKind, Member, TypeExpr, TypeKind,
};
use dax_syntax::tree::{Kind, Tree};
use std::collections::BTreeSet;

/// Manifests give an error or a program that reads as it should, with none but the items, members
/// and lines that an import has; the program, if there is one.
pub fn manifest(text: &str) -> Option<String> {
    let request = dax_import::Request {
        texts: &[dax_import::Manifests { name: "a.yaml".to_owned(), text: text.to_owned() }],
        environment: "production",
        context: "shop",
        kubeconfig: None,
        adopt: true,
    };
    let imported = match dax_import::import(&request) {
        Ok(imported) => imported,
        Err(error) => return said(text, [error]),
    };
    said(text, imported.left);
    for item in &items(text, &imported.text) {
        let ItemKind::Command(command) = &item.kind else { panic!("{item:?} of {text:?}") };
        let body = command.body.as_deref().unwrap_or_default();
        let known = match command.word.name.as_str() {
            "import" => body.is_empty(),
            "provider" => only(body, &["context", "url"], &[]),
            "service" => {
                let fields = ["image", "ports", "command", "cpu", "memory", "env", "replicas"];
                only(body, &fields, &["health"])
            }
            "resource" => body.iter().all(|member| matches!(member, Member::Field(_))),
            "strategy" => {
                let fields = ["mode", "surge", "unavailable", "scale_down_delay"];
                only(body, &fields, &["step", "preview", "analysis"])
            }
            "environment" => only(body, &[], &["bind", "adopt", "rollout"]),
            _ => false,
        };
        assert!(known, "{item:?} of {text:?}");
    }
    Some(imported.text)
}

/// A text as one file of manifests.
pub fn manifests(text: &str) -> dax_import::Manifests {
    dax_import::Manifests { name: "in.yaml".to_owned(), text: text.to_owned() }
}

/// A schema gives an error or types that read as they should, and nothing but types; the text, if
/// there is one.
pub fn schema(text: &str) -> Option<String> {
    let request = dax_schema::Request { text, name: "schema", only: &[] };
    let written = match dax_schema::import(&request) {
        Ok(written) => written,
        Err(error) => return said(text, [error.to_string()]),
    };
    for item in &items(text, &written) {
        assert!(matches!(item.kind, ItemKind::Type(_)), "{item:?} of {text:?}");
    }
    Some(written)
}

/// Every message is one line that can be shown.
fn said(text: &str, messages: impl IntoIterator<Item = String>) -> Option<String> {
    for message in messages {
        assert_eq!(printable::Line::new(&message).as_str(), message, "of {text:?}");
    }
    None
}

/// Whether the members are fields and commands of these names.
fn only(members: &[Member], fields: &[&str], commands: &[&str]) -> bool {
    members.iter().all(|member| match member {
        Member::Field(field) => {
            matches!(field.path.as_slice(), [name] if fields.contains(&name.name.as_str()))
        }
        Member::Command(command) => commands.contains(&command.word.name.as_str()),
    })
}

/// The items of a program that was written: it has no faults and the one canonical form, nothing in
/// it is hidden, each comment has its line, and beside comments and texts there are only words,
/// numbers and marks.
fn items(from: &str, written: &str) -> Vec<Item> {
    let (file, faults) = dax_syntax::parse(FileId(0), written);
    assert!(faults.is_empty(), "{faults:?} in\n{written}\nof {from:?}");
    assert_eq!(dax_syntax::format(written), written, "not formatted, of {from:?}");
    let hidden = written.chars().find(|c| *c != '\n' && printable::is_hidden(*c));
    assert_eq!(hidden, None, "in\n{written}\nof {from:?}");
    for chunk in dax_syntax::split::split(written) {
        let tree = Tree::parse(written, &chunk);
        let source = &written[chunk.start..chunk.end];
        let mut at = 0;
        for node in &tree.nodes {
            let (start, end) = (node.start as usize, node.end as usize);
            if !matches!(node.kind, Kind::COMMENT | Kind::string) || start < at {
                continue;
            }
            plain(&source[at..start], from);
            let line = source[..start].rsplit('\n').next().unwrap_or_default();
            let alone = node.kind == Kind::string || line.trim().is_empty();
            assert!(alone, "a comment behind {line:?} of {from:?}");
            at = end;
        }
        plain(&source[at..], from);
    }
    file.items
}

fn plain(code: &str, from: &str) {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_ \n.,:{}[]()<>=?|%-".contains(c);
    assert!(code.chars().all(fits), "{code:?} of {from:?}");
}

/// Every word of a program that names something: items, words of commands, fields, what expressions
/// and types name.
pub fn words(program: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in dax_syntax::parse(FileId(0), program).0.items {
        match item.kind {
            ItemKind::Command(command) => of_command(&command, &mut found),
            ItemKind::Field(field) => of_field(&field, &mut found),
            ItemKind::Type(item) => {
                found.insert(item.name.name.to_string());
                of_type(&item.ty, &mut found);
            }
            ItemKind::Fn(item) => {
                found.insert(item.name.name.to_string());
            }
            ItemKind::Broken(_) => {}
        }
    }
    found
}

fn of_command(command: &Command, found: &mut BTreeSet<String>) {
    found.insert(command.word.name.to_string());
    for arg in &command.args {
        match arg {
            Arg::Expr(expr) => of_expr(expr, found),
            Arg::Type(ty) => of_type(ty, found),
        }
    }
    for member in command.body.iter().flatten() {
        match member {
            Member::Field(field) => of_field(field, found),
            Member::Command(command) => of_command(command, found),
        }
    }
}

fn of_field(field: &Field, found: &mut BTreeSet<String>) {
    found.extend(field.lead.iter().chain(&field.path).map(|word| word.name.to_string()));
    of_expr(&field.value, found);
}

fn of_expr(expr: &Expr, found: &mut BTreeSet<String>) {
    match &expr.kind {
        ExprKind::Name(name) => {
            found.insert(name.to_string());
        }
        ExprKind::Get(base, _) => of_expr(base, found),
        ExprKind::Binary(_, left, right) => {
            of_expr(left, found);
            of_expr(right, found);
        }
        ExprKind::Call(function, args) => {
            of_expr(function, found);
            args.iter().for_each(|(_, arg)| of_expr(arg, found));
        }
        ExprKind::List(_, items) => items.iter().for_each(|item| of_expr(item, found)),
        ExprKind::Map(_, entries) => {
            entries.iter().for_each(|entry| of_expr(&entry.value, found));
        }
        ExprKind::Literal(_) | ExprKind::Tagged(..) => {}
        other => panic!("no import writes {other:?}"),
    }
}

fn of_type(ty: &TypeExpr, found: &mut BTreeSet<String>) {
    match &ty.kind {
        TypeKind::Name { path, args, .. } => {
            found.extend(path.iter().map(|word| word.name.to_string()));
            args.iter().for_each(|arg| of_type(arg, found));
        }
        TypeKind::Literal(_) => {}
        TypeKind::Union(all) => all.iter().for_each(|one| of_type(one, found)),
        TypeKind::Optional(inner) => of_type(inner, found),
        TypeKind::Record { fields, .. } => {
            for field in fields {
                found.insert(field.name.name.to_string());
                of_type(&field.ty, found);
                field.default.iter().for_each(|default| of_expr(default, found));
            }
        }
        TypeKind::Keyed(inner, key) => {
            found.insert(key.name.to_string());
            of_type(inner, found);
        }
        TypeKind::Where(inner, condition) => {
            of_type(inner, found);
            of_expr(condition, found);
        }
    }
}
