//! The platform that jobs share, and what the state says of it.

use super::{Pipeline, Remote, ended};
use serde_json::Value as Json;

impl Remote {
    /// A service as the platform has it.
    pub(crate) fn live(&self, environment: &str, service: &str) -> Option<Json> {
        let text = std::fs::read_to_string(self.at("world/memory.json")).ok()?;
        let all: Vec<(String, String, Json)> = serde_json::from_str(&text).expect("a world");
        let found = all.into_iter().find(|(env, name, _)| env == environment && name == service);
        found.map(|(_, _, live)| live)
    }

    /// An attribute of the revision of `web` that has all traffic: its `image`, its `env`.
    pub(crate) fn spec(&self, environment: &str, attribute: &str) -> Option<Json> {
        let live = self.live(environment, "web")?;
        let (revision, _) =
            live["traffic"].as_object()?.iter().find(|(_, share)| **share == 10_000)?;
        Some(live["revisions"][revision]["spec"]["map"][attribute].clone())
    }

    /// The image of `web` that has all traffic.
    pub(crate) fn image(&self, environment: &str) -> Option<String> {
        Some(self.spec(environment, "image")?["str"].as_str()?.to_owned())
    }

    /// The replicas of `web` that have all traffic.
    pub(crate) fn replicas(&self, environment: &str) -> Option<u64> {
        let live = self.live(environment, "web")?;
        let (revision, _) =
            live["traffic"].as_object()?.iter().find(|(_, share)| **share == 10_000)?;
        live["revisions"][revision]["replicas"].as_u64()
    }

    /// Everything that was ever done to the platform, a line each: `production/web: create service`.
    pub(crate) fn effects(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.at("world/memory.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The runs of an environment, the newest first.
    #[track_caller]
    pub(crate) fn runs(&self, environment: &str) -> Vec<Json> {
        let said = self.dax(&["history", "-e", environment, "--format", "json"]);
        if said.out.trim().is_empty() {
            return Vec::new();
        }
        let history: Json = serde_json::from_str(&said.out).expect("JSON");
        history["runs"].as_array().cloned().unwrap_or_default()
    }

    /// Whose approval the newest run of an environment had.
    #[track_caller]
    pub(crate) fn approved_by(&self, environment: &str) -> Vec<String> {
        let runs = self.runs(environment);
        let by = runs.first().and_then(|run| run["approved_by"].as_array().cloned());
        by.unwrap_or_default().iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
    }

    /// Applies the newest `main` by hand, with the approval of ann, as whoever set it all up did.
    #[track_caller]
    pub(crate) fn set_up(&self, environments: &[&str]) {
        for environment in environments {
            self.by_hand(environment, &self.head("main"));
        }
    }

    /// Applies a commit by hand: ann approves its plan, cid applies it.
    #[track_caller]
    pub(crate) fn by_hand(&self, environment: &str, commit: &str) {
        let ann = self.person("ann", commit);
        let planned = ended(ann.dax(&["plan", "-e", environment, "--format", "json"]), 0);
        let plan: Json = serde_json::from_str(&planned.out).expect("a plan");
        let digest = plan["digest"].as_str().expect("a digest");
        ended(ann.dax(&["approve", "-e", environment, digest]), 0);
        let cid = self.person("cid", commit);
        ended(cid.dax(&["apply", "-e", environment, "--auto-approve"]), 0);
    }
}

impl Pipeline {
    /// The comment that begins with a marker; there is one of each.
    #[track_caller]
    pub(crate) fn comment(&self, number: u64, marker: &str) -> String {
        let comments = self.github.comments(number);
        let mut found = comments.iter().filter(|body| body.starts_with(marker));
        let one = found.next().unwrap_or_else(|| panic!("a comment with {marker}: {comments:#?}"));
        assert!(found.next().is_none(), "one comment with {marker}");
        one.clone()
    }

    /// The conclusion of the newest check of a commit.
    #[track_caller]
    pub(crate) fn conclusion(&self, commit: &str) -> String {
        let check = self.github.checks(commit).pop().expect("a check");
        check["conclusion"].as_str().unwrap_or_default().to_owned()
    }

    /// The statuses of the deployments of an environment, in words, the oldest deployment first.
    pub(crate) fn deployments(&self, environment: &str) -> Vec<String> {
        let world = self.github.world.lock().expect("nobody fails with this lock");
        let of = world.deployments.iter().filter(|(made, _)| made["environment"] == environment);
        of.map(|(_, statuses)| {
            let words: Vec<&str> =
                statuses.iter().filter_map(|status| status["state"].as_str()).collect();
            words.join(" ")
        })
        .collect()
    }
}
