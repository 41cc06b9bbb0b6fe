//! Comments as reviewers read them: the seven cases that a reviewer judged, and what becomes of each.

use dax_plan::{Plan, digest};
use dax_render::{Flavour, Progress, Rule, Standing};
use dax_review::comment::{
    Before, CommentInput, Condition, Content, Deployed, Ending, Frame, Lapsed, NotApplied, Outcome,
    PlanShown, comment, page, superseded,
};
use dax_tests::Files;
use dax_tests::plans::two_worlds;

const COMMIT: &str = "3aae454973b1a2c3d4e5f60718293a4b5c6d7e8f";
const RUN: &str = "https://github.com/acme/shop/actions/runs/77";
/// 2026-11-27 05:12 UTC.
const AT: u64 = 1_795_756_320_000;

const SHOP: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image    = "acme/web:1"
  replicas = 3
  env      = { HOST: "shop.example.com" }
}

environment dev {
  bind web to memory.world
  approve 1 of ["team:sre"]
}
"#;

const API: &str = r#"
service api {
  image = "acme/api:7"
}
"#;

/// The plan of one program upon another.
fn planned(before: &str, after: &str) -> Plan {
    let mut files = Files::project(after);
    files.0.insert("before.dax".to_owned(), before.to_owned());
    let (_, made) = two_worlds(&files);
    let mut plan = made.plan;
    (plan.project, plan.environment) = ("shop".into(), "production".into());
    plan
}

fn with_api(text: &str) -> String {
    format!("{text}{API}").replace("bind web to", "bind [web, api] to")
}

/// An approval rule of `team:sre`, of whom some have approved.
fn sre(approved: &[&str]) -> Standing {
    let progress = Progress {
        needed: 1,
        of: vec!["team:sre".into()],
        members: vec!["ann".into(), "bob".into()],
        approved: approved.iter().map(|name| (*name).into()).collect(),
        ..Progress::default()
    };
    Standing { approvals: vec![progress], ..Standing::default() }
}

fn shown(plan: Plan, standing: Standing) -> PlanShown {
    PlanShown {
        digest: digest::digest(&plan),
        plan,
        standing,
        policies: Vec::new(),
        denied: false,
        unseen: false,
        conditions: Vec::new(),
        lapsed: Vec::new(),
        before: None,
    }
}

fn input(content: Content) -> CommentInput {
    CommentInput {
        project: "shop".into(),
        environment: "production".into(),
        content,
        outcome: Outcome::default(),
        same_as: None,
    }
}

fn of(shown: PlanShown) -> CommentInput {
    input(Content::Plan(Box::new(shown)))
}

fn plan_of(input: &mut CommentInput) -> &mut PlanShown {
    match &mut input.content {
        Content::Plan(shown) => shown,
        _ => panic!("a plan"),
    }
}

fn frame(flavour: Flavour) -> Frame<'static> {
    Frame { flavour, commit: COMMIT, url: Some(RUN), budget: 65_000 }
}

fn first_push() -> CommentInput {
    let changed = SHOP.replace("web:1", "web:2").replace("replicas = 3", "replicas = 5");
    of(shown(planned(SHOP, &changed), sre(&[])))
}

fn second_push() -> CommentInput {
    let first = SHOP.replace("web:1", "web:2");
    let second = SHOP.replace("web:1", "web:3").replace("replicas = 3", "replicas = 7");
    let mut shown = shown(planned(SHOP, &second), sre(&[]));
    shown.before = Some(Before {
        commit: "18844a4699b1a2c3d4e5f60718293a4b5c6d7e8f".to_owned(),
        plan: planned(SHOP, &first),
        same: false,
    });
    shown.lapsed = vec![Lapsed {
        who: "ann".to_owned(),
        why: "approved another plan (b89fd7ffffb4) at 2026-11-27 12:03 UTC, which does not count for this one"
            .to_owned(),
    }];
    of(shown)
}

fn deleted() -> CommentInput {
    of(shown(planned(&with_api(SHOP), SHOP), sre(&[])))
}

