//! The graph that a program denotes: data only, no compiler types.
//!
//! One [`Graph`] holds every environment with its services, their desired values and what caused each.
//! Invariant: every leaf carries its [`Origin`], and every dependency is a direct edge with the span that caused it.

mod json;
mod node;

pub use json::{FORMAT_VERSION, to_json};
pub use node::{Data, Layer, Node, Origin, Via};

use dax_core::{Name, ResourceAddr, Span};
use dax_model::StrategyKind;
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// Everything that a program describes.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The project's name.
    pub project: Name,
    /// The parameters it was evaluated with.
    pub params: IndexMap<Name, Node>,
    /// Its environments in source order.
    pub environments: IndexMap<Name, Environment>,
}

/// One environment.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: Name,
    /// Where it is written.
    pub span: Span,
    /// Whether each environment of this name is for one change request, whose number is the key.
    pub preview: bool,
    /// What runs in it, in source order.
    pub services: IndexMap<ResourceAddr, Service>,
    /// Environments that come before it.
    pub after: Vec<After>,
    /// Who must agree before it is changed.
    pub approvals: Vec<Approval>,
    /// What happens when a step fails: `rollback`, `rollback_all`, `hold` or `continue`.
    pub on_failure: Name,
    /// When it may be changed; at any time without one.
    pub windows: Vec<Window>,
    /// Services that are taken back together.
    pub releases: Vec<Release>,
    /// Services that take over what runs already, by the name that this has there, if it is another.
    pub adopts: BTreeMap<ResourceAddr, Option<Name>>,
    /// Providers that strategies measure with, by instance.
    pub sources: BTreeMap<Name, Provider>,
    /// Addresses that services had before.
    pub moved: Vec<Moved>,
    /// What becomes of services that the program no longer has.
    pub removed: Vec<Removed>,
}

impl Environment {
    /// The name that the program declares it by: `preview` for `preview[12]`.
    pub fn declared_as(&self) -> &str {
        dax_core::keyed(&self.name).0
    }
}

/// `window ["mon"] from "09:00" to "17:00" zone "Europe/Vienna"`.
#[derive(Clone, Debug)]
pub struct Window {
    /// Days of the week by their first three letters.
    pub days: Vec<Name>,
    /// Its first minute, `HH:MM`.
    pub from: Name,
    /// The minute after its last; not later than `from` means the next day.
    pub to: Name,
    /// The time zone by its IANA name.
    pub zone: Name,
    /// Where it is written.
    pub span: Span,
}

/// `release name of [service, other]`.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: Name,
    /// What belongs to it.
    pub services: Vec<ResourceAddr>,
}

/// `moved old to new`.
#[derive(Clone, Debug)]
pub struct Moved {
    /// What it was called; without a key all instances are meant.
    pub from: ResourceAddr,
    /// What it is called now.
    pub to: ResourceAddr,
    /// Where it is written.
    pub span: Span,
}

/// `removed name { keep }` or `removed name { destroy }`.
#[derive(Clone, Debug)]
pub struct Removed {
    /// What it was called; without a key all instances are meant.
    pub addr: ResourceAddr,
    /// Whether what runs stays.
    pub keep: bool,
    /// Where it is written.
    pub span: Span,
}

/// `approve 1 of ["team:sre"]`.
#[derive(Clone, Debug)]
pub struct Approval {
    /// So many of them must agree.
    pub count: u32,
    /// Who may: teams and people as the platform of the code names them.
    pub of: Vec<Name>,
    /// Where it is written.
    pub span: Span,
}

/// `after staging { soak = 1h }`.
#[derive(Clone, Debug)]
pub struct After {
    /// The environment that comes first.
    pub environment: Name,
    /// How long it must have run, in milliseconds.
    pub soak_ms: u64,
    /// Whether an analysis must have passed there.
    pub verified: bool,
    /// How long that counts, in milliseconds; zero for ever.
    pub valid_ms: u64,
    /// Where it is written.
    pub span: Span,
}

/// A service bound to a provider.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its address.
    pub addr: ResourceAddr,
    /// Where its item is written.
    pub span: Span,
    /// Whether it is an object of its platform that runs nothing.
    pub resource: bool,
    /// What it runs on.
    pub provider: Provider,
    /// Where on it: what the binding says.
    pub binding: Node,
    /// The key of the instance, where the binding is keyed.
    pub key: Option<Name>,
    /// Its fields, complete with defaults.
    pub desired: Node,
    /// The services that it needs.
    pub needs: Vec<Need>,
    /// How a new revision takes over.
    pub strategy: Strategy,
    /// Whether it may not be destroyed.
    pub protected: bool,
}

/// A provider instance with its configuration.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The provider: `local`.
    pub kind: Name,
    /// Its instance as written: `local.machine`.
    pub instance: Name,
    /// Its configuration.
    pub config: Node,
    /// Whether that says how it is reached; else it is set on each service that runs there.
    pub connects: bool,
}

/// A dependency and what caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What is needed.
    pub addr: ResourceAddr,
    /// The expression that says so.
    pub span: Span,
}

/// A strategy with its configuration.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// Its name; for a built-in one the same as `kind`.
    pub name: Name,
    /// Its kind.
    pub kind: StrategyKind,
    /// Its fields, complete with defaults.
    pub config: Node,
    /// Where it was chosen.
    pub span: Span,
}
