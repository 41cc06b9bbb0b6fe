//! Whether everything that is kept is as it was written: every text is read, and every reference is followed.

use super::audit::{self, Record, What};
use super::blobs::Blob;
use super::conditions::ConditionsFile;
use super::head::{self, End, Head};
use super::messages::is_summed;
use super::runs::{self, Batch, KEPT_RUNS};
use super::{Result, Store, StoreError, UNDER_A_HEAD};
use dax_core::Name;
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// Texts that are read at once.
const AT_ONCE: usize = 16;
/// Messages to runs and reviewers; nothing refers to them.
const MESSAGES: [&str; 3] = ["approvals", "reviews", "signals"];

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key of the text.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The environment.
    pub environment: Name,
    /// States that were read and are sound.
    pub states: usize,
    /// Plans that are as they were written.
    pub plans: usize,
    /// Records of the audit.
    pub records: usize,
    /// Runs whose journal was read.
    pub journals: usize,
    /// Entries of those.
    pub entries: usize,
    /// Approvals, reviews and signals.
    pub messages: usize,
    /// Texts that nothing refers to: what torn writes left behind.
    pub orphans: Vec<String>,
    /// Texts without a digest, as older versions wrote them.
    pub unprotected: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Report {
    fn found(&mut self, key: &str, message: impl Into<String>) {
        let finding = Finding { key: key.to_owned(), message: message.into() };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Notes an error as a finding; one of the place itself ends the search.
    fn note<T>(&mut self, key: &str, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Corrupt { message, .. } | StoreError::Sealed { message, .. }) => {
                self.found(key, message);
                Ok(None)
            }
            Err(StoreError::Older { found, .. }) => {
                let message =
                    format!("it is older than this machine has seen: it is at change {found}");
                self.found(key, message);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Texts of an environment by key, and keys that something refers to.
struct Search {
    texts: BTreeMap<String, Vec<u8>>,
    known: BTreeSet<String>,
    report: Report,
}

impl Store {
    /// The environments of which anything at all is kept or was seen.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn traces(&self) -> Result<Vec<Name>> {
        let keys = self.blobs.list("").await?;
        let named = keys.iter().filter_map(|key| key.split('/').nth(1)).map(Name::from);
        let mut names: BTreeSet<Name> = named.collect();
        names.extend(self.environments().await?);
        Ok(names.into_iter().collect())
    }

    /// Reads everything of an environment, holds it against its digests and follows every reference.
    ///
    /// # Errors
    /// The place cannot be read. What is wrong with a text is a finding.
    pub async fn verify(&self, environment: &str) -> Result<Report> {
        let report = Report { environment: environment.into(), ..Report::default() };
        let mut search = Search { texts: BTreeMap::new(), known: BTreeSet::new(), report };
        search.report.note("meta", self.blobs.check().await)?;
        search.report.note("meta", self.has_fingerprint_key().await)?;
        self.read_all(environment, &mut search).await?;
        let key = head::key(environment);
        let head = self.head(environment).await;
        let head = search.report.note(&key, head)?.flatten();
        if let Some((head, _)) = &head {
            if !head.summed {
                search.report.unprotected.push(key);
            }
            search.known.extend(head.garbage.iter().cloned());
            self.verify_states(head, &mut search).await?;
            let records = self.verify_audit(head, &mut search)?;
            self.verify_runs(head, &records, &mut search)?;
            self.verify_conditions(head, &records, &mut search).await?;
        }
        let Search { texts, known, mut report } = search;
        report.orphans =
            texts.into_keys().filter(|key| !known.contains(key) && is_chained(key)).collect();
        report.findings.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(report)
    }

    /// Reads every text of an environment but its head.
    async fn read_all(&self, environment: &str, search: &mut Search) -> Result<()> {
        for kind in UNDER_A_HEAD.iter().chain(&MESSAGES) {
            let keys = self.blobs.list(&format!("{kind}/{environment}/")).await?;
            let reads = keys.iter().map(|key| async move { (key, self.blobs.get(key).await) });
            let mut found = futures::stream::iter(reads).buffered(AT_ONCE);
            while let Some((key, blob)) = found.next().await {
                // One that went in the meantime was not needed any more.
                let Some(Some(Blob { bytes, .. })) = search.report.note(key, blob)? else {
                    continue;
                };
                let sound = if !is_chained(key) && !is_summed(key) {
                    search.report.unprotected.push(key.clone());
                    Ok(())
                } else {
                    self.check_name(key, &bytes)
                };
                if search.report.note(key, sound)?.is_some() {
                    self.read_one(kind, key, &bytes, &mut search.report)?;
                }
                search.texts.insert(key.clone(), bytes);
            }
        }
        Ok(())
    }

    /// Whether a text can be read as what its key says.
    fn read_one(&self, kind: &str, key: &str, bytes: &[u8], report: &mut Report) -> Result<()> {
        let read = match kind {
            // A plan may be of an older version; that nobody changed it is all there is to see.
            "plans" => self.unpack(bytes).map(drop),
            "approvals" => self.parse::<super::Approval>(bytes).map(drop),
            "signals" => self.parse::<super::Signal>(bytes).map(drop),
            "conditions" => self.parse::<ConditionsFile>(bytes).map(drop),
            "reviews" => self.unpack(bytes).map(drop),
            _ => self.parse::<serde::de::IgnoredAny>(bytes).map(drop),
        };
        let sound = report.note(key, read)?.is_some();
        report.plans += usize::from(sound && kind == "plans");
        report.messages += usize::from(sound && MESSAGES.contains(&kind));
        Ok(())
    }

    /// The current state and those that can be gone back to.
    async fn verify_states(&self, head: &Head, search: &mut Search) -> Result<()> {
        let environment = head.environment.as_str();
        let mut wanted: Vec<(String, u64)> = Vec::new();
        wanted.extend(head.state.clone().map(|key| (key, head.serial)));
        if let Some(key) = &head.points {
            search.known.insert(key.clone());
            let points = search.report.note(key, self.points_of(head).await)?.unwrap_or_default();
            wanted.extend(points.into_iter().map(|point| (point.key, point.serial)));
        }
        wanted.sort();
        wanted.dedup();
        for (key, serial) in wanted {
            let state = self.read_state(environment, &key, serial).await;
            search.report.states += usize::from(search.report.note(&key, state)?.is_some());
            search.known.insert(key);
        }
        Ok(())
    }

    /// The recorded conditions: those of the last record that tells of any.
    async fn verify_conditions(
        &self,
        head: &Head,
        records: &[Record],
        search: &mut Search,
    ) -> Result<()> {
        let recorded = records.iter().find_map(|record| match &record.what {
            What::Conditions { digest, .. } => Some(digest),
            _ => None,
        });
        match &head.conditions {
            Some(key) => {
                let read = self.conditions_of(head).await;
                search.report.note(key, read)?;
                search.known.insert(key.clone());
                if recorded.is_some_and(|digest| !key.ends_with(digest.as_str())) {
                    search.report.found(key, "other conditions were recorded since");
                }
            }
            None if recorded.is_some() => {
                search
                    .report
                    .found(&head::key(&head.environment), "the recorded conditions are gone");
            }
            None => {}
        }
        Ok(())
    }

    /// The records of the audit from the last to the first, as far as their chain holds.
    fn verify_audit(&self, head: &Head, search: &mut Search) -> Result<Vec<Record>> {
        let End { mut seq, mut hash } = head.audit.clone();
        let mut records = Vec::new();
        while seq > 0 {
            let key = audit::key(&head.environment, seq, &hash);
            search.known.insert(key.clone());
            let Some(bytes) = search.texts.get(&key) else {
                search.report.found(&key, "it is gone or was changed");
                break;
            };
            let Some(record) = search.report.note(&key, self.parse::<Record>(bytes))? else {
                break;
            };
            (seq, hash) = (seq - 1, record.prev.clone());
            records.push(record);
        }
        search.report.records = records.len();
        Ok(records)
    }

    /// The plans and journals of the runs that are kept.
    fn verify_runs(&self, head: &Head, records: &[Record], search: &mut Search) -> Result<()> {
        let mut ends: BTreeMap<u64, End> = BTreeMap::new();
        for record in records {
            if let What::End { run, journal: (seq, hash), .. } = &record.what {
                ends.insert(*run, End { seq: *seq, hash: hash.clone() });
            }
        }
        if let Some(open) = &head.run {
            ends.insert(open.id, open.journal.clone());
            search.known.insert(open.plan.clone());
            if !search.texts.contains_key(&open.plan) {
                search.report.found(&open.plan, "it is gone or was changed");
            }
        }
        let last = ends.keys().next_back().copied().unwrap_or(0);
        for (run, end) in ends {
            // What is older goes with the end of a run.
            let kept = run + KEPT_RUNS > last;
            self.verify_journal(&head.environment, run, end, kept, search)?;
            let prefix = format!("plans/{}/{run:010}-", head.environment);
            let plans: Vec<String> =
                search.texts.range(prefix.clone()..).map(|(key, _)| key.clone()).collect();
            let plans: Vec<String> =
                plans.into_iter().take_while(|key| key.starts_with(&prefix)).collect();
            if plans.is_empty() && kept {
                search.report.found(&prefix, format!("the plan of run {run} is gone"));
            }
            search.known.extend(plans);
        }
        Ok(())
    }

    fn verify_journal(
        &self,
        environment: &str,
        run: u64,
        mut end: End,
        kept: bool,
        search: &mut Search,
    ) -> Result<()> {
        if !kept {
            return Ok(());
        }
        search.report.journals += 1;
        while end.seq > 0 {
            let key = runs::journal_key(environment, run, &end);
            search.known.insert(key.clone());
            let Some(bytes) = search.texts.get(&key) else {
                search.report.found(&key, "it is gone or was changed");
                break;
            };
            let Some(batch) = search.report.note(&key, self.parse::<Batch>(bytes))? else { break };
            search.report.entries += batch.entries.len();
            end = End { seq: end.seq - 1, hash: batch.prev };
        }
        Ok(())
    }
}

/// Whether a text has a head that refers to it.
fn is_chained(key: &str) -> bool {
    key.split('/').next().is_some_and(|kind| UNDER_A_HEAD.contains(&kind))
}
