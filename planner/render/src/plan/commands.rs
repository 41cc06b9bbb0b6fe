//! Commands that a plan runs, in the line that a reviewer decides by.

use super::details::words;
use super::names::names;
use crate::shorten;
use dax_core::{Name, ResourceAddr};
use dax_model::Operation;
use dax_plan::model::InverseClass;
use dax_plan::{Plan, Task};
use std::collections::BTreeMap;

/// Commands that are shown.
const SHOWN: usize = 3;
/// Characters of a command.
const CHARACTERS: usize = 60;

/// Commands that a plan runs, migrations first, so many of them; migrations that cannot be undone
/// are named among what is irreversible.
pub(super) fn shown(plan: &Plan) -> Vec<String> {
    let mut all: BTreeMap<(bool, String), Vec<&ResourceAddr>> = BTreeMap::new();
    for step in &plan.steps {
        let key = match &step.task {
            Task::Call(Operation::Migrate { command, .. })
                if step.inverse.class != InverseClass::None =>
            {
                (false, quoted(command))
            }
            Task::Call(Operation::Run { command, .. }) => (true, quoted(command)),
            _ => continue,
        };
        let services = all.entry(key).or_default();
        if !services.contains(&&step.service) {
            services.push(&step.service);
        }
    }
    let text = |((is_hook, command), services): (&(bool, String), &Vec<&ResourceAddr>)| {
        let names = names(services);
        match is_hook {
            true => format!("runs {command} for {names}"),
            false => format!("migrates {names} by {command}"),
        }
    };
    let mut texts: Vec<String> = all.iter().take(SHOWN).map(text).collect();
    let more = all.len().saturating_sub(SHOWN);
    if more > 0 {
        let ending = if more == 1 { "" } else { "s" };
        texts.push(format!("+{} more command{ending}", shorten::grouped(more)));
    }
    texts
}

/// A command between backticks, so short and so written that it passes for nothing that dax says.
pub(super) fn quoted(command: &[Name]) -> String {
    format!("`{}`", shorten::inert(&shorten::text(&words(command), CHARACTERS)))
}
