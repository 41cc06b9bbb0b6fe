//! Rules over what the program denotes.

use crate::{Input, codes};
use dax_core::{Diagnostic, Name, Value};
use dax_ir::{Environment, Layer, Service};
use dax_syntax::ast::{Arg, Expr, ExprKind, ItemKind};
use std::collections::BTreeSet;

pub(crate) fn run(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    unbound(input, found);
    for environment in input.graph.environments.values() {
        let last = !environment.after.is_empty();
        for service in environment.services.values().filter(|service| !service.resource) {
            if last {
                promoted(environment, service, found);
            }
            limits(service, found);
        }
    }
}

/// Services of the project that no environment binds.
fn unbound(input: &Input<'_>, found: &mut Vec<Diagnostic>) {
    if input.graph.environments.is_empty() {
        return;
    }
    let bound: BTreeSet<Name> = input
        .graph
        .environments
        .keys()
        .flat_map(|environment| input.loaded.bound_names(environment))
        .collect();
    for (_, item) in input.own_items().filter(|(module, _)| *module == input.loaded.program.root) {
        let ItemKind::Command(command) = &item.kind else { continue };
        let (name, span) = match (command.word.name.as_str(), command.args.as_slice()) {
            ("service", [Arg::Expr(Expr { kind: ExprKind::Name(name), span })]) => (name, span),
            ("resource", [_, Arg::Expr(Expr { kind: ExprKind::Name(name), span }), ..]) => {
                (name, span)
            }
            _ => continue,
        };
        if !bound.contains(name) {
            let diagnostic = Diagnostic::new(
                codes::UNBOUND_SERVICE,
                *span,
                format!("no environment binds `{name}`"),
            );
            found.push(diagnostic.help(format!(
                "add `bind {name} to …` to an environment, or declare it `service {name} external`"
            )));
        }
    }
}

/// What is usual where others have tried it before, and risky where users are.
fn promoted(environment: &Environment, service: &Service, found: &mut Vec<Diagnostic>) {
    if let Some(node) = service.desired.get("replicas")
        && node.as_leaf() == Some(&Value::Int(1))
    {
        let span = if node.origin.layer == Layer::Type { service.span } else { node.origin.span };
        let detail = format!(
            "`{}` has one replica in `{}`: it is gone while that one is replaced",
            service.addr.base(),
            environment.name
        );
        found.push(
            Diagnostic::new(codes::SINGLE_REPLICA, span, detail)
                .help("set 2 or more, or allow it with a reason"),
        );
    }
    let has_ports =
        service.desired.get("ports").is_some_and(|ports| ports.value().entries().next().is_some());
    if service.strategy.kind == dax_model::StrategyKind::Immediate && has_ports {
        let detail = format!(
            "`{}` changes for all users of `{}` in one moment",
            service.addr.base(),
            environment.name
        );
        let help = format!("add `rollout {} with rolling`, or a canary", service.addr.base());
        found
            .push(Diagnostic::new(codes::SUDDEN_ROLLOUT, service.strategy.span, detail).help(help));
    }
}

/// On a shared cluster a service without limits takes from its neighbours.
fn limits(service: &Service, found: &mut Vec<Diagnostic>) {
    let lacking = |field: &str| {
        service.desired.get(field).and_then(|node| node.as_leaf()) == Some(&Value::None)
    };
    if service.provider.kind == "kubernetes" && (lacking("memory") || lacking("cpu")) {
        let detail =
            format!("`{}` says not how much memory and processor it takes", service.addr.base());
        found.push(
            Diagnostic::new(codes::NO_LIMITS, service.span, detail)
                .help("add `cpu = 250mcpu` and `memory = 256MiB`"),
        );
    }
}
