//! The short way for sound items: straight from text to the syntax tree, without the grammar.
//!
//! It takes what is written most and gives up on the least doubt: an item with a fault, or with anything that
//! is rare, goes the way of the grammar, which is the reference and the only one that reports. Invariant: what
//! this way accepts, the grammar accepts with the same tree, spans included; a test holds the two together.

use super::expr::{MAX_CHAIN, operator, reduce};
use super::literal::{negate, read_number};
use crate::ast::{
    Arg, AssignOp, BinaryOp, Command, Entry, Expr, ExprKind, Field, Ident, Item, ItemKind, Member,
    Part, Strength,
};
use crate::ast::{TypeExpr, TypeKind, UnaryOp};
use crate::split::Chunk;
use dax_core::{FileId, Name, Span, Value};

/// The item of a chunk, or nothing when the grammar has to look at it.
pub(super) fn item(file: FileId, text: &str, chunk: &Chunk) -> Option<Item> {
    if chunk.too_deep.is_some() {
        return None;
    }
    let mut fast = Fast { file, text, bytes: text.as_bytes(), at: chunk.start, end: chunk.end };
    fast.lines();
    let start = fast.at;
    // These two have rules of their own.
    if matches!(fast.word()?.name.as_str(), "fn" | "type") {
        return None;
    }
    fast.at = start;
    let member = fast.member()?;
    let end = fast.at;
    fast.lines();
    if fast.at != chunk.end {
        return None;
    }
    let kind = match member {
        Member::Field(field) => ItemKind::Field(field),
        Member::Command(command) => ItemKind::Command(command),
    };
    Some(Item {
        doc: super::doc_above(text, chunk.start, start),
        span: fast.span(start, end),
        kind,
    })
}

struct Fast<'a> {
    file: FileId,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

const fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

const fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'a> Fast<'a> {
    fn peek(&self) -> u8 {
        if self.at < self.end { self.bytes[self.at] } else { 0 }
    }

    fn peek_at(&self, offset: usize) -> u8 {
        if self.at + offset < self.end { self.bytes[self.at + offset] } else { 0 }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { file: self.file, start: offset(start), end: offset(end) }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte && self.at < self.end).then(|| self.at += 1)
    }

    /// Blanks and comments, up to the end of the line.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'#' => {
                    while self.at < self.end && self.bytes[self.at] != b'\n' {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Blanks, comments and line breaks.
    fn lines(&mut self) {
        self.blanks();
        while self.peek() == b'\n' {
            self.at += 1;
            self.blanks();
        }
    }

    /// Separators between members; whether there was one.
    fn separators(&mut self) -> bool {
        let mut any = false;
        loop {
            self.blanks();
            if !matches!(self.peek(), b'\n' | b',' | b';') {
                return any;
            }
            any = true;
            self.at += 1;
        }
    }

    fn word(&mut self) -> Option<Ident> {
        if !starts_word(self.peek()) {
            return None;
        }
        let start = self.at;
        while in_word(self.peek()) {
            self.at += 1;
        }
        Some(Ident { name: Name::new(&self.text[start..self.at]), span: self.span(start, self.at) })
    }

    fn path(&mut self) -> Option<Vec<Ident>> {
        let mut path = vec![self.word()?];
        while self.peek() == b'.' && starts_word(self.peek_at(1)) {
            self.at += 1;
            path.push(self.word()?);
        }
        Some(path)
    }

    fn assign(&mut self) -> Option<AssignOp> {
        let (op, length) = match (self.peek(), self.peek_at(1)) {
            (b'+', b'=') => (AssignOp::Add, 2),
            (b'-', b'=') => (AssignOp::Remove, 2),
            (b'=', _) => (AssignOp::Set, 1),
            _ => return None,
        };
        if self.peek_at(length) == b'=' {
            return None;
        }
        self.at += length;
        Some(op)
    }

    fn strength(&mut self) -> Strength {
        for (text, strength) in [
            ("default", Strength::Default),
            ("override", Strength::Override),
            ("sealed", Strength::Sealed),
        ] {
            if self.bytes[self.at..self.end].starts_with(text.as_bytes())
                && !in_word(self.peek_at(text.len()))
            {
                self.at += text.len();
                self.blanks();
                return strength;
            }
        }
        Strength::Plain
    }

    fn member(&mut self) -> Option<Member> {
        let start = self.at;
        if let Some(field) = self.field_head() {
            let (lead, path, ty, op) = field;
            self.lines();
            let strength = self.strength();
            let value = self.expr()?;
            let span = self.span(start, self.at);
            return Some(Member::Field(Field { lead, path, ty, op, strength, value, span }));
        }
        self.at = start;
        self.command().map(Member::Command)
    }

    /// Everything before a field's value; nothing when this is no field.
    #[expect(
        clippy::type_complexity,
        reason = "the parts of a field, named where they are taken apart"
    )]
    fn field_head(&mut self) -> Option<(Option<Ident>, Vec<Ident>, Option<TypeExpr>, AssignOp)> {
        let mut path = self.path()?;
        let mut lead = None;
        self.blanks();
        if starts_word(self.peek()) {
            let second = self.path()?;
            lead = std::mem::replace(&mut path, second).into_iter().next();
            self.blanks();
        }
        let ty = if self.peek() == b':' { Some(self.ty()?) } else { None };
        Some((lead, path, ty, self.assign()?))
    }

    /// `: name`, and nothing more of what types can be.
    fn ty(&mut self) -> Option<TypeExpr> {
        self.eat(b':')?;
        self.blanks();
        let start = self.at;
        let path = self.path()?;
        let span = self.span(start, self.at);
        self.blanks();
        let plain = matches!(self.peek(), b'=' | b'{' | b'\n' | 0);
        plain.then_some(TypeExpr {
            kind: TypeKind::Name { path, args: Vec::new(), range: None },
            span,
        })
    }

    fn command(&mut self) -> Option<Command> {
        let start = self.at;
        let word = self.word()?;
        let mut command =
            Command { word, args: Vec::new(), body: None, span: self.span(start, self.at) };
        loop {
            let end = self.at;
            self.blanks();
            match self.peek() {
                b':' => {
                    let ty = self.ty()?;
                    command.span.end = ty.span.end;
                    self.at = ty.span.end as usize;
                    command.args.push(Arg::Type(ty));
                }
                b'{' => {
                    command.body = Some(self.body()?);
                    command.span.end = self.span(start, self.at).end;
                    return Some(command);
                }
                byte if in_word(byte) || matches!(byte, b'"' | b'[' | b'(' | b'!' | b'-') => {
                    command.args.push(Arg::Expr(self.expr()?));
                    command.span.end = self.span(start, self.at).end;
                }
                _ => {
                    self.at = end;
                    return Some(command);
                }
            }
        }
    }

    fn body(&mut self) -> Option<Vec<Member>> {
        self.eat(b'{')?;
        let mut members = Vec::new();
        self.separators();
        while self.peek() != b'}' {
            members.push(self.member()?);
            if !self.separators() && self.peek() != b'}' {
                return None;
            }
        }
        self.eat(b'}')?;
        Some(members)
    }

    fn expr(&mut self) -> Option<Expr> {
        let first = self.unary()?;
        let mut operands = vec![Some(first)];
        let mut operators: Vec<(u8, BinaryOp)> = Vec::new();
        let mut count = 0;
        loop {
            let end = self.at;
            self.blanks();
            let Some(symbol) = self.operator() else {
                self.at = end;
                break;
            };
            self.lines();
            let (power, op) = operator(symbol);
            while operators.last().is_some_and(|(waiting, _)| *waiting >= power) {
                if power == 3 && operators.last().is_some_and(|(waiting, _)| *waiting == 3) {
                    return None;
                }
                reduce(&mut operands, &mut operators);
            }
            operators.push((power, op));
            operands.push(Some(self.unary()?));
            count += 1;
            if count >= MAX_CHAIN {
                return None;
            }
        }
        while !operators.is_empty() {
            reduce(&mut operands, &mut operators);
        }
        operands.pop().flatten()
    }

    fn operator(&mut self) -> Option<&'a str> {
        let length = match (self.peek(), self.peek_at(1)) {
            (b'=' | b'!' | b'<' | b'>', b'=') | (b'?', b'?') | (b'&', b'&') | (b'|', b'|') => 2,
            (b'-', b'=') => return None,
            (b'<' | b'>' | b'+' | b'-' | b'*' | b'/', _) => 1,
            (b'o', b'r') | (b'i', b'n') if !in_word(self.peek_at(2)) => 2,
            (b'a', b'n') if self.peek_at(2) == b'd' && !in_word(self.peek_at(3)) => 3,
            _ => return None,
        };
        let symbol = &self.text[self.at..self.at + length];
        self.at += length;
        Some(symbol)
    }

    fn unary(&mut self) -> Option<Expr> {
        let start = self.at;
        let prefix = match self.peek() {
            b'!' => Some(UnaryOp::Not),
            b'-' => Some(UnaryOp::Minus),
            _ => None,
        };
        self.at += usize::from(prefix.is_some());
        let mut base = self.primary()?;
        let mut length = 0;
        loop {
            match self.peek() {
                b'.' if starts_word(self.peek_at(1)) => {
                    self.at += 1;
                    let name = self.word()?;
                    base = Expr {
                        span: base.span.to(name.span),
                        kind: ExprKind::Get(Box::new(base), name),
                    };
                }
                b'[' => {
                    self.at += 1;
                    self.lines();
                    let index = self.expr()?;
                    self.lines();
                    self.eat(b']')?;
                    let span = base.span.to(self.span(self.at, self.at));
                    base = Expr { span, kind: ExprKind::Index(Box::new(base), Box::new(index)) };
                }
                b'(' => {
                    let args = self.arguments()?;
                    let span = base.span.to(self.span(self.at, self.at));
                    base = Expr { span, kind: ExprKind::Call(Box::new(base), args) };
                }
                _ => break,
            }
            length += 1;
            if length + 2 > MAX_CHAIN {
                return None;
            }
        }
        let span = self.span(start, self.at);
        Some(match (prefix, base.kind) {
            (None, kind) => Expr { kind, span: base.span },
            (Some(UnaryOp::Minus), ExprKind::Literal(value)) if !matches!(value, Value::Str(_)) => {
                Expr { kind: ExprKind::Literal(negate(value)), span }
            }
            (Some(op), kind) => {
                Expr { kind: ExprKind::Unary(op, Box::new(Expr { kind, span: base.span })), span }
            }
        })
    }

    fn arguments(&mut self) -> Option<Vec<(Option<Ident>, Expr)>> {
        self.eat(b'(')?;
        let mut args = Vec::new();
        self.lines();
        while self.peek() != b')' {
            let start = self.at;
            let name = self.word().filter(|_| {
                self.blanks();
                self.eat(b':').is_some()
            });
            if name.is_some() {
                self.blanks();
            } else {
                self.at = start;
            }
            args.push((name, self.expr()?));
            self.blanks();
            if self.eat(b',').is_none() {
                self.lines();
                break;
            }
            self.lines();
        }
        self.eat(b')')?;
        Some(args)
    }

    fn primary(&mut self) -> Option<Expr> {
        let start = self.at;
        let kind = match self.peek() {
            b'"' => return self.string(),
            b'0'..=b'9' => self.number()?,
            b'[' => self.list()?,
            b'{' => self.map()?,
            b'(' => {
                self.at += 1;
                self.lines();
                let inner = self.expr()?;
                self.lines();
                self.eat(b')')?;
                return Some(inner);
            }
            byte if starts_word(byte) => {
                let word = self.word()?;
                if self.peek() == b'"' {
                    if matches!(word.name.as_str(), "secret" | "not") {
                        return None;
                    }
                    let ExprKind::Literal(Value::Str(text)) = self.string()?.kind else {
                        return None;
                    };
                    ExprKind::Tagged(word, text)
                } else {
                    match word.name.as_str() {
                        "if" | "not" => return None,
                        "data" if self.text_follows() => return None,
                        "unset" => ExprKind::Literal(Value::Unset),
                        "true" => ExprKind::Literal(Value::Bool(true)),
                        "false" => ExprKind::Literal(Value::Bool(false)),
                        "none" => ExprKind::Literal(Value::None),
                        _ => ExprKind::Name(word.name),
                    }
                }
            }
            _ => return None,
        };
        Some(Expr { kind, span: self.span(start, self.at) })
    }

    /// Whether blanks and a text come next: `data "file"` is for the grammar.
    fn text_follows(&self) -> bool {
        self.text[self.at..self.end].trim_start_matches([' ', '\t']).starts_with('"')
    }

    fn number(&mut self) -> Option<ExprKind> {
        let start = self.at;
        while self.peek().is_ascii_digit() || self.peek() == b'_' {
            self.at += 1;
        }
        if self.peek() == b'.' && self.peek_at(1).is_ascii_digit() {
            self.at += 1;
            while self.peek().is_ascii_digit() {
                self.at += 1;
            }
        }
        if self.peek() == b'%' {
            self.at += 1;
        } else {
            while self.peek().is_ascii_alphabetic() {
                self.at += 1;
            }
        }
        read_number(&self.text[start..self.at]).map(ExprKind::Literal)
    }

    /// A text on one line, without escapes.
    fn string(&mut self) -> Option<Expr> {
        let start = self.at;
        self.eat(b'"')?;
        if self.peek() == b'"' && self.peek_at(1) == b'"' {
            return None;
        }
        let mut parts = Vec::new();
        let mut piece = self.at;
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' | b'\n' | b'\r' | 0 => return None,
                b'$' if self.peek_at(1) == b'{' => {
                    if piece < self.at {
                        parts.push(Part::Text(Name::new(&self.text[piece..self.at])));
                    }
                    self.at += 2;
                    self.lines();
                    parts.push(Part::Expr(self.expr()?));
                    self.lines();
                    self.eat(b'}')?;
                    piece = self.at;
                }
                _ => self.at += 1,
            }
        }
        if piece < self.at || parts.is_empty() {
            parts.push(Part::Text(Name::new(&self.text[piece..self.at])));
        }
        self.at += 1;
        let kind = match parts.as_mut_slice() {
            [Part::Text(text)] => ExprKind::Literal(Value::Str(std::mem::take(text))),
            _ => ExprKind::Template(parts),
        };
        Some(Expr { kind, span: self.span(start, self.at) })
    }

    fn list(&mut self) -> Option<ExprKind> {
        self.eat(b'[')?;
        let mut items = Vec::new();
        self.lines();
        while self.peek() != b']' {
            items.push(self.expr()?);
            if matches!(&items[0].kind, ExprKind::Name(word) if word == "for") {
                return None;
            }
            self.blanks();
            match self.peek() {
                b',' => self.at += 1,
                b'\n' | b']' => {}
                _ => return None,
            }
            self.lines();
        }
        self.eat(b']')?;
        Some(ExprKind::List(None, items))
    }

    fn map(&mut self) -> Option<ExprKind> {
        self.eat(b'{')?;
        let mut entries = Vec::new();
        self.separators();
        while self.peek() != b'}' {
            let key = if self.peek() == b'"' {
                self.string()?
            } else {
                let word = self.word()?;
                Expr { kind: ExprKind::Literal(Value::Str(word.name)), span: word.span }
            };
            self.blanks();
            self.eat(b':')?;
            self.lines();
            let strength = self.strength();
            entries.push(Entry { key, strength, value: self.expr()? });
            if !self.separators() && self.peek() != b'}' {
                return None;
            }
        }
        self.eat(b'}')?;
        Some(ExprKind::Map(None, entries))
    }
}
