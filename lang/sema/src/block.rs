//! What the members of a block mean for a record type.
//!
//! A command fills the fields of its type in the order in which they are declared; a word that is a
//! field's name says which field the next argument fills: `step 5% hold 2m`, `health http "/up" { every = 2s }`.
//! Both passes read members through [`assignments`], so they cannot disagree.

use crate::codes;
use crate::offers::CURSOR;
use crate::ty::{Record, Type};
use dax_core::{Diagnostic, Name, Span, suggest};
use dax_syntax::ast::{
    Arg, AssignOp, Command, Expr, ExprKind, Field, Ident, Member, Strength, TypeExpr,
};
use std::sync::Arc;

/// What is put into a field.
#[derive(Clone, Debug)]
pub(crate) enum Filling<'a> {
    /// A value.
    Expr(&'a Expr),
    /// A word that is a value of the field's literal type.
    Word(&'a Name, Span),
    /// A record made of these.
    Record(Vec<Assignment<'a>>),
}

/// How a value joins what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// `=`.
    Set,
    /// `+=`: a list's elements, a map's entries.
    Add,
    /// `-=`: a list's elements.
    Remove,
    /// A command of a list field: one element.
    Append,
}

/// One value on its way into a record.
#[derive(Clone, Debug)]
pub(crate) struct Assignment<'a> {
    /// Names from the record inwards.
    pub(crate) path: Vec<Ident>,
    pub(crate) join: Join,
    pub(crate) strength: Strength,
    pub(crate) filling: Filling<'a>,
    /// The type written at a metric.
    pub(crate) written: Option<&'a TypeExpr>,
    pub(crate) span: Span,
}

impl Assignment<'_> {
    /// Whether the text does not name the field: an argument that fills the next one.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.path.first().is_some_and(|name| name.span == self.span)
    }
}

/// Reads members as assignments to a record; what does not fit is reported to `problems`.
pub(crate) fn assignments<'a>(
    members: &'a [Member],
    record: &Record<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Assignment<'a>> {
    let mut all = Vec::new();
    for member in members {
        match member {
            Member::Field(field) => all.extend(field_assignment(field, record, problems)),
            Member::Command(command) => all.extend(command_assignment(command, record, problems)),
        }
    }
    all
}

fn field_assignment<'a>(
    field: &'a Field,
    record: &Record<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Assignment<'a>> {
    let mut path = field.path.clone();
    if let Some(lead) = &field.lead {
        let holds =
            record.fields.get(&lead.name).is_some_and(|f| matches!(f.ty.core(), Type::Map(_)));
        if !holds && lead.name != CURSOR {
            problems.push(unknown(lead, record, codes::UNKNOWN_COMMAND));
            return None;
        }
        path.insert(0, lead.clone());
    } else if let Some(ty) = &field.ty {
        let detail = "a type is written where a name is declared, not where it is set";
        problems
            .push(Diagnostic::new(codes::FIELD_FORM, ty.span, detail).help("leave the type out"));
    }
    Some(Assignment {
        path,
        join: match field.op {
            AssignOp::Set => Join::Set,
            AssignOp::Add => Join::Add,
            AssignOp::Remove => Join::Remove,
        },
        strength: field.strength,
        filling: Filling::Expr(&field.value),
        written: field.ty.as_ref(),
        span: field.span,
    })
}

/// A name that the record does not have, with the nearest that it has.
pub(crate) fn unknown(name: &Ident, record: &Record<'_>, code: dax_core::Code) -> Diagnostic {
    let detail = match &record.name {
        Some(of) => format!("`{of}` has no `{}`", name.name),
        None => format!("there is no `{}` here", name.name),
    };
    let names = record.fields.keys().map(Name::as_str);
    let diagnostic = Diagnostic::new(code, name.span, detail);
    match suggest::nearest(&name.name, names.clone()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")).fix(name.span, meant),
        None if record.fields.is_empty() => diagnostic.help("it takes no settings"),
        None => diagnostic.help(format!("it has {}", names.collect::<Vec<_>>().join(", "))),
    }
}

fn command_assignment<'a>(
    command: &'a Command,
    record: &Record<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Assignment<'a>> {
    let word = &command.word;
    let Some(field) = record.fields.get(&word.name) else {
        if word.name == CURSOR {
            return Some(plain(word, Join::Set, Filling::Record(Vec::new()), command.span));
        }
        problems.push(unknown(word, record, codes::UNKNOWN_COMMAND));
        return None;
    };
    let (element, join) = match field.ty.core() {
        Type::List(element) => ((**element).clone(), Join::Append),
        other => (other.clone(), Join::Set),
    };
    let filling = match element.core() {
        Type::Record(record) => Filling::Record(arguments(command, record, problems)),
        Type::Union(_) if element.tagged().is_some() => {
            if let Some(Arg::Expr(Expr { kind: ExprKind::Name(name), span })) = command.args.first()
                && name == CURSOR
            {
                return Some(plain(word, join, Filling::Word(name, *span), command.span));
            }
            let record = chosen(command, &element, problems)?;
            Filling::Record(arguments(command, &record, problems))
        }
        Type::Error => return None,
        _ => match (command.args.as_slice(), &command.body) {
            ([Arg::Expr(expr)], None) if join == Join::Append => Filling::Expr(expr),
            (args, _) => {
                let detail = format!("`{}` is a field of type `{}`", word.name, field.ty);
                let mut diagnostic = Diagnostic::new(codes::FIELD_FORM, command.span, detail);
                diagnostic = diagnostic.help(format!("write `{} = …`", word.name));
                if let [Arg::Expr(first), ..] = args {
                    let gap = Span { start: word.span.end, end: first.span.start, ..word.span };
                    diagnostic = diagnostic.fix(gap, " = ");
                }
                problems.push(diagnostic);
                return None;
            }
        },
    };
    Some(plain(word, join, filling, command.span))
}

