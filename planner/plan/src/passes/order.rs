//! The order in which services are changed.
//!
//! What is needed comes first when it is made or changed, and last when it is removed. On the way back those
//! that need something go back before what they need does.

use crate::model::{Action, Mode};
use crate::work::Work;
use dax_core::ResourceAddr;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::BTreeMap;

/// For each service that has to wait for its wave: those of the wave before.
pub(crate) type Waves = BTreeMap<ResourceAddr, Vec<ResourceAddr>>;

/// Services in the order in which they may begin, each with those that must be done before it.
pub(crate) fn order(
    work: &BTreeMap<ResourceAddr, Work>,
    waves: &Waves,
    mode: Mode,
) -> Vec<(ResourceAddr, Vec<ResourceAddr>)> {
    let sorted = |backwards: bool| {
        let graph = graph(work, waves, backwards);
        petgraph::algo::toposort(&graph, None).ok().map(|sorted| (graph, sorted))
    };
    // Going back may run into what has to be made again for it: then needs decide alone.
    let found = (mode == Mode::Rollback).then(|| sorted(true)).flatten().or_else(|| sorted(false));
    // The program's graph has no circle; a state's may, when services were removed: fall back to names.
    let (graph, sorted) = found.unwrap_or_else(|| {
        let graph = graph(work, &Waves::new(), false);
        let nodes = graph.node_indices().collect();
        (graph, nodes)
    });
    let rank: BTreeMap<NodeIndex, usize> =
        sorted.iter().enumerate().map(|(rank, node)| (*node, rank)).collect();
    let before = |node| {
        let mut all: Vec<ResourceAddr> = graph
            .neighbors_directed(node, petgraph::Direction::Incoming)
            .filter(|other| rank[other] < rank[&node])
            .map(|other| graph[other].clone())
            .collect();
        all.sort();
        all
    };
    // Level by level and by name inside a level, so that equal inputs give equal plans.
    let mut level: BTreeMap<ResourceAddr, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for node in sorted {
        let before = before(node);
        let depth =
            before.iter().filter_map(|addr| level.get(addr)).max().map_or(0, |depth| depth + 1);
        level.insert(graph[node].clone(), depth);
        all.push((graph[node].clone(), before));
    }
    all.sort_by(|a, b| (level[&a.0], &a.0).cmp(&(level[&b.0], &b.0)));
    all
}

fn graph<'w>(
    work: &'w BTreeMap<ResourceAddr, Work>,
    waves: &Waves,
    backwards: bool,
) -> DiGraph<&'w ResourceAddr, ()> {
    let mut graph = DiGraph::new();
    let nodes: BTreeMap<&ResourceAddr, NodeIndex> =
        work.keys().map(|addr| (addr, graph.add_node(addr))).collect();
    let changes = |work: &Work| matches!(work.change.action, Action::Update | Action::Rollout);
    for (addr, item) in work {
        for need in item.needs.iter().chain(&item.former_needs) {
            let Some((needed, other)) = nodes.get(need).zip(work.get(need)) else { continue };
            let goes = other.result.is_none();
            // What is no longer needed and stays is nobody's business here.
            if !goes && !item.needs.contains(need) {
                continue;
            }
            let turned = backwards && changes(item) && changes(other);
            let (first, then) =
                if goes || turned { (nodes[addr], *needed) } else { (*needed, nodes[addr]) };
            graph.update_edge(first, then, ());
        }
    }
    for (addr, before) in waves {
        for other in before {
            graph.update_edge(nodes[other], nodes[addr], ());
        }
    }
    graph
}
