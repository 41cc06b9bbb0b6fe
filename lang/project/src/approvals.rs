//! Rules of approvals that nobody can ever satisfy: they name groups that `dax.mod` does not have, or ask for more
//! people than there are.
//!
//! Only what stands there is judged: members of a team of a code host, whose name has a `/`, are known there.

use crate::codes::NOBODY;
use crate::{Loaded, Manifest};
use dax_core::{Diagnostic, Name, Span, Value, suggest};
use dax_syntax::ast::{Arg, Command, Expr, ExprKind, Field, ItemKind, Member};
use std::collections::BTreeSet;

impl Loaded {
    /// Rules of the project's own program that nobody can satisfy.
    pub fn approvals_of_nobody(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let modules = self.program.modules.iter().enumerate();
        let own = modules.filter(|(at, module)| {
            let is_library = module.path.starts_with("std/")
                || self.program.prelude.iter().any(|prelude| prelude.0 == *at);
            !module.foreign && !is_library
        });
        let items = own.flat_map(|(_, module)| &module.files).flat_map(|file| &file.items);
        for item in items {
            if let ItemKind::Command(command) = &item.kind {
                commands(command, &mut |command| rules(command, &self.manifest, &mut found));
            }
        }
        found
    }
}

/// Calls for a command and for those in its body.
fn commands<'a>(command: &'a Command, with: &mut impl FnMut(&'a Command)) {
    with(command);
    for member in command.body.iter().flatten() {
        match member {
            Member::Command(inner) => commands(inner, with),
            Member::Field(Field { .. }) => {}
        }
    }
}

/// Looks at each `approve 1 of [ … ]` of a command: it may be one, or end with one as a step does.
fn rules(command: &Command, manifest: &Manifest, found: &mut Vec<Diagnostic>) {
    let first = command.word.name == "approve";
    for (at, three) in command.args.windows(3).enumerate() {
        let [Arg::Expr(count), Arg::Expr(of), Arg::Expr(people)] = three else { continue };
        let is_rule = match at.checked_sub(1).map(|before| &command.args[before]) {
            None => first,
            Some(Arg::Expr(before)) => is_word(before, "approve"),
            Some(Arg::Type(_)) => false,
        };
        let ExprKind::Literal(Value::Int(count)) = &count.kind else { continue };
        let ExprKind::List(None, people) = &people.kind else { continue };
        if is_rule && is_word(of, "of") {
            rule(*count, people, three_span(three), manifest, found);
        }
    }
}

fn is_word(expr: &Expr, word: &str) -> bool {
    matches!(&expr.kind, ExprKind::Name(name) if *name == word)
}

fn three_span(three: &[Arg]) -> Span {
    let span = |arg: &Arg| match arg {
        Arg::Expr(expr) => expr.span,
        Arg::Type(written) => written.span,
    };
    match three {
        [first, .., last] => Span { end: span(last).end, ..span(first) },
        _ => Span::default(),
    }
}

/// Looks at one rule.
fn rule(count: i64, people: &[Expr], span: Span, manifest: &Manifest, found: &mut Vec<Diagnostic>) {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut is_whole = true;
    for person in people {
        let ExprKind::Literal(Value::Str(name)) = &person.kind else {
            is_whole = false;
            continue;
        };
        match manifest.groups.get(name) {
            Some(members) => known.extend(members.iter().map(|one| one.to_ascii_lowercase())),
            // A team, or somebody by name.
            None if name.contains('/') => is_whole = false,
            None if is_person(name) => drop(known.insert(name.to_ascii_lowercase())),
            None => {
                is_whole = false;
                found.push(unknown(name, person.span, manifest));
            }
        }
    }
    let there = i64::try_from(known.len()).unwrap_or(i64::MAX);
    if is_whole && !people.is_empty() && there < count {
        let are = match there {
            0 => "nobody is there".to_owned(),
            1 => "1 person is there".to_owned(),
            _ => format!("{there} people are there"),
        };
        let detail = format!("{count} must approve, and {are}");
        found.push(Diagnostic::new(NOBODY, span, detail));
    }
}

/// Whether a name is somebody's: names with a `:` are of groups, but for ids of accounts.
pub(crate) fn is_person(name: &str) -> bool {
    name.starts_with("id:") || !name.contains(['/', ':'])
}

fn unknown(name: &Name, span: Span, manifest: &Manifest) -> Diagnostic {
    let detail = format!("dax.mod has no group `{name}`");
    let found = Diagnostic::new(NOBODY, span, detail);
    let names: Vec<&str> = manifest.groups.keys().map(Name::as_str).collect();
    match suggest::nearest(name, names.iter().copied()) {
        Some(meant) => found.help(format!("did you mean `{meant}`?")),
        None if names.is_empty() => {
            found.help(format!("write `group \"{name}\" {{ members = [\"ann\"] }}` in dax.mod"))
        }
        None => found.help(format!("its groups are {}", names.join(", "))),
    }
}
