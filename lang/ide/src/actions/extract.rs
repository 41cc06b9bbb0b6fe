//! A piece of a program under a name of its own: a `let`, a strategy, a module.

use super::{Action, ActionKind, fresh, item_at, with_comments};
use crate::definitions::Kind;
use crate::head::past_blank_lines;
use crate::project::Project;
use crate::rename::Edit;
use dax_core::Span;
use dax_sema::walk::walk_item;
use dax_syntax::ast::{Arg, Expr, ExprKind, Item, ItemKind, Member};

impl Project {
    pub(super) fn extractions(&self, selection: Span) -> Vec<Action> {
        let Some(item) = item_at(self, selection) else { return Vec::new() };
        let all = [
            self.to_let(item, selection),
            self.to_strategy(item, selection),
            self.to_module(item, selection),
        ];
        all.into_iter().flatten().collect()
    }

    /// Where something goes that is to stand above an item and its comments.
    fn above(&self, item: &Item) -> Span {
        let at = with_comments(self.text(item.span.file), item.span.start);
        Span { start: at, end: at, ..item.span }
    }

    /// The selected expression as a `let` above its item.
    fn to_let(&self, item: &Item, selection: Span) -> Option<Action> {
        if selection.start == selection.end {
            return None;
        }
        let text = self.loaded.sources.slice(selection);
        let trimmed = text.trim();
        let start = selection.start + u32::try_from(text.len() - text.trim_start().len()).ok()?;
        let wanted = Span { start, end: start + u32::try_from(trimmed.len()).ok()?, ..selection };
        let mut found: Option<&Expr> = None;
        walk_item(item, &mut |expr| {
            if expr.span == wanted
                && !matches!(expr.kind, ExprKind::Name(_) | ExprKind::Broken | ExprKind::Tagged(..))
            {
                found = Some(expr);
            }
        });
        found?;
        // What stands for something inside of the item only cannot leave it.
        let known = self.known.get(&selection.file)?;
        let inside = known
            .meant
            .iter()
            .filter(|meant| wanted.start <= meant.start && meant.end <= wanted.end);
        for meant in inside {
            let outside = self.local(selection.file, meant.key).is_none_or(|local| {
                wanted.start <= local.span.start && local.span.end <= wanted.end
            });
            let kind = self.definition(meant.key).map(|definition| definition.kind);
            if !outside && kind.is_none() || kind == Some(Kind::Parameter) {
                return None;
            }
        }
        if trimmed.contains("self") && matches!(item.kind, ItemKind::Type(_) | ItemKind::Field(_)) {
            return None;
        }
        let name = fresh(self, selection.file, "value");
        let above = self.above(item);
        let edits = vec![
            Edit { span: above, text: format!("let {name} = {trimmed}\n\n") },
            Edit { span: wanted, text: name.clone() },
        ];
        Some(Action::new(format!("Extract to `let {name}`"), ActionKind::Extract, edits))
    }

    /// A built-in strategy of a rollout as one of the project, which can then be said more of.
    fn to_strategy(&self, item: &Item, selection: Span) -> Option<Action> {
        let ItemKind::Command(environment) = &item.kind else { return None };
        if environment.word.name != "environment" {
            return None;
        }
        let rollout = environment.body.iter().flatten().find_map(|member| match member {
            Member::Command(command)
                if command.word.name == "rollout" && super::touch(command.span, selection) =>
            {
                Some(command)
            }
            _ => None,
        })?;
        let [Arg::Expr(service), _, Arg::Expr(strategy)] = rollout.args.as_slice() else {
            return None;
        };
        let ExprKind::Name(kind) = &strategy.kind else { return None };
        dax_model::StrategyKind::parse(kind)?;
        let of = self.loaded.sources.slice(service.span);
        let of: String =
            of.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let name = fresh(self, selection.file, &format!("{}_{kind}", of.trim_matches('_')));
        let above = self.above(item);
        let body = if kind == "canary" { "  step 10% hold 1m\n" } else { "" };
        let edits = vec![
            Edit { span: above, text: format!("strategy {name}: {kind} {{\n{body}}}\n\n") },
            Edit { span: strategy.span, text: name.clone() },
        ];
        Some(Action::new(format!("Extract to `strategy {name}`"), ActionKind::Extract, edits))
    }

