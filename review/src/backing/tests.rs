//! The decision about reviews and plans, case by case.

use super::*;

fn plan(commit: &str, at_s: u64, effect: &str, parts: &[&str]) -> Shown {
    let part = |text: &&str| Part {
        of: "service.web".to_owned(),
        kind: (*text).to_owned(),
        content: String::new(),
    };
    Shown {
        commit: commit.repeat(10),
        at_ms: at_s * 1000,
        certain: true,
        effect: effect.to_owned(),
        parts: parts.iter().map(part).collect(),
    }
}

fn review(commit: &str, at_s: u64) -> (String, Option<u64>) {
    (commit.repeat(10), Some(at_s * 1000))
}

fn effect(review: &(String, Option<u64>), plans: &[Shown]) -> Result<String, Unseen> {
    let one = Seen { commit: Some(&review.0), at_ms: review.1 };
    seen(&one, plans, &BTreeSet::new()).map(|plan| plan.effect.clone())
}

#[test]
fn a_review_is_of_the_newest_plan_before_it_and_of_none_after_it() {
    let plans = [plan("a", 10, "first", &[]), plan("a", 20, "second", &[])];
    assert_eq!(effect(&review("a", 5), &plans), Err(Unseen::Early));
    assert_eq!(effect(&review("a", 15), &plans).as_deref(), Ok("first"));
    assert_eq!(effect(&review("a", 25), &plans).as_deref(), Ok("second"));
}

#[test]
fn what_happens_in_one_second_may_have_happened_the_other_way_round() {
    let plans = [plan("a", 10, "first", &[])];
    assert_eq!(effect(&review("a", 10), &plans), Err(Unseen::Early));
    assert_eq!(effect(&review("a", 11), &plans).as_deref(), Ok("first"));
    let plans = [plan("a", 10, "first", &[]), plan("a", 20, "second", &[])];
    assert_eq!(effect(&review("a", 20), &plans), Err(Unseen::Uncertain));
    let plans = [plan("a", 10, "first", &[]), plan("a", 20, "first", &[])];
    assert_eq!(effect(&review("a", 20), &plans).as_deref(), Ok("first"));
}

#[test]
fn a_review_of_a_commit_that_gave_way_to_a_push_counts_for_nothing() {
    let plans = [plan("a", 10, "first", &[]), plan("b", 20, "second", &[])];
    assert_eq!(effect(&review("a", 25), &plans), Err(Unseen::OtherCommit));
}

#[test]
fn a_plan_that_may_not_have_been_shown_is_seen_by_nobody() {
    let mut plans = vec![plan("a", 10, "first", &[]), plan("a", 20, "second", &[])];
    plans[1].certain = false;
    assert_eq!(effect(&review("a", 25), &plans), Err(Unseen::Uncertain));
    plans.push(plan("a", 22, "second", &[]));
    assert_eq!(effect(&review("a", 25), &plans).as_deref(), Ok("second"));
    assert_eq!(effect(&review("a", 21), &plans), Err(Unseen::Uncertain));
}

#[test]
fn without_a_time_all_plans_of_the_commit_must_do_the_same() {
    let one = |plans: &[Shown]| effect(&("a".repeat(10), None), plans);
    assert_eq!(one(&[plan("a", 10, "first", &[])]).as_deref(), Ok("first"));
    let before = Shown { certain: false, ..plan("a", 9, "first", &[]) };
    assert_eq!(one(std::slice::from_ref(&before)), Err(Unseen::Uncertain));
    assert_eq!(one(&[before, plan("a", 10, "first", &[])]).as_deref(), Ok("first"));
    let twice = [plan("a", 10, "first", &[]), plan("a", 20, "second", &[])];
    assert_eq!(one(&twice), Err(Unseen::Uncertain));
    let unknown = Seen { commit: None, at_ms: Some(30_000) };
    assert_eq!(seen(&unknown, &twice, &BTreeSet::new()), Err(Unseen::Unknown));
}

