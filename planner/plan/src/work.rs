//! What one service needs done, whatever the others need.

use crate::NOT_OURS;
use crate::desired::{DesiredService, HANDED_OVER, Removed};
use crate::leaves::{self, Applied, Compared, Happening};
use crate::model::{
    Action, AppliedService, Change, LeafChange, Mode, Reason, Replace, ReplaceOrder, Task,
};
use crate::request::Request;
use crate::revision;
use crate::sequence::{Draft, Incoming, Sequence};
use crate::strategy::Strategy;
use dax_core::{Diagnostic, Name, ResourceAddr, RevisionId, Value};
use dax_model::{LiveService, StrategyKind, WHOLE};
use std::collections::BTreeMap;

/// How long a service may take to go back where its strategy does not say, in milliseconds.
pub const ROLLBACK_WITHIN_MS: u64 = 300_000;
/// How many former revisions are kept where a strategy does not say.
const RETAINED: usize = 2;

/// What one service needs done.
pub(crate) struct Work {
    pub(crate) change: Change,
    /// Steps in order; more than one part when it moves between providers.
    pub(crate) parts: Vec<Part>,
    pub(crate) needs: Vec<ResourceAddr>,
    /// What it needed as it was applied.
    pub(crate) former_needs: Vec<ResourceAddr>,
    pub(crate) result: Option<AppliedService>,
}

/// Steps on one object of one provider.
pub(crate) struct Part {
    pub(crate) provider: Name,
    pub(crate) object: Name,
    pub(crate) observed: Option<LiveService>,
    pub(crate) drafts: Vec<Draft>,
}

/// What there is to compare a service with.
pub(crate) struct Past<'p> {
    pub(crate) addr: &'p ResourceAddr,
    pub(crate) applied: Option<&'p AppliedService>,
    /// What it was called before, if `moved` says so.
    pub(crate) from: Option<&'p ResourceAddr>,
    pub(crate) request: &'p Request<'p>,
}

impl<'p> Past<'p> {
    fn live(&self, provider: &str, object: &str) -> Option<&'p LiveService> {
        self.request.live.get(provider)?.get(object)
    }

    /// What the service is called where it runs.
    fn object(&self, service: &DesiredService<'_>) -> Name {
        match self.applied {
            Some(applied) if applied.provider == service.provider => {
                applied.object(self.addr).into()
            }
            _ => service.object.clone().unwrap_or_else(|| self.addr.name().into()),
        }
    }
}

/// What a wanted service needs done; nothing when it is as it should be.
///
/// # Errors
/// Something else runs under its name.
pub(crate) fn wanted(
    past: &Past<'_>,
    service: &DesiredService<'_>,
) -> Result<Option<Work>, Box<Diagnostic>> {
    let object = past.object(service);
    let live = past.live(&service.provider, &object);
    if let (Some(applied), Some(live)) = (past.applied, live)
        && past.from.is_none()
        && service.fields.same(&applied.values)
        && service.settings == applied.settings
        && service.needs == applied.needs
        && service.provider == applied.provider
        && service.protected == applied.protected
        && (if service.is_object() {
            live.edits.is_empty() && live.settings == applied.settings
        } else {
            runs_as_applied(applied, live)
        })
    {
        return Ok(None);
    }
    let ours = past.applied.is_some_and(|applied| applied.provider == service.provider);
    if live.is_some() && !ours && !service.adopt {
        let detail =
            format!("`{object}` runs on `{}` already, and dax did not make it", service.provider);
        let help = format!("write `adopt {}` in the environment to take it over", past.addr.base());
        return Err(Box::new(
            Diagnostic::new(NOT_OURS, service.span.unwrap_or_default(), detail).help(help),
        ));
    }
    let replace = replacement(past, service, live);
    Ok(Some(match replace {
        Some(replace) => replaced(past, service, live, &object, replace),
        None => changed(past, service, live, &object),
    }))
}

