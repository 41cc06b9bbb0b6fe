//! What the checker offers where it meets the cursor.

use super::{Scope, check_items, check_wholes};
use crate::context::Context;
use crate::names::Symbol;
use crate::offers::{CURSOR, Offer, OfferKind, is_cursor};
use crate::program::{ModuleId, Program};
use crate::ty::{Record, RefKind, Type};
use dax_core::{FileId, Name, Span, Value};
use dax_model::StrategyKind;
use dax_syntax::ast::{Expr, ExprKind, FnItem};

impl Offer {
    fn new(name: impl Into<Name>, kind: OfferKind) -> Self {
        Self { name: name.into(), kind, ty: String::new(), declared: None, wanted: false }
    }

    fn typed(self, ty: &Type<'_>) -> Self {
        let ty = if matches!(ty, Type::Error) { String::new() } else { ty.to_string() };
        Self { ty, ..self }
    }

    fn at(self, span: Span) -> Self {
        Self { declared: Some(span).filter(|span| span.end > span.start), ..self }
    }

    fn wanted(self, wanted: bool) -> Self {
        Self { wanted, ..self }
    }
}

/// What may stand at [`CURSOR`] in a file.
pub fn offers(program: &Program, file: FileId) -> Vec<Offer> {
    let mut context = Context::new(program);
    context.offers = Some(Default::default());
    check_items(&context, &|other| other == file, &|| false);
    check_wholes(&context);
    let mut all = context.offers.map(std::cell::RefCell::into_inner).unwrap_or_default();
    let mut seen = std::collections::HashSet::new();
    all.retain(|offer| seen.insert((offer.name.clone(), offer.kind)));
    all
}

/// Whether a field's value can be written as a command.
fn is_command(ty: &Type<'_>) -> bool {
    let one = match ty.core() {
        Type::List(element) => element.core(),
        other => other,
    };
    matches!(one, Type::Record(_)) || one.tagged().is_some()
}

impl<'a> Context<'a> {
    fn offer(&self, offer: Offer) {
        if let Some(offers) = &self.offers {
            offers.borrow_mut().push(offer);
        }
    }

