//! Who uses what: services and what they need, functions and what they call.

use crate::definitions::{Definition, Key, Kind};
use crate::project::Project;
use dax_core::{FileId, Span};
use std::collections::BTreeMap;

/// One end of a use, with the places where it is made.
#[derive(Clone, Debug)]
pub struct Call<'p> {
    /// Who uses, or what is used.
    pub other: &'p Definition,
    /// The places, in the text of whoever uses.
    pub places: Vec<Span>,
}

/// What is shown above a declaration.
#[derive(Clone, Debug)]
pub struct Lens<'p> {
    /// The declaration.
    pub definition: &'p Definition,
    /// How often it is named elsewhere.
    pub references: usize,
    /// For a service that an environment binds: both, as `dax why` takes them.
    pub bound: Option<String>,
}

fn counts(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Fn
            | Kind::Service
            | Kind::Resource
            | Kind::Let
            | Kind::Environment
            | Kind::Policy
            | Kind::Strategy
    )
}

impl Project {
    /// What stands at a byte, if it uses others or is used.
    pub fn callable(&self, file: FileId, at: u32) -> Option<&Definition> {
        let here = self.occurrence(file, at)?;
        self.definition(here.key).filter(|definition| counts(definition.kind))
    }

    /// Who uses a declaration.
    pub fn incoming(&self, file: FileId, at: u32) -> Vec<Call<'_>> {
        let Some(definition) = self.callable(file, at) else { return Vec::new() };
        let mut all: BTreeMap<(FileId, u32), Call<'_>> = BTreeMap::new();
        for place in self.named(file, definition.key, false) {
            if let Some(user) = self.around(place) {
                all.entry((user.span.file, user.span.start))
                    .or_insert(Call { other: user, places: Vec::new() })
                    .places
                    .push(place);
            }
        }
        all.into_values().collect()
    }

    /// What a declaration uses.
    pub fn outgoing(&self, file: FileId, at: u32) -> Vec<Call<'_>> {
        let Some(definition) = self.callable(file, at) else { return Vec::new() };
        let Some(known) = self.known.get(&definition.span.file) else { return Vec::new() };
        let whole = definition.whole;
        let inside =
            known.meant.iter().filter(|meant| whole.start <= meant.start && meant.end <= whole.end);
        let mut all: BTreeMap<Key, Call<'_>> = BTreeMap::new();
        for meant in inside {
            let place = Span { file: whole.file, start: meant.start, end: meant.end };
            if let Some(call) = all.get_mut(&meant.key) {
                call.places.push(place);
            } else if let Some(other) = self
                .definition(meant.key)
                .filter(|other| counts(other.kind) && other.key != definition.key)
            {
                all.insert(meant.key, Call { other, places: vec![place] });
            }
        }
        let mut calls: Vec<Call<'_>> = all.into_values().collect();
        calls.sort_by_key(|call| call.places[0]);
        calls
    }

    /// The item that a place stands in.
    pub(crate) fn around(&self, place: Span) -> Option<&Definition> {
        let known = self.known.get(&place.file)?;
        known.definitions.iter().find(|definition| {
            !matches!(definition.kind, Kind::Field | Kind::Parameter)
                && definition.whole.start <= place.start
                && place.end <= definition.whole.end
        })
    }

    /// What a file declares, each with how often it is named elsewhere.
    pub fn lenses(&self, file: FileId) -> Vec<Lens<'_>> {
        let (Some(known), Some((module, _))) = (self.known.get(&file), self.loaded.file(file))
        else {
            return Vec::new();
        };
        let wanted = known.definitions.iter().filter(|definition| {
            matches!(
                definition.kind,
                Kind::Environment
                    | Kind::Service
                    | Kind::Resource
                    | Kind::Strategy
                    | Kind::Fn
                    | Kind::Let
                    | Kind::Type
                    | Kind::Param
            )
        });
        let bound = dax_sema::bindings(&self.loaded.program, module);
        let lens = |definition| Lens {
            definition,
            references: self.named(file, definition.key, false).len(),
            bound: bound
                .get(&definition.name)
                .filter(|_| definition.kind == Kind::Service)
                .map(ToString::to_string),
        };
        wanted.map(lens).collect()
    }

    /// The places of a name that only one file names, which may be typed together.
    pub fn linked(&self, file: FileId, at: u32) -> Vec<Span> {
        let Some(here) = self.occurrence(file, at) else { return Vec::new() };
        let all = self.named(file, here.key, true);
        let kind = self.definition(here.key).map(|definition| definition.kind);
        let small = matches!(kind, None | Some(Kind::Parameter));
        if small && all.iter().all(|span| span.file == file) { all } else { Vec::new() }
    }
}
