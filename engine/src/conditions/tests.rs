//! Each kind of condition, both ways; and that no loosening is missed, over random conditions.

use super::asked::{Question, answer};
use super::*;
use dax_plan::model::ApprovalGate;
use dax_render::Rule;

fn names<T: From<&'static str> + Ord>(names: &[&'static str]) -> BTreeSet<T> {
    names.iter().map(|name| T::from(name)).collect()
}

fn rule(count: u32, of: &[&str]) -> ApprovalRule {
    ApprovalRule { count, of: of.iter().map(|name| Name::from(*name)).collect() }
}

fn window(days: &[&str], from: &str, to: &str, zone: &str) -> WindowRule {
    let days = days.iter().map(|day| Name::from(*day)).collect();
    WindowRule { days, from: from.into(), to: to.into(), zone: zone.into() }
}

fn gate(service: &str, step: &str, weight: u32, rule: ApprovalRule) -> StepGate {
    StepGate { service: ResourceAddr::service(service), step: step.to_owned(), weight, rule }
}

fn policy(name: &str, digest: &str) -> PolicyRule {
    PolicyRule { name: name.into(), phase: "plan".into(), digest: digest.into() }
}

fn after(environment: &str, soak_ms: u64, verified: bool, valid_ms: u64) -> AfterRule {
    AfterRule { environment: environment.into(), soak_ms, verified, valid_ms }
}

/// Conditions with something of each kind.
fn all() -> Conditions {
    Conditions {
        approvals: vec![rule(1, &["team:sre"])],
        groups: BTreeMap::from([
            ("team:sre".into(), names(&["ann", "bob"])),
            ("team:qa".into(), names(&["cid"])),
        ]),
        signers: Some(BTreeSet::from(["ann ssh-ed25519 AAAAannannannann".to_owned()])),
        windows: vec![window(&["mon"], "09:00", "17:00", "UTC")],
        after: vec![after("staging", 3_600_000, true, 7_200_000)],
        on_failure: "rollback".into(),
        protected: BTreeSet::from([ResourceAddr::service("web")]),
        gates: vec![gate("web", "canary step 2", 2500, rule(1, &["team:qa"]))],
        strategies: Vec::new(),
        policies: vec![policy("enough", "aaa")],
        preview: false,
    }
}

/// The changes that an edit makes, `!` before those that loosen.
fn shown(old: &Conditions, edit: impl FnOnce(&mut Conditions)) -> String {
    let mut new = old.clone();
    edit(&mut new);
    let line = |change: &ConditionChange| {
        format!("{} {change}", if change.loosens { "!" } else { " " }).trim_end().to_owned()
    };
    compare(old, &new).iter().map(line).collect::<Vec<_>>().join("\n")
}

/// An edit forth and back: what it says, and what its contrary says.
fn both(edit: impl FnOnce(&mut Conditions)) -> [String; 2] {
    let old = all();
    let mut new = old.clone();
    edit(&mut new);
    let back = old.clone();
    [shown(&old, |it| *it = new.clone()), shown(&new, |it| *it = back)]
}

#[test]
fn a_removed_approval_rule_is_named_with_its_people() {
    let [forth, back] = both(|it| it.approvals.clear());
    assert_eq!(forth, "! approvals: 1 of team:sre (ann, bob) → none");
    assert_eq!(back, "  approvals: none → 1 of team:sre (ann, bob)");
}

#[test]
fn fewer_or_other_people_loosen_and_more_or_some_of_them_do_not() {
    let [forth, back] = both(|it| it.approvals = vec![rule(2, &["team:sre"])]);
    assert_eq!(forth, "  approvals: 1 of team:sre (ann, bob) → 2 of team:sre (ann, bob)");
    assert_eq!(back, "! approvals: 2 of team:sre (ann, bob) → 1 of team:sre (ann, bob)");
    let [forth, back] = both(|it| it.approvals = vec![rule(1, &["ann"])]);
    assert_eq!(forth, "  approvals: 1 of team:sre (ann, bob) → 1 of ann");
    assert_eq!(back, "! approvals: 1 of ann → 1 of team:sre (ann, bob)");
    assert!(shown(&all(), |it| it.approvals = vec![rule(1, &["acme/sre"])]).starts_with("! "));
    assert!(shown(&all(), |it| it.approvals = vec![rule(1, &[])]).starts_with("! "));
}

