//! Rules over items.

use crate::{Input, codes};
use dax_core::{Diagnostic, Name, Span, Value};
use dax_sema::walk;
use dax_syntax::ast::{
    Arg, Command, Expr, ExprKind, Field, Item, ItemKind, Member, Strength, TypeExpr, TypeKind,
};

pub(crate) fn run(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    for (_, item) in input.own_items() {
        match &item.kind {
            ItemKind::Field(field)
                if field.lead.as_ref().is_some_and(|lead| lead.name == "param") =>
            {
                param(
                    item,
                    field.path.first().map(|name| (&name.name, name.span)),
                    field.ty.as_ref(),
                    found,
                );
                secret_looking(field, found);
            }
            ItemKind::Field(field) => secret_looking(field, found),
            ItemKind::Type(ty) => patterns(&ty.ty, found),
            ItemKind::Command(command) => command_rules(item, command, found),
            ItemKind::Fn(_) | ItemKind::Broken(_) => {}
        }
    }
}

fn first_name(command: &Command) -> Option<(&Name, Span)> {
    match command.args.first() {
        Some(Arg::Expr(Expr { kind: ExprKind::Name(name), span })) => Some((name, *span)),
        _ => None,
    }
}

fn command_rules(item: &Item, command: &Command, found: &mut Vec<Diagnostic>) {
    let body = command.body.as_deref().unwrap_or(&[]);
    let ty =
        command.args.iter().find_map(|arg| if let Arg::Type(ty) = arg { Some(ty) } else { None });
    match command.word.name.as_str() {
        "param" => param(item, first_name(command), ty, found),
        "service" => {
            if let Some((name, span)) = first_name(command) {
                dns(name, span, found);
            }
            let external = command.args.len() > 1;
            service(
                command
                    .word
                    .span
                    .to(first_name(command).map_or(command.word.span, |(_, span)| span)),
                body,
                external,
                found,
            );
        }
        "strategy" => {
            let is_canary =
                ty.is_some_and(|ty| matches!(&ty.kind, TypeKind::Name { path, .. } if path.last().is_some_and(|p| p.name == "canary")));
            let watched = body.iter().any(
                |member| matches!(member, Member::Command(inner) if inner.word.name == "analysis"),
            );
            if let (true, false, Some((name, span))) = (is_canary, watched, first_name(command)) {
                let diagnostic = Diagnostic::new(
                    codes::BLIND_CANARY,
                    span,
                    format!("nothing says whether a step of `{name}` went well"),
                );
                found.push(diagnostic.help("add `analysis every 30s from … { … }`"));
            }
        }
        "environment" => {
            for member in body {
                if let Member::Command(set) = member
                    && set.word.name == "set"
                {
                    defaults_in_set(set.body.as_deref().unwrap_or(&[]), found);
                    fields(set.body.as_deref().unwrap_or(&[]), &mut |field| {
                        secret_looking(field, found)
                    });
                }
            }
        }
        "test" => {
            let says = |member: &Member| matches!(member, Member::Command(inner) if matches!(inner.word.name.as_str(), "assert" | "expect"));
            if !body.iter().any(says) {
                let diagnostic = Diagnostic::new(
                    codes::EMPTY_TEST,
                    command.word.span,
                    "it passes whatever the program does",
                );
                found.push(diagnostic.help("add `assert …`"));
            }
        }
        _ => {}
    }
}

fn fields<'m>(members: &'m [Member], visit: &mut dyn FnMut(&'m Field)) {
    for member in members {
        match member {
            Member::Field(field) => visit(field),
            Member::Command(command) => fields(command.body.as_deref().unwrap_or(&[]), visit),
        }
    }
}

fn param(
    item: &Item,
    name: Option<(&Name, Span)>,
    ty: Option<&TypeExpr>,
    found: &mut Vec<Diagnostic>,
) {
    if let (None, Some((name, span))) = (&item.doc, name) {
        let diagnostic = Diagnostic::new(
            codes::UNDOCUMENTED,
            span,
            format!("whoever gives `{name}` a value has only its name to go by"),
        );
        found.push(diagnostic.help("say above it what it is for: `## …`"));
    }
    ty.iter().for_each(|ty| patterns(ty, found));
}

/// `matches(self, "…")` without an end on both sides.
fn patterns(ty: &TypeExpr, found: &mut Vec<Diagnostic>) {
    match &ty.kind {
        TypeKind::Where(base, condition) => {
            patterns(base, found);
            walk::walk(condition, &mut |expr| {
                let ExprKind::Call(function, args) = &expr.kind else { return };
                let (
                    ExprKind::Name(name),
                    [_, (_, Expr { kind: ExprKind::Literal(Value::Str(pattern)), span })],
                ) = (&function.kind, args.as_slice())
                else {
                    return;
                };
                let open = !pattern.starts_with('^') || !pattern.ends_with('$');
                if name == "matches" && open && !pattern.contains('|') {
                    let whole =
                        format!("^{}$", pattern.trim_start_matches('^').trim_end_matches('$'));
                    let diagnostic = Diagnostic::new(
                        codes::OPEN_PATTERN,
                        *span,
                        "it is enough that a part of the text matches",
                    );
                    found.push(
                        diagnostic.help(format!("write \"{whole}\" if the whole text is meant")),
                    );
                }
            });
        }
        TypeKind::Union(all) => all.iter().for_each(|one| patterns(one, found)),
        TypeKind::Optional(one) | TypeKind::Keyed(one, _) => patterns(one, found),
        TypeKind::Record { fields, .. } => {
            fields.iter().for_each(|field| patterns(&field.ty, found))
        }
        TypeKind::Name { args, .. } => args.iter().for_each(|arg| patterns(arg, found)),
        TypeKind::Literal(_) => {}
    }
}

