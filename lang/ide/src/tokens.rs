//! What each piece of a text is, for colours: from its form alone, so that it is known while somebody types.

use crate::bytes::Bytes;
use dax_syntax::split::{self, ITEM_WORDS};
use dax_syntax::tree::{Kind, Tree};

/// The kinds of pieces, by the names that the Language Server Protocol has for them.
pub const TYPES: [&str; 13] = [
    "comment",
    "keyword",
    "modifier",
    "string",
    "number",
    "operator",
    "type",
    "property",
    "variable",
    "function",
    "namespace",
    "parameter",
    "macro",
];

/// What else may be said of a piece, each a bit in this order.
pub const MODIFIERS: [&str; 2] = ["declaration", "documentation"];

const DECLARATION: u32 = 1;
const DOCUMENTATION: u32 = 2;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where it is; it may go over several lines.
    pub range: Bytes,
    /// Its place in [`TYPES`].
    pub kind: usize,
    /// Bits of [`MODIFIERS`].
    pub modifiers: u32,
}

/// The pieces of a text in order; they do not overlap.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut all = Vec::new();
    for chunk in split::split(text) {
        let tree = Tree::parse(text, &chunk);
        let mut walk =
            Walk { text, base: chunk.start, tree: &tree, all: &mut all, around: Vec::new() };
        if !tree.nodes.is_empty() {
            walk.children(0);
        }
    }
    let modules = imported(text);
    for token in &mut all {
        if TYPES[token.kind] == "variable" && modules.contains(&&text[token.range.clone()]) {
            token.kind = kind("namespace");
        }
    }
    all.sort_by_key(|token| token.range.start);
    all.dedup_by(|later, earlier| later.range.start < earlier.range.end);
    all
}

/// The names of imported modules.
fn imported(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("import ")?.split_whitespace().next())
        .collect()
}

fn kind(name: &str) -> usize {
    TYPES.iter().position(|known| *known == name).unwrap_or_default()
}

struct Walk<'t> {
    text: &'t str,
    base: usize,
    tree: &'t Tree,
    all: &'t mut Vec<Token>,
    /// Kinds of the nodes around, outermost first.
    around: Vec<Kind>,
}

