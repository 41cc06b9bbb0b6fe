//! Check runs, and commit statuses where check runs may not be written.

use crate::fault::Fault;
use crate::{CHECKS, GitHub, STATUSES};
use dax_provider_api::ProviderError;
use dax_provider_api::encode;
use dax_provider_api::review::{Annotation, Check, CheckState, Level, Posted};
use dax_provider_client::{segment, short};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// Annotations that one request may have; more are added by further ones.
/// Source: `output.annotations` of <https://docs.github.com/en/rest/checks/runs>.
const ANNOTATIONS: usize = 50;
/// Characters of the description of a status. Source: <https://docs.github.com/en/rest/commits/statuses>.
const DESCRIPTION: usize = 140;
/// Begins the external id of every check run of dax.
const OURS: &str = "dax:";

#[derive(Deserialize, Default)]
struct Run {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    external_id: Option<String>,
}

#[derive(Deserialize)]
struct Runs {
    check_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Status {}

pub(crate) async fn check(github: &GitHub, check: &Check) -> Result<Posted, ProviderError> {
    let commit = segment(&check.commit)?;
    let mut left = None;
    match write(github, check, &commit, &mut left).await {
        Ok(posted) => Ok(posted),
        // 404 is what a token gets that may not even see them, 422 an App that was not given the permission.
        Err(fault) if fault.refused() => {
            let mut posted = status(github, check, &commit, &fault).await?;
            posted.remark = posted.remark.map(|remark| also(remark, left));
            Ok(posted)
        }
        Err(mut fault) => {
            fault.message = also(fault.message, left);
            Err(fault.error("write a check"))
        }
    }
}

/// A message with what is left standing.
fn also(message: String, left: Option<String>) -> String {
    match left {
        Some(left) => format!("{message}. {left}"),
        None => message,
    }
}

/// Writes a check run; says in `left` which one stays in progress where it can neither be changed
/// nor followed by another one of its name.
async fn write(
    github: &GitHub,
    check: &Check,
    commit: &str,
    left: &mut Option<String>,
) -> Result<Posted, Fault> {
    let key = (check.name.clone(), check.commit.clone());
    let known = github.begun.lock().expect("nobody fails with this lock").get(&key).copied();
    let known = match known {
        Some(id) => Some(id),
        None => unfinished(github, check, commit).await?,
    };
    let mut batches = check.annotations.chunks(ANNOTATIONS);
    // GitHub starts no workflow for a button of a check of its own Actions; an App has a webhook that hears of it.
    // Source: <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#check_run>.
    let body = body(check, batches.next().unwrap_or_default(), github.connection.is_app());
    let run = match known {
        Some(id) => match change(github, id, &body).await {
            Err(fault) if fault.unreachable() => return Err(fault),
            Err(fault) => {
                *left = Some(format!(
                    "Check run {id} of commit {} stays `in progress`, because GitHub does not let \
                     dax end it ({}): run the job again, or end it by hand",
                    check.commit, fault.message
                ));
                make(github, check, commit, &body).await?
            }
            changed => changed?,
        },
        None => make(github, check, commit, &body).await?,
    };
    {
        let mut begun = github.begun.lock().expect("nobody fails with this lock");
        if check.state == CheckState::Running {
            begun.insert(key, run.id);
        } else {
            begun.remove(&key);
        }
    }
    let mut posted = Posted { url: run.html_url, remark: left.take(), annotated: true };
    for (at, batch) in batches.enumerate() {
        let more = json!({ "output": output(check, batch) });
        if let Err(fault) = change(github, run.id, &more).await {
            // The run has ended as it should; some remarks are all that it lacks.
            let lacking = format!(
                "GitHub shows {} of {} remarks of the check ({})",
                (at + 1) * ANNOTATIONS,
                check.annotations.len(),
                fault.message
            );
            posted.remark = Some(also(lacking, posted.remark));
            posted.annotated = false;
            break;
        }
    }
    Ok(posted)
}

/// Changes a run; tries once more where the answer was neither a yes nor lost on the way.
async fn change(github: &GitHub, id: u64, body: &Json) -> Result<Run, Fault> {
    let route = format!("{}/check-runs/{id}", github.repo);
    match github.connection.patch::<Run>(CHECKS, &route, body).await {
        Err(fault) if !fault.unreachable() => github.connection.patch(CHECKS, &route, body).await,
        other => other,
    }
}

/// Makes a run. When it is not known whether that was done, it is looked for before it is made again.
async fn make(github: &GitHub, check: &Check, commit: &str, body: &Json) -> Result<Run, Fault> {
    let route = format!("{}/check-runs", github.repo);
    let mut whole = body.clone();
    whole["head_sha"] = json!(check.commit);
    match github.connection.post(CHECKS, &route, &whole).await {
        Err(fault) if fault.unknown() => match newest(github, check, commit).await? {
            Some(run)
                if run.status
                    == if check.state == CheckState::Running {
                        "in_progress"
                    } else {
                        "completed"
                    } =>
            {
                Ok(run)
            }
            _ => github.connection.post(CHECKS, &route, &whole).await,
        },
        other => other,
    }
}

/// The newest run of this name that dax made.
async fn newest(github: &GitHub, check: &Check, commit: &str) -> Result<Option<Run>, Fault> {
    let name = encode(&check.name);
    let route =
        format!("{}/commits/{commit}/check-runs?check_name={name}&filter=latest", github.repo);
    let runs: Option<Runs> = github.connection.find(CHECKS, &route).await?;
    let ours = |run: &Run| run.external_id.as_deref().is_some_and(|id| id.starts_with(OURS));
    Ok(runs.and_then(|runs| runs.check_runs.into_iter().filter(ours).max_by_key(|run| run.id)))
}

/// A run that was begun by a process that is gone; it must not hang there for ever.
async fn unfinished(github: &GitHub, check: &Check, commit: &str) -> Result<Option<u64>, Fault> {
    Ok(newest(github, check, commit)
        .await?
        .filter(|run| run.status != "completed")
        .map(|run| run.id))
}

fn body(check: &Check, annotations: &[Annotation], buttons: bool) -> Json {
    let mut body = json!({
        "name": check.name,
        "external_id": format!("{OURS}{}", check.token),
        "output": output(check, annotations),
    });
    if let Some(url) = &check.url {
        body["details_url"] = json!(url);
    }
    match check.state {
        CheckState::Running => body["status"] = json!("in_progress"),
        state => {
            body["status"] = json!("completed");
            body["conclusion"] = json!(match state {
                CheckState::Passed | CheckState::Running => "success",
                CheckState::Failed => "failure",
                CheckState::Cancelled => "cancelled",
            });
            if buttons {
                // At most three; the label has 20 characters, the description 40, the identifier 20.
                body["actions"] = json!([
                    { "label": "Plan again", "description": "Make the plans anew for this commit", "identifier": "replan" },
                    { "label": "Approve the plans", "description": "Agree to what is planned here", "identifier": "approve" },
                ]);
            }
        }
    }
    body
}

fn output(check: &Check, annotations: &[Annotation]) -> Json {
    let annotations: Vec<Json> = annotations
        .iter()
        .map(|one| {
            json!({
                "path": one.path, "start_line": one.line, "end_line": one.line, "title": short(&one.title, 255), "message": one.message,
                "annotation_level": match one.level { Level::Failure => "failure", Level::Warning => "warning", Level::Notice => "notice" },
            })
        })
        .collect();
    json!({ "title": check.title, "summary": check.summary, "annotations": annotations })
}

/// Says it by a commit status, which more tokens may write.
async fn status(
    github: &GitHub,
    check: &Check,
    commit: &str,
    why: &Fault,
) -> Result<Posted, ProviderError> {
    let state = match check.state {
        CheckState::Running => "pending",
        CheckState::Passed => "success",
        CheckState::Failed => "failure",
        CheckState::Cancelled => "error",
    };
    let mut body = json!({ "state": state, "context": check.name, "description": short(&check.title, DESCRIPTION) });
    if let Some(url) = &check.url {
        body["target_url"] = json!(url);
    }
    let lacking = format!(
        "GitHub does not let this token write checks ({}): give the job `checks: write`; a personal token never may, an App may",
        why.message
    );
    let route = format!("{}/statuses/{commit}", github.repo);
    match github.connection.post::<Status>(STATUSES, &route, &body).await {
        Ok(_) => Ok(Posted {
            remark: Some(format!(
                "{lacking}. A commit status says how it went, and the log has the rest"
            )),
            ..Posted::default()
        }),
        Err(fault) if fault.refused() => Ok(Posted {
            remark: Some(format!(
                "{lacking}. Nor may it write commit statuses ({}), as the tokens of pull requests from forks may not: the log has everything",
                fault.message
            )),
            ..Posted::default()
        }),
        Err(fault) => Err(fault.error("write a commit status")),
    }
}
