//! Plans on change requests, with everything that stands in for GitHub, GitLab and Bitbucket.

mod again;
mod approvals;
mod checks;
mod comments;
mod committed;
mod faults;
mod guards;
mod install;
mod jobs;
mod merging;
mod others;
mod own;
mod pipeline;
mod previews;
mod previews_base;
mod previews_guarded;
mod protection;
mod queue;
mod rules;
mod secrecy;
mod shown;
mod story;
mod trouble;
mod unseen;

use dax_tests::peers::github::{ACTIONS, GitHub};

/// What must hold after every story: no request that GitHub's description does not allow, and no secret in any byte.
fn clean(github: &GitHub, secrets: &[&str]) {
    assert_eq!(github.violations(), Vec::<String>::new());
    let asked = github.asked();
    assert!(!asked.is_empty(), "something was asked");
    for one in &asked {
        for secret in [secrets, &[ACTIONS]].concat() {
            assert!(
                !one.body.contains(secret) && !one.line.contains(secret),
                "a secret in {}\n{}",
                one.line,
                one.body
            );
        }
    }
}
