//! What every platform must do, whatever stands behind it.

use dax_core::{Name, RevisionId, Value};
use dax_model::Operation;
use dax_model::{LiveService, Route, WHOLE};
use dax_provider_api::{Call, Expect, Fence, Platform, ProviderError, Scope, Secrets, Sought};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the suite needs to know of a platform.
pub struct Subject<'p> {
    /// The platform.
    pub platform: &'p dyn Platform,
    /// Settings of a service that can be made.
    pub settings: BTreeMap<Name, Value>,
    /// Where on the platform it is made, if the platform has places.
    pub place: Option<Name>,
    /// Two different revisions that become ready.
    pub specs: [Value; 2],
}

const ENVIRONMENT: &str = "conformance";
const SERVICE: &str = "subject";

impl Subject<'_> {
    async fn change(&self, operation: Operation) -> Result<(), ProviderError> {
        let call = Call {
            environment: ENVIRONMENT.into(),
            service: SERVICE.into(),
            place: self.place.clone().unwrap_or_default(),
            operation,
            spec: None,
            token: "conformance".into(),
            fence: Fence { lineage: "conformance".into(), epoch: 2 },
            expect: Expect::default(),
            timeout: Duration::from_secs(20),
            secrets: Secrets::default(),
        };
        self.platform.change(&call).await
    }

    /// What somebody else changed in the meantime is not overwritten.
    async fn expectations(&self, active: &RevisionId) -> Result<(), String> {
        let traffic = BTreeMap::from([(active.clone(), WHOLE)]);
        let shares = |revision: &str| {
            let shares = BTreeMap::from([(RevisionId(revision.into()), WHOLE)]);
            BTreeMap::from([(
                Name::new_static("traffic"),
                dax_model::image::traffic_value(&shares),
            )])
        };
        let call = |before: &str, after: &str, epoch: u64| Call {
            environment: ENVIRONMENT.into(),
            service: SERVICE.into(),
            place: self.place.clone().unwrap_or_default(),
            operation: Operation::ShiftTraffic { traffic: traffic.clone() },
            spec: None,
            token: "conformance".into(),
            fence: Fence { lineage: "conformance".into(), epoch },
            expect: Expect { before: shares(before), after: shares(after) },
            timeout: Duration::from_secs(20),
            secrets: Secrets::default(),
        };
        let conflict = self.platform.change(&call("dddddddd", "eeeeeeee", 2)).await;
        if !matches!(conflict, Err(ProviderError::Conflict { .. })) {
            return Err(format!(
                "a call that expects something else is a conflict, not {conflict:?}"
            ));
        }
        let done = self.platform.change(&call("dddddddd", active.0.as_str(), 2)).await;
        done.map_err(|error| format!("a call that was done already is done: {error}"))?;
        if self.platform.traits().fenced {
            let late = self.platform.change(&call("dddddddd", active.0.as_str(), 1)).await;
            if !matches!(late, Err(ProviderError::Conflict { .. })) {
                return Err(format!("a call of an earlier holder is refused, not {late:?}"));
            }
        }
        Ok(())
    }

    /// A platform that replaces replicas by itself leaves the new revision with all traffic, and nothing of the old one.
    async fn rolls(&self, from: &RevisionId, to: &RevisionId) -> Result<(), String> {
        let say = |error: ProviderError| error.to_string();
        let (revision, spec) = (to.clone(), self.specs[0].clone());
        let roll = Operation::Roll {
            from: from.clone(),
            revision,
            spec,
            replicas: 3,
            surge: 1,
            unavailable: 0,
        };
        for _ in 0..2 {
            self.change(roll.clone()).await.map_err(say)?;
        }
        self.change(Operation::AwaitReady { revision: to.clone() }).await.map_err(say)?;
        let live = self.live().await.map_err(say)?.unwrap_or_default();
        if live.revisions.keys().ne([to])
            || live.revisions[to].replicas != 3
            || live.revisions[to].spec != self.specs[0]
        {
            return Err(format!("a roll leaves the new revision alone, not {:?}", live.revisions));
        }
        if live.traffic != BTreeMap::from([(to.clone(), WHOLE)]) {
            return Err(format!("a roll takes the traffic along, not {:?}", live.traffic));
        }
        Ok(())
    }

    async fn live(&self) -> Result<Option<LiveService>, ProviderError> {
        let objects = BTreeMap::from([(
            SERVICE.into(),
            Sought { places: self.place.iter().cloned().collect(), object: None },
        )]);
        let scope = Scope { environment: ENVIRONMENT.into(), objects };
        Ok(self.platform.read(&scope).await?.remove(SERVICE))
    }
}

