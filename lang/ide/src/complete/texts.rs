//! What may be written in a text: paths of modules and files, metrics, keys of secrets, and the texts that a type allows.

use super::context::{Context, Quoted};
use super::{Completion, Proposal, ProposalKind, proposal, sort};
use crate::bytes::is_word;
use crate::project::Project;
use dax_core::{FileId, Value};
use dax_sema::CURSOR;
use dax_sema::walk::walk_item;
use dax_syntax::ast::{Arg, Expr, ExprKind, ItemKind};
use std::collections::{BTreeMap, BTreeSet};

/// What a query may name of what is measured.
const VARIABLES: [(&str, &str); 4] = [
    ("$service", "The name of the service that is measured."),
    ("$environment", "The environment that it is in."),
    ("$revision", "The revision that is measured."),
    ("$window", "How far back is looked."),
];

/// Functions of PromQL that queries about a rollout use. Source: the Prometheus documentation, Query functions.
const FUNCTIONS: [&str; 16] = [
    "rate",
    "irate",
    "increase",
    "sum",
    "avg",
    "max",
    "min",
    "count",
    "histogram_quantile",
    "quantile",
    "avg_over_time",
    "max_over_time",
    "sum_over_time",
    "clamp_min",
    "absent",
    "label_replace",
];

impl Project {
    pub(super) fn complete_text(
        &mut self,
        file: FileId,
        text: &str,
        context: &Context,
        quoted: Quoted,
    ) -> Completion {
        let start = quoted.at + quoted.quotes;
        let before = text[context.member.min(quoted.at)..quoted.at].trim_start();
        let words = Context::words(before);
        let mut completion = Completion { range: start..context.at, proposals: Vec::new() };
        let tag = before.rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
        match (words.as_slice(), tag) {
            (["import", _, "from"], _) => completion.proposals = self.module_paths(file),
            ([.., "data"], _) => completion.proposals = self.data_paths(file),
            (_, "promql") => {
                let written =
                    text[start..context.at].trim_end_matches(|c: char| is_word(c) || c == ':');
                let from = if written.ends_with('$') { written.len() - 1 } else { written.len() };
                completion.range = start + from..context.at;
                completion.proposals = self.metrics();
            }
            _ if before.ends_with('(') && self.source(before).is_some() => {
                let source = self.source(before).unwrap_or_default();
                completion.proposals = self.secret_keys(&source);
            }
            _ => {
                let offers = self.offers_in_text(file, text, context, quoted);
                completion.proposals =
                    offers.iter().map(|offer| proposal(offer, context, text)).collect();
                sort(&mut completion.proposals);
            }
        }
        completion
    }

    /// What the checker would take as the text at the cursor.
    fn offers_in_text(
        &mut self,
        file: FileId,
        text: &str,
        context: &Context,
        quoted: Quoted,
    ) -> Vec<dax_sema::Offer> {
        let quote = &text[quoted.at..quoted.at + quoted.quotes];
        let rest = &text[context.at..];
        let line = rest.find('\n').unwrap_or(rest.len());
        let behind = rest
            .find(quote)
            .filter(|end| quoted.quotes == 3 || *end < line)
            .map_or(line, |end| end + quoted.quotes);
        let text = format!("{}{quote}{CURSOR}{quote}{}", &text[..quoted.at], &rest[behind..]);
        // From here on it is a word like any other.
        let at = quoted.at + quoted.quotes;
        let mut inner = Context::of(&text[..], at);
        inner.quoted = None;
        let offers = self.offers_in(file, &text, at);
        if !offers.is_empty() {
            return offers;
        }
        let cut = quoted.at + quoted.quotes * 2 + CURSOR.len();
        let closers = inner.closers();
        self.offers_in(file, &format!("{}{closers}\n", &text[..cut]), at)
    }