    /// An item as a module of its own, named by what it is called; whoever names it says so.
    fn to_module(&self, item: &Item, selection: Span) -> Option<Action> {
        let definition = self
            .known
            .get(&selection.file)?
            .definitions
            .iter()
            .find(|known| known.whole == item.span)?;
        // The head of an item is meant, not each place in it.
        let head_end = self.text(selection.file)[item.span.start as usize..]
            .find('\n')
            .map_or(item.span.end as usize, |end| item.span.start as usize + end);
        if !matches!(
            definition.kind,
            Kind::Service | Kind::Let | Kind::Fn | Kind::Type | Kind::Strategy
        ) || selection.start as usize > head_end
        {
            return None;
        }
        let known = self.known.get(&selection.file)?;
        let mut imports: Vec<String> = Vec::new();
        for meant in known
            .meant
            .iter()
            .filter(|meant| item.span.start <= meant.start && meant.end <= item.span.end)
        {
            let Some(used) = self.definition(meant.key) else { continue };
            let inside = used.span.file == item.span.file
                && item.span.start <= used.span.start
                && used.span.end <= item.span.end;
            if inside || self.is_std(used.span.file) {
                continue;
            }
            // What it names of its module would not be known where it goes.
            let import = (used.kind == Kind::Import)
                .then(|| self.loaded.sources.slice(used.whole).to_owned())?;
            let path = self.import_path(used)?;
            if path.starts_with('.') {
                return None;
            }
            if !imports.contains(&import) {
                imports.push(import);
            }
        }
        let name = definition.name.to_string();
        let folder = self
            .name(selection.file)
            .rsplit_once('/')
            .map_or_else(String::new, |(folder, _)| format!("{folder}/"));
        let target = format!("{folder}{name}/main.dax");
        if self.file(&target).is_some() {
            return None;
        }
        let alias = fresh(self, selection.file, &format!("{name}_module"));
        let start = with_comments(self.text(selection.file), item.span.start);
        let moved = self.loaded.sources.slice(Span { start, ..item.span });
        let head =
            if imports.is_empty() { String::new() } else { format!("{}\n\n", imports.join("\n")) };
        let gone = Span {
            start,
            end: past_blank_lines(self.text(selection.file), item.span.end),
            ..item.span
        };
        // What runs already keeps its past under the new address.
        let (module, _) = self.loaded.file(selection.file)?;
        let runs = definition.kind == Kind::Service
            && dax_sema::bindings(&self.loaded.program, module).contains_key(&definition.name);
        if runs && module != self.loaded.program.root {
            return None;
        }
        let past = if runs { format!("moved {name} to {alias}.{name}\n\n") } else { String::new() };
        let mut edits = vec![Edit { span: gone, text: past }];
        for place in self.named(selection.file, definition.key, false) {
            if item.span.file == place.file
                && item.span.start <= place.start
                && place.end <= item.span.end
            {
                return None;
            }
            // From another module it is named behind a dot, and would need another import there.
            if self.loaded.file(place.file)?.0 != self.loaded.file(selection.file)?.0 {
                return None;
            }
            edits
                .push(Edit { span: Span { end: place.start, ..place }, text: format!("{alias}.") });
        }
        let here = self.behind_imports(selection);
        edits.push(Edit {
            span: here,
            text: format!(
                "import {alias} from \"./{name}\"\n{}",
                if here.start == 0 { "\n" } else { "" }
            ),
        });
        let mut action = Action::new(
            format!("Extract to a module of its own: `{target}`"),
            ActionKind::Extract,
            edits,
        );
        action.creates.push((target, format!("{head}{}\n", moved.trim_end())));
        Some(action)
    }
}