#[test]
fn a_new_member_of_a_group_is_named_and_loosens() {
    let gains = |it: &mut Conditions| {
        it.groups.insert("team:sre".into(), names(&["ann", "bob", "malloryalt"]));
    };
    let [forth, back] = both(gains);
    assert_eq!(forth, "! team:sre gains malloryalt");
    assert_eq!(back, "  team:sre loses malloryalt");
    // Names at code hosts have no letter case.
    let cased = |it: &mut Conditions| {
        it.groups.insert("team:sre".into(), names(&["Ann", "BOB"]));
    };
    assert_eq!(both(cased), [String::new(), String::new()]);
}

#[test]
fn a_team_of_a_code_host_that_becomes_a_group_of_dax_mod_loosens() {
    let old = Conditions { approvals: vec![rule(1, &["acme/platform"])], ..Conditions::default() };
    let said = shown(&old, |it| {
        it.groups.insert("acme/platform".into(), names(&["eve"]));
    });
    assert_eq!(said, "! acme/platform gains eve and is a group of dax.mod now");
}

#[test]
fn policies_protection_and_steps_are_conditions() {
    let [forth, back] = both(|it| it.policies.clear());
    assert_eq!([forth.as_str(), &back], ["! policy `enough` removed", "  policy `enough` added"]);
    let [forth, back] = both(|it| it.policies[0].digest = "bbb".into());
    assert_eq!([forth.as_str(), &back], ["! policy `enough` changed"; 2]);
    let [forth, back] = both(|it| it.protected.clear());
    assert_eq!([forth.as_str(), &back], ["! `protect` of web removed", "  `protect` of web added"]);
    let [forth, back] = both(|it| it.gates.clear());
    assert_eq!(
        [forth.as_str(), &back],
        [
            "! gate of canary step 2 of web removed: 1 of team:qa (cid) at 25 % of the traffic",
            "  gate of canary step 2 of web added: 1 of team:qa (cid) at 25 % of the traffic"
        ]
    );
    let [forth, back] = both(|it| it.gates[0].weight = 5000);
    assert!(forth.starts_with("! gate of canary step 2 of web: ") && forth.contains("50 %"));
    assert!(back.starts_with("  gate of canary step 2 of web: "), "{back}");
}

#[test]
fn a_failure_that_takes_less_back_loosens() {
    let ends = |policy: &str| both(|it| it.on_failure = policy.into());
    let [forth, back] = ends("rollback_all");
    assert_eq!(forth, "  on failure: rollback → rollback_all");
    assert_eq!(back, "! on failure: rollback_all → rollback");
    let [forth, back] = ends("continue");
    assert_eq!(forth, "! on failure: rollback → continue");
    assert_eq!(back, "  on failure: continue → rollback");
    let [forth, back] = ends("hold");
    assert!(forth.starts_with("! ") && back.starts_with("! "), "{forth} {back}");
    assert_eq!(ends("rollback"), [String::new(), String::new()]);
}

#[test]
fn a_window_that_is_longer_or_by_another_clock_loosens() {
    let [forth, back] = both(|it| it.windows = vec![window(&["mon"], "10:00", "16:00", "UTC")]);
    assert_eq!(forth, "  windows: mon 09:00–17:00 UTC → mon 10:00–16:00 UTC");
    assert_eq!(back, "! windows: mon 10:00–16:00 UTC → mon 09:00–17:00 UTC");
    let [forth, back] = both(|it| it.windows.clear());
    assert_eq!(forth, "! windows: mon 09:00–17:00 UTC → at any time");
    assert_eq!(back, "  windows: at any time → mon 09:00–17:00 UTC");
    let zone = |it: &mut Conditions| it.windows[0].zone = "Europe/Vienna".into();
    assert!(shown(&all(), zone).starts_with("! "));
    // One past midnight is two of their own.
    let night = vec![window(&["sun"], "22:00", "04:00", "UTC")];
    let old = Conditions { windows: night, ..all() };
    let early = vec![window(&["mon"], "00:00", "04:00", "UTC")];
    assert!(shown(&old, |it| it.windows = early).starts_with("  "));
}

