//! People at the code host: they review, push, merge, close.

use super::{How, Merged, Pipeline};
use serde_json::Value as Json;

impl Pipeline {
    /// An account as events name it.
    pub(crate) fn github_user(&self, login: &str) -> Json {
        self.github.user(login)
    }

    /// An approving review of the newest commit; it comes later than everything before.
    pub(crate) fn approve(&self, number: u64, login: &str) {
        self.review(number, login, "APPROVE");
    }

    /// A review of the newest commit; it comes later than everything before.
    pub(crate) fn review(&self, number: u64, login: &str, event: &str) {
        self.github.pass(5);
        self.github.review(number, login, event);
        self.github.pass(5);
    }

    /// The branch of a pull request has a new commit, which `admin` pushed.
    pub(crate) fn moved(&self, number: u64) {
        self.moved_by(number, "admin");
    }

    /// The branch of a pull request has a new commit, which somebody pushed.
    pub(crate) fn moved_by(&self, number: u64, login: &str) {
        self.github.pass(5);
        self.github.push(number, login, &self.head_of(number));
    }

    /// Merges a pull request into `main`.
    #[track_caller]
    pub(crate) fn merge(&self, number: u64) -> Merged {
        self.merge_by(number, How::Merge)
    }

    /// Merges a pull request into `main` in a way.
    #[track_caller]
    pub(crate) fn merge_by(&self, number: u64, how: How) -> Merged {
        let head = self.head_of(number);
        let merged = self.merge_branch(&self.branch_of(number), how);
        self.github.pass(5);
        self.github.merge(number, &merged.after);
        if how == How::Merge {
            self.github.brought(number, &head);
        }
        merged
    }

    /// Commits that came to `main` together.
    pub(crate) fn together(merges: &[Merged]) -> Merged {
        let (first, last) = (&merges[0], &merges[merges.len() - 1]);
        Merged { before: first.before.clone(), after: last.after.clone() }
    }
}
