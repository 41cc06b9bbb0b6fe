//! What GitHub wants of a deployment, what it is told of one that failed, buttons, and logging in.

use super::clean;
use super::pipeline::{Merged, PROGRAM, Pipeline, Remote, SECRET, ended, has};
use dax_tests::peers::github::{ADMIN, ANN, Trouble};
use dax_tests::peers::http::{Reply, serve};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicU32, Ordering};

const GATE: &str = "  approve 1 of [\"team:sre\"]\n";

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

/// Rules of an environment as GitHub tells them: a wait, a team, and which branches may.
fn protection(wait: u64) -> Json {
    let team = json!({
        "id": 1, "node_id": "x", "url": "https://api.github.com/t",
        "members_url": "https://api.github.com/m", "name": "sre", "description": null,
        "permission": "pull", "html_url": "https://github.com/t",
        "repositories_url": "https://api.github.com/r", "slug": "sre", "parent": null,
    });
    json!({
        "protection_rules": [
            { "id": 1, "node_id": "x", "type": "wait_timer", "wait_timer": wait },
            { "id": 2, "node_id": "x", "type": "required_reviewers", "prevent_self_review": true,
              "reviewers": [{ "type": "Team", "reviewer": team }] },
            { "id": 3, "node_id": "x", "type": "branch_policy" },
        ],
        "deployment_branch_policy": { "protected_branches": false, "custom_branch_policies": true },
    })
}

fn protect(it: &Pipeline, wait: u64, branches: &str) {
    let mut world = it.github.world.lock().expect("nobody fails with this lock");
    world.environments.insert("production".to_owned(), protection(wait));
    world.patterns.insert("production".to_owned(), vec![branches.to_owned()]);
}

