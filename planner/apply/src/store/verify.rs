//! Whether everything that is kept of an environment is as it was written.

use super::audit::What;
use super::{Result, Store};
use dax_core::Name;

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The environment.
    pub environment: Name,
    /// States that were read and are sound.
    pub states: usize,
    /// Records of the audit.
    pub records: usize,
    /// Runs whose journal was read.
    pub journals: usize,
    /// Entries of those.
    pub entries: usize,
    /// Texts that nothing refers to: what torn writes left behind.
    pub orphans: Vec<String>,
}

impl Store {
    /// Reads everything of an environment and holds it against its hashes.
    ///
    /// # Errors
    /// The first thing that is not as it was written.
    pub async fn verify(&self, environment: &str) -> Result<Report> {
        let mut report = Report { environment: environment.into(), ..Report::default() };
        let points = self.points(environment).await?;
        for point in &points {
            self.read_state(environment, &point.key, point.serial).await?;
            report.states += 1;
        }
        self.state(environment).await?;
        let records = self.audit(environment).await?;
        report.records = records.len();
        let runs = records.iter().filter_map(|record| match &record.what {
            What::Begin { run, .. } => Some(*run),
            _ => None,
        });
        let kept: Vec<String> = self.blobs.list(&format!("journal/{environment}/")).await?;
        for run in runs {
            let prefix = format!("journal/{environment}/{run:010}/");
            if kept.iter().any(|key| key.starts_with(&prefix)) {
                report.entries += self.journal(environment, run).await?.len();
                report.journals += 1;
            }
        }
        let states = self.blobs.list(&format!("states/{environment}/")).await?;
        report.orphans = states
            .into_iter()
            .filter(|key| !points.iter().any(|point| point.key == *key))
            .collect();
        Ok(report)
    }
}