#[test]
fn an_environment_that_comes_first_for_shorter_loosens() {
    let [forth, back] = both(|it| it.after[0].soak_ms = 60_000);
    assert!(forth.starts_with("! after staging: ") && back.starts_with("  "), "{forth} {back}");
    let [forth, back] = both(|it| it.after[0].verified = false);
    assert!(forth.starts_with("! after staging: ") && back.starts_with("  "), "{forth} {back}");
    let [forth, back] = both(|it| it.after[0].valid_ms = 0);
    assert!(forth.starts_with("! after staging: ") && back.starts_with("  "), "{forth} {back}");
    let [forth, back] = both(|it| it.after.clear());
    assert!(forth.starts_with("! after staging: ") && forth.ends_with("→ none"), "{forth}");
    assert!(back.starts_with("  after staging: none → "), "{back}");
}

#[test]
fn signers_and_previews_are_conditions() {
    let bob = "bob ssh-ed25519 AAAAbobbobbobbob".to_owned();
    let [forth, back] = both(|it| {
        it.signers.get_or_insert_default().insert(bob);
    });
    assert_eq!(forth, "! the allowed signers gain bob (…bobbobbobbob)");
    assert_eq!(back, "  the allowed signers lose bob (…bobbobbobbob)");
    let [forth, back] = both(|it| it.signers = None);
    assert!(forth.starts_with("! ") && back.starts_with("  "), "{forth} {back}");
    let [forth, back] = both(|it| it.preview = true);
    assert!(forth.starts_with("! ") && back.starts_with("  "), "{forth} {back}");
}

#[test]
fn they_read_back_and_a_digest_tells_them_apart() {
    let json = serde_json::to_string(&all()).expect("JSON");
    assert_eq!(serde_json::from_str::<Conditions>(&json).expect("conditions"), all());
    let other = Conditions { preview: true, ..all() };
    assert_ne!(all().digest(), other.digest());
    assert_eq!(all().digest(), all().digest());
}

fn approval(by: &str, groups: &[&str]) -> Approval {
    Approval {
        digest: Name::default(),
        step: None,
        by: by.into(),
        groups: groups.iter().map(|group| Name::from(*group)).collect(),
        reason: String::new(),
        at_ms: 0,
        signature: None,
        names: Vec::new(),
    }
}

/// Whether a plan that does something may run, and what it is told.
fn asked(new: &Conditions, old: &Conditions, by: &[Approval], is_empty: bool) -> (bool, String) {
    let gates: Vec<ApprovalGate> = new
        .approvals
        .iter()
        .map(|rule| ApprovalGate { count: rule.count, of: rule.of.clone(), span: String::new() })
        .collect();
    let found = answer(&Question {
        gates: if is_empty { &[] } else { &gates },
        is_empty,
        new,
        old: &[(Rule::Applied, old)],
        approvals: by,
    });
    let lacking = found.progress.iter().filter(|one| one.lacking() > 0);
    let texts: Vec<String> = lacking.map(dax_render::Progress::lacking_text).collect();
    (found.is_approved() && found.recheck.is_empty(), texts.join("; "))
}

#[test]
fn who_guarded_before_approves_that_the_guard_goes() {
    let old = all();
    let new = Conditions { approvals: Vec::new(), ..all() };
    for is_empty in [false, true] {
        let (may, said) = asked(&new, &old, &[approval("mallory", &["team:sre"])], is_empty);
        assert!(!may);
        assert_eq!(said, "1 of team:sre, by the rule of the last apply (ann, bob)");
        assert!(asked(&new, &old, &[approval("Ann", &[])], is_empty).0);
    }
}

#[test]
fn a_new_member_does_not_approve_that_they_are_one() {
    let mut new = all();
    new.groups.insert("team:sre".into(), names(&["ann", "bob", "malloryalt"]));
    assert!(!asked(&new, &all(), &[approval("malloryalt", &[])], false).0);
    assert!(asked(&new, &all(), &[approval("bob", &[])], false).0);
    // Once that was applied, they are.
    assert!(asked(&new, &new, &[approval("malloryalt", &[])], false).0);
}

