//! `dax status`: what runs.

use crate::args::{DataFormat, StatusArgs};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, ServiceStatus};
use serde_json::json;

pub(crate) fn run(args: &StatusArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let all = engine.status(args.environment.environment.as_deref())?;
    match args.format {
        DataFormat::Json => {
            let rows: Vec<_> = all
                .iter()
                .map(|one| {
                    let revisions = one.live.iter().flat_map(|live| &live.revisions).map(|(id, revision)| {
                        let share = one.live.as_ref().and_then(|live| live.traffic.get(id)).copied().unwrap_or(0);
                        json!({ "revision": id, "replicas": revision.replicas, "ready": revision.ready, "traffic_percent": f64::from(share) / 100.0 })
                    });
                    json!({
                        "environment": one.environment,
                        "service": one.addr.name(),
                        "applied_revision": one.revision,
                        "running": one.live.is_some(),
                        "url": url(one),
                        "revisions": revisions.collect::<Vec<_>>(),
                    })
                })
                .collect();
            out.json(&json!({ "format_version": 1, "services": rows }));
        }
        DataFormat::Human if all.is_empty() => out.note("nothing was applied yet"),
        DataFormat::Human => {
            let rows: Vec<Vec<String>> = all.iter().flat_map(rows).collect();
            out.table(
                &["environment", "service", "revision", "ready", "traffic", "address"],
                &rows,
            );
        }
    }
    let unwell = all.iter().any(|one| match &one.live {
        None => true,
        Some(live) => live
            .traffic
            .keys()
            .any(|id| live.revisions.get(id).is_none_or(|r| r.ready < r.replicas)),
    });
    if unwell {
        out.note("not everything that was applied is ready; `dax plan` shows what it would take");
    }
    Ok(Exit::Done)
}

fn url(one: &ServiceStatus) -> Option<String> {
    one.live.as_ref()?.url.as_ref().map(ToString::to_string)
}

/// A row for each revision that runs or takes traffic.
fn rows(one: &ServiceStatus) -> Vec<Vec<String>> {
    let name = [one.environment.to_string(), one.addr.name().to_owned()];
    if one.live.is_some() && one.addr.kind() == "object" {
        return vec![
            [
                name.to_vec(),
                vec!["-".to_owned(), "there".to_owned(), "-".to_owned(), "-".to_owned()],
            ]
            .concat(),
        ];
    }
    let Some(live) = &one.live else {
        return vec![
            [
                name.to_vec(),
                vec![one.revision.clone(), "gone".to_owned(), "-".to_owned(), "-".to_owned()],
            ]
            .concat(),
        ];
    };
    let shown = live
        .revisions
        .iter()
        .filter(|(id, revision)| revision.replicas > 0 || live.traffic.contains_key(*id));
    let rows: Vec<Vec<String>> = shown
        .map(|(id, revision)| {
            let share = live.traffic.get(id).copied().unwrap_or(0);
            let cells = vec![
                id.to_string(),
                format!("{}/{}", revision.ready, revision.replicas),
                format!("{}%", f64::from(share) / 100.0),
                url(one).unwrap_or_else(|| "-".to_owned()),
            ];
            [name.to_vec(), cells].concat()
        })
        .collect();
    if rows.is_empty() {
        return vec![
            [
                name.to_vec(),
                vec![
                    "-".to_owned(),
                    "0/0".to_owned(),
                    "-".to_owned(),
                    url(one).unwrap_or_else(|| "-".to_owned()),
                ],
            ]
            .concat(),
        ];
    }
    rows
}
