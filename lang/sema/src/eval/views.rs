//! What policies and tests see of an environment: its services with the origin of every value.

use super::plain;
use dax_core::{Name, Span, Value};
use dax_ir::{Data, Environment, Node, Service};
use std::collections::BTreeMap;

/// A service with its fields and where it runs.
pub(super) fn service(environment: &Environment, service: &Service) -> Node {
    let leaf = |value: Value| Node::leaf(value, plain(service.span));
    let mut map: BTreeMap<Name, Node> = match &service.desired.data {
        Data::Map(map) => map.clone(),
        _ => BTreeMap::new(),
    };
    let own = [
        ("name", Value::str(service.addr.base())),
        ("address", Value::str(service.addr.as_str())),
        ("environment", Value::Str(environment.name.clone())),
        ("provider", Value::Str(service.provider.instance.clone())),
        ("key", service.key.clone().map_or(Value::None, Value::Str)),
        ("strategy", Value::str(service.strategy.kind.word())),
        ("protected", Value::Bool(service.protected)),
    ];
    map.extend(own.into_iter().map(|(name, value)| (Name::new_static(name), leaf(value))));
    Node { data: Data::Map(map), origin: plain(service.span) }
}

/// All services of an environment.
pub(super) fn services(environment: &Environment) -> Node {
    let all = environment
        .services
        .values()
        .filter(|one| !one.resource)
        .map(|one| service(environment, one))
        .collect();
    Node { data: Data::List(all), origin: plain(environment.span) }
}

/// A list of values that come from no place in the program.
pub(super) fn list(values: &[Value]) -> Node {
    Node {
        data: Data::List(
            values
                .iter()
                .map(|value| super::expr::from_value(value.clone(), Span::default()))
                .collect(),
        ),
        origin: plain(Span::default()),
    }
}
