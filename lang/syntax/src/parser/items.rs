//! Items, members, fields and commands.

use super::{Lower, faults};
use crate::ast::{
    Arg, AssignOp, Command, ExprKind, Field, FnItem, Ident, Item, ItemKind, Member, Strength,
    TypeItem,
};
use crate::tree::Kind;

impl Lower<'_> {
    pub(super) fn chunk(&mut self) -> Option<Item> {
        let mut children = self
            .children(0)
            .filter(|c| self.tree.nodes[*c].kind != Kind::EOI)
            .collect::<Vec<_>>()
            .into_iter();
        let node = children.next()?;
        let before = self.diagnostics.len();
        let mut kind = self.item(node);
        if let Some(stray) = children.next() {
            if self.diagnostics.len() == before {
                self.stray(node, stray);
            }
            // A command that stops short was meant to be something else.
            if let Some(ItemKind::Command(command)) = &kind
                && command.body.is_none()
            {
                kind = Some(ItemKind::Broken(first_name(command)));
            }
        }
        Some(Item { doc: self.doc_above(node), span: self.span(node), kind: kind? })
    }

    fn item(&mut self, node: usize) -> Option<ItemKind> {
        match self.kind(node) {
            Kind::field => self.field(node).map(ItemKind::Field),
            Kind::fn_item => self.fn_item(node).map(ItemKind::Fn),
            Kind::type_item => {
                let name = self.ident(self.child(node, Kind::ident)?);
                let type_params = self.type_params(node);
                let ty = self.ty(self.child(node, Kind::ty)?);
                Some(ItemKind::Type(TypeItem { name, type_params, ty }))
            }
            Kind::cmd => {
                let command = self.command(node)?;
                if matches!(command.word.name.as_str(), "fn" | "type") {
                    self.malformed(
                        node,
                        if command.word.name == "fn" { Kind::fn_item } else { Kind::type_item },
                    );
                    return Some(ItemKind::Broken(first_name(&command)));
                }
                Some(ItemKind::Command(command))
            }
            _ => {
                self.bad(node, faults::Place::Item);
                None
            }
        }
    }

    fn fn_item(&mut self, node: usize) -> Option<FnItem> {
        let name = self.ident(self.child(node, Kind::ident)?);
        let type_params = self.type_params(node);
        let params = self.child(node, Kind::params)?;
        let params = self
            .children(params)
            .filter_map(|param| {
                let name = self.ident(self.child(param, Kind::ident)?);
                let ty = self.child(param, Kind::ty)?;
                Some((name, self.ty(ty)))
            })
            .collect();
        let result = self.ty(self.child(node, Kind::ty)?);
        let body = self.value(self.child(node, Kind::expr)?);
        Some(FnItem { name, type_params, params, result, body })
    }

    fn type_params(&self, node: usize) -> Vec<Ident> {
        self.child(node, Kind::ty_params).map(|params| self.path(params)).unwrap_or_default()
    }

    fn member(&mut self, node: usize) -> Option<Member> {
        match self.kind(node) {
            Kind::field => self.field(node).map(Member::Field),
            Kind::cmd => self.command(node).map(Member::Command),
            Kind::bad_member => {
                self.bad(node, faults::Place::Member);
                None
            }
            Kind::no_close => {
                self.not_closed(node, "}");
                None
            }
            _ => None,
        }
    }

    pub(super) fn strength(&self, node: Option<usize>) -> Strength {
        match node.map(|n| self.slice(n)) {
            Some("default") => Strength::Default,
            Some("override") => Strength::Override,
            Some("sealed") => Strength::Sealed,
            _ => Strength::Plain,
        }
    }

    pub(super) fn field(&mut self, node: usize) -> Option<Field> {
        let mut paths: Vec<usize> = self
            .children(node)
            .filter(|child| self.tree.nodes[*child].kind == Kind::path)
            .collect();
        let path = self.path(paths.pop()?);
        let lead = paths.pop().and_then(|lead| self.path(lead).into_iter().next());
        let op = match self.child(node, Kind::assign).map(|n| self.slice(n)) {
            Some("+=") => AssignOp::Add,
            Some("-=") => AssignOp::Remove,
            _ => AssignOp::Set,
        };
        Some(Field {
            lead,
            path,
            ty: self.child(node, Kind::ty).map(|n| self.ty(n)),
            op,
            strength: self.strength(self.child(node, Kind::mark)),
            value: self.value(self.child(node, Kind::expr)?),
            span: self.span(node),
        })
    }

    pub(super) fn command(&mut self, node: usize) -> Option<Command> {
        let mut children = self.children(node);
        let word = self.ident(children.next()?);
        let mut command = Command { word, args: Vec::new(), body: None, span: self.span(node) };
        for child in children {
            match self.kind(child) {
                Kind::ty => command.args.push(Arg::Type(self.ty(child))),
                Kind::expr => command.args.push(Arg::Expr(self.value(child))),
                _ => {
                    let members = self.children(child);
                    command.body = Some(members.filter_map(|member| self.member(member)).collect());
                }
            }
        }
        Some(command)
    }
}

/// The name that a command would declare: `fn name(…`, `let name`.
fn first_name(command: &Command) -> Option<Ident> {
    let Some(Arg::Expr(first)) = command.args.first() else { return None };
    let named = match &first.kind {
        ExprKind::Call(function, _) => function.as_ref(),
        _ => first,
    };
    match &named.kind {
        ExprKind::Name(name) => Some(Ident { name: name.clone(), span: named.span }),
        _ => None,
    }
}