/// Why and how the service has to be made anew, if it has to.
fn replacement(
    past: &Past<'_>,
    service: &DesiredService<'_>,
    live: Option<&LiveService>,
) -> Option<(Replace, Reason)> {
    let applied = past.applied?;
    if applied.provider != service.provider {
        past.live(&applied.provider, applied.object(past.addr))?;
        let taken = |settings: &BTreeMap<Name, Value>| -> Vec<Value> {
            settings.get("ports").map_or_else(Vec::new, |ports| {
                ports.entries().map(|(_, port)| port.clone()).collect()
            })
        };
        let (old, new) = (taken(&applied.settings), taken(&service.settings));
        let machine = [&applied.provider, &service.provider]
            .iter()
            .all(|provider| (past.request.traits)(provider).exclusive_ports);
        let clash = machine && old.iter().any(|port| new.contains(port));
        let order = if clash { ReplaceOrder::DeleteFirst } else { ReplaceOrder::CreateFirst };
        return Some((
            Replace { order, because: vec!["provider".into()] },
            Reason::ProviderChanged,
        ));
    }
    let live = live?;
    let immutable = (past.request.traits)(&service.provider).immutable;
    let because: Vec<Name> = immutable
        .into_iter()
        .filter(|name| live.settings.get(name) != service.settings.get(name))
        .collect();
    (!because.is_empty())
        .then_some((Replace { order: ReplaceOrder::DeleteFirst, because }, Reason::Immutable))
}

/// The parts of a change that do not depend on what happens.
fn base_change(past: &Past<'_>, service: &DesiredService<'_>, leaves: Vec<LeafChange>) -> Change {
    let on = service.strategy.2.get("on").map_or(&[][..], Value::items);
    let within = on.iter().find_map(|on| on.get("rollback")?.get("within")?.as_millis());
    Change {
        addr: past.addr.clone(),
        action: Action::Update,
        reason: Reason::Changed,
        strategy: None,
        from: None,
        to: None,
        leaves,
        replace: None,
        moved_from: past.from.cloned(),
        risks: Vec::new(),
        blocked: None,
        span: service.span.map(|span| (past.request.locate)(span)),
        rollback_within_ms: within.unwrap_or(ROLLBACK_WITHIN_MS),
    }
}

fn incoming(values: &Value, service: &DesiredService<'_>, request: &Request<'_>) -> Incoming {
    if service.is_object() {
        return Incoming { id: RevisionId(Name::default()), spec: Value::None, replicas: 0 };
    }
    let spec =
        revision::spec(values, &service.settings, &(request.traits)(&service.provider).revised);
    Incoming {
        id: RevisionId::of(&spec),
        spec,
        replicas: values.get("replicas").and_then(Value::as_int).unwrap_or(1),
    }
}

fn result(
    past: &Past<'_>,
    service: &DesiredService<'_>,
    object: &Name,
    values: Value,
    revision: RevisionId,
    retained: Vec<RevisionId>,
) -> AppliedService {
    AppliedService {
        provider: service.provider.clone(),
        object: if object == past.addr.name() { Name::default() } else { object.clone() },
        protected: service.protected,
        values,
        settings: service.settings.clone(),
        revision,
        retained,
        needs: service.needs.clone(),
    }
}

fn compared<'c>(
    past: &Past<'c>,
    service: &'c DesiredService<'_>,
    live: Option<&'c LiveService>,
    revision: &'c RevisionId,
) -> Compared<'c> {
    Compared {
        fields: service.fields,
        settings: &service.settings,
        provider: &service.provider,
        revision,
        applied: past.applied.map(Applied::of),
        live,
    }
}

