//! Removal of preview environments whose change request is closed.

use super::{Applied, ApplyOptions, Carry, Ending, shown_name};
use crate::{Forge, Open, ReviewError, Say, deploying, previews};
use dax_engine::{ApplyRequest, Engine, Name, Origin, Outcome, Reviews};

/// Destroys what was made for a change request that is closed: environments that the state
/// recorded as previews, and no other with such a key.
pub(super) fn leave(
    request: &ApplyOptions,
    forge: &Forge,
    number: u64,
    open: Open<'_>,
    carry: Carry<'_>,
    say: Say<'_>,
) -> Result<Vec<Applied>, ReviewError> {
    // Who starts the job says which one is closed; the code host knows.
    if forge.ask(|remote| remote.change(number))?.open {
        let request = forge.request();
        say(&format!("{request} {number} is open: its preview environments stay"));
        return Ok(Vec::new());
    }
    let why = format!("{} {number} is closed", forge.request());
    let mut applied = Vec::new();
    for (folder, path) in dax_engine::projects(&request.options.folder)? {
        let engine = open(&path)?;
        let known = engine.known_environments()?.into_iter();
        for environment in known.filter(|name| previews::number(name) == Some(number)) {
            let recorded = engine.recorded_conditions(&environment)?;
            if !recorded.is_some_and(|recorded| recorded.conditions.preview) {
                say(&format!(
                    "`{environment}` was not made as a preview environment: it stays as it is"
                ));
                continue;
            }
            let (project, _) = engine.people()?;
            let ending = destroy(request, &engine, &environment, &why, &mut *carry);
            let gone = match &ending {
                Ending::Nothing => true,
                Ending::Ran(finished) => finished.outcome == Outcome::Succeeded,
                _ => false,
            };
            let remarks = if gone {
                deploying::gone(forge, &shown_name(&folder, &project, &environment))
            } else {
                Vec::new()
            };
            applied.push(Applied { project, environment, ending, remarks });
        }
    }
    Ok(applied)
}

fn destroy(
    request: &ApplyOptions,
    engine: &Engine,
    environment: &Name,
    why: &str,
    carry: Carry<'_>,
) -> Ending {
    let plan = match engine.plan_destroy(environment) {
        Ok(plan) if plan.is_empty() => return Ending::Nothing,
        Ok(plan) => plan,
        Err(error) => return Ending::Failed(error),
    };
    let run = ApplyRequest {
        acknowledged: plan.points_of_no_return().map(|step| step.id).collect(),
        plan,
        expect: None,
        why: why.to_owned(),
        name: None,
        lock_timeout: request.lock_timeout,
        again: None,
        origin: Origin::Program,
        reviews: Reviews::default(),
        base: None,
    };
    carry(engine, run, &mut |_| {})
        .map_or_else(Ending::Failed, |finished| Ending::Ran(Box::new(finished)))
}