/// A change of conditions alone: nothing that runs changes.
fn conditions_only(conditions: Vec<Condition>) -> CommentInput {
    let plan = planned(SHOP, SHOP);
    let loosens = conditions.iter().filter(|one| one.loosens);
    let loosens: Vec<String> = loosens.map(|one| one.what.clone()).collect();
    let mut standing = sre(&[]);
    if !loosens.is_empty() {
        standing.approvals.iter_mut().for_each(|one| one.rule = Rule::Base);
    }
    let mut shown = shown(plan, Standing { loosens, ..standing });
    shown.conditions = conditions;
    of(shown)
}

fn stricter() -> CommentInput {
    conditions_only(vec![Condition {
        what: "approvals".to_owned(),
        before: Some("1 of team:sre".to_owned()),
        after: Some("2 of team:sre".to_owned()),
        loosens: false,
        strategy: false,
    }])
}

fn looser() -> CommentInput {
    conditions_only(vec![
        Condition {
            what: "approvals".to_owned(),
            before: Some("1 of team:sre".to_owned()),
            after: None,
            loosens: true,
            strategy: false,
        },
        Condition {
            what: "team:sre".to_owned(),
            before: Some("ann, bob".to_owned()),
            after: Some("ann, bob, malloryalt".to_owned()),
            loosens: true,
            strategy: false,
        },
    ])
}

fn lacks_a_secret() -> CommentInput {
    let error = "main.dax:12:55: error[DAX7002]: the secret cannot be read: secret `key`: \
                 the environment variable `SHOP_KEY` is not set";
    input(Content::Failed(error.to_owned()))
}

fn not_applied() -> CommentInput {
    let mut one = first_push();
    plan_of(&mut one).standing = sre(&["ann"]);
    one.outcome.ending = Some(Ending::NotApplied(NotApplied {
        why: "what would be applied was not shown to reviewers".to_owned(),
        since_ms: Some(AT),
        remedy: Some(
            "approve pull request 13 once more, now that this plan is shown there, and run this job again"
                .to_owned(),
        ),
        lines: vec!["service.web: image was shown as 1 → 2 and would be 3 → 2".to_owned()],
    }));
    one
}

fn renamed() -> CommentInput {
    let moved = SHOP.replace("service web", "service shop").replace("bind web", "bind shop");
    let moved = format!("{moved}\nmoved web to shop\n");
    of(shown(planned(SHOP, &moved), sre(&[])))
}

/// The seven cases of which a reviewer judged the comments, in their order, with the loosened rule of the fourth.
fn judged() -> Vec<(&'static str, CommentInput)> {
    vec![
        ("1_first_push", first_push()),
        ("2_second_push", second_push()),
        ("3_deleted", deleted()),
        ("4_stricter_rule", stricter()),
        ("4_loosened_rule", looser()),
        ("5_secret_lacking", lacks_a_secret()),
        ("6_not_applied", not_applied()),
        ("7_renamed", renamed()),
    ]
}

#[test]
fn the_seven_comments_as_reviewers_read_them() {
    for (name, input) in judged() {
        super::compare("comments", name, &comment(&input, &frame(Flavour::GitHub)));
    }
}

#[test]
fn the_first_two_lines_are_the_decision_and_what_to_do() {
    for (name, input) in judged() {
        let text = comment(&input, &frame(Flavour::GitHub));
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert!(lines[0].starts_with("<!-- dax:shop:production -->"), "{name}");
        assert!(lines[1].starts_with("**production · "), "{name}: {}", lines[1]);
        assert!(
            text.matches("dax approve ").count() <= 1,
            "{name}: the approval stands there once"
        );
        let digest = input.plan().map(|shown| shown.digest.clone()).unwrap_or_default();
        assert!(digest.is_empty() || text.matches(&digest).count() <= 1, "{name}");
    }
}

