//! The pages of the site.

use crate::Request;
use crate::html::{escape, markdown, page};
use dax_core::{Name, Span};
use dax_ir::{Data, Environment, Layer, Node, Via};
use dax_sema::{ModuleId, ModuleSource};
use dax_syntax::ast::{Arg, Expr, ExprKind, Item, ItemKind, TypeField, TypeKind};
use std::fmt::Write;

/// The file of a module's page.
pub(crate) fn module_file(request: &Request<'_>, at: usize) -> String {
    if ModuleId(at) == request.loaded.program.root {
        return "module.html".to_owned();
    }
    let path = &request.loaded.program.modules[at].path;
    let name: String =
        path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("module-{name}.html")
}

fn module_title(request: &Request<'_>, at: usize) -> String {
    let module = &request.loaded.program.modules[at];
    if ModuleId(at) == request.loaded.program.root {
        request.loaded.program.project.to_string()
    } else {
        module.path.to_string()
    }
}

fn links(request: &Request<'_>) -> Vec<(String, String)> {
    let mut all = vec![
        ("Overview".to_owned(), "index.html".to_owned()),
        ("This project".to_owned(), "module.html".to_owned()),
    ];
    all.extend(
        request
            .graph
            .environments
            .keys()
            .map(|name| (name.to_string(), format!("environment-{name}.html"))),
    );
    all
}

pub(crate) fn index(request: &Request<'_>) -> String {
    let mut body = String::new();
    let environments = &request.graph.environments;
    if !environments.is_empty() {
        body.push_str("<h2>Environments</h2>\n<table><tr><th>environment</th><th>services</th><th>after</th></tr>\n");
        for environment in environments.values() {
            let after: Vec<&str> =
                environment.after.iter().map(|after| after.environment.as_str()).collect();
            let name = escape(&environment.name);
            let _ = writeln!(
                body,
                "<tr><td><a href=\"environment-{name}.html\">{name}</a></td><td>{}</td><td>{}</td></tr>",
                environment.services.len(),
                escape(&after.join(", "))
            );
        }
        body.push_str("</table>\n");
    }
    body.push_str("<h2>Modules</h2>\n<ul>\n");
    for at in 0..request.loaded.program.modules.len() {
        let _ = writeln!(
            body,
            "<li><a href=\"{}\">{}</a></li>",
            module_file(request, at),
            escape(&module_title(request, at))
        );
    }
    body.push_str("</ul>\n");
    page(&request.loaded.program.project, "Overview", &links(request), &body)
}

pub(crate) fn module(request: &Request<'_>, at: usize, module: &ModuleSource) -> String {
    let mut body = String::new();
    let items: Vec<&Item> = module.files.iter().flat_map(|file| &file.items).collect();
    for (title, wanted) in SECTIONS {
        let of: Vec<&&Item> = items.iter().filter(|item| kind(item) == *wanted).collect();
        if of.is_empty() {
            continue;
        }
        let _ = writeln!(body, "<h2>{title}</h2>");
        for item in of {
            one(request, item, &mut body);
        }
    }
    if body.is_empty() {
        body.push_str("<p class=\"dim\">The module is empty.</p>\n");
    }
    page(&request.loaded.program.project, &module_title(request, at), &links(request), &body)
}

/// The sections of a module's page, with the word of their items.
const SECTIONS: &[(&str, &str)] = &[
    ("Parameters", "param"),
    ("Services", "service"),
    ("Resources", "resource"),
    ("Environments", "environment"),
    ("Strategies", "strategy"),
    ("Policies", "policy"),
    ("Providers", "provider"),
    ("Secrets", "secret"),
    ("Types", "type"),
    ("Functions", "fn"),
    ("Values", "let"),
    ("Patches", "patch"),
    ("Moved", "moved"),
    ("Removed", "removed"),
    ("Tests", "test"),
    ("Imports", "import"),
];

fn kind(item: &Item) -> &str {
    match &item.kind {
        ItemKind::Field(field) => field.lead.as_ref().map_or("", |lead| lead.name.as_str()),
        ItemKind::Fn(_) => "fn",
        ItemKind::Type(_) => "type",
        ItemKind::Command(command) => command.word.name.as_str(),
        ItemKind::Broken(_) => "",
    }
}