#[test]
fn the_rules_of_an_environment_hold_for_a_job_that_does_not_name_it() {
    let program = PROGRAM.replace(GATE, "");
    let Some(it) = Pipeline::new(&program) else { return };
    let number = it.propose("feature", &program.replace("acme/web", "acme/shop-web"));
    ended(it.plan(number), 0);
    protect(&it, 30, "release/*");
    let merged = it.merge(number);
    let apply = || it.apply(&merged, &["-e", "production"]);
    let said = ended(apply(), 3);
    has(&said.err, &["acme/sre", "30 minutes", "release/*", "`main`"]);
    // A review of somebody who is in the team, and a branch that may.
    it.approve(number, "ann");
    protect(&it, 0, "ma*");
    has(&ended(apply(), 3).err, &["acme/sre"]);
    let denied = Reply::json(403, &json!({ "message": "Resource not accessible by integration" }));
    it.github.trouble(Trouble { at: "GET /orgs/".to_owned(), reply: denied, after: false });
    has(&ended(apply(), 3).err, &["for which the token needs `members: read`", "acme/sre"]);
    let member = ("ann".to_owned(), "acme/sre".to_owned());
    it.github.world.lock().expect("nobody fails with this lock").teams.push(member);
    assert_eq!(it.image("production"), None);
    ended(apply(), 0);
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    a_push_without_a_pull_request(&it, &program);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

/// People let the job go on to the environment: GitHub has seen to its rules, and whoever did approves.
fn a_push_without_a_pull_request(it: &Pipeline, program: &str) {
    let before = it.head("main");
    it.branch("direct");
    it.git(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    it.write("main.dax", &program.replace("acme/web", "acme/third-web"));
    let merged = Merged { before, after: it.commit("a push without a pull request") };
    let said = ended(it.apply(&merged, &["-e", "production"]), 3);
    has(&said.err, &["no pull request", "production"]);
    assert_eq!(it.image("production").as_deref(), Some("acme/shop-web:1"));
    ended(it.job(&it.pushed(&merged)).dax(&["ci"]), 0);
    let released = ("ann".to_owned(), "production".to_owned());
    it.github.world.lock().expect("nobody fails with this lock").released.push(released);
    it.github.pass(5);
    ended(it.apply(&merged, &["-e", "production"]), 0);
    let run = &it.runs("production")[0];
    assert_eq!(run["approved_by"], json!(["ann"]));
    assert_eq!(run["commit"]["id"], merged.after.as_str());
}

#[test]
fn what_was_rolled_back_failed_and_what_runs_again_is_a_deployment_of_its_own() {
    let Some(it) = Pipeline::new(&failing()) else { return };
    let mut commits = Vec::new();
    for (image, code) in [("acme/one", 0), ("acme/two", 5)] {
        let before = it.head("main");
        it.git(&["checkout", "--quiet", "-B", "main"]);
        it.write("main.dax", &failing().replace("acme/web", image));
        let merged = Merged { before, after: it.commit(image) };
        commits.push(merged.after.clone());
        // No pull request: nobody agreed to it by merging, so somebody has to say that it may be.
        ended(it.job(&it.pushed(&merged)).dax(&["ci", "-e", "production"]), 0);
        ended(it.apply(&merged, &["-e", "production"]), 3);
        ended(it.apply(&merged, &["-e", "production", "--unreviewed"]), code);
    }
    let world = it.github.world.lock().expect("nobody fails with this lock");
    let all: Vec<String> = world
        .deployments
        .iter()
        .map(|(made, _)| made["ref"].as_str().unwrap_or_default().to_owned())
        .collect();
    drop(world);
    assert_eq!(all, [&*commits[0], &*commits[1], &*commits[0]]);
    assert_eq!(
        it.deployments("production"),
        ["queued in_progress success inactive", "queued in_progress failure", "success"]
    );
    assert_eq!(it.image("production").as_deref(), Some("acme/one:1"));
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

#[test]
fn the_buttons_of_a_check_plan_again_and_approve() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let number = it.propose("feature", &PROGRAM.replace("acme/web", "acme/shop-web"));
    ended(it.plan(number), 0);
    it.github.pass(5);
    let pressed = |button: &str, by: &str| {
        let head = it.head_of(number);
        let event = it.button(number, button, by).at(&head, Some("feature"));
        it.job(&event).dax(&["ci"])
    };
    ended(pressed("replan", "bob"), 0);
    it.github.pass(5);
    // The author is `admin` here.
    let said = ended(pressed("approve", "admin"), 0);
    has(&said.err, &["`admin`", "approve"]);
    lacks_approval(&it, number);
    let said = ended(pressed("approve", "ann"), 0);
    has(&said.err, &["`ann` approved the plan", "of `production`"]);
    ended(it.apply(&it.merge(number), &[]), 0);
    assert_eq!(it.approved_by("production"), ["ann"]);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
}

fn lacks_approval(it: &Pipeline, number: u64) {
    has(&it.comment(number, "<!-- dax:shop:production -->"), &["team:sre", "0 of 1"]);
}

#[test]
fn more_than_fifty_remarks_come_in_batches_and_an_enterprise_server_has_its_api_below_a_path() {
    let services: Vec<String> = (0..70).map(|at| format!("s{at}")).collect();
    let mut program =
        "import memory from \"std/memory\"\n\nprovider memory.world {\n}\n".to_owned();
    for name in &services {
        program.push_str(&format!("\nservice {name} {{\n  image = \"acme/{name}:1\"\n}}\n"));
    }
    let Some(mut it) = Pipeline::new(&program) else { return };
    it.remote.variables =
        vec![("GITHUB_API_URL".to_owned(), format!("{}/api/v3", it.github.url()))];
    let all = services.join(", ");
    let environment = format!("\nenvironment dev {{\n  bind [{all}] to memory.world\n}}\n");
    let number = it.propose("feature", &(program + &environment));
    ended(it.plan(number), 0);
    let asked = it.github.asked();
    let of_check = asked.iter().filter(|one| {
        let read = one.method() == "GET" || one.body.contains("finished");
        one.line.contains("/check-runs") && !read
    });
    let batches: Vec<usize> = of_check
        .map(|one| {
            let body: Json = serde_json::from_str(&one.body).expect("JSON");
            body["output"]["annotations"].as_array().map_or(0, Vec::len)
        })
        .collect();
    // It begins without any, ends with as many as one request may have, and gets the rest after that: GitHub adds them to those
    // before, where the server of the tests puts them in their place.
    assert_eq!(batches, [0, 50, 20]);
    let below = |path: &str| path.starts_with("/api/v3/") || path == "/api/graphql";
    assert!(
        asked.iter().all(|one| below(one.path()) || one.body.contains("finished")),
        "below the path"
    );
    clean(&it.github, &[SECRET, ADMIN, ANN]);
}

#[test]
fn a_merge_group_that_is_gone_is_cancelled() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let number = it.propose("feature", &PROGRAM.replace("acme/web", "acme/shop-web"));
    let mut group = it.merge_group(&[number]);
    group.payload["action"] = json!("destroyed");
    group.payload["reason"] = json!("dequeued");
    ended(it.job(&group).dax(&["ci"]), 0);
    assert_eq!(it.conclusion(&group.sha), "cancelled");
    clean(&it.github, &[SECRET, ADMIN, ANN]);
}

#[test]
fn somebody_logs_in_by_a_code_in_a_browser() {
    let Some(remote) = Remote::new(PROGRAM) else { return };
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
    let said = remote.dax(&["login", "--server", &server.url(), "--client-id", "Iv1.0123"]);
    let said = ended(said, 0);
    assert_eq!(said.out, "gho_token_of_the_tests\n");
    has(&said.err, &["open https://github.com/login/device and type WDJB-MJHT"]);
    let first = &server.asked()[0];
    assert!(
        first.body.contains("Iv1.0123") && first.header("accept") == Some("application/json"),
        "{first:?}"
    );
}
