//! Events that start jobs, with the checkouts that GitHub makes for them.

use super::job::Spot;
use super::{How, Merged, Pipeline};
use dax_tests::peers::github::REPOSITORY;
use serde_json::{Value as Json, json};

/// An event with its checkout.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    pub(crate) payload: Json,
    pub(crate) spot: Spot,
    /// `GITHUB_SHA`.
    pub(crate) sha: String,
    /// `GITHUB_REF`.
    pub(crate) reference: String,
    /// `GITHUB_BASE_REF`.
    pub(crate) base: String,
    /// Whoever started it.
    pub(crate) actor: String,
}

impl Event {
    /// The same event, checked out otherwise.
    pub(crate) fn at(mut self, commit: &str, reference: Option<&str>) -> Self {
        let reference = reference.map(str::to_owned);
        self.spot = Spot { commit: commit.to_owned(), reference };
        self
    }
}

impl Pipeline {
    /// Something happened to a pull request; its merge with the target branch is checked out.
    #[track_caller]
    pub(crate) fn pull_request(&self, number: u64, action: &str) -> Event {
        self.pull_request_from(number, action, REPOSITORY)
    }

    /// The same for a pull request from another repository.
    #[track_caller]
    pub(crate) fn pull_request_from(&self, number: u64, action: &str, from: &str) -> Event {
        let (base, head) = (self.head("main"), self.head_of(number));
        let trial = self.merge_commit(&base, &head, How::Merge, "a trial");
        let reference = format!("refs/pull/{number}/merge");
        self.bare(&["update-ref", &reference, &trial]);
        let payload = json!({
            "action": action, "number": number, "sender": self.github_user("admin"),
            "pull_request": self.payload(number, &base, &head, from),
            "repository": { "default_branch": "main" },
        });
        Event {
            name: "pull_request",
            payload,
            spot: Spot { commit: trial.clone(), reference: Some(format!("pull/{number}/merge")) },
            sha: trial,
            reference,
            base: "main".to_owned(),
            actor: "admin".to_owned(),
        }
    }

    fn payload(&self, number: u64, base: &str, head: &str, from: &str) -> Json {
        json!({
            "number": number,
            "head": { "sha": head, "ref": self.branch_of(number), "repo": { "full_name": from } },
            "base": { "sha": base, "ref": "main", "repo": { "full_name": REPOSITORY } },
        })
    }

    /// A pull request was closed or merged: the workflow checks out the target branch.
    #[track_caller]
    pub(crate) fn closed(&self, number: u64) -> Event {
        let (base, head) = (self.head("main"), self.head_of(number));
        let payload = json!({
            "action": "closed", "number": number, "sender": self.github_user("admin"),
            "pull_request": self.payload(number, &base, &head, REPOSITORY),
        });
        Event {
            name: "pull_request",
            payload,
            spot: Spot { commit: base.clone(), reference: Some("main".to_owned()) },
            sha: base,
            reference: format!("refs/pull/{number}/merge"),
            base: "main".to_owned(),
            actor: "admin".to_owned(),
        }
    }

    /// Commits came to `main`.
    pub(crate) fn pushed(&self, merged: &Merged) -> Event {
        self.pushed_to("main", merged)
    }

    /// Commits came to a branch.
    pub(crate) fn pushed_to(&self, branch: &str, merged: &Merged) -> Event {
        let reference = format!("refs/heads/{branch}");
        Event {
            name: "push",
            payload: json!({
                "ref": reference, "before": merged.before, "after": merged.after,
                "sender": self.github_user("bob"),
            }),
            spot: Spot { commit: merged.after.clone(), reference: Some(branch.to_owned()) },
            sha: merged.after.clone(),
            reference,
            base: String::new(),
            actor: "bob".to_owned(),
        }
    }

    /// A merge queue tries the pull requests in this order; the last one's commit is asked about.
    #[track_caller]
    pub(crate) fn merge_group(&self, numbers: &[u64]) -> Event {
        let subject = |number: &u64| {
            format!("Merge pull request #{number} from acme/{}", self.branch_of(*number))
        };
        let subjects: Vec<String> = numbers.iter().map(subject).collect();
        let entries = numbers.iter().copied().zip(subjects.iter().map(String::as_str));
        self.merge_group_by(&entries.collect::<Vec<_>>(), How::Merge)
    }

    /// The same in a way of merging, with the subjects of the commits.
    #[track_caller]
    pub(crate) fn merge_group_by(&self, entries: &[(u64, &str)], how: How) -> Event {
        let base = self.head("main");
        let (mut tip, mut reference) = (base.clone(), String::new());
        for (number, subject) in entries {
            reference = format!("refs/heads/gh-readonly-queue/main/pr-{number}-{tip}");
            tip = self.merge_commit(&tip, &self.head_of(*number), how, subject);
            self.bare(&["update-ref", &reference, &tip]);
        }
        Event {
            name: "merge_group",
            payload: json!({ "action": "checks_requested", "merge_group": {
                "head_sha": tip, "head_ref": reference,
                "base_sha": base, "base_ref": "refs/heads/main",
            }}),
            spot: Spot { commit: tip.clone(), reference: None },
            sha: tip,
            reference,
            base: String::new(),
            actor: "github-merge-queue".to_owned(),
        }
    }

    /// Somebody pressed a button of a check: GitHub checks out the default branch.
    #[track_caller]
    pub(crate) fn button(&self, number: u64, identifier: &str, by: &str) -> Event {
        let (main, head) = (self.head("main"), self.head_of(number));
        Event {
            name: "check_run",
            payload: json!({
                "action": "requested_action", "sender": self.github_user(by),
                "requested_action": { "identifier": identifier },
                "check_run": { "head_sha": head, "pull_requests": [{ "number": number }] },
            }),
            spot: Spot { commit: main.clone(), reference: Some("main".to_owned()) },
            sha: main,
            reference: "refs/heads/main".to_owned(),
            base: String::new(),
            actor: by.to_owned(),
        }
    }
}