#[test]
fn a_plan_of_the_merged_commit_is_shown_for_its_change_request_too() {
    let plans = [plan("a", 10, "first", &[]), plan("c", 20, "merged", &[])];
    let merged = BTreeSet::from(["c".repeat(10)]);
    let one = review("a", 25);
    let seen = seen(&Seen { commit: Some(&one.0), at_ms: one.1 }, &plans, &merged);
    assert_eq!(seen.map(|plan| plan.effect.as_str()), Ok("merged"));
    assert_eq!(made(&plans[0], Some(&one.0), &merged), Some(Made::Before));
    assert_eq!(made(&plans[1], Some(&one.0), &merged), Some(Made::After));
    assert_eq!(made(&plans[1], Some(&one.0), &BTreeSet::new()), None);
    // Without a change request there was no merge by which anybody agreed.
    assert_eq!(made(&plans[0], None, &merged), Some(Made::After));
}

fn candidate(change: usize, plan: &Shown, approved: bool) -> Candidate {
    Candidate { change, plan: plan.clone(), made: Made::Before, approved }
}

#[test]
fn a_plan_is_backed_by_one_that_does_the_same_or_by_several_that_show_all_of_its_parts() {
    let (image, size) = (plan("a", 10, "image", &["image"]), plan("b", 20, "size", &["replicas"]));
    let both = plan("m", 0, "both", &["image", "replicas"]);
    let candidates = [candidate(0, &image, true), candidate(1, &size, true)];
    assert_eq!(backing(&both, &candidates), Backing::By(BTreeSet::from([0, 1])));
    assert_eq!(backing(&size, &candidates), Backing::By(BTreeSet::from([1])));
    let more = plan("m", 0, "more", &["image", "replicas", "env"]);
    let Backing::Lacks(lacks) = backing(&more, &candidates) else { panic!("env was never shown") };
    assert_eq!(lacks.into_iter().map(|part| part.kind).collect::<Vec<_>>(), ["env"]);
}

#[test]
fn one_of_the_merged_commit_counts_when_it_is_approved_or_when_the_others_do_not_show_it_all() {
    let (image, size) = (plan("a", 10, "image", &["image"]), plan("b", 20, "size", &["replicas"]));
    let both = plan("m", 30, "both", &["image", "replicas"]);
    let after = |approved| Candidate { made: Made::After, ..candidate(1, &both, approved) };
    let all = |approved| [candidate(0, &image, true), candidate(1, &size, true), after(approved)];
    assert_eq!(backing(&both, &all(false)), Backing::By(BTreeSet::from([0, 1])));
    assert_eq!(backing(&both, &all(true)), Backing::By(BTreeSet::from([2])));
    let part = [candidate(0, &image, true), after(false)];
    assert_eq!(backing(&both, &part), Backing::By(BTreeSet::from([1])));
}

#[test]
fn what_was_approved_and_taken_back_is_not_approved_when_another_brings_it_again() {
    let first = plan("a", 10, "image", &["image"]);
    let again = plan("c", 30, "image", &["image"]);
    let candidates = [candidate(0, &first, true), candidate(2, &again, false)];
    let wanted = plan("m", 0, "image", &["image"]);
    assert_eq!(backing(&wanted, &candidates), Backing::By(BTreeSet::from([1])));
}

#[test]
fn what_surrounds_a_change_asks_nobody_else() {
    let way = Part {
        of: "service.web".to_owned(),
        kind: "change".to_owned(),
        content: "[\"rollout\",null]".to_owned(),
    };
    let mut image = plan("a", 10, "image", &["image"]);
    image.parts.insert(way.clone());
    let mut later = plan("b", 20, "size", &["replicas"]);
    later.parts.insert(way);
    let candidates = [candidate(0, &image, true), candidate(1, &later, false)];
    assert_eq!(backing(&image, &candidates), Backing::By(BTreeSet::from([0])));
}

#[test]
fn of_plans_that_show_a_part_the_approved_ones_count_and_of_these_the_latest() {
    let seen = plan("a", 10, "image", &["image"]);
    let replanned = plan("a", 30, "image and evil", &["image", "evil"]);
    let candidates = [candidate(0, &seen, true), candidate(0, &replanned, false)];
    let wanted = plan("m", 0, "image, later", &["image"]);
    assert_eq!(backing(&wanted, &candidates), Backing::By(BTreeSet::from([0])));
    let evil = plan("m", 0, "image and evil", &["image", "evil"]);
    assert_eq!(backing(&evil, &candidates), Backing::By(BTreeSet::from([0, 1])));
}