fn plain<'a>(word: &Ident, join: Join, filling: Filling<'a>, span: Span) -> Assignment<'a> {
    Assignment {
        path: vec![word.clone()],
        join,
        strength: Strength::Plain,
        filling,
        written: None,
        span,
    }
}

/// The alternative of a union of records that a command's words choose.
fn chosen<'a>(
    command: &Command,
    union: &Type<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Arc<Record<'a>>> {
    let (tag, records) = union.tagged()?;
    let tag_of =
        |record: &Arc<Record<'a>>| match record.fields.get(&tag).map(|field| field.ty.core()) {
            Some(Type::Literal(text)) => text.clone(),
            _ => Name::default(),
        };
    let words = command.args.iter().filter_map(|arg| match arg {
        Arg::Expr(Expr { kind: ExprKind::Name(word), .. }) => Some(word),
        _ => None,
    });
    let mut words = words.peekable();
    let first = words.peek().copied().cloned();
    if let Some(record) =
        words.find_map(|word| records.iter().find(|record| tag_of(record) == *word))
    {
        return Some(record.clone());
    }
    let tags: Vec<Name> = records.iter().map(tag_of).collect();
    let span = command.args.first().map_or(command.span, |arg| match arg {
        Arg::Expr(expr) => expr.span,
        Arg::Type(ty) => ty.span,
    });
    let mut diagnostic = Diagnostic::new(
        codes::COMMAND_FORM,
        span,
        format!("`{}` does not say which `{tag}`", command.word.name),
    );
    diagnostic = diagnostic.help(format!("it is one of {}", tags.join(", ")));
    if let Some(meant) = first
        .and_then(|word| suggest::nearest(&word, tags.iter().map(Name::as_str)).map(str::to_owned))
    {
        diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant);
    }
    problems.push(diagnostic);
    None
}

/// The type of a record's field; of a union's, the field of every alternative that has it.
pub(crate) fn field_of<'a>(ty: &Type<'a>, name: &str) -> Option<Type<'a>> {
    match ty.core() {
        Type::Record(record) => record
            .fields
            .get(name)
            .map(|field| field.ty.clone())
            .or_else(|| record.open.then_some(Type::Any)),
        Type::Any => Some(Type::Any),
        Type::Map(element) => Some((**element).clone()),
        Type::Union(all) => all.iter().filter_map(|one| field_of(one, name)).reduce(Type::join),
        _ => None,
    }
}

/// Reads the arguments and the body of a command as assignments to its record.
pub(crate) fn arguments<'a>(
    command: &'a Command,
    record: &Arc<Record<'a>>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Assignment<'a>> {
    let mut all: Vec<Assignment<'a>> = Vec::new();
    let mut args = command.args.iter().peekable();
    while let Some(arg) = args.next() {
        let Arg::Expr(expr) = arg else {
            let span = if let Arg::Type(ty) = arg { ty.span } else { command.span };
            problems.push(Diagnostic::new(
                codes::COMMAND_FORM,
                span,
                format!("`{}` takes no type", command.word.name),
            ));
            continue;
        };
        let named = match &expr.kind {
            ExprKind::Name(name) if args.peek().is_some() && record.fields.contains_key(name) => {
                Some(name)
            }
            _ => None,
        };
        let (name, said, value) = match (named, args.peek()) {
            (Some(name), Some(Arg::Expr(value))) => {
                args.next();
                (name.clone(), expr.span, value)
            }
            _ => {
                let taken = |name: &Name| {
                    all.iter().any(|a| a.path.first().is_some_and(|p| p.name == *name))
                };
                let Some(name) = record.fields.keys().find(|name| !taken(name)) else {
                    let detail = format!("`{}` takes fewer arguments", command.word.name);
                    problems.push(Diagnostic::new(codes::COMMAND_FORM, expr.span, detail));
                    return all;
                };
                (name.clone(), expr.span, expr)
            }
        };
        let filling = match &value.kind {
            ExprKind::Name(word) if takes_words(&record.fields[&name].ty) => {
                Filling::Word(word, value.span)
            }
            _ => Filling::Expr(value),
        };
        all.push(Assignment {
            path: vec![Ident { name, span: said }],
            join: Join::Set,
            strength: Strength::Plain,
            filling,
            written: None,
            span: value.span,
        });
    }
    all.extend(assignments(command.body.as_deref().unwrap_or(&[]), record, problems));
    all
}

/// Whether a bare word stands for a text here: where only certain texts are allowed.
fn takes_words(ty: &Type<'_>) -> bool {
    match ty.core() {
        Type::Literal(_) => true,
        Type::Union(all) => all.iter().all(takes_words),
        _ => false,
    }
}