#[test]
fn a_gate_of_a_step_that_goes_is_approved_by_its_own_people_as_well() {
    let new = Conditions { gates: Vec::new(), ..all() };
    let (may, said) = asked(&new, &all(), &[approval("ann", &[])], false);
    assert!(!may);
    assert_eq!(said, "1 of team:qa, by the rule of the last apply (cid)");
    assert!(asked(&new, &all(), &[approval("ann", &[]), approval("cid", &[])], false).0);
}

#[test]
fn where_nobody_was_named_the_former_rules_are_looked_at_for_a_plan_that_does_something() {
    let old = Conditions { approvals: Vec::new(), gates: Vec::new(), ..all() };
    let new = Conditions { policies: Vec::new(), ..old.clone() };
    assert!(!asked(&new, &old, &[], false).0);
    assert!(asked(&new, &old, &[], true).0);
    assert!(asked(&old, &old, &[], false).0);
}

#[test]
fn what_only_tightens_asks_nobody_of_before() {
    let old = Conditions { approvals: Vec::new(), ..all() };
    assert!(asked(&all(), &old, &[approval("bob", &[])], false).0);
    assert!(asked(&all(), &old, &[], true).0);
}

/// Numbers that look like chance and are the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }

    fn some(&mut self, of: &[&'static str]) -> Vec<&'static str> {
        of.iter().filter(|_| self.below(2) == 0).copied().collect()
    }
}

const PEOPLE: [&str; 5] = ["ann", "bob", "cid", "Dan", "team-a"];
const NAMED: [&str; 7] = ["ann", "cid", "team:a", "team:b", "team-a", "acme/x", "dan"];

fn random(chance: &mut Chance) -> Conditions {
    let rules = |chance: &mut Chance| {
        let count = u32::try_from(1 + chance.below(2)).unwrap_or(1);
        rule(count, &chance.some(&NAMED))
    };
    let approvals = (0..chance.below(3)).map(|_| rules(chance)).collect();
    let mut gates = Vec::new();
    for weight in [1000, 5000] {
        if chance.below(2) == 0 {
            gates.push(gate("web", &format!("canary step {weight}"), weight, rules(chance)));
        }
    }
    let mut found = Conditions { approvals, gates, ..Conditions::default() };
    for group in ["team:a", "team:b", "team-a"] {
        let is_named = found.rules().any(|rule| rule.of.iter().any(|name| name == group));
        if is_named && chance.below(4) > 0 {
            found.groups.insert(group.into(), names(&chance.some(&PEOPLE)));
        }
    }
    found
}

/// Whether people satisfy all approval rules.
fn satisfied(conditions: &Conditions, by: &[Approval]) -> bool {
    conditions.approvals.iter().all(|rule| {
        let people: BTreeSet<String> = by
            .iter()
            .filter(|one| conditions.may_approve(&rule.of, one))
            .map(|one| one.by.to_lowercase())
            .collect();
        people.len() >= rule.count as usize
    })
}

#[test]
fn one_gate_stands_for_one_gate() {
    let gate = |weight: u32| StepGate {
        service: ResourceAddr::service("web"),
        step: format!("canary step {weight}"),
        weight,
        rule: ApprovalRule { count: 1, of: vec!["team:sre".into()] },
    };
    let with = |weights: &[u32]| Conditions {
        gates: weights.iter().map(|weight| gate(*weight)).collect(),
        ..Conditions::default()
    };
    let loosens = |old: &[u32], new: &[u32]| {
        compare(&with(old), &with(new)).iter().any(|change| change.loosens)
    };
    assert!(loosens(&[1000, 5000], &[1000]));
    assert!(!loosens(&[1000, 5000], &[1000, 4000]));
    assert!(loosens(&[1000, 5000], &[2000, 5000]));
}

#[test]
fn a_rule_that_nobody_could_keep_is_asked_of_those_who_guard_so_far() {
    let with = |count: u32, members: &[&str]| Conditions {
        approvals: vec![ApprovalRule { count, of: vec!["team:sre".into()] }],
        groups: BTreeMap::from([(
            "team:sre".into(),
            members.iter().map(|name| Name::from(*name)).collect(),
        )]),
        ..Conditions::default()
    };
    let loosens =
        |old: &Conditions, new: &Conditions| compare(old, new).iter().any(|change| change.loosens);
    let two = with(1, &["ann", "bob"]);
    assert!(!loosens(&two, &with(2, &["ann", "bob"])));
    assert!(loosens(&two, &with(9, &["ann", "bob"])));
    assert!(loosens(&with(2, &["ann", "bob"]), &with(2, &["ann"])));
}

#[test]
fn no_loosening_is_missed_and_equal_conditions_have_no_change() {
    let mut chance = Chance(17);
    let (mut loosened, mut kept) = (0, 0);
    for _ in 0..3_000 {
        let old = random(&mut chance);
        let new = if chance.below(8) == 0 { old.clone() } else { random(&mut chance) };
        assert_eq!(compare(&old, &old), []);
        let loosens = compare(&old, &new).iter().any(|change| change.loosens);
        loosened += usize::from(loosens);
        kept += usize::from(!loosens);
        for _ in 0..8 {
            let people = chance.some(&["ann", "bob", "cid", "dan", "team-a", "eve"]);
            let by: Vec<Approval> = people
                .iter()
                .map(|name| approval(name, if chance.below(3) == 0 { &["acme/x"] } else { &[] }))
                .collect();
            // What the new rules let through and the old ones did not is a loosening.
            if satisfied(&new, &by) && !satisfied(&old, &by) {
                assert!(loosens, "{old:#?}\n{new:#?}\n{by:?}");
            }
            // Nothing runs that the former rules hold up, but for those that a change keeps.
            if asked(&new, &old, &by, false).0 {
                assert!(satisfied(&new, &by) && satisfied(&old, &by), "{old:#?}\n{new:#?}\n{by:?}");
            }
        }
        let holds = |gate: &StepGate| compare::is_gate_kept(&old, gate, &new);
        assert!(loosens || old.gates.iter().all(holds), "{old:#?}\n{new:#?}");
    }
    assert!(loosened > 300 && kept > 300, "{loosened} {kept}");
}

fn strategy(services: &[&str], kind: &str, fields: &[(&str, &[&str])]) -> StrategyRule {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    StrategyRule {
        kind: kind.into(),
        fields: fields.iter().map(|(name, items)| ((*name).into(), texts(items))).collect(),
        services: services.iter().map(|name| ResourceAddr::service(name)).collect(),
    }
}

#[test]
fn a_strategy_that_changes_loosens_and_is_shown_field_by_field() {
    let both = ["api", "web"];
    let careful = |services: &[&str]| {
        strategy(services, "canary", &[("retain", &["2"]), ("step", &["25%", "50%"])])
    };
    let job = || strategy(&["job"], "rolling", &[]);
    let old = Conditions { strategies: vec![careful(&both), job()], ..all() };
    let edit = |new: Vec<StrategyRule>| shown(&old, |it| it.strategies = new);
    let fields: &[(&str, &[&str])] =
        &[("hook", &["curl"]), ("retain", &["2"]), ("step", &["50%", "99%"])];
    assert_eq!(
        edit(vec![strategy(&both, "canary", fields), job()]),
        "! `hook` of the strategy of api, web added: curl\n\
         ! `step` of the strategy of api, web: 25% → 99%"
    );
    assert_eq!(
        edit(vec![careful(&["api"]), strategy(&["job", "web"], "rolling", &[])]),
        "! strategy of web: canary → rolling"
    );
    assert_eq!(
        edit(vec![strategy(&both, "immediate", &[("migrate", &["./drop"])]), job()]),
        "! strategy of api, web: canary → immediate\n\
         ! `migrate` of the strategy of api, web added: ./drop"
    );
    let turned: &[(&str, &[&str])] = &[("retain", &["2"]), ("step", &["50%", "25%"])];
    assert_eq!(
        edit(vec![strategy(&both, "canary", turned), job()]),
        "! `step` of the strategy of api, web: 25%, 50% → 50%, 25%"
    );
    // A service that is new, or gone, is shown by the plan.
    assert_eq!(edit(vec![careful(&["api"]), strategy(&["new"], "canary", fields)]), "");
}
