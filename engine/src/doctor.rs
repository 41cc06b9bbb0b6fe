//! Whether everything that a program talks to answers, to whom, and what it has.

use crate::providers::{self, Wanted};
use crate::{Engine, EngineError, Params};
use dax_core::Name;
use dax_provider_api::{Fact, ProviderError};

/// What was found of one system.
pub struct Examined {
    /// The instance of a provider, or `state`.
    pub name: Name,
    /// What is known of it, or why nothing is.
    pub found: Result<Vec<Fact>, String>,
}

impl Engine {
    /// Asks the state and every provider of an environment, or of all of them, about itself.
    ///
    /// # Errors
    /// The program has errors, or there is no such environment.
    pub fn examine(
        &self,
        environment: Option<&str>,
        params: &Params,
    ) -> Result<Vec<Examined>, EngineError> {
        let checked = self.check(params)?.sound()?;
        if let Some(name) =
            environment.filter(|name| !checked.graph.environments.contains_key(*name))
        {
            let known: Vec<String> =
                checked.graph.environments.keys().map(ToString::to_string).collect();
            return Err(EngineError::unknown_environment(name, known));
        }
        let mut wanted = Wanted::default();
        for found in checked
            .graph
            .environments
            .values()
            .filter(|found| environment.is_none_or(|name| found.name == name))
        {
            wanted.add_program(found, providers::configs(found));
        }
        let state =
            self.store().and_then(|store| Ok(self.runtime.block_on(store.environments())?));
        let known = |names: Vec<Name>| {
            let names: Vec<&str> = names.iter().map(Name::as_str).collect();
            let found = if names.is_empty() { "nothing yet".to_owned() } else { names.join(", ") };
            vec![Fact { name: "environments".into(), found: found.into(), lacks: None }]
        };
        let mut all = vec![Examined {
            name: "state".into(),
            found: state.map(known).map_err(|error| error.to_string()),
        }];
        // One by one, so that one that cannot be made does not keep the others from being looked at.
        for name in wanted.instances.clone() {
            let found = self
                .providers(&wanted.only(&name))
                .map_err(|error| error.to_string())
                .and_then(|made| {
                    let mut facts = Vec::new();
                    let said = |error: ProviderError| error.to_string();
                    for platform in made.platforms.values() {
                        facts.extend(self.runtime.block_on(platform.examine()).map_err(said)?);
                    }
                    for metrics in made.metrics.values() {
                        facts.extend(self.runtime.block_on(metrics.examine()).map_err(said)?);
                    }
                    Ok(facts)
                });
            all.push(Examined { name, found });
        }
        Ok(all)
    }
}
