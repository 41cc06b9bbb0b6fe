//! Expressions: types from the inside out, and against what a place wants.

use super::data::literal;
use super::{Place, Scope};
use crate::codes;
use crate::context::Context;
use crate::offers::{CURSOR, OfferKind};
use crate::operators;
use crate::ty::{FieldType, Phase, Record, Type};
use dax_core::{Diagnostic, Name, Span, Value, suggest};
use dax_syntax::ast::{BinaryOp, Entry, Expr, ExprKind, ForClause, Ident, Part, UnaryOp};
use indexmap::IndexMap;
use std::sync::Arc;

impl<'a> Context<'a> {
    /// Says that a value does not fit its place: both types, and the part in which they first differ.
    pub(crate) fn mismatch_at(&self, span: Span, have: &Type<'a>, want: &Type<'a>) {
        if have.has_secret() && !want.has_secret() {
            let detail = format!("`{have}` would become a plain `{}`", want.undemanded());
            let help = "use the secret where a `Secret` is taken, such as a variable in `env`";
            return self.report(Diagnostic::new(codes::SECRET_EXPOSED, span, detail).help(help));
        }
        let want = want.undemanded();
        if let (Some(inner), None) = (have.optional(), want.optional())
            && inner.fits(want)
        {
            let diagnostic = Diagnostic::new(
                codes::MAY_BE_ABSENT,
                span,
                format!("`{want}` is wanted, this is `{have}`"),
            );
            return self.report(diagnostic.help(
                "say what to use instead: `… ?? value`, or ask first: `if … != none then …`",
            ));
        }
        let shown = want
            .optional()
            .filter(|_| have.optional().is_none() && !matches!(have, Type::None))
            .unwrap_or(want);
        let mut detail = format!("`{shown}` is wanted, this is `{have}`");
        if let Some((path, have, want)) = have.difference(want) {
            detail = match (have.as_str(), want.as_str()) {
                (_, "no such field") => format!("{detail}: `{path}` is none of its fields"),
                ("nothing", _) => format!("{detail}: `{path}: {want}` is missing"),
                _ => format!("{detail}: at `{path}` stands `{have}`, where `{want}` is wanted"),
            };
        }
        let mut diagnostic = Diagnostic::new(codes::MISMATCH, span, detail);
        match (have.core(), want.core()) {
            (Type::Int | Type::Number, Type::Unit(unit)) => {
                diagnostic = diagnostic.help(format!("write the unit, as in `{}`", unit.example()));
            }
            (Type::Literal(text), Type::Union(all)) => {
                let literals = all.iter().filter_map(|one| {
                    if let Type::Literal(l) = one { Some(l.as_str()) } else { None }
                });
                if let Some(meant) = suggest::nearest(text, literals) {
                    diagnostic = diagnostic
                        .help(format!("did you mean \"{meant}\"?"))
                        .fix(span, format!("{meant:?}"));
                }
            }
            (_, Type::String)
                if !matches!(
                    have.core(),
                    Type::List(_) | Type::Map(_) | Type::Record(_) | Type::Ref(_)
                ) =>
            {
                diagnostic = diagnostic.help("put it into a text: `\"${…}\"`");
            }
            (_, Type::List(element)) if have.fits(element) => {
                diagnostic = diagnostic.help("put it in brackets: `[…]`")
            }
            (Type::List(_), Type::Set(_)) => {
                diagnostic = diagnostic.help("make a set of it: `to_set(…)`")
            }
            (Type::Number, Type::Int) => {
                diagnostic = diagnostic.help("make it whole: `floor(…)`, `round(…)` or `ceil(…)`")
            }
            (Type::String, Type::Int) => {
                diagnostic = diagnostic.help("read it as a number: `to_int(…) ?? 0`")
            }
            _ => {}
        }
        self.report(diagnostic);
    }