    /// The paths that a file can import.
    fn module_paths(&self, file: FileId) -> Vec<Proposal> {
        let own = self.name(file).rsplit_once('/').map_or("", |(folder, _)| folder);
        let std = dax_stdlib::paths().map(str::to_owned);
        let packages = self.loaded.manifest.requires.iter().map(|require| require.name.to_string());
        let modules = self.loaded.program.modules.iter().filter(|module| {
            !module.foreign && !module.path.starts_with("std/") && !module.path.is_empty()
        });
        let modules = modules.map(|module| module.path.to_string());
        let folders = self.nearby.modules.iter().cloned();
        let near: BTreeSet<String> = modules
            .chain(folders)
            .filter(|path| path != own && !path.is_empty())
            .map(|path| relative(own, &path))
            .collect();
        let path = |path: String, rank| Proposal::plain(path, ProposalKind::Module, rank);
        near.into_iter()
            .map(|one| path(one, 0))
            .chain(packages.map(|one| path(one, 1)))
            .chain(std.map(|one| path(one, 2)))
            .collect()
    }

    /// The files that a file can read.
    fn data_paths(&self, file: FileId) -> Vec<Proposal> {
        let own = self.name(file).rsplit_once('/').map_or("", |(folder, _)| folder);
        let below = self.nearby.data.iter().map(|path| relative(own, path));
        let path =
            |path: String| Proposal::plain(path.trim_start_matches("./"), ProposalKind::File, 0);
        below.map(path).collect()
    }

    /// Names of metrics that the project's queries have, and what else a query is made of.
    fn metrics(&self) -> Vec<Proposal> {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for item in self
            .loaded
            .program
            .modules
            .iter()
            .flat_map(|module| &module.files)
            .flat_map(|file| &file.items)
        {
            walk_item(item, &mut |expr| {
                if let ExprKind::Tagged(tag, query) = &expr.kind
                    && tag.name == "promql"
                {
                    for name in dax_sema::metric_names(query) {
                        *names.entry(name).or_default() += 1;
                    }
                }
            });
        }
        let one = |label: &str, kind, detail: &str, rank| Proposal {
            detail: detail.to_owned(),
            ..Proposal::plain(label, kind, rank)
        };
        let metrics = names.iter().map(|(name, count)| {
            one(name, ProposalKind::Metric, &format!("in {count} queries"), 0)
        });
        let variables =
            VARIABLES.iter().map(|(name, about)| one(name, ProposalKind::Value, about, 1));
        let functions = FUNCTIONS.iter().map(|name| one(name, ProposalKind::Function, "PromQL", 2));
        metrics.chain(variables).chain(functions).collect()
    }

    /// The source of a secret that a call names: `env`, `vault.kv`.
    fn source(&self, before: &str) -> Option<String> {
        let name = before.strip_suffix('(')?.rsplit(|c: char| c.is_whitespace()).next()?;
        let word = Context::words(before).first().copied()?;
        (word == "secret" && !name.is_empty()).then(|| name.to_owned())
    }

    /// The keys of the project's other secrets from the same source.
    fn secret_keys(&self, source: &str) -> Vec<Proposal> {
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        for item in self
            .loaded
            .program
            .modules
            .iter()
            .flat_map(|module| &module.files)
            .flat_map(|file| &file.items)
        {
            let ItemKind::Command(command) = &item.kind else { continue };
            if command.word.name != "secret" {
                continue;
            }
            for arg in &command.args {
                let Arg::Expr(Expr { kind: ExprKind::Call(function, args), .. }) = arg else {
                    continue;
                };
                if self.loaded.sources.slice(function.span) != source {
                    continue;
                }
                let first = args.iter().find(|(name, _)| name.is_none());
                if let Some((_, Expr { kind: ExprKind::Literal(Value::Str(key)), .. })) = first {
                    let name = command.args.first().map_or("", |arg| match arg {
                        Arg::Expr(name) => self.loaded.sources.slice(name.span),
                        Arg::Type(_) => "",
                    });
                    keys.insert(key.to_string(), name.to_owned());
                }
            }
        }
        let one = |(key, name): (String, String)| Proposal {
            detail: format!("as of `{name}`"),
            ..Proposal::plain(key, ProposalKind::Constant, 0)
        };
        keys.into_iter().map(one).collect()
    }
}

/// A path from one folder to another, as an import is written.
fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = to.split('/').filter(|part| !part.is_empty()).collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = "../".repeat(from.len() - common);
    format!("{}{}", if up.is_empty() { "./" } else { &up }, to[common..].join("/"))
}