fn replaced(
    past: &Past<'_>,
    service: &DesiredService<'_>,
    live: Option<&LiveService>,
    object: &Name,
    (replace, reason): (Replace, Reason),
) -> Work {
    let values = service.fields.value();
    let incoming = incoming(&values, service, past.request);
    let strategy = immediately(service, past.request);
    let applied = past.applied;
    let leaves = compared(past, service, live, &incoming.id).replaced(past.request.locate);
    let mut change = base_change(past, service, leaves);
    (change.action, change.reason) = (Action::Replace, reason);
    change.from = applied.map(|applied| applied.revision.clone());
    change.to = Some(incoming.id.clone()).filter(|_| !service.is_object());
    let make = |sequence: &mut Sequence| {
        sequence.create_service(&service.settings);
        if !service.is_object() {
            sequence.roll_out(&incoming, &strategy);
        }
    };
    let part =
        |provider: &Name, object: &Name, observed: Option<&LiveService>, sequence: Sequence| Part {
            provider: provider.clone(),
            object: object.clone(),
            observed: observed.cloned(),
            drafts: sequence.drafts,
        };
    let mut parts = Vec::new();
    if reason == Reason::ProviderChanged
        && let Some(applied) = applied
    {
        let old_object = Name::new(applied.object(past.addr));
        let old = past.live(&applied.provider, &old_object);
        let mut going = Sequence::of(old);
        going.remove();
        let mut coming = Sequence::of(live);
        if !coming.exists {
            coming.create_service(&service.settings);
        } else if coming.object.settings != service.settings || !coming.object.edits.is_empty() {
            coming.update_service(&service.settings);
        }
        if !service.is_object() {
            coming.roll_out(&incoming, &strategy);
        }
        parts.push(part(&service.provider, object, live, coming));
        let gone = part(&applied.provider, &old_object, old, going);
        parts.insert(if replace.order == ReplaceOrder::DeleteFirst { 0 } else { 1 }, gone);
    } else {
        let mut sequence = Sequence::of(live);
        sequence.remove();
        make(&mut sequence);
        parts.push(part(&service.provider, object, live, sequence));
    }
    if applied.is_some_and(|applied| applied.protected) && service.protected {
        change.blocked =
            Some("it is protected from being destroyed, and replacing it does that".to_owned());
        parts.clear();
    }
    let blocked = change.blocked.is_some();
    change.replace = Some(replace);
    let kept = applied.filter(|_| blocked).cloned();
    let result =
        kept.unwrap_or_else(|| result(past, service, object, values, incoming.id, Vec::new()));
    Work {
        change,
        parts,
        needs: service.needs.clone(),
        former_needs: former_needs(applied),
        result: Some(result),
    }
}

fn former_needs(applied: Option<&AppliedService>) -> Vec<ResourceAddr> {
    applied.map_or_else(Vec::new, |applied| applied.needs.clone())
}

fn immediately<'s>(service: &'s DesiredService<'_>, request: &Request<'_>) -> Strategy<'s> {
    let (span, handed) =
        ((request.locate)(service.strategy_span), service.settings.get(HANDED_OVER));
    Strategy {
        kind: StrategyKind::Immediate,
        config: &service.strategy.2,
        span,
        rolls: false,
        handed,
    }
}

fn changed(
    past: &Past<'_>,
    service: &DesiredService<'_>,
    live: Option<&LiveService>,
    object: &Name,
) -> Work {
    let (applied, request) = (past.applied, past.request);
    let values = service.fields.value();
    let incoming = incoming(&values, service, request);
    let compared = compared(past, service, live, &incoming.id);
    let leaves = compared.changed(request.locate);
    let (name, kind, config) = &service.strategy;
    let mut sequence = Sequence::of(live);
    if !sequence.exists {
        sequence.create_service(&service.settings);
    } else if sequence.object.settings != service.settings || !sequence.object.edits.is_empty() {
        sequence.update_service(&service.settings);
    }
    let from = sequence.object.active().cloned();
    let takes_over = compared.takes_over();
    if service.is_object() {
        // It has no revisions: that it is there is all.
    } else if takes_over {
        let rolls = (request.traits)(&service.provider).rolls;
        let handed = service.settings.get(HANDED_OVER);
        let strategy = Strategy {
            kind: *kind,
            config,
            span: (request.locate)(service.strategy_span),
            rolls,
            handed,
        };
        sequence.roll_out(&incoming, &strategy);
    } else {
        sequence.come_to_rest(&incoming);
    }
    let retain = config
        .get("retain")
        .and_then(Value::as_int)
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(RETAINED);
    let retained = prune(&mut sequence, &incoming.id, from.as_ref(), applied, retain);
    let mut change = base_change(past, service, leaves);
    (change.action, change.reason) = leaves::action(&Happening {
        mode: request.mode,
        known: applied.is_some(),
        moved: past.from.is_some(),
        protection: applied.is_some_and(|applied| applied.protected != service.protected),
        runs: live.is_some(),
        object: service.is_object(),
        takes_over,
        steps: !sequence.drafts.is_empty(),
        leaves: &change.leaves,
    });
    let rolls =
        matches!(change.action, Action::Rollout | Action::Adopt) && from.is_some() && takes_over;
    let by = service.settings.get(HANDED_OVER).and_then(|handed| handed.get("mode")?.as_str());
    change.strategy = rolls.then(|| {
        (name.clone(), by.map_or_else(|| kind.word().into(), |by| format!("{kind} by {by}").into()))
    });
    change.from = from.filter(|_| takes_over);
    change.to = takes_over.then(|| incoming.id.clone());
    let mut result = result(past, service, object, values, incoming.id, retained);
    let mut part = Part {
        provider: service.provider.clone(),
        object: object.clone(),
        observed: live.cloned(),
        drafts: sequence.drafts,
    };
    change.blocked = leaves::contested(&service.settings, &change.leaves);
    if change.blocked.is_some() {
        part.drafts.clear();
        result = applied.cloned().unwrap_or(result);
    }
    Work {
        change,
        parts: vec![part],
        needs: service.needs.clone(),
        former_needs: former_needs(applied),
        result: Some(result),
    }
}