    /// The same for an expression, whose value may only be known too late.
    pub(super) fn mismatch(
        &self,
        expr: &'a Expr,
        have: &Type<'a>,
        want: &Type<'a>,
        scope: &Scope<'a>,
    ) {
        match want.demand() {
            Some(by) if have.deep_phase() > by && have.fits(want.undemanded()) => {
                self.too_late(expr, have.deep_phase(), by, "the value of this place", scope);
            }
            _ => {
                let before = self.diagnostics.borrow().len();
                self.mismatch_at(expr.span, have, want);
                self.place_in_data(expr, have, want, scope, before);
            }
        }
    }

    /// For data: shows where in the file the part stands that does not fit.
    fn place_in_data(
        &self,
        expr: &'a Expr,
        have: &Type<'a>,
        want: &Type<'a>,
        scope: &Scope<'a>,
        before: usize,
    ) {
        let ExprKind::Data(file) = &expr.kind else { return };
        let (Some((path, ..)), Some(node)) = (
            have.difference(want.undemanded()),
            self.program.modules[scope.module.0].data.get(file),
        ) else {
            return;
        };
        let mut at = node;
        for key in path.split('.').filter(|key| !key.is_empty()) {
            match at.get(key.trim_end_matches("[…]")) {
                Some(inner) => at = inner,
                None => break,
            }
        }
        if let Some(last) = self.diagnostics.borrow_mut().get_mut(before) {
            last.related.push(dax_core::Related {
                span: at.origin.span,
                label: "it stands here".to_owned(),
            });
        }
    }

