//! What services need of each other: direct edges, each with its cause, and no circle.

use super::Evaluator;
use super::layers::Setup;
use crate::codes;
use dax_core::{Diagnostic, Name, ResourceAddr, Span, Value};
use dax_ir::{Data, Environment, Need, Node};
use std::collections::HashMap;

impl<'a> Evaluator<'_, 'a> {
    /// Direct needs: those written in `needs` and those whose fields were read.
    pub(super) fn needs(&self, name: &Name, desired: Option<&Node>) -> Vec<Need> {
        let mut needs = Vec::new();
        if let Some(Data::List(items)) =
            desired.and_then(|desired| desired.get("needs")).map(|node| &node.data)
        {
            for item in items {
                if let Some(Value::Ref(addr)) = item.as_leaf()
                    && let Ok(addr) = ResourceAddr::parse(addr)
                {
                    needs.push(Need { addr, span: item.origin.span });
                }
            }
        }
        if let Some(read) = self.reads.borrow().get(name) {
            for need in read {
                if !needs.iter().any(|known| known.addr == need.addr) {
                    needs.push(need.clone());
                }
            }
        }
        needs
    }

    /// Needs of services that run once for each key: the instance of the same key, else all of them.
    pub(super) fn place_needs(&self, environment: &mut Environment) {
        let mut instances: HashMap<Name, Vec<ResourceAddr>> = HashMap::new();
        for addr in environment.services.keys().filter(|addr| addr.key().is_some()) {
            instances.entry(addr.base().into()).or_default().push(addr.clone());
        }
        if instances.is_empty() {
            return;
        }
        for (addr, service) in &mut environment.services {
            let placed =
                service.needs.drain(..).flat_map(|need| match instances.get(need.addr.name()) {
                    None => vec![need],
                    Some(all) => match all.iter().find(|one| one.key() == addr.key()) {
                        Some(same) => vec![Need { addr: same.clone(), ..need }],
                        None => all
                            .iter()
                            .map(|one| Need { addr: one.clone(), span: need.span })
                            .collect(),
                    },
                });
            service.needs = placed.collect();
        }
    }

    /// Every need is there, and none leads back to where it came from.
    pub(super) fn check_needs(&self, environment: &Environment, setup: &Setup<'a>) {
        for service in environment.services.values() {
            for need in &service.needs {
                let external =
                    self.context.service(need.addr.base()).is_some_and(|(_, block)| block.external);
                if !external && !setup.binds.contains_key(need.addr.base()) {
                    let detail = format!("`{}` needs `{}`", service.addr.name(), need.addr.name());
                    let help =
                        format!("add `bind {} to …` to `{}`", need.addr.name(), environment.name);
                    self.report(
                        Diagnostic::new(codes::NEED_NOT_BOUND, need.span, detail).help(help),
                    );
                }
            }
        }
        if let Some(circle) = shortest_circle(environment) {
            let names: Vec<&str> = circle.iter().map(|(service, _)| service.name()).collect();
            let detail = format!("{} → {}", names.join(" → "), names[0]);
            let mut diagnostic = Diagnostic::new(codes::CIRCULAR_SERVICES, circle[0].1, detail);
            for (at, (service, span)) in circle.iter().enumerate() {
                let next = circle[(at + 1) % circle.len()].0.name();
                diagnostic =
                    diagnostic.related(*span, format!("`{}` needs `{next}` here", service.name()));
            }
            let last = circle.last().map_or("", |(service, _)| service.name());
            self.report(
                diagnostic.help(format!("take one edge away, for example what `{last}` needs")),
            );
        }
    }
}

/// The shortest circle of needs, each service with the span that leads to the next.
fn shortest_circle(environment: &Environment) -> Option<Vec<(&ResourceAddr, Span)>> {
    let services = &environment.services;
    // Leaves first: what needs nothing, or only what is settled, is on no circle. Linear for sound graphs.
    let mut open: HashMap<&ResourceAddr, usize> = HashMap::with_capacity(services.len());
    let mut users: HashMap<&ResourceAddr, Vec<&ResourceAddr>> = HashMap::new();
    let mut settled: Vec<&ResourceAddr> = Vec::new();
    for service in services.values() {
        let needs: Vec<&Need> =
            service.needs.iter().filter(|need| services.contains_key(&need.addr)).collect();
        needs.iter().for_each(|need| users.entry(&need.addr).or_default().push(&service.addr));
        if needs.is_empty() {
            settled.push(&service.addr);
        }
        open.insert(&service.addr, needs.len());
    }
    let mut on_circle = services.len();
    while let Some(addr) = settled.pop() {
        on_circle -= 1;
        for user in users.remove(addr).unwrap_or_default() {
            let left = open.get_mut(user)?;
            *left -= 1;
            if *left == 0 {
                settled.push(user);
            }
        }
    }
    if on_circle == 0 {
        return None;
    }
    let starts = services.keys().filter(|addr| open.get(addr).is_some_and(|left| *left > 0));
    starts.filter_map(|start| circle_from(environment, start)).min_by_key(Vec::len)
}

/// The shortest way from a service back to itself.
fn circle_from<'g>(
    environment: &'g Environment,
    start: &'g ResourceAddr,
) -> Option<Vec<(&'g ResourceAddr, Span)>> {
    let mut came: HashMap<&ResourceAddr, (&ResourceAddr, Span)> = HashMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(addr) = queue.pop_front() {
        for need in &environment.services.get(addr)?.needs {
            if need.addr == *start {
                let mut circle = vec![(addr, need.span)];
                let mut at = addr;
                while at != start {
                    let (before, span) = came[at];
                    circle.push((before, span));
                    at = before;
                }
                circle.reverse();
                return Some(circle);
            }
            if environment.services.contains_key(&need.addr) && !came.contains_key(&need.addr) {
                came.insert(&need.addr, (addr, need.span));
                queue.push_back(&need.addr);
            }
        }
    }
    None
}