fn runs_as_applied(applied: &AppliedService, live: &LiveService) -> bool {
    let whole = live.traffic.len() == 1 && live.traffic.get(&applied.revision) == Some(&WHOLE);
    let replicas = applied.values.get("replicas").and_then(Value::as_int);
    let at_rest = live.revisions.iter().all(|(id, r)| *id == applied.revision || r.replicas == 0);
    let scaled = live.revisions.get(&applied.revision).map(|r| r.replicas) == replicas;
    whole
        && scaled
        && at_rest
        && live.routes.is_empty()
        && live.edits.is_empty()
        && live.settings == applied.settings
}

/// Removes revisions beyond those kept for rollback; gives those kept, newest first.
fn prune(
    sequence: &mut Sequence,
    current: &RevisionId,
    from: Option<&RevisionId>,
    applied: Option<&AppliedService>,
    retain: usize,
) -> Vec<RevisionId> {
    let mut kept: Vec<RevisionId> = Vec::new();
    let known = applied.map(|a| a.retained.as_slice()).unwrap_or_default();
    for id in from.into_iter().chain(known) {
        if id != current
            && sequence.object.revisions.contains_key(id)
            && !kept.contains(id)
            && kept.len() < retain
        {
            kept.push(id.clone());
        }
    }
    let gone: Vec<RevisionId> = sequence
        .object
        .revisions
        .keys()
        .filter(|id| *id != current && !kept.contains(id))
        .cloned()
        .collect();
    for id in gone {
        sequence.delete_revision(&id);
    }
    kept
}

/// What a service that is no longer wanted needs done.
pub(crate) fn unwanted(
    past: &Past<'_>,
    applied: &AppliedService,
    removed: Option<Removed>,
) -> Work {
    let object = Name::new(applied.object(past.addr));
    let live = past.live(&applied.provider, &object);
    let keep = removed == Some(Removed::Keep);
    let mut sequence = Sequence::of(live);
    let blocked = (applied.protected && !keep && live.is_some()).then(|| {
        let name = past.addr.name();
        format!("`{name}` is protected from being destroyed; put it back without `protect {name}` and apply that first, or let it stay with `removed {name} {{ keep }}`")
    });
    if !keep && blocked.is_none() {
        sequence.remove();
    }
    let change = Change {
        addr: past.addr.clone(),
        action: if live.is_some() && !keep { Action::Delete } else { Action::Forget },
        reason: match past.request.mode {
            Mode::Apply if keep => Reason::Kept,
            Mode::Apply => Reason::Removed,
            Mode::Rollback => Reason::RolledBack,
            Mode::Destroy => Reason::Destroyed,
        },
        strategy: None,
        from: live.map(|_| applied.revision.clone()),
        to: None,
        leaves: Vec::new(),
        replace: None,
        moved_from: past.from.cloned(),
        risks: Vec::new(),
        span: None,
        rollback_within_ms: ROLLBACK_WITHIN_MS,
        blocked,
    };
    let kept = change.blocked.is_some().then(|| applied.clone());
    let part = Part {
        provider: applied.provider.clone(),
        object,
        observed: live.cloned(),
        drafts: sequence.drafts,
    };
    Work {
        change,
        parts: vec![part],
        needs: applied.needs.clone(),
        former_needs: Vec::new(),
        result: kept,
    }
}

/// Whether a step of this kind only waits.
pub(crate) const fn waits(kind: &Task) -> bool {
    matches!(kind, Task::Hold { .. } | Task::Gate { .. })
}
