//! `moved`: what was applied, under the names that the program has for it now.

use crate::desired::Desired;
use crate::model::AppliedService;
use dax_core::ResourceAddr;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What was applied, by today's addresses.
pub(crate) struct Renamed<'a> {
    /// By the address of today.
    pub(crate) applied: Cow<'a, BTreeMap<ResourceAddr, AppliedService>>,
    /// The former address of each that has another one.
    pub(crate) from: BTreeMap<ResourceAddr, ResourceAddr>,
}

/// Applies every `moved` whose old address the state knows and whose new one it does not.
///
/// What runs keeps the name that it has on its provider: the state remembers that it differs.
pub(crate) fn rename<'a>(
    applied: &'a BTreeMap<ResourceAddr, AppliedService>,
    moved: &[(ResourceAddr, ResourceAddr)],
) -> Renamed<'a> {
    if moved.is_empty() {
        return Renamed { applied: Cow::Borrowed(applied), from: BTreeMap::new() };
    }
    let (mut today, mut former) = (BTreeMap::new(), BTreeMap::new());
    let target = |addr: &ResourceAddr| moved.iter().find_map(|(from, to)| instance(addr, from, to));
    for (addr, service) in applied {
        // A chain of moves is followed to its end; a circle ends when every move was used once.
        let mut now = addr.clone();
        for _ in 0..moved.len() {
            match target(&now) {
                Some(next) if next != *addr => now = next,
                _ => break,
            }
        }
        let mut service = service.clone();
        service.needs =
            service.needs.iter().map(|need| target(need).unwrap_or_else(|| need.clone())).collect();
        let taken = now != *addr && applied.contains_key(&now) && target(&now).is_none();
        if now == *addr || taken {
            today.insert(addr.clone(), service);
            continue;
        }
        service.object = service.object(addr).into();
        if service.object == now.name() {
            service.object = dax_core::Name::default();
        }
        former.insert(now.clone(), addr.clone());
        today.insert(now, service);
    }
    Renamed { applied: Cow::Owned(today), from: former }
}

/// The moves that lead back: what runs as one object is one service, whatever it was called in between.
pub(crate) fn back(
    desired: &Desired<'_>,
    applied: &BTreeMap<ResourceAddr, AppliedService>,
) -> Vec<(ResourceAddr, ResourceAddr)> {
    let mut wanted: BTreeMap<(&str, &str), &ResourceAddr> = BTreeMap::new();
    for (addr, service) in desired.services.iter().filter(|(addr, _)| !applied.contains_key(*addr))
    {
        wanted.insert(
            (&service.provider, service.object.as_deref().unwrap_or_else(|| addr.name())),
            addr,
        );
    }
    let gone = applied.iter().filter(|(addr, _)| !desired.services.contains_key(*addr));
    gone.filter_map(|(addr, service)| {
        let to = wanted.get(&(service.provider.as_str(), service.object(addr)))?;
        Some((addr.clone(), (*to).clone()))
    })
    .collect()
}

/// Where `addr` goes by one `moved`: itself, or as an instance of what is moved as a whole.
fn instance(addr: &ResourceAddr, from: &ResourceAddr, to: &ResourceAddr) -> Option<ResourceAddr> {
    if addr == from {
        return Some(to.clone());
    }
    let key = addr.key()?;
    let whole = from.key().is_none()
        && to.key().is_none()
        && addr.base() == from.name()
        && addr.kind() == from.kind();
    whole.then(|| ResourceAddr::parse(&format!("{to}[{key}]")).ok()).flatten()
}
