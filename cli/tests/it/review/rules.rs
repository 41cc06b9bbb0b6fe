//! What GitHub wants of a deployment, what it is told of one that failed, buttons, and logging in.

use super::clean;
use super::repository::{PROGRAM, Repository, SECRET, ended, push};
use dax_tests::peers::github::{ADMIN, ANN, REPOSITORY, Trouble, start};
use dax_tests::peers::http::{Reply, serve};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicU32, Ordering};

/// The program without people in it, and with a canary that fails as soon as there is something to compare.
fn failing() -> String {
    let strategy = "\nstrategy s: canary {\n  step 50% hold 200ms\n  analysis every 100ms from memory.world {\n    metric e: Percent = memory\"error_rate\"\n    require e < 1%\n    on_no_data = \"fail\"\n  }\n}\n";
    let production =
        "environment production {\n  bind web to memory.world\n  rollout web with s\n}";
    PROGRAM.replace(
        "environment production {\n  bind web to memory.world\n  approve 1 of [\"team:sre\"]\n}",
        &format!("{strategy}\n{production}"),
    )
}

#[test]
fn the_rules_of_an_environment_hold_for_a_job_that_does_not_name_it() {
    let Some(github) = start() else { return };
    let program = PROGRAM.replace("  approve 1 of [\"team:sre\"]\n", "");
    let repository = Repository::new(&program);
    let base = repository.head();
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("main.dax", &program.replace("acme/web", "acme/shop-web"));
    let head = repository.commit("another image");
    let number = github.open("feature", &head);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let ann = github.person(ADMIN, "GET", "/users/ann", &json!(null));
    let team = json!({
        "id": 1, "node_id": "x", "url": "https://api.github.com/t", "members_url": "https://api.github.com/m", "name": "sre", "description": null,
        "permission": "pull", "html_url": "https://github.com/t", "repositories_url": "https://api.github.com/r", "slug": "sre", "parent": null,
    });
    let rules = |wait: u64| {
        json!({
            "protection_rules": [
                { "id": 1, "node_id": "x", "type": "wait_timer", "wait_timer": wait },
                { "id": 2, "node_id": "x", "type": "required_reviewers", "prevent_self_review": true,
                  "reviewers": [{ "type": "Team", "reviewer": team }] },
                { "id": 3, "node_id": "x", "type": "branch_policy" },
            ],
            "deployment_branch_policy": { "protected_branches": false, "custom_branch_policies": true },
        })
    };
    {
        let mut world = github.world.lock().expect("nobody fails with this lock");
        world.environments.insert("production".to_owned(), rules(30));
        world.patterns.insert("production".to_owned(), vec!["release/*".to_owned()]);
    }
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "merged", "feature"]);
    github
        .world
        .lock()
        .expect("nobody fails with this lock")
        .merged
        .insert(repository.head(), number);
    let apply =
        || repository.actions(&github, "push", &push(&base), &["ci", "apply", "-e", "production"]);
    let said = ended(apply(), 3);
    for text in [
        "GitHub wants the agreement of one of acme/sre, who did not make the change",
        "GitHub wants 30 minutes to pass first, 30 are left",
        "GitHub lets only release/* deploy, and this is `main`",
    ] {
        assert!(said.err.contains(text), "{text}\n{}", said.err);
    }
    // A review of somebody who is in the team, and a branch that may.
    github.person(
        ANN,
        "POST",
        &format!("/repos/{REPOSITORY}/pulls/{number}/reviews"),
        &json!({ "event": "APPROVE" }),
    );
    {
        let mut world = github.world.lock().expect("nobody fails with this lock");
        world.environments.insert("production".to_owned(), rules(0));
        world.patterns.insert("production".to_owned(), vec!["ma*".to_owned()]);
    }
    assert!(ended(apply(), 3).err.contains("one of acme/sre"));
    let denied = Reply::json(403, &json!({ "message": "Resource not accessible by integration" }));
    github.trouble(Trouble { at: "GET /orgs/".to_owned(), reply: denied, after: false });
    let said = ended(apply(), 3);
    assert!(
        said.err.contains("for which the token needs `members: read`")
            && said.err.contains("one of acme/sre"),
        "{}",
        said.err
    );
    github
        .world
        .lock()
        .expect("nobody fails with this lock")
        .teams
        .push(("ann".to_owned(), "acme/sre".to_owned()));
    ended(apply(), 0);
    // What a rule cannot be read of is not taken as allowed.
    repository.write("main.dax", &program.replace("acme/web", "acme/third-web"));
    let next = repository.commit("a push without a pull request");
    let said = ended(
        repository.actions(&github, "push", &push(&head), &["ci", "apply", "-e", "production"]),
        3,
    );
    assert!(
        said.err
            .contains("came with no change request, and no plan of `production` was shown for it"),
        "{}",
        said.err
    );
    // A job that people let go on to the environment: GitHub itself has seen to its rules, and who did agrees.
    ended(repository.actions(&github, "push", &push(&head), &["ci"]), 0);
    github
        .world
        .lock()
        .expect("nobody fails with this lock")
        .released
        .push((ann["login"].as_str().expect("a login").to_owned(), "production".to_owned()));
    ended(
        repository.actions(&github, "push", &push(&head), &["ci", "apply", "-e", "production"]),
        0,
    );
    let history: Json = serde_json::from_str(
        &repository.dax(&["history", "-e", "production", "--format", "json"]).out,
    )
    .expect("JSON");
    assert_eq!(
        (
            history["runs"][0]["approved_by"][0].as_str(),
            history["runs"][0]["commit"]["id"].as_str()
        ),
        (Some("ann"), Some(next.as_str()))
    );
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn what_was_taken_back_failed_and_what_runs_again_is_a_deployment_of_its_own() {
    let Some(github) = start() else { return };
    let repository = Repository::new(&failing());
    let base = repository.head();
    let mut before = base.clone();
    let mut commits = Vec::new();
    for image in ["acme/one", "acme/two"] {
        repository.write("main.dax", &failing().replace("acme/web", image));
        commits.push(repository.commit(image));
        // No pull request: what was shown for the commit itself is what counts.
        ended(repository.actions(&github, "push", &push(&before), &["ci", "-e", "production"]), 0);
        let code = if image == "acme/one" { 0 } else { 5 };
        ended(
            repository.actions(
                &github,
                "push",
                &push(&before),
                &["ci", "apply", "-e", "production"],
            ),
            code,
        );
        before = repository.head();
    }
    let world = github.world.lock().expect("nobody fails with this lock");
    let all: Vec<(String, String)> = world
        .deployments
        .iter()
        .map(|(made, statuses)| {
            let words: Vec<&str> =
                statuses.iter().filter_map(|status| status["state"].as_str()).collect();
            (made["ref"].as_str().unwrap_or_default().to_owned(), words.join(" "))
        })
        .collect();
    assert_eq!(
        all,
        [
            (commits[0].clone(), "queued in_progress success inactive".to_owned()),
            (commits[1].clone(), "queued in_progress failure".to_owned()),
            (commits[0].clone(), "success".to_owned()),
        ]
    );
    drop(world);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn the_buttons_of_a_check_plan_again_and_approve() {
    let Some(github) = start() else { return };
    let repository = Repository::new(PROGRAM);
    let base = repository.head();
    repository.git(&["remote", "add", "origin", "."]);
    repository.git(&["fetch", "--quiet", "origin"]);
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("main.dax", &PROGRAM.replace("acme/web", "acme/shop-web"));
    let head = repository.commit("another image");
    let number = github.open("feature", &head);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let pressed = |button: &str, by: &str| {
        let event = json!({
            "action": "requested_action", "requested_action": { "identifier": button }, "sender": { "login": by },
            "check_run": { "head_sha": head, "pull_requests": [{ "number": number }] },
        });
        repository.actions(&github, "check_run", &event, &["ci"])
    };
    ended(pressed("replan", "bob"), 0);
    // The author is `admin` here.
    let said = ended(pressed("approve", "admin"), 0);
    assert!(
        said.err.contains("`admin` made the change and cannot approve its plans"),
        "{}",
        said.err
    );
    let said = ended(pressed("approve", "ann"), 0);
    assert!(
        said.err.contains("`ann` approved the plan") && said.err.contains("of `production`"),
        "{}",
        said.err
    );
    let comment = github
        .comments(number)
        .into_iter()
        .find(|body| body.starts_with("<!-- dax:shop:production -->"))
        .expect("a comment");
    assert!(!comment.contains("Not possible now"), "{comment}");
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn more_than_fifty_remarks_come_in_batches_and_an_enterprise_server_has_its_api_below_a_path() {
    let Some(github) = start() else { return };
    let services: Vec<String> = (0..70).map(|at| format!("s{at}")).collect();
    let mut program =
        "import memory from \"std/memory\"\n\nprovider memory.world {\n}\n".to_owned();
    for name in &services {
        program.push_str(&format!("\nservice {name} {{\n  image = \"acme/{name}:1\"\n}}\n"));
    }
    let mut repository = Repository::new(&program);
    repository.variables = vec![("GITHUB_API_URL".to_owned(), format!("{}/api/v3", github.url()))];
    let base = repository.head();
    repository.write(
        "main.dax",
        &format!(
            "{program}\nenvironment dev {{\n  bind [{}] to memory.world\n}}\n",
            services.join(", ")
        ),
    );
    let head = repository.commit("seventy");
    let number = github.open("feature", &head);
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let asked = github.asked();
    let batches: Vec<usize> = asked
        .iter()
        .filter(|one| {
            one.line.contains("/check-runs")
                && one.method() != "GET"
                && !one.body.contains("finished")
        })
        .map(|one| {
            serde_json::from_str::<Json>(&one.body).expect("JSON")["output"]["annotations"]
                .as_array()
                .map_or(0, Vec::len)
        })
        .collect();
    // It begins without any, ends with as many as one request may have, and gets the rest after that: GitHub adds them to those
    // before, where the server of the tests puts them in their place.
    assert_eq!(batches, [0, 50, 20]);
    assert!(
        asked.iter().all(|one| one.path().starts_with("/api/v3/") || one.body.contains("finished")),
        "below the path"
    );
    clean(&github, &[SECRET, ADMIN, ANN]);
}

#[test]
fn a_merge_group_that_is_gone_is_cancelled() {
    let Some(github) = start() else { return };
    let repository = Repository::new(PROGRAM);
    let head = repository.head();
    let group = json!({ "action": "destroyed", "reason": "dequeued", "merge_group": {
        "head_sha": head, "head_ref": "refs/heads/gh-readonly-queue/main/pr-1-abc", "base_sha": head, "base_ref": "refs/heads/main",
    }});
    ended(repository.actions(&github, "merge_group", &group, &["ci"]), 0);
    let check = github.checks(&head).pop().expect("a check");
    assert_eq!(
        (check["name"].as_str(), check["conclusion"].as_str()),
        (Some("dax"), Some("cancelled"))
    );
    clean(&github, &[SECRET, ADMIN, ANN]);
}

#[test]
fn somebody_logs_in_by_a_code_in_a_browser() {
    let asked = AtomicU32::new(0);
    let server = serve(move |request| {
        let body = match request.path() {
            "/login/device/code" => json!({
                "device_code": "device", "user_code": "WDJB-MJHT", "verification_uri": "https://github.com/login/device", "expires_in": 900, "interval": 0,
            }),
            "/login/oauth/access_token" if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
                json!({ "error": "authorization_pending" })
            }
            "/login/oauth/access_token" => {
                json!({ "access_token": "gho_token_of_the_tests", "token_type": "bearer", "scope": "repo" })
            }
            _ => json!({}),
        };
        (200, "application/json", body.to_string())
    });
    let repository = Repository::new(PROGRAM);
    let said =
        ended(repository.dax(&["login", "--server", &server.url(), "--client-id", "Iv1.0123"]), 0);
    assert_eq!(said.out, "gho_token_of_the_tests\n");
    assert!(
        said.err.contains("open https://github.com/login/device and type WDJB-MJHT"),
        "{}",
        said.err
    );
    let first = &server.asked()[0];
    assert!(
        first.body.contains("Iv1.0123") && first.header("accept") == Some("application/json"),
        "{first:?}"
    );
}