#[test]
fn an_approved_and_an_applied_plan_say_so_and_ask_for_nothing() {
    let mut one = first_push();
    plan_of(&mut one).standing = sre(&["ann"]);
    let approved = comment(&one, &frame(Flavour::GitHub));
    assert!(approved.contains("· approved by ann**") && !approved.contains("dax approve"));
    super::compare("comments", "approved", &approved);
    let deployed = Deployed { run: 2, at_ms: AT, approved_by: vec!["ann".to_owned()] };
    one.outcome.ending = Some(Ending::Applied(deployed));
    let applied = comment(&one, &frame(Flavour::GitHub));
    assert!(!applied.contains("dax approve") && !applied.contains("To approve"));
    super::compare("comments", "applied", &applied);
}

#[test]
fn a_run_that_lost_a_race_does_not_contradict_the_one_that_won() {
    let mut one = not_applied();
    let deployed = Deployed { run: 2, at_ms: AT, approved_by: vec!["ann".to_owned()] };
    one.outcome.deployed = Some(deployed);
    let text = comment(&one, &frame(Flavour::GitHub));
    assert!(
        text.contains("**production · applied by run 2 at 2026-11-27 05:12 UTC, approved by ann**")
    );
    assert!(!text.contains("not applied"), "{text}");
    // Nor does one that finds nothing left to do.
    let late =
        comment(&CommentInput { content: Content::NothingMore, ..one }, &frame(Flavour::GitHub));
    assert!(
        late.contains("**production · applied by run 2 at ") && !late.contains("count for nothing")
    );
}

#[test]
fn a_superseded_comment_keeps_its_marker_and_offers_no_approval() {
    for flavour in [Flavour::GitHub, Flavour::GitLab, Flavour::Bitbucket] {
        let old = comment(&second_push(), &frame(flavour));
        let once = superseded(&old, "the plan for commit 57f6c6cdd4");
        let twice = superseded(&once, "a push that breaks the program");
        for text in [&once, &twice] {
            assert_eq!(text.lines().next(), old.lines().next(), "the marker");
            assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("**Superseded by ")));
            assert!(!text.contains("dax approve"), "{text}");
            assert_eq!(text.matches("<details").count(), text.matches("</details>").count());
            assert_eq!(
                text.matches("The plan as it was").count(),
                usize::from(flavour != Flavour::Bitbucket)
            );
        }
        assert!(twice.contains("**Superseded by a push that breaks the program**"), "{twice}");
        if flavour == Flavour::GitHub {
            super::compare("comments", "superseded", &once);
        }
    }
}

#[test]
fn environments_with_one_difference_share_a_section() {
    let (mut staging, production) = (first_push(), first_push());
    staging.environment = "staging".into();
    plan_of(&mut staging).plan.environment = "staging".into();
    let text = page(&[staging, production, deleted()], &[], 3, &frame(Flavour::GitHub)).text;
    assert!(text.contains("### The same in production, staging"), "{text}");
    assert_eq!(text.matches("\"acme/web:1\" → \"acme/web:2\"").count(), 1, "{text}");
    super::compare("comments", "page", &text);
}

#[test]
fn a_big_value_leaves_the_image_in_every_flavour_and_nothing_is_called_less_risky() {
    let evil = SHOP.replace("acme/web:1", "acme/web:evil");
    let evil = evil.replace("shop.example.com", &"h".repeat(70_000));
    for flavour in [Flavour::GitHub, Flavour::GitLab, Flavour::Bitbucket] {
        let one = of(shown(planned(SHOP, &evil), sre(&[])));
        let budget = flavour.budget().min(65_000);
        let text = comment(&one, &Frame { budget, ..frame(flavour) });
        assert!(text.len() <= budget, "{} bytes", text.len());
        assert!(text.contains("\"acme/web:1\" → \"acme/web:evil\""), "{text}");
        assert!(text.contains("(70,000 characters, ") && !text.contains("less risky"), "{text}");
    }
}

#[test]
fn each_flavour_has_its_own_marker_and_its_own_way_to_fold() {
    for (flavour, name) in [(Flavour::GitLab, "gitlab"), (Flavour::Bitbucket, "bitbucket")] {
        super::compare("comments", name, &comment(&looser(), &frame(flavour)));
    }
}