    /// Checks an expression against what its place wants; says when the last part of it is known.
    pub(crate) fn check_expr(
        &self,
        expr: &'a Expr,
        want: &Type<'a>,
        scope: &mut Scope<'a>,
    ) -> Phase {
        let demand = want.demand();
        let part = |ty: &Type<'a>| match demand {
            Some(by) => Type::Phase(by, Arc::new(ty.clone())),
            None => ty.clone(),
        };
        let mut phase = Phase::Static;
        if self.offer_value(expr, Some(want), scope) {
            return phase;
        }
        match (&expr.kind, want.core()) {
            (ExprKind::Literal(Value::None), _) if want.optional().is_some() => return phase,
            (ExprKind::Map(None, entries), Type::Record(record)) => {
                return self.check_record(entries, record, expr.span, demand, scope);
            }
            (ExprKind::Map(None, entries), Type::Union(_)) if want.core().has_record() => {
                return self.check_alternative(entries, want, expr.span, scope);
            }
            (ExprKind::Map(None, entries), Type::Map(element)) => {
                for entry in entries {
                    self.check_key(&entry.key, scope);
                    phase = phase.max(self.check_expr(&entry.value, &part(element), scope));
                }
            }
            (ExprKind::Map(Some(clause), entries), Type::Map(element)) => {
                self.with_clause(clause, true, scope, |scope| {
                    for entry in entries {
                        self.check_key(&entry.key, scope);
                        phase = phase.max(self.check_expr(&entry.value, &part(element), scope));
                    }
                });
            }
            (ExprKind::List(None, items), Type::List(element) | Type::Set(element)) => {
                for item in items {
                    phase = phase.max(self.check_expr(item, &part(element), scope));
                }
            }
            (ExprKind::List(Some(clause), items), Type::List(element) | Type::Set(element)) => {
                let late = self.with_clause(clause, demand.is_some(), scope, |scope| {
                    for item in items {
                        phase = phase.max(self.check_expr(item, &part(element), scope));
                    }
                });
                phase = phase.max(late);
            }
            (ExprKind::If(parts), _) => {
                phase = self.check_expr(&parts[0], &part(&Type::Bool), scope);
                phase = phase.max(self.assuming(&parts[0], true, scope, |scope| {
                    self.check_expr(&parts[1], want, scope)
                }));
                phase = phase.max(self.assuming(&parts[0], false, scope, |scope| {
                    self.check_expr(&parts[2], want, scope)
                }));
            }
            (_, Type::Condition) => self.check_condition(expr, scope),
            _ => {
                let have = self.infer(expr, scope);
                if !have.fits(want) {
                    self.mismatch(expr, &have, want, scope);
                    return Phase::Static;
                }
                phase = have.deep_phase();
            }
        }
        self.check_constant(expr, want);
        phase
    }

    /// A constant is held against its type's conditions at once; other values when they are known.
    fn check_constant(&self, expr: &Expr, want: &Type<'a>) {
        if let ExprKind::Literal(value) = &expr.kind
            && literal(value).fits(want)
        {
            crate::eval::check_constant(self, value, expr.span, want);
        }
    }

    /// The key of a map: a text that is known before anything is read.
    fn check_key(&self, key: &'a Expr, scope: &mut Scope<'a>) {
        if matches!(key.kind, ExprKind::Literal(_)) {
            return;
        }
        let ty = self.infer(key, scope);
        if ty.fits(&Type::String) {
            self.require_phase(key, &ty, Phase::Static, "a key", scope);
        } else {
            self.mismatch_at(key.span, &ty, &Type::String);
        }
    }

    fn check_record(
        &self,
        entries: &'a [Entry],
        record: &Arc<Record<'a>>,
        span: Span,
        demand: Option<Phase>,
        scope: &mut Scope<'a>,
    ) -> Phase {
        let mut phase = Phase::Static;
        for entry in entries {
            let ExprKind::Literal(Value::Str(name)) = &entry.key.kind else {
                self.error(
                    codes::UNKNOWN_FIELD,
                    entry.key.span,
                    "the name of a field is not computed",
                );
                continue;
            };
            match record.fields.get(name) {
                _ if name == CURSOR => {
                    let given = |name: &Name| {
                        entries.iter().any(|e| matches!(&e.key.kind, ExprKind::Literal(Value::Str(key)) if key == name))
                    };
                    self.offer_fields(&Type::Record(record.clone()), OfferKind::Entry, &given);
                }
                Some(field) => {
                    self.note(entry.key.span, Some(field.span));
                    let ty = if field.optional { field.read() } else { field.ty.clone() };
                    let ty = match demand {
                        Some(by) => Type::Phase(by, Arc::new(ty)),
                        None => ty,
                    };
                    phase = phase.max(self.check_expr(&entry.value, &ty, scope));
                }
                None if record.open => {
                    phase = phase.max(self.infer(&entry.value, scope).deep_phase())
                }
                None => {
                    let name = Ident { name: name.clone(), span: entry.key.span };
                    self.report(crate::block::unknown(&name, record, codes::UNKNOWN_FIELD));
                }
            }
        }
        for (name, field) in &record.fields {
            let given = entries
                .iter()
                .any(|e| matches!(&e.key.kind, ExprKind::Literal(Value::Str(key)) if key == name));
            if !given && !field.may_lack() {
                let diagnostic = Diagnostic::new(
                    codes::MISSING_FIELD,
                    span,
                    format!("`{name}: {}` is missing", field.ty),
                );
                self.report(diagnostic.related(field.span, "it is declared here"));
            }
        }
        phase
    }

    /// A record for a union: the tag chooses the alternative, else it is the nearest one.
    fn check_alternative(
        &self,
        entries: &'a [Entry],
        want: &Type<'a>,
        span: Span,
        scope: &mut Scope<'a>,
    ) -> Phase {
        let Type::Union(all) = want.core() else { return Phase::Static };
        let given = |name: &Name| {
            entries
                .iter()
                .find(|e| matches!(&e.key.kind, ExprKind::Literal(Value::Str(key)) if key == name))
        };
        if let Some((tag, records)) = want.tagged() {
            let tags: Vec<String> =
                records.iter().map(|record| record.fields[&tag].ty.to_string()).collect();
            let mut diagnostic = match given(&tag) {
                None => Diagnostic::new(
                    codes::UNKNOWN_TAG,
                    span,
                    format!("`{tag}` is missing, which says what this is"),
                ),
                Some(entry) => {
                    let ExprKind::Literal(Value::Str(text)) = &entry.value.kind else {
                        let detail = format!("`{tag}` must be written out, it says what this is");
                        self.report(
                            Diagnostic::new(codes::UNKNOWN_TAG, entry.value.span, detail)
                                .help(format!("it is one of {}", tags.join(", "))),
                        );
                        return Phase::Static;
                    };
                    let chosen = |record: &&Arc<Record<'a>>| matches!(record.fields[&tag].ty.core(), Type::Literal(l) if l == text);
                    if let Some(record) = records.iter().find(chosen) {
                        return self.check_record(entries, record, span, want.demand(), scope);
                    }
                    let diagnostic = Diagnostic::new(
                        codes::UNKNOWN_TAG,
                        entry.value.span,
                        format!("there is no `{tag}: {text:?}`"),
                    );
                    let known = tags.iter().map(|tag| tag.trim_matches('"'));
                    match suggest::nearest(text, known) {
                        Some(meant) => diagnostic.fix(entry.value.span, format!("{meant:?}")),
                        None => diagnostic,
                    }
                }
            };
            diagnostic = diagnostic.help(format!("it is one of {}", tags.join(", ")));
            self.report(diagnostic);
            return Phase::Static;
        }
        let records: Vec<&Arc<Record<'a>>> = all.iter().filter_map(Type::record).collect();
        let nearness = |record: &Arc<Record<'a>>| {
            let known = record.fields.keys().filter(|name| given(name).is_some()).count();
            let missing = record
                .fields
                .iter()
                .filter(|(name, field)| !field.may_lack() && given(name).is_none())
                .count();
            (known, std::cmp::Reverse(missing))
        };
        let nearest = records.into_iter().rev().max_by_key(|record| nearness(record));
        nearest.map_or(Phase::Static, |record| {
            self.check_record(entries, record, span, want.demand(), scope)
        })
    }

    pub(super) fn check_bool(&self, expr: &'a Expr, scope: &mut Scope<'a>) -> Type<'a> {
        let have = self.infer(expr, scope);
        if !have.fits(&Type::Bool) {
            self.mismatch(expr, &have, &Type::Bool, scope);
        }
        Type::Bool.at(have.phase())
    }

    /// The type of an expression by itself.
    pub(crate) fn infer(&self, expr: &'a Expr, scope: &mut Scope<'a>) -> Type<'a> {
        if self.offer_value(expr, None, scope) {
            return Type::Error;
        }
        match &expr.kind {
            ExprKind::Literal(value) => literal(value),
            ExprKind::Template(parts) => {
                let phase = parts.iter().map(|part| self.check_part(part, false, scope)).max();
                Type::String.at(phase.unwrap_or(Phase::Static))
            }
            ExprKind::SecretTemplate(parts) => {
                let phase = parts.iter().map(|part| self.check_part(part, true, scope)).max();
                Type::Secret(Arc::new(Type::String)).at(phase.unwrap_or(Phase::Static))
            }
            ExprKind::Tagged(tag, _) => {
                let detail = format!("a `{}` text stands only at a metric", tag.name);
                self.error(codes::BAD_QUERY, expr.span, detail);
                Type::Error
            }
            ExprKind::Data(path) => self.data_type(scope.module, path),
            ExprKind::Name(name) => match scope.narrowed(expr) {
                Some(known) => known.clone(),
                None => self.name_type(name, expr.span, scope),
            },
            ExprKind::Get(base, name) => match scope.narrowed(expr) {
                Some(known) => known.clone(),
                None => self.member(base, name, expr.span, scope),
            },
            ExprKind::GetOptional(base, name) => self.optional_member(base, name, scope),
            ExprKind::Index(base, index) => self.index(base, index, scope),
            ExprKind::Call(function, args) => self.call(function, args, expr.span, scope),
            ExprKind::Unary(UnaryOp::Not, inner) => self.check_bool(inner, scope),
            ExprKind::Unary(UnaryOp::Minus, inner) => {
                let ty = self.infer(inner, scope);
                if ty.optional().is_some()
                    || !matches!(
                        ty.core(),
                        Type::Int | Type::Number | Type::Unit(_) | Type::Error | Type::Any
                    )
                {
                    self.error(
                        codes::OPERAND_MISMATCH,
                        expr.span,
                        format!("`-` works on numbers, this is `{ty}`"),
                    );
                    return Type::Error;
                }
                ty.core().clone().at(ty.phase())
            }
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, expr.span, scope),
            ExprKind::If(parts) => {
                let condition = self.check_bool(&parts[0], scope);
                let then =
                    self.assuming(&parts[0], true, scope, |scope| self.infer(&parts[1], scope));
                let other =
                    self.assuming(&parts[0], false, scope, |scope| self.infer(&parts[2], scope));
                then.join(other).at(condition.phase())
            }
            ExprKind::List(clause, items) => self.infer_list(clause.as_deref(), items, scope),
            ExprKind::Map(clause, entries) => self.infer_map(clause.as_deref(), entries, scope),
            ExprKind::Broken => Type::Error,
        }
    }

    fn infer_list(
        &self,
        clause: Option<&'a ForClause>,
        items: &'a [Expr],
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        let mut element = None;
        let mut each = |scope: &mut Scope<'a>| {
            for item in items {
                let ty = self.infer(item, scope).widened();
                element = Some(match element.take() {
                    None => ty,
                    Some(so_far) => Type::join(so_far, ty),
                });
            }
        };
        let mut phase = Phase::Static;
        match clause {
            Some(clause) => phase = self.with_clause(clause, false, scope, each),
            None => each(scope),
        }
        Type::List(Arc::new(element.unwrap_or(Type::Error))).at(phase)
    }

    fn infer_map(
        &self,
        clause: Option<&'a ForClause>,
        entries: &'a [Entry],
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        if let Some(clause) = clause {
            let mut element = Type::Error;
            self.with_clause(clause, true, scope, |scope| {
                for entry in entries {
                    self.check_key(&entry.key, scope);
                    element = self.infer(&entry.value, scope).widened();
                }
            });
            return Type::Map(Arc::new(element));
        }
        let mut fields = IndexMap::new();
        let mut computed = false;
        for entry in entries {
            let ty = self.infer(&entry.value, scope).widened();
            let name = match &entry.key.kind {
                ExprKind::Literal(Value::Str(name)) => name.clone(),
                _ => {
                    self.check_key(&entry.key, scope);
                    computed = true;
                    Name::default()
                }
            };
            if fields.insert(name.clone(), FieldType::plain(ty, entry.key.span)).is_some()
                && !computed
            {
                self.error(
                    codes::DUPLICATE,
                    entry.key.span,
                    format!("the key `{name}` occurs twice"),
                );
            }
        }
        if computed {
            let element =
                fields.into_iter().map(|(_, f)| f.ty).reduce(Type::join).unwrap_or(Type::Error);
            return Type::Map(Arc::new(element));
        }
        Type::Record(Arc::new(Record { name: None, fields, open: false, module: scope.module }))
    }

    /// A piece of a text; says when it is known.
    fn check_part(&self, part: &'a Part, secret: bool, scope: &mut Scope<'a>) -> Phase {
        let Part::Expr(inner) = part else { return Phase::Static };
        let ty = self.infer(inner, scope);
        match ty.core() {
            Type::Secret(of) if secret && of.fits(&Type::String) => {}
            Type::Union(all)
                if !secret && ty.has_secret() && all.iter().any(|one| !one.has_secret()) => {}
            _ if ty.has_secret() => {
                let (code, detail, help) = if scope.place == Place::Message {
                    (
                        codes::SECRET_IN_MESSAGE,
                        "a message is shown to people, a secret is not",
                        "name the secret instead of showing it",
                    )
                } else {
                    let help =
                        "write `secret\"…\"` to get a secret text, or pass the secret by itself";
                    (codes::SECRET_EXPOSED, "a secret cannot be put into a plain text", help)
                };
                self.report(Diagnostic::new(code, inner.span, detail).help(help));
            }
            _ if ty.optional().is_some() => {
                let detail = format!("`{ty}` may be absent");
                self.report(
                    Diagnostic::new(codes::MAY_BE_ABSENT, inner.span, detail)
                        .help("say what to use instead: `value ?? \"…\"`"),
                );
            }
            Type::List(_)
            | Type::Set(_)
            | Type::Map(_)
            | Type::Record(_)
            | Type::Ref(_)
            | Type::None
            | Type::Unset => {
                let diagnostic = Diagnostic::new(
                    codes::MISMATCH,
                    inner.span,
                    format!("`{ty}` has no text form"),
                );
                self.report(match ty.core() {
                    Type::List(_) => diagnostic.help(
                        "join its elements: `join(…, \", \")`, or write it as JSON: `json(…)`",
                    ),
                    Type::Ref(_) => diagnostic.help("take a member of it"),
                    _ => diagnostic.help("write it as JSON: `json(…)`"),
                });
            }
            _ => {}
        }
        ty.phase()
    }

    fn binary(
        &self,
        op: BinaryOp,
        left: &'a Expr,
        right: &'a Expr,
        span: Span,
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        let l = self.infer(left, scope);
        let r = match op {
            BinaryOp::And => self.assuming(left, true, scope, |scope| self.infer(right, scope)),
            BinaryOp::Or => self.assuming(left, false, scope, |scope| self.infer(right, scope)),
            _ => self.infer(right, scope),
        };
        let phase = l.phase().max(r.phase());
        if (l.is_secret() || r.is_secret()) && op != BinaryOp::Coalesce {
            let comparing = !matches!(
                op,
                BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide
            );
            let diagnostic = if comparing {
                let detail =
                    format!("`{}` would tell something of the secret's value", op.symbol());
                Diagnostic::new(codes::SECRET_COMPARED, span, detail)
                    .help("compare what is no secret, such as the environment's name")
            } else {
                let diagnostic =
                    Diagnostic::new(codes::SECRET_EXPOSED, span, "a secret is not computed with");
                diagnostic
                    .help("write `secret\"…${name}…\"` to put it into a text that is a secret too")
            };
            self.report(diagnostic);
            return Type::Error;
        }
        let strict = !matches!(op, BinaryOp::Coalesce | BinaryOp::Equal | BinaryOp::NotEqual);
        for (ty, operand) in [(&l, left), (&r, right)] {
            if strict && ty.optional().is_some() {
                let diagnostic = Diagnostic::new(
                    codes::MAY_BE_ABSENT,
                    operand.span,
                    format!("`{}` needs a value, this is `{ty}`", op.symbol()),
                );
                let text =
                    "say what to use instead: `(… ?? value)`, or ask first: `… != none and …`";
                self.report(diagnostic.help(text));
                return Type::Error;
            }
        }
        let ty = operators::binary_type(op, &l, &r).unwrap_or_else(|| {
            let detail = format!(
                "`{}` does not go with `{l}` on the left and `{r}` on the right",
                op.symbol()
            );
            let mut diagnostic = Diagnostic::new(codes::OPERAND_MISMATCH, span, detail);
            if let Some(help) = operand_help(op, &l, &r) {
                diagnostic = diagnostic.help(help);
            }
            self.report(diagnostic);
            Type::Error
        });
        ty.at(phase)
    }

    /// Runs `inner` with the variables of a comprehension; says when the number of its elements is known.
    pub(super) fn with_clause(
        &self,
        clause: &'a ForClause,
        keys: bool,
        scope: &mut Scope<'a>,
        inner: impl FnOnce(&mut Scope<'a>),
    ) -> Phase {
        let source = self.infer(&clause.source, scope);
        if source.optional().is_some() {
            let diagnostic = Diagnostic::new(
                codes::MAY_BE_ABSENT,
                clause.source.span,
                format!("this is `{source}`"),
            );
            self.report(diagnostic.help("say what to go through instead: `(… ?? [])`"));
        }
        if keys {
            let known = source.clone().core().clone().at(source.phase());
            let shape = Type::None.at(known.phase());
            self.require_phase(&clause.source, &shape, Phase::Static, "what gives keys", scope);
        }
        // What was reported for the source is not said again of its elements.
        let phase = if keys { Phase::Static } else { source.phase() };
        let (key, value) = match source.core() {
            Type::List(element) | Type::Set(element) => (Type::Int, (**element).clone()),
            Type::Map(element) => (Type::String, (**element).clone()),
            Type::Record(record) => {
                let element = record.fields.values().map(FieldType::read).reduce(Type::join);
                (Type::String, element.unwrap_or(Type::Error))
            }
            Type::Error | Type::Any => (Type::Error, Type::Error),
            other => {
                let diagnostic = Diagnostic::new(
                    codes::NOT_ITERABLE,
                    clause.source.span,
                    format!("`{other}` is no list and no map"),
                );
                self.report(diagnostic);
                (Type::Error, Type::Error)
            }
        };
        let value = if keys { value.settled() } else { value.at(phase) };
        let before = scope.locals.len();
        let of_map = matches!(source.core(), Type::Map(_) | Type::Record(_));
        match &clause.second {
            Some(second) => {
                scope.locals.push(self.declares(&clause.first, key));
                scope.locals.push(self.declares(second, value));
            }
            None => {
                scope.locals.push(self.declares(&clause.first, if of_map { key } else { value }))
            }
        }
        let mut late = phase;
        match &clause.condition {
            Some(condition) => {
                late = late.max(self.check_bool(condition, scope).phase());
                self.assuming(condition, true, scope, inner);
            }
            None => inner(scope),
        }
        scope.locals.truncate(before);
        late
    }
}

