//! Build statuses and Code Insights.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-reports/>.

use crate::Bitbucket;
use dax_provider_api::ProviderError;
use dax_provider_api::encode;
use dax_provider_api::review::{Annotation, Check, CheckState, Level, Posted};
use dax_provider_client::{segment, short};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// Annotations that one call may have, and a report in all.
const BATCH: usize = 100;
const MOST: usize = 1000;
/// Characters of what a report says, and of the summary of an annotation.
const DETAILS: usize = 2000;
const SUMMARY: usize = 450;
/// Where a build's page is, when nobody says: a build status needs one.
const HOME: &str = "https://bitbucket.org";

#[derive(Deserialize)]
struct Nothing {}

pub(crate) async fn check(bitbucket: &Bitbucket, check: &Check) -> Result<Posted, ProviderError> {
    let commit = format!("{}/commit/{}", bitbucket.repo, segment(&check.commit)?);
    let (state, result) = match check.state {
        CheckState::Running => ("INPROGRESS", "PENDING"),
        CheckState::Passed => ("SUCCESSFUL", "PASSED"),
        CheckState::Failed => ("FAILED", "FAILED"),
        CheckState::Cancelled => ("STOPPED", "FAILED"),
    };
    let url = check.url.as_deref().unwrap_or(HOME);
    let body = json!({ "key": short(&check.name, 40), "name": check.name, "state": state, "url": url, "description": short(&check.title, 255) });
    if let Err(denied) =
        bitbucket.client.allowed::<Json>("POST", &format!("{commit}/statuses/build"), &body).await?
    {
        return Ok(Posted {
            remark: Some(format!(
                "Bitbucket does not let this token write build statuses ({}): set BITBUCKET_TOKEN to a repository access token with the \
                 scope `repository:write`",
                denied.message
            )),
            ..Posted::default()
        });
    }
    // A report's name must be its own among those of a commit.
    let report = format!("{commit}/reports/dax-{}", encode(&check.name));
    let body = json!({
        "title": check.name, "details": short(&check.title, DETAILS), "report_type": "TEST", "reporter": "dax", "result": result, "link": url,
        "data": [{ "title": "Remarks", "type": "NUMBER", "value": check.annotations.len() }],
    });
    let _: Nothing = bitbucket.client.json("PUT", &report, &body).await?;
    let shown = &check.annotations[..check.annotations.len().min(MOST)];
    for (batch, first) in shown.chunks(BATCH).zip((0..).step_by(BATCH)) {
        let body: Vec<Json> =
            batch.iter().enumerate().map(|(at, one)| annotation(one, first + at)).collect();
        let _: Json =
            bitbucket.client.json("POST", &format!("{report}/annotations"), &body).await?;
    }
    Ok(Posted { annotated: true, ..Posted::default() })
}

fn annotation(one: &Annotation, number: usize) -> Json {
    let (kind, severity) = match one.level {
        Level::Failure => ("BUG", "HIGH"),
        Level::Warning => ("CODE_SMELL", "MEDIUM"),
        Level::Notice => ("CODE_SMELL", "LOW"),
    };
    json!({
        "external_id": format!("dax-{number}"), "annotation_type": kind, "severity": severity, "path": one.path, "line": one.line,
        "title": one.title, "summary": short(&one.title, SUMMARY), "details": short(&one.message, DETAILS),
    })
}