impl Walk<'_> {
    fn range(&self, node: usize) -> Bytes {
        let node = self.tree.nodes[node];
        self.base + node.start as usize..self.base + node.end as usize
    }

    fn add(&mut self, node: usize, name: &str, modifiers: u32) {
        let range = self.range(node);
        let trimmed = self.text[range.clone()].trim_end();
        let range = range.start..range.start + trimmed.len();
        if !range.is_empty() {
            self.all.push(Token { range, kind: kind(name), modifiers });
        }
    }

    /// All children, comments among them.
    fn children(&mut self, parent: usize) {
        let end = self.tree.nodes[parent].next as usize;
        let mut at = parent + 1;
        let kind = self.tree.nodes[parent].kind;
        self.around.push(kind);
        let mut position = 0;
        while at < end {
            if self.tree.nodes[at].kind != Kind::COMMENT {
                self.node(at, parent, position);
                position += 1;
            } else {
                self.node(at, parent, usize::MAX);
            }
            at = self.tree.nodes[at].next as usize;
        }
        self.around.pop();
    }

    fn node(&mut self, node: usize, parent: usize, position: usize) {
        let inside = self.tree.nodes[parent].kind;
        match self.tree.nodes[node].kind {
            Kind::COMMENT => {
                let documents = self.text[self.range(node)].starts_with("##");
                self.add(node, "comment", if documents { DOCUMENTATION } else { 0 });
            }
            Kind::string => self.string(node),
            Kind::number => self.add(node, "number", 0),
            Kind::mark => self.add(node, "modifier", 0),
            Kind::op | Kind::assign | Kind::prefix | Kind::minus => {
                let word =
                    self.text[self.range(node)].starts_with(|c: char| c.is_ascii_alphabetic());
                self.add(node, if word { "keyword" } else { "operator" }, 0);
            }
            Kind::kw_fn
            | Kind::kw_type
            | Kind::kw_keyed
            | Kind::kw_by
            | Kind::kw_where
            | Kind::kw_if
            | Kind::kw_then
            | Kind::kw_else => {
                self.add(node, "keyword", 0);
            }
            Kind::kw_for | Kind::kw_in => self.add(node, "keyword", 0),
            Kind::ident => self.ident(node, parent, position, inside),
            Kind::path if inside == Kind::field => self.field_path(node, parent, position),
            Kind::path => self.path(node),
            Kind::name => self.name(node, parent),
            _ => self.children(node),
        }
    }

    fn ident(&mut self, node: usize, parent: usize, position: usize, inside: Kind) {
        let top = self.around.len() == 2;
        match inside {
            Kind::cmd if position == 0 && top => self.add(node, "keyword", 0),
            Kind::cmd if position == 0 => self.add(node, "property", 0),
            Kind::fn_item => self.add(node, "function", DECLARATION),
            Kind::type_item => self.add(node, "type", DECLARATION),
            Kind::fn_param => self.add(node, "parameter", DECLARATION),
            Kind::ty_params => self.add(node, "type", DECLARATION),
            Kind::for_clause => self.add(node, "variable", DECLARATION),
            Kind::ty_field => self.add(node, "property", DECLARATION),
            Kind::arg => self.add(node, "parameter", 0),
            Kind::get => {
                // A member that is called is a function of a module.
                let called = self.called(parent);
                self.add(node, if called { "function" } else { "property" }, 0);
            }
            _ => self.add(node, "property", 0),
        }
    }

    /// Whether the node behind this one is a call.
    fn called(&self, node: usize) -> bool {
        let next = self.tree.nodes[node].next as usize;
        self.tree
            .nodes
            .get(next)
            .is_some_and(|next| next.kind == Kind::call && next.start == self.tree.nodes[node].end)
    }

    /// `let x` leads with a word; `a.b` is a place.
    fn field_path(&mut self, node: usize, parent: usize, position: usize) {
        let paths = self
            .tree
            .children(parent)
            .filter(|child| self.tree.nodes[*child].kind == Kind::path)
            .count();
        let top = self.around.len() == 2;
        let parts: Vec<usize> = self.tree.children(node).collect();
        for part in parts {
            match (paths, position) {
                (2, 0) => self.add(part, "keyword", 0),
                (2, _) => self.add(part, "variable", DECLARATION),
                _ if top => self.add(part, "variable", DECLARATION),
                _ => self.add(part, "property", 0),
            }
        }
    }

    /// A type by its dotted name.
    fn path(&mut self, node: usize) {
        let parts: Vec<usize> = self.tree.children(node).collect();
        for (at, part) in parts.iter().enumerate() {
            self.add(*part, if at + 1 < parts.len() { "namespace" } else { "type" }, 0);
        }
    }

    fn name(&mut self, node: usize, parent: usize) {
        let parts: Vec<usize> = self.tree.children(node).collect();
        let Some(first) = parts.first() else { return };
        let word = &self.text[self.range(*first)];
        let tagged = parts.len() > 1;
        // The first name of a top-level command declares; words between are the language's.
        let declares = self.around.len() >= 2 && self.declares(parent);
        let name = match word {
            _ if tagged => "macro",
            "true" | "false" | "none" | "unset" | "self" => "keyword",
            "to" | "from" | "with" | "of" | "extends" | "keyed" | "external" | "hold"
                if !self.called(node) && self.is_argument(parent) =>
            {
                "keyword"
            }
            "on" | "failure" if self.is_argument(parent) => "keyword",
            _ if self.called(node) => "function",
            _ => "variable",
        };
        self.add(*first, name, if declares && name == "variable" { DECLARATION } else { 0 });
        for part in parts.into_iter().skip(1) {
            self.node(part, node, 1);
        }
    }

    /// Whether the expression is one word among a command's.
    fn is_argument(&self, _unary: usize) -> bool {
        let around: Vec<&Kind> = self.around.iter().rev().take(3).collect();
        matches!(around.as_slice(), [Kind::unary, Kind::expr, Kind::cmd])
    }

    /// Whether this is the first argument of an item that declares a name.
    fn declares(&self, unary: usize) -> bool {
        if self.around.len() != 4 || !self.is_argument(unary) {
            return false;
        }
        let start = self.tree.nodes[unary].start as usize;
        let before = &self.text[self.base..self.base + start];
        let words: Vec<&str> =
            before.lines().next_back().unwrap_or_default().split_whitespace().collect();
        matches!(words.as_slice(), [word] if ITEM_WORDS.contains(word))
    }

    /// A text is cut at its interpolations, which have pieces of their own.
    fn string(&mut self, node: usize) {
        let range = self.range(node);
        let mut start = range.start;
        let inner: Vec<usize> = self
            .tree
            .children(node)
            .filter(|child| self.tree.nodes[*child].kind == Kind::interp)
            .collect();
        for interpolation in inner {
            let hole = self.range(interpolation);
            self.piece(start..hole.start);
            self.children(interpolation);
            start = hole.end;
        }
        self.piece(start..range.end);
    }

    fn piece(&mut self, range: Bytes) {
        if !range.is_empty() {
            self.all.push(Token { range, kind: kind("string"), modifiers: 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_a_text_has_its_kind() {
        let text = "import local from \"std/local\"\n## How often.\nlet every: Duration = 2s\nservice web {\n  replicas = default 1 + every\n  image = \"a:${local.tag(every)}\" # x\n  health http \"/\"\n}\nfn f(a: int) -> int = if a > 1 then a else max(a, 2)\nstrategy s: canary {\n  metric e: Percent = promql\"up\"\n}\n";
        let shown: Vec<String> = tokens(text)
            .iter()
            .map(|token| {
                let marks = if token.modifiers & DECLARATION > 0 { "!" } else { "" };
                format!("{}{marks} {}", TYPES[token.kind], &text[token.range.clone()])
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        keyword import
        namespace! local
        keyword from
        string "std/local"
        comment ## How often.
        keyword let
        variable! every
        type Duration
        operator =
        number 2s
        keyword service
        variable! web
        property replicas
        operator =
        modifier default
        number 1
        operator +
        variable every
        property image
        operator =
        string "a:
        namespace local
        function tag
        variable every
        string "
        comment # x
        property health
        variable http
        string "/"
        keyword fn
        function! f
        parameter! a
        type int
        type int
        keyword if
        variable a
        operator >
        number 1
        keyword then
        variable a
        keyword else
        function max
        variable a
        number 2
        keyword strategy
        variable! s
        type canary
        keyword metric
        variable! e
        type Percent
        operator =
        macro promql
        string "up"
        "#);
    }
}