    /// The fields of a record that are not given yet.
    pub(crate) fn offer_fields(
        &self,
        ty: &Type<'a>,
        kind: OfferKind,
        given: &dyn Fn(&Name) -> bool,
    ) {
        if self.offers.is_none() {
            return;
        }
        let records: Vec<&Record<'a>> = match ty.core() {
            Type::Record(record) => vec![record],
            Type::Union(all) => {
                all.iter().filter_map(Type::record).map(|record| &**record).collect()
            }
            _ => Vec::new(),
        };
        for (name, field) in records.iter().flat_map(|record| &record.fields) {
            let repeats = matches!(field.ty.core(), Type::List(_));
            if given(name) && !(repeats && kind == OfferKind::Field) {
                continue;
            }
            let as_command = kind == OfferKind::Field && is_command(&field.ty);
            let kind = if as_command { OfferKind::Command } else { kind };
            self.offer(
                Offer::new(name.clone(), kind)
                    .typed(&field.ty)
                    .at(field.span)
                    .wanted(!field.may_lack()),
            );
        }
    }

    /// Offers what may be a value where `want` is wanted, if this is the place; gives whether it is.
    pub(crate) fn offer_value(
        &self,
        expr: &Expr,
        want: Option<&Type<'a>>,
        scope: &Scope<'a>,
    ) -> bool {
        // A text is about to be written where the name stands in quotes.
        let in_text = matches!(&expr.kind, ExprKind::Literal(Value::Str(text)) if text == CURSOR);
        if self.offers.is_none() || !(in_text || is_cursor(expr)) {
            return false;
        }
        if let Some(want) = want {
            self.offer_constants(want, OfferKind::Literal);
        }
        if !in_text {
            self.offer_names(want, scope);
        }
        true
    }

    /// The constants of a type; its texts are words where they need no quotes.
    pub(crate) fn offer_constants(&self, want: &Type<'a>, texts: OfferKind) {
        if want.optional().is_some() {
            self.offer(Offer::new("none", OfferKind::Keyword));
        }
        match want.core() {
            Type::Literal(text) => self.offer(Offer::new(text.clone(), texts).wanted(true)),
            Type::Union(all) => match want.tagged() {
                Some((tag, records)) => {
                    let tags = records.iter().filter_map(|record| record.fields.get(&tag));
                    tags.for_each(|field| self.offer_constants(&field.ty, texts));
                }
                None => all.iter().for_each(|one| self.offer_constants(one, texts)),
            },
            Type::Bool => ["true", "false"]
                .into_iter()
                .for_each(|word| self.offer(Offer::new(word, OfferKind::Keyword).wanted(true))),
            Type::Unit(unit) => self.offer(
                Offer::new(unit.example(), OfferKind::Quantity)
                    .typed(&Type::Unit(*unit))
                    .wanted(true),
            ),
            _ => {}
        }
    }

    fn offer_names(&self, want: Option<&Type<'a>>, scope: &Scope<'a>) {
        let fits = |ty: &Type<'a>| {
            want.is_some_and(|want| !matches!(ty, Type::Error | Type::Any) && ty.fits(want))
        };
        for local in &scope.locals {
            let offer = Offer::new(local.name.clone(), OfferKind::Value)
                .typed(&local.ty)
                .wanted(fits(&local.ty));
            self.offer(match local.declared {
                Some(span) => offer.at(span),
                None => offer,
            });
        }
        // A condition compares metrics, which are local.
        if matches!(want.map(Type::core), Some(Type::Condition)) {
            return;
        }
        let own = self.names.module(scope.module);
        if let Some(Type::Ref(RefKind::Provider)) = want.map(Type::core) {
            for (name, provider) in &own.providers {
                self.offer(
                    Offer::new(name.clone(), OfferKind::Item).at(provider.kind.span).wanted(true),
                );
            }
            return;
        }
        if let Some(Type::Ref(RefKind::Strategy)) = want.map(Type::core) {
            self.offer_strategy_kinds();
        }
        for name in own.values.keys() {
            self.offer_symbol(scope.module, name, &fits);
        }
        for (name, provider) in &own.providers {
            self.offer(Offer::new(name.clone(), OfferKind::Item).at(provider.kind.span));
        }
        for module in &self.program.prelude {
            for name in self.names.module(*module).values.keys() {
                self.offer_symbol(*module, name, &fits);
            }
        }
    }

    /// A name of a module, unless it is the place itself.
    fn offer_symbol(&self, module: ModuleId, name: &Name, fits: &dyn Fn(&Type<'a>) -> bool) {
        let Some(symbol) = self.names.value(module, name).filter(|_| name != CURSOR) else {
            return;
        };
        let at = self.names.declared(module, name);
        let typed =
            |kind, ty: &Type<'a>| Offer::new(name.clone(), kind).typed(ty).at(at).wanted(fits(ty));
        self.offer(match symbol {
            Symbol::Let(_) => typed(OfferKind::Value, &self.let_type(module, name)),
            Symbol::Param(param) => typed(
                OfferKind::Value,
                &param.ty.map_or(Type::String, |ty| self.resolve(module, ty, false)),
            ),
            Symbol::Secret(secret) => {
                let inner = secret.ty.map_or(Type::String, |ty| self.resolve(module, ty, false));
                typed(OfferKind::Value, &Type::Secret(std::sync::Arc::new(inner)))
            }
            Symbol::Fn(function) => {
                let result =
                    self.resolve_with(module, &function.result, &function.type_params, false);
                Offer {
                    ty: self.call_form(module, function),
                    ..typed(OfferKind::Function, &result)
                }
            }
            Symbol::Service(_) => typed(OfferKind::Item, &Type::Ref(RefKind::Service)),
            Symbol::Strategy(_) => typed(OfferKind::Item, &Type::Ref(RefKind::Strategy)),
            Symbol::Environment(_) if fits(&Type::Ref(RefKind::Environment)) => {
                typed(OfferKind::Item, &Type::Ref(RefKind::Environment))
            }
            Symbol::Environment(_) => return,
            Symbol::Import(_) => Offer::new(name.clone(), OfferKind::Module).at(at),
        });
    }

    /// What a function takes and gives: `(text: string, at: int) -> string`.
    pub(crate) fn call_form(&self, module: ModuleId, function: &'a FnItem) -> String {
        let ty = |written| self.resolve_with(module, written, &function.type_params, false);
        let params: Vec<String> = function
            .params
            .iter()
            .map(|(name, written)| format!("{}: {}", name.name, ty(written)))
            .collect();
        format!("({}) -> {}", params.join(", "), ty(&function.result))
    }

    /// The members of a value.
    pub(crate) fn offer_members(&self, ty: &Type<'a>) {
        match ty.core() {
            Type::Ref(RefKind::Service) => {
                for of in ["Service", "Outputs"] {
                    self.offer_fields(&self.prelude_type(of), OfferKind::Member, &|_| false);
                }
            }
            _ => self.offer_fields(ty, OfferKind::Member, &|_| false),
        }
    }

    /// What a module has, for values or for types.
    pub(crate) fn offer_module(&self, module: ModuleId, types: bool) {
        let names = self.names.module(module);
        if types {
            for (name, item) in &names.types {
                self.offer(Offer::new(name.clone(), OfferKind::Type).at(item.name.span));
            }
            return;
        }
        for name in names.values.keys() {
            self.offer_symbol(module, name, &|_| false);
        }
    }

    /// The providers of a module's import.
    pub(crate) fn offer_providers(&self, module: ModuleId, alias: &str) {
        for (name, provider) in &self.names.module(module).providers {
            if let Some(kind) = name.strip_prefix(alias).and_then(|rest| rest.strip_prefix('.')) {
                self.offer(Offer::new(kind, OfferKind::Item).at(provider.kind.span).wanted(true));
            }
        }
    }

    /// The types that a module knows.
    pub(crate) fn offer_types(&self, module: ModuleId) {
        for known in crate::resolve::BUILT_IN {
            self.offer(Offer::new(*known, OfferKind::Type));
        }
        for module in std::iter::once(&module).chain(&self.program.prelude) {
            self.offer_module(*module, true);
        }
        for (name, (symbol, span)) in &self.names.module(module).values {
            if let Symbol::Import(_) = symbol {
                self.offer(Offer::new(name.clone(), OfferKind::Module).at(*span));
            }
        }
    }

    /// Services or environments, where the name of one is about to be written; gives whether it is.
    pub(crate) fn offer_named(&self, word: &str, name: &str) -> bool {
        let Some(before) = name.strip_suffix(CURSOR).filter(|_| self.offers.is_some()) else {
            return false;
        };
        if word == "service" {
            for (address, span) in self.services() {
                if let Some(rest) = address.strip_prefix(before) {
                    self.offer(
                        Offer::new(rest, OfferKind::Item)
                            .typed(&Type::Ref(RefKind::Service))
                            .at(span)
                            .wanted(true),
                    );
                }
            }
            return true;
        }
        for (name, (symbol, span)) in &self.names.module(self.program.root).values {
            if matches!(symbol, Symbol::Environment(_)) {
                self.offer(
                    Offer::new(name.clone(), OfferKind::Item)
                        .typed(&Type::Ref(RefKind::Environment))
                        .at(*span)
                        .wanted(true),
                );
            }
        }
        true
    }

    /// Every service that the project can name, by its address.
    fn services(&self) -> Vec<(Name, Span)> {
        let mut all = Vec::new();
        for module in
            (0..self.program.modules.len()).map(ModuleId).filter(|module| self.reaches(*module))
        {
            for (name, (symbol, span)) in &self.names.module(module).values {
                if matches!(symbol, Symbol::Service(_)) {
                    all.push((self.address(module, name), *span));
                }
            }
        }
        all
    }

    /// The kinds of strategies.
    pub(crate) fn offer_strategy_kinds(&self) {
        for kind in StrategyKind::ALL {
            self.offer(Offer::new(kind.word(), OfferKind::Type).wanted(true));
        }
    }

    /// The imported modules that have a provider, or the providers of one.
    pub(crate) fn offer_platforms(&self, module: ModuleId, alias: Option<ModuleId>) {
        let of = |target: ModuleId| {
            let own = &self.names.module(target).types;
            let small = own
                .values()
                .filter(|item| item.name.name.starts_with(|c: char| c.is_ascii_lowercase()));
            let helpers = ["binding", "settings", "metrics", "secrets"];
            small
                .filter(move |item| !helpers.contains(&item.name.name.as_str()))
                .map(|item| &item.name)
        };
        match alias {
            Some(target) => of(target).for_each(|name| {
                self.offer(
                    Offer::new(name.name.clone(), OfferKind::Type).at(name.span).wanted(true),
                )
            }),
            None => {
                for (name, (symbol, span)) in &self.names.module(module).values {
                    if let Symbol::Import(target) = symbol
                        && of(*target).next().is_some()
                    {
                        self.offer(
                            Offer::new(name.clone(), OfferKind::Module).at(*span).wanted(true),
                        );
                    }
                }
            }
        }
    }

    /// The sources of secrets.
    pub(crate) fn offer_sources(&self, module: ModuleId) {
        for word in ["env", "file"] {
            self.offer(Offer::new(word, OfferKind::Keyword).wanted(true));
        }
        for (name, (symbol, _)) in &self.names.module(module).values {
            let Symbol::Import(target) = symbol else { continue };
            let Some(sources) = self.named_type(*target, "secrets") else { continue };
            for (kind, item) in &self.names.module(*target).types {
                if Type::Literal(kind.clone()).fits(&sources) {
                    self.offer(
                        Offer::new(format!("{name}.{kind}"), OfferKind::Function)
                            .at(item.name.span)
                            .wanted(true),
                    );
                }
            }
        }
    }

    /// The tags of queries that a module can write.
    pub(crate) fn offer_queries(&self, module: ModuleId) {
        self.offer(Offer::new("promql", OfferKind::Literal).wanted(true));
        for (name, (symbol, span)) in &self.names.module(module).values {
            if let Symbol::Import(target) = symbol
                && self.names.module(*target).types.contains_key("metrics")
            {
                self.offer(Offer::new(name.clone(), OfferKind::Module).at(*span).wanted(true));
            }
        }
    }

    /// The parameters of a function that are not given yet.
    pub(crate) fn offer_parameters(
        &self,
        module: ModuleId,
        function: &'a FnItem,
        given: &dyn Fn(&Name) -> bool,
    ) {
        for (name, written) in function.params.iter().filter(|(name, _)| !given(&name.name)) {
            let ty = self.resolve_with(module, written, &function.type_params, false);
            self.offer(
                Offer::new(name.name.clone(), OfferKind::Parameter).typed(&ty).at(name.span),
            );
        }
    }

    /// The words that a place of the language takes.
    pub(crate) fn offer_words(&self, words: &[&'static str]) {
        for word in words {
            self.offer(Offer::new(*word, OfferKind::Keyword).wanted(true));
        }
    }
}