fn operand_help(op: BinaryOp, left: &Type<'_>, right: &Type<'_>) -> Option<String> {
    let (l, r) = (left.core(), right.core());
    let text = |t: &Type<'_>| matches!(t, Type::String | Type::Literal(_));
    match (l, r) {
        (Type::Unit(a), Type::Unit(b)) if a != b => {
            Some(format!("`{}` and `{}` measure different things", a.type_name(), b.type_name()))
        }
        (Type::Unit(unit), Type::Int | Type::Number)
        | (Type::Int | Type::Number, Type::Unit(unit)) => {
            Some(format!("write the number with its unit, as in `{}`", unit.example()))
        }
        _ if op == BinaryOp::Add && (text(l) || text(r)) => {
            Some("put the value into the text: `\"…${value}\"`".to_owned())
        }
        (Type::Union(all), Type::Literal(text)) | (Type::Literal(text), Type::Union(all)) => {
            let literals: Vec<&str> = all
                .iter()
                .filter_map(|one| if let Type::Literal(l) = one { Some(l.as_str()) } else { None })
                .collect();
            Some(match suggest::nearest(text, literals.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!(
                    "it is one of {}",
                    literals.iter().map(|l| format!("{l:?}")).collect::<Vec<_>>().join(", ")
                ),
            })
        }
        (Type::Map(_) | Type::Record(_), Type::Map(_) | Type::Record(_)) if op == BinaryOp::Add => {
            Some("join maps with `merge(a, b)`".to_owned())
        }
        _ => None,
    }
}

impl<'a> Type<'a> {
    /// By when a place demands its value.
    pub(super) fn demand(&self) -> Option<Phase> {
        match self {
            Self::Phase(by, _) => Some(*by),
            Self::Named(_, inner) | Self::Optional(inner) => inner.demand(),
            _ => None,
        }
    }

    /// The type as if it were known from the beginning.
    fn settled(self) -> Self {
        match self {
            Self::Phase(_, inner) => (*inner).clone().settled(),
            other => other,
        }
    }

    /// Whether a union has a record among its alternatives.
    fn has_record(&self) -> bool {
        matches!(self, Self::Union(all) if all.iter().any(|one| one.record().is_some()))
    }

    /// The type without the demand of its place.
    pub(super) fn undemanded(&self) -> &Self {
        match self {
            Self::Phase(_, inner) => inner.undemanded(),
            other => other,
        }
    }
}
