//! Expressions: the flat list of the grammar, put in order by precedence.

use super::{Lower, faults, literal};
use crate::ast::{BinaryOp, Entry, Expr, ExprKind, ForClause, UnaryOp};
use crate::tree::Kind;
use dax_core::{Diagnostic, Value};

/// Operators or members in one row: each makes the tree one level deeper.
pub(super) const MAX_CHAIN: usize = 200;

/// Operators by how tightly they bind; comparisons do not chain.
pub(super) fn operator(symbol: &str) -> (u8, BinaryOp) {
    match symbol {
        "||" | "or" => (1, BinaryOp::Or),
        "&&" | "and" => (2, BinaryOp::And),
        "==" => (3, BinaryOp::Equal),
        "!=" => (3, BinaryOp::NotEqual),
        "<" => (3, BinaryOp::Less),
        "<=" => (3, BinaryOp::LessEqual),
        ">" => (3, BinaryOp::Greater),
        ">=" => (3, BinaryOp::GreaterEqual),
        "in" => (3, BinaryOp::In),
        "??" => (4, BinaryOp::Coalesce),
        "-" => (5, BinaryOp::Subtract),
        "*" => (6, BinaryOp::Multiply),
        "/" => (6, BinaryOp::Divide),
        _ => (5, BinaryOp::Add),
    }
}