fn name_of(request: &Request<'_>, item: &Item) -> String {
    match &item.kind {
        ItemKind::Field(field) => {
            field.path.first().map_or_else(String::new, |name| name.name.to_string())
        }
        ItemKind::Fn(function) => function.name.name.to_string(),
        ItemKind::Type(ty) => ty.name.name.to_string(),
        ItemKind::Command(command) => match command.args.first() {
            Some(Arg::Expr(Expr { kind: ExprKind::Name(name), .. })) => name.to_string(),
            Some(Arg::Expr(expr)) => request.loaded.sources.slice(expr.span).to_owned(),
            _ => String::new(),
        },
        ItemKind::Broken(_) => String::new(),
    }
}

fn one(request: &Request<'_>, item: &Item, body: &mut String) {
    let sources = &request.loaded.sources;
    let name = name_of(request, item);
    let _ = writeln!(
        body,
        "<section id=\"{}-{}\">\n<h3><code>{}</code></h3>",
        kind(item),
        escape(&name),
        escape(&name)
    );
    if let Some(doc) = &item.doc {
        body.push_str(&markdown(doc));
    }
    match &item.kind {
        ItemKind::Type(ty) => match &ty.ty.kind {
            TypeKind::Record { fields, open } => record(request, fields, *open, body),
            _ => source(sources.slice(item.span), body),
        },
        ItemKind::Fn(function) => {
            let head = Span { end: function.result.span.end, ..item.span };
            source(sources.slice(head), body);
        }
        _ => source(sources.slice(item.span), body),
    }
    let _ =
        writeln!(body, "<p class=\"dim\">{}</p>\n</section>", escape(&sources.location(item.span)));
}

fn source(text: &str, body: &mut String) {
    let _ = writeln!(body, "<pre><code>{}</code></pre>", escape(text.trim_end()));
}

fn record(request: &Request<'_>, fields: &[TypeField], open: bool, body: &mut String) {
    let sources = &request.loaded.sources;
    body.push_str("<table><tr><th>field</th><th>type</th><th>default</th><th></th></tr>\n");
    for field in fields {
        let default = field.default.as_ref().map_or("", |default| sources.slice(default.span));
        let mark = if field.optional { "?" } else { "" };
        let _ = writeln!(
            body,
            "<tr><td><code>{}{mark}</code></td><td><code>{}</code></td><td><code>{}</code></td><td>{}</td></tr>",
            escape(&field.name.name),
            escape(sources.slice(field.ty.span)),
            escape(default),
            markdown(field.doc.as_deref().unwrap_or(""))
        );
    }
    body.push_str("</table>\n");
    if open {
        body.push_str("<p>Other fields may stand beside these.</p>\n");
    }
}

pub(crate) fn environment(request: &Request<'_>, environment: &Environment) -> String {
    let mut body = String::new();
    for after in &environment.after {
        let _ = writeln!(
            body,
            "<p>Comes after <a href=\"environment-{0}.html\">{0}</a>.</p>",
            escape(&after.environment)
        );
    }
    for approval in &environment.approvals {
        let of: Vec<&str> = approval.of.iter().map(Name::as_str).collect();
        let _ = writeln!(
            body,
            "<p>Needs the approval of {} of {}.</p>",
            approval.count,
            escape(&of.join(", "))
        );
    }
    if let Some(picture) = request.pictures.get(environment.name.as_str()) {
        body.push_str(picture);
    }
    for service in environment.services.values() {
        let _ = writeln!(
            body,
            "<h2 id=\"{0}\">{0}</h2>\n<p>On <code>{1}</code>, by <code>{2}</code>{3}.</p>",
            escape(service.addr.name()),
            escape(&service.provider.instance),
            escape(&service.strategy.name),
            if service.protected { ", protected from being destroyed" } else { "" }
        );
        body.push_str("<table><tr><th>field</th><th>value</th><th>set by</th></tr>\n");
        leaves(request, &service.desired, "", &mut body);
        body.push_str("</table>\n");
    }
    page(&request.loaded.program.project, &environment.name, &links(request), &body)
}

fn leaves(request: &Request<'_>, node: &Node, path: &str, body: &mut String) {
    match &node.data {
        Data::Map(map) if !map.is_empty() => {
            for (key, item) in map {
                let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                leaves(request, item, &path, body);
            }
        }
        _ if node.as_leaf() == Some(&dax_core::Value::None) => {}
        _ => {
            let how = match (node.origin.layer, node.origin.via) {
                (Layer::Type, _) => "the type's default",
                (Layer::Sealed, _) => "sealed",
                (_, Via::Set) => "the environment",
                (_, Via::Patch) => "a patch",
                _ => "the service",
            };
            let _ = writeln!(
                body,
                "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{how} <span class=\"dim\">{}</span></td></tr>",
                escape(path),
                escape(&node.value().to_string()),
                escape(&request.loaded.sources.location(node.origin.span))
            );
        }
    }
}
