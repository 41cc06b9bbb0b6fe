//! The provider of GitHub against the test service: each call as dax makes it, held against GitHub's
//! own description.

mod checks;
mod comments;
mod people;
mod protection;

use dax_provider_api::review::{Credential, Remote};
use dax_tests::peers::github::{ADMIN, GitHub, REPOSITORY, World};
use std::sync::Arc;
use std::time::Duration;

/// The provider with a token.
fn with(api: &str, token: &str, run: Option<&str>) -> dax_provider_github::GitHub {
    let remote = Remote {
        kind: "github".to_owned(),
        api: api.to_owned(),
        repository: REPOSITORY.to_owned(),
        run: run.map(str::to_owned),
        credential: Credential::Token(token.to_owned()),
        dry: false,
        patience: Duration::ZERO,
        watch: Arc::new(|_| {}),
    };
    dax_provider_github::github(&remote).expect("a repository")
}

/// The provider as who looks after the repository, in run 77.
fn admin(github: &GitHub) -> dax_provider_github::GitHub {
    with(&github.url(), ADMIN, Some("77"))
}

/// Changes the world.
fn set(github: &GitHub, change: impl FnOnce(&mut World)) {
    change(&mut github.world.lock().expect("nobody fails with this lock"));
}

/// Every request, and every answer of the router, was as GitHub describes it.
#[track_caller]
fn clean(github: &GitHub) {
    assert_eq!(github.violations(), Vec::<String>::new());
}