impl Lower<'_> {
    /// An expression; one with a fault is `Broken`, so that what it belongs to stays.
    pub(super) fn value(&mut self, node: usize) -> Expr {
        self.expr(node).unwrap_or_else(|| Expr { kind: ExprKind::Broken, span: self.span(node) })
    }

    pub(super) fn expr(&mut self, node: usize) -> Option<Expr> {
        let mut children = self.children(node);
        if children.len() > 2 * MAX_CHAIN {
            return self.too_long(node, "operators");
        }
        let first = self.unary(children.next()?);
        if children.len() == 0 {
            return first;
        }
        // Operator precedence over a stack; a side that is broken makes the whole absent.
        let mut operands = vec![first];
        let mut operators: Vec<(u8, BinaryOp)> = Vec::new();
        while let (Some(op), Some(right)) = (children.next(), children.next()) {
            let (power, op_kind) = operator(self.slice(op));
            while operators.last().is_some_and(|(waiting, _)| *waiting >= power) {
                if power == 3 && operators.last().is_some_and(|(waiting, _)| *waiting == 3) {
                    let detail = "a comparison cannot be compared again";
                    let help = "join the two with `and`: `a < b and b < c`";
                    self.diagnostics.push(
                        Diagnostic::new(faults::CHAINED_COMPARISON, self.span(op), detail)
                            .help(help),
                    );
                    return None;
                }
                reduce(&mut operands, &mut operators);
            }
            operators.push((power, op_kind));
            operands.push(self.unary(right));
        }
        while !operators.is_empty() {
            reduce(&mut operands, &mut operators);
        }
        operands.pop().flatten()
    }

    fn too_long<T>(&mut self, node: usize, what: &str) -> Option<T> {
        let detail = format!("more than {MAX_CHAIN} {what} stand in one row");
        let help = "give parts of it names with `let`";
        self.diagnostics
            .push(Diagnostic::new(faults::TOO_DEEP, self.span(node), detail).help(help));
        None
    }

    fn unary(&mut self, node: usize) -> Option<Expr> {
        let span = self.span(node);
        let mut prefix = None;
        let mut base: Option<Expr> = None;
        let children = self.children(node);
        if children.len() > MAX_CHAIN {
            return self.too_long(node, "members, indexes and calls");
        }
        for child in children {
            match self.kind(child) {
                Kind::prefix => {
                    prefix =
                        Some(if self.slice(child) == "-" { UnaryOp::Minus } else { UnaryOp::Not });
                }
                Kind::get => {
                    let name = self.ident(self.child(child, Kind::ident)?);
                    let optional =
                        self.child(child, Kind::get_dot).is_some_and(|dot| self.slice(dot) == "?.");
                    let make = if optional { ExprKind::GetOptional } else { ExprKind::Get };
                    base = base.map(|b| Expr {
                        span: b.span.to(name.span),
                        kind: make(Box::new(b), name),
                    });
                }
                Kind::index => {
                    self.closed(child, "]")?;
                    let index = self.child(child, Kind::expr).and_then(|e| self.expr(e));
                    let end = self.span(child);
                    base = base.zip(index).map(|(b, i)| Expr {
                        span: b.span.to(end),
                        kind: ExprKind::Index(Box::new(b), Box::new(i)),
                    });
                }
                Kind::call => {
                    self.closed(child, ")")?;
                    let args = self.children(child).filter_map(|arg| self.argument(arg)).collect();
                    let end = self.span(child);
                    base = base.map(|b| Expr {
                        span: b.span.to(end),
                        kind: ExprKind::Call(Box::new(b), args),
                    });
                }
                _ => base = self.primary(child),
            }
        }
        let base = base?;
        Some(match (prefix, base.kind) {
            (None, kind) => Expr { kind, span: base.span },
            (Some(UnaryOp::Minus), ExprKind::Literal(value)) if !matches!(value, Value::Str(_)) => {
                Expr { kind: ExprKind::Literal(literal::negate(value)), span }
            }
            (Some(op), kind) => {
                Expr { kind: ExprKind::Unary(op, Box::new(Expr { kind, span: base.span })), span }
            }
        })
    }

    fn argument(&mut self, node: usize) -> Option<(Option<crate::ast::Ident>, Expr)> {
        if self.kind(node) != Kind::arg {
            return None;
        }
        let name = self.child(node, Kind::ident).map(|n| self.ident(n));
        Some((name, self.expr(self.child(node, Kind::expr)?)?))
    }

    fn primary(&mut self, node: usize) -> Option<Expr> {
        let span = self.span(node);
        let kind = match self.kind(node) {
            Kind::number => ExprKind::Literal(self.number(node)?),
            Kind::string => return self.string(node),
            Kind::name => {
                let name = self.child(node, Kind::ident)?;
                let Some(text) = self.child(node, Kind::string) else {
                    let kind = match self.slice(name) {
                        "true" => ExprKind::Literal(Value::Bool(true)),
                        "false" => ExprKind::Literal(Value::Bool(false)),
                        "none" => ExprKind::Literal(Value::None),
                        "unset" => ExprKind::Literal(Value::Unset),
                        name => ExprKind::Name(name.into()),
                    };
                    return Some(Expr { kind, span });
                };
                let tag = self.ident(name);
                if tag.name == "secret" {
                    return Some(Expr { kind: ExprKind::SecretTemplate(self.parts(text)), span });
                }
                let Some(plain) = self.plain_string(text) else {
                    let detail = format!("a `{}` text is read as it stands", tag.name);
                    self.diagnostics.push(Diagnostic::new(
                        faults::TAGGED_INTERPOLATION,
                        self.span(text),
                        detail,
                    ));
                    return None;
                };
                ExprKind::Tagged(tag, plain)
            }
            Kind::data => ExprKind::Data(
                self.child(node, Kind::string).and_then(|text| self.plain_string(text))?,
            ),
            Kind::paren => {
                self.closed(node, ")")?;
                return self.expr(self.child(node, Kind::expr)?);
            }
            Kind::if_expr => {
                let parts: Vec<Expr> = self
                    .children(node)
                    .filter(|c| self.tree.nodes[*c].kind == Kind::expr)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .filter_map(|e| self.expr(e))
                    .collect();
                ExprKind::If(Box::new(<[Expr; 3]>::try_from(parts).ok()?))
            }
            Kind::list => {
                self.closed(node, "]")?;
                let clause = self.for_clause(node);
                let mut items = Vec::new();
                for child in self.children(node) {
                    if self.kind(child) == Kind::expr {
                        items.push(self.expr(child)?);
                    }
                }
                ExprKind::List(clause, items)
            }
            Kind::map => {
                self.closed(node, "}")?;
                let clause = self.for_clause(node);
                let mut entries = Vec::new();
                for child in self.children(node) {
                    if self.kind(child) == Kind::entry {
                        entries.push(self.entry(child)?);
                    }
                }
                ExprKind::Map(clause, entries)
            }
            _ => return None,
        };
        Some(Expr { kind, span })
    }

    fn entry(&mut self, node: usize) -> Option<Entry> {
        let key = self.children(node).next()?;
        let key = match self.kind(key) {
            Kind::string => self.string(key)?,
            _ => Expr {
                kind: ExprKind::Literal(Value::Str(self.slice(key).into())),
                span: self.span(key),
            },
        };
        let strength = self.strength(self.child(node, Kind::mark));
        Some(Entry { key, strength, value: self.expr(self.child(node, Kind::expr)?)? })
    }

    fn for_clause(&mut self, node: usize) -> Option<Box<ForClause>> {
        let clause = self.child(node, Kind::for_clause)?;
        let names: Vec<usize> =
            self.children(clause).filter(|c| self.tree.nodes[*c].kind == Kind::ident).collect();
        let exprs: Vec<usize> =
            self.children(clause).filter(|c| self.tree.nodes[*c].kind == Kind::expr).collect();
        Some(Box::new(ForClause {
            first: self.ident(*names.first()?),
            second: names.get(1).map(|n| self.ident(*n)),
            source: self.expr(*exprs.first()?)?,
            condition: exprs.get(1).and_then(|e| self.expr(*e)),
        }))
    }

    /// Says so when the bracket of this node was left open; nothing when something stands in its place, for then
    /// nobody knows what was meant.
    fn closed(&mut self, node: usize, closer: &str) -> Option<()> {
        let Some(open) = self.child(node, Kind::no_close) else { return Some(()) };
        let known = self.diagnostics.len();
        self.not_closed(open, closer);
        let said = self.diagnostics[known.min(self.diagnostics.len())..]
            .iter()
            .any(|d| d.fix.as_ref().is_none_or(|fix| fix.span.start != fix.span.end));
        if said { None } else { Some(()) }
    }
}

pub(super) fn reduce(operands: &mut Vec<Option<Expr>>, operators: &mut Vec<(u8, BinaryOp)>) {
    let (Some(right), Some(left), Some((_, op))) =
        (operands.pop(), operands.pop(), operators.pop())
    else {
        return;
    };
    operands.push(left.zip(right).map(|(left, right)| Expr {
        span: left.span.to(right.span),
        kind: ExprKind::Binary(op, Box::new(left), Box::new(right)),
    }));
}
