//! Files that a run leaves for its pipeline: plans, the report, the page.

use super::Published;
use crate::place::Place;
use crate::plans::Planned;
use crate::scope::Options;
use crate::{Open, ReviewError, comment, saying};
use dax_engine::printable::Text;
use dax_provider_api::review::{Annotation, Level};
use serde_json::json;
use std::path::PathBuf;

/// Writes plans and reports for the pipeline to keep.
pub(super) fn write(
    options: &Options,
    place: Option<&Place>,
    found: &Published,
    open: Open<'_>,
) -> Result<Vec<PathBuf>, ReviewError> {
    let output = &options.output;
    let mut files = Vec::new();
    let mut rows = Vec::new();
    for report in &found.reports {
        let name =
            format!("{}-{}", report.project, report.environment).replace(['[', ']', '/'], "-");
        let name = format!("{}.plan", name.trim_end_matches('-'));
        let mut file = None;
        let folder = found.folders.get(&report.project);
        if let (Some(planned), Some(folder)) = (report.planned(), folder) {
            // The engine of the project knows the key that seals the plan.
            let bytes = open(folder)?.plan_bytes(&planned.plan)?;
            let path = output.write(&name, &bytes)?;
            file = Some(path.display().to_string());
            files.push(path);
        }
        rows.push(json!({
            "project": report.project,
            "environment": report.environment,
            "failed": report.failed(),
            "digest": report.planned().map(|planned| &planned.digest),
            "empty": report.planned().map(|planned| planned.plan.is_empty()),
            "denied": report.planned().map(Planned::is_denied),
            "loosens": report.planned().map(|planned| planned.rules.loosened()),
            "plan": file,
            "headline": comment::headline(&saying::input(report)),
        }));
    }
    let report = json!({
        "format_version": 1,
        "commit": place.map(|place| &place.commit),
        "change": place.and_then(Place::number),
        "denied": found.denied,
        "failed": found.failed,
        "faults": found.faults,
        "environments": rows,
    });
    let mut texts = vec![("report.json", json_text(&report)), ("summary.md", found.page.clone())];
    if place.is_some_and(|place| place.kind == "gitlab") {
        texts.push(("gl-code-quality-report.json", code_quality(&found.annotations)));
    }
    for (name, text) in texts {
        files.push(output.write(name, text.as_bytes())?);
    }
    Ok(files)
}

/// JSON as a file that a log can show.
fn json_text(json: &serde_json::Value) -> String {
    Text::json(&format!("{json:#}\n")).to_string()
}

/// Remarks as GitLab shows them in a merge request.
///
/// Source: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.
fn code_quality(annotations: &[Annotation]) -> String {
    let rows: Vec<_> = annotations
        .iter()
        .enumerate()
        .map(|(number, one)| {
            let severity = match one.level {
                Level::Failure => "blocker",
                Level::Warning => "major",
                Level::Notice => "info",
            };
            json!({
                "description": format!("{}: {}", one.title, one.message),
                "check_name": one.title,
                "severity": severity,
                "fingerprint": format!("dax-{number}-{}-{}", one.path, one.line),
                "location": { "path": one.path, "lines": { "begin": one.line } },
            })
        })
        .collect();
    json_text(&json!(rows))
}
