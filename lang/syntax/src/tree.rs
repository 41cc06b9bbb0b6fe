//! The lossless tree: every node of the grammar with its bytes, comments included.
//!
//! One flat vector in pre-order; a node's subtree is the slice up to `next`. Offsets count from the start
//! of the item's chunk, so an edit above an item leaves its tree as it is.

use crate::split::Chunk;
use pest::Parser;

pub use grammar::Rule as Kind;

#[expect(missing_docs, reason = "the rules are documented in dax.pest")]
mod grammar {
    /// The generated parser.
    #[derive(pest_derive::Parser)]
    #[grammar = "dax.pest"]
    pub struct Grammar;
}
use grammar::Grammar;

/// Nodes may nest this deep, whatever they nest by; everything behind the parser walks trees by recursion.
const MAX_NODE_DEPTH: usize = 8 * crate::split::MAX_DEPTH;

/// A node of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Which rule it matched.
    pub kind: Kind,
    /// First byte, from the start of the chunk.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Index of the node behind this one's subtree.
    pub next: u32,
}

/// The tree of one chunk.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Nodes in pre-order.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Parses one chunk. Any bytes give a tree; what fits no rule stands in `bad_*` and `stray` nodes.
    pub fn parse(text: &str, chunk: &Chunk) -> Self {
        let text = &text[chunk.start..chunk.end];
        let mut tree = Self::default();
        if chunk.too_deep.is_some() {
            return tree.all_bad(text);
        }
        // A parse that fails is one that pest's own stack guard ended.
        let whole = Grammar::parse(Kind::chunk, text)
            .is_ok_and(|pairs| pairs.into_iter().all(|pair| tree.push(pair, 0)));
        if whole { tree } else { Self::default().all_bad(text) }
    }

    fn all_bad(mut self, text: &str) -> Self {
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node { kind: Kind::chunk, start: 0, end, next: 2 });
        self.nodes.push(Node { kind: Kind::bad_item, start: 0, end, next: 2 });
        self
    }

    /// Adds a node with its subtree, unless that nests too deep.
    fn push(&mut self, pair: pest::iterators::Pair<'_, Kind>, depth: usize) -> bool {
        if depth > MAX_NODE_DEPTH {
            return false;
        }
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let at = self.nodes.len();
        let span = pair.as_span();
        self.nodes.push(Node {
            kind: pair.as_rule(),
            start: offset(span.start()),
            end: offset(span.end()),
            next: 0,
        });
        let whole = pair.into_inner().all(|child| self.push(child, depth + 1));
        self.nodes[at].next = offset(self.nodes.len());
        whole
    }

    /// The children of a node, comments left out.
    pub fn children(&self, parent: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.nodes[parent].next as usize;
        let mut at = parent + 1;
        std::iter::from_fn(move || {
            while at < end {
                let child = at;
                at = self.nodes[child].next as usize;
                if self.nodes[child].kind != Kind::COMMENT {
                    return Some(child);
                }
            }
            None
        })
    }
}

/// The first thing that keeps `text` from matching `rule`: where, and what could stand there.
pub(crate) fn first_fault(rule: Kind, text: &str) -> Option<(usize, Vec<Kind>)> {
    let error = Grammar::parse(rule, text).err()?;
    let at = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    match error.variant {
        pest::error::ErrorVariant::ParsingError { positives, .. } => Some((at, positives)),
        pest::error::ErrorVariant::CustomError { .. } => Some((at, Vec::new())),
    }
}