fn dns(name: &Name, span: Span, found: &mut Vec<Diagnostic>) {
    let fits = name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        let meant = name.to_lowercase().replace('_', "");
        let diagnostic = Diagnostic::new(
            codes::NOT_A_DNS_NAME,
            span,
            format!("platforms that name hosts after services refuse `{name}`"),
        );
        found.push(diagnostic.help(format!("use small letters and digits, at most 63: `{meant}`")));
    }
}

fn service(head: Span, body: &[Member], external: bool, found: &mut Vec<Diagnostic>) {
    let has = |wanted: &str| {
        body.iter().any(|member| match member {
            Member::Field(field) => field.path.first().is_some_and(|name| name.name == wanted),
            Member::Command(command) => command.word.name == wanted,
        })
    };
    if has("ports") && !has("health") && !external {
        let diagnostic = Diagnostic::new(
            codes::NO_HEALTH,
            head,
            "it takes traffic before anybody knows that it can answer",
        );
        found.push(diagnostic.help("add `health http \"/healthz\"`"));
    }
    for member in body {
        let Member::Field(field) = member else { continue };
        match field.path.first().map(|name| name.name.as_str()) {
            Some("image") => image(&field.value, found),
            Some("ports") => ports(&field.value, found),
            _ => {}
        }
    }
    fields(body, &mut |field| secret_looking(field, found));
}

fn image(value: &Expr, found: &mut Vec<Diagnostic>) {
    let ExprKind::Literal(Value::Str(text)) = &value.kind else { return };
    let name = text.rsplit('/').next().unwrap_or(text);
    let why = match name.split_once(':') {
        _ if text.contains('@') => return,
        None => "it has no tag, so it is whatever `latest` is on the day",
        Some((_, "latest")) => "`latest` is another image every day",
        Some(_) => return,
    };
    let diagnostic = Diagnostic::new(codes::UNPINNED_IMAGE, value.span, why);
    found.push(diagnostic.help("name a version, or better a digest: `image@sha256:…`; a rollback needs the same image again"));
}

fn ports(value: &Expr, found: &mut Vec<Diagnostic>) {
    let ExprKind::Map(None, entries) = &value.kind else { return };
    for entry in entries {
        if let ExprKind::Literal(Value::Int(port)) = &entry.value.kind
            && (1..1024).contains(port)
        {
            let diagnostic = Diagnostic::new(
                codes::LOW_PORT,
                entry.value.span,
                format!("only a privileged process may listen on {port}"),
            );
            found.push(
                diagnostic.help("listen on a port from 1024 on, and let the platform map it"),
            );
        }
    }
}

fn defaults_in_set(members: &[Member], found: &mut Vec<Diagnostic>) {
    fields(members, &mut |field| {
        if field.strength == Strength::Default {
            let diagnostic = Diagnostic::new(
                codes::DEFAULT_IN_SET,
                field.span,
                "a plain value of the service wins over it",
            );
            found.push(diagnostic.help("leave `default` out, or put the default into the service"));
        }
    });
}

/// Words in names of what should be a secret.
const SECRET_WORDS: &[&str] =
    &["password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential"];

fn secret_looking(field: &Field, found: &mut Vec<Diagnostic>) {
    if let Some(name) = field.path.last() {
        looks_secret(&name.name, &field.value, found);
    }
    walk::walk(&field.value, &mut |expr| {
        if let ExprKind::Map(None, entries) = &expr.kind {
            for entry in entries {
                if let ExprKind::Literal(Value::Str(key)) = &entry.key.kind {
                    looks_secret(key, &entry.value, found);
                }
            }
        }
    });
}

fn looks_secret(name: &str, value: &Expr, found: &mut Vec<Diagnostic>) {
    let ExprKind::Literal(Value::Str(text)) = &value.kind else { return };
    let lower = name.to_lowercase();
    let path = text.starts_with('/') || text.starts_with("./");
    let about =
        ["_file", "_path", "_name", "_url", "_ttl"].iter().any(|ending| lower.ends_with(ending));
    if SECRET_WORDS.iter().any(|word| lower.contains(word)) && text.len() >= 4 && !path && !about {
        let diagnostic = Diagnostic::new(
            codes::PLAIN_SECRET,
            value.span,
            format!("`{name}` is written out for everybody who can read this"),
        );
        found.push(
            diagnostic
                .help("declare it: `secret name: string from env(\"NAME\")`, and name it here"),
        );
    }
}