/// Runs the suite; the first rule that does not hold ends it.
///
/// # Errors
/// The rule that does not hold, in words.
pub async fn run(subject: &Subject<'_>) -> Result<(), String> {
    let say = |error: ProviderError| error.to_string();
    let [old, new] = [RevisionId("aaaaaaaa".into()), RevisionId("bbbbbbbb".into())];
    let only = |id: &RevisionId| BTreeMap::from([(id.clone(), WHOLE)]);
    let create = |id: &RevisionId, at: usize| Operation::CreateRevision {
        revision: id.clone(),
        spec: subject.specs[at].clone(),
        replicas: 2,
    };
    let rule = |holds: bool, words: &str| if holds { Ok(()) } else { Err(words.to_owned()) };

    rule(subject.live().await.map_err(say)?.is_none(), "what was never made is not there")?;
    rule(subject.change(create(&old, 0)).await.is_err(), "a revision of no service is refused")?;
    for _ in 0..2 {
        subject
            .change(Operation::CreateService { settings: subject.settings.clone() })
            .await
            .map_err(say)?;
    }
    for _ in 0..2 {
        subject.change(create(&old, 0)).await.map_err(say)?;
    }
    let live = subject.live().await.map_err(say)?.unwrap_or_default();
    rule(live.settings == subject.settings, "settings are read as they were given")?;
    rule(
        live.revisions.get(&old).map(|r| r.replicas) == Some(2),
        "asking twice makes as many replicas as asking once",
    )?;
    rule(
        live.revisions.get(&old).map(|r| &r.spec) == Some(&subject.specs[0]),
        "a revision is read as it was given",
    )?;
    subject.change(Operation::AwaitReady { revision: old.clone() }).await.map_err(say)?;
    subject.change(Operation::ShiftTraffic { traffic: only(&old) }).await.map_err(say)?;
    rule(
        subject.change(Operation::ShiftTraffic { traffic: only(&new) }).await.is_err(),
        "traffic does not go to a revision that is not there",
    )?;
    subject.change(create(&new, 1)).await.map_err(say)?;
    subject.change(Operation::AwaitReady { revision: new.clone() }).await.map_err(say)?;
    let half = BTreeMap::from([(old.clone(), WHOLE / 2), (new.clone(), WHOLE / 2)]);
    subject.change(Operation::ShiftTraffic { traffic: half.clone() }).await.map_err(say)?;
    let live = subject.live().await.map_err(say)?.unwrap_or_default();
    rule(live.traffic == half, "shares are read as they were given")?;
    if subject.platform.traits().header_routes {
        let route = |revision: &str| {
            vec![Route::Header {
                name: "X-Canary".into(),
                is: "yes".into(),
                revision: RevisionId(revision.into()),
            }]
        };
        rule(
            subject.change(Operation::Route { routes: route("cccccccc") }).await.is_err(),
            "no route leads to a revision that is not there",
        )?;
        for routes in [route("bbbbbbbb"), Vec::new()] {
            subject.change(Operation::Route { routes: routes.clone() }).await.map_err(say)?;
            rule(
                subject.live().await.map_err(say)?.unwrap_or_default().routes == routes,
                "routes are read as they were given",
            )?;
        }
    }
    subject.change(Operation::ShiftTraffic { traffic: only(&new) }).await.map_err(say)?;
    subject.expectations(&new).await?;
    for _ in 0..2 {
        subject
            .change(Operation::Scale { revision: old.clone(), replicas: 0 })
            .await
            .map_err(say)?;
    }
    let live = subject.live().await.map_err(say)?.unwrap_or_default();
    rule(
        live.revisions.get(&old).map(|r| (r.replicas, r.ready)) == Some((0, 0)),
        "a revision at rest is there without replicas",
    )?;
    for _ in 0..2 {
        subject.change(Operation::DeleteRevision { revision: old.clone() }).await.map_err(say)?;
    }
    rule(
        !subject.live().await.map_err(say)?.unwrap_or_default().revisions.contains_key(&old),
        "a deleted revision is gone",
    )?;
    if subject.platform.traits().rolls {
        subject.rolls(&new, &old).await?;
    }
    for _ in 0..2 {
        subject.change(Operation::DeleteService).await.map_err(say)?;
    }
    rule(subject.live().await.map_err(say)?.is_none(), "a deleted service is gone")?;
    subject.platform.settle().await.map_err(say)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_platform_in_memory_conforms() {
        let memory = crate::Memory::default();
        let spec = |name: &str| Value::Map(BTreeMap::from([("image".into(), Value::str(name))]));
        let subject = Subject {
            platform: &memory,
            settings: BTreeMap::new(),
            place: None,
            specs: [spec("one"), spec("two")],
        };
        assert_eq!(run(&subject).await, Ok(()));
    }
}
