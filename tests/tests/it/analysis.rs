//! Analyses held against an independent, simple model of what the controllers of Argo Rollouts and Flagger do.
//!
//! The model is written from the rules as those controllers' code has them, in another shape than dax's own: it looks
//! at the whole stream of measurements at once. Every stream of up to six measurements is compared.

use dax_core::{Name, Value};
use dax_machine::journal::Entry;
use dax_machine::machine::{Command, Event};
use dax_machine::{Machine, Outcome};
use dax_plan::analysis::{
    Analysis, Baseline, Comparison, Condition, Decision, Limits, Measured, Metric, NoData,
    Semantics, Tally, Verdict, Worse, assess, judge, mann_whitney, worse,
};
use dax_plan::{Plan, Task};
use dax_tests::{Files, load, params, plan};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// One measurement: ok, fail, inconclusive, error, no data.
const LETTERS: [char; 5] = ['o', 'f', 'i', 'e', 'n'];

/// What came of a stream, and after how many of its measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Result {
    Passed(usize),
    Failed(usize),
    Undecided(usize),
    /// The stream is too short to tell; the next measurement comes after so many milliseconds.
    Running(u64),
}

impl std::fmt::Display for Result {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed(at) => write!(f, "passed after {at}"),
            Self::Failed(at) => write!(f, "failed after {at}"),
            Self::Undecided(at) => write!(f, "undecided after {at}"),
            Self::Running(ms) => write!(f, "again in {}s", ms / 1000),
        }
    }
}

/// The limits of one analysis, as those tools name them.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// Less than nothing switches it off.
    failure_limit: i64,
    inconclusive_limit: usize,
    consecutive_error_limit: usize,
    consecutive_success_limit: usize,
    count: usize,
}

/// The model: what Argo Rollouts makes of the first measurements of a stream, for growing firsts.
///
/// Rules: an empty result cannot be read by a condition, which is an error. Errors do not count as measurements. Of
/// limits that are passed at once the last of failures, inconclusive, errors decides. A metric ends when enough good
/// ones came in a row, or when its count is reached: that is good where only failures are limited, bad where only
/// successes are asked for, and open where both are.
fn argo_model(stream: &[char], settings: Settings) -> Result {
    for end in 1..=stream.len() {
        let seen: Vec<char> =
            stream[..end].iter().map(|letter| if *letter == 'n' { 'e' } else { *letter }).collect();
        let number = |wanted: char| seen.iter().filter(|letter| **letter == wanted).count();
        let tail = |wanted: char| seen.iter().rev().take_while(|letter| **letter == wanted).count();
        let failures = i64::try_from(number('f')).expect("few");
        let limited = settings.failure_limit >= 0;
        if tail('e') > settings.consecutive_error_limit {
            return Result::Failed(end);
        }
        if number('i') > settings.inconclusive_limit {
            return Result::Undecided(end);
        }
        if limited && failures > settings.failure_limit {
            return Result::Failed(end);
        }
        let asks = settings.consecutive_success_limit > 0;
        if asks && tail('o') >= settings.consecutive_success_limit {
            return Result::Passed(end);
        }
        let counted = end - number('e');
        if settings.count > 0 && counted >= settings.count {
            return match (limited, asks) {
                (true, true) => Result::Undecided(end),
                (false, true) => Result::Failed(end),
                (_, false) => Result::Passed(end),
            };
        }
    }
    let last = stream.last().copied().unwrap_or('o');
    Result::Running(if last == 'e' || last == 'n' { 10_000 } else { 30_000 })
}

/// The model: what Flagger makes of a stream of ticks over so many weights, each of which needs one good tick.
///
/// Rules: whatever is not good is one failed check, and failed checks are never forgotten. The threshold is looked
/// at when the next tick comes, before anything is measured: as many failed checks as the threshold end it there.
fn flagger_model(stream: &[char], threshold: usize, weights: usize) -> Result {
    for end in 0..stream.len() {
        let failed = stream[..end].iter().filter(|letter| **letter != 'o').count();
        if failed >= threshold {
            return Result::Failed(end);
        }
        if stream[..=end].iter().filter(|letter| **letter == 'o').count() == weights {
            return Result::Passed(end + 1);
        }
    }
    Result::Running(30_000)
}

fn verdict(letter: char) -> Verdict {
    match letter {
        'o' => Verdict::Pass,
        'f' => Verdict::Fail,
        'i' => Verdict::Inconclusive,
        'e' => Verdict::Error,
        _ => Verdict::NoData,
    }
}

fn analysis(semantics: Semantics, settings: Settings) -> Analysis {
    let compare = |op: Comparison, value: i64| Condition::Compare {
        metric: "m".into(),
        op,
        value: Value::Int(value),
    };
    Analysis {
        from: "local.machine".into(),
        every_ms: 30_000,
        window_ms: 30_000,
        initial_delay_ms: 0,
        metrics: BTreeMap::from([("m".into(), Metric { query: "m".into(), ty: "int".into() })]),
        require: vec![compare(Comparison::Less, 10)],
        forbid: vec![compare(Comparison::Greater, 20)],
        advise: Vec::new(),
        baseline: Vec::new(),
        count: u32::try_from(settings.count).expect("few"),
        limits: Limits {
            failures: u32::try_from(settings.failure_limit).ok(),
            consecutive_failures: None,
            inconclusive: Some(u32::try_from(settings.inconclusive_limit).expect("few")),
            errors: u32::try_from(settings.consecutive_error_limit).expect("few"),
            successes: u32::try_from(settings.consecutive_success_limit).expect("few"),
        },
        on_no_data: NoData::Error,
        semantics,
    }
}

/// What dax makes of a stream by Argo's rules.
fn argo(stream: &[char], settings: Settings) -> Result {
    let analysis = analysis(Semantics::Argo, settings);
    let mut tally = Tally::default();
    let mut last = Result::Running(0);
    for (at, letter) in stream.iter().enumerate() {
        last = match assess(&analysis, &mut tally, verdict(*letter), false) {
            Decision::Again(ms) => Result::Running(ms),
            Decision::Passed => return Result::Passed(at + 1),
            Decision::Failed(_) => return Result::Failed(at + 1),
            Decision::Undecided => return Result::Undecided(at + 1),
        };
    }
    last
}

/// What dax makes of a stream by Flagger's rules: one analysis a weight, which share their failed checks.
fn flagger(stream: &[char], threshold: usize, weights: usize) -> Result {
    let settings = Settings {
        failure_limit: i64::try_from(threshold).expect("few"),
        inconclusive_limit: 0,
        consecutive_error_limit: 0,
        consecutive_success_limit: 0,
        count: 0,
    };
    let analysis = analysis(Semantics::Flagger, settings);
    let (mut tally, mut good) = (Tally::default(), 0);
    let mut last = Result::Running(0);
    for (at, letter) in stream.iter().enumerate() {
        if tally.over_before_measuring(&analysis).is_some() {
            return Result::Failed(at);
        }
        match assess(&analysis, &mut tally, verdict(*letter), false) {
            Decision::Passed => {
                good += 1;
                tally = Tally { failed_checks: tally.failed_checks, ..Tally::default() };
                if good == weights {
                    return Result::Passed(at + 1);
                }
                last = Result::Running(30_000);
            }
            Decision::Again(ms) => last = Result::Running(ms),
            other => panic!("{other:?} after a tick"),
        }
    }
    last
}

/// Every stream of one to `longest` measurements.
fn streams(longest: u32) -> Vec<Vec<char>> {
    let mut all = Vec::new();
    for length in 1..=longest {
        for number in 0..5_usize.pow(length) {
            all.push((0..length).map(|at| LETTERS[number / 5_usize.pow(at) % 5]).collect());
        }
    }
    all
}

fn settings() -> Vec<Settings> {
    let mut all = Vec::new();
    for failure_limit in [-1, 0, 1, 2] {
        for inconclusive_limit in [0, 1, 5] {
            for consecutive_error_limit in [0, 1, 4] {
                for consecutive_success_limit in [0, 2] {
                    for count in [0, 3, 6] {
                        all.push(Settings {
                            failure_limit,
                            inconclusive_limit,
                            consecutive_error_limit,
                            consecutive_success_limit,
                            count,
                        });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn every_stream_of_up_to_six_measurements_decides_as_argo_rollouts_does() {
    let streams = streams(6);
    assert_eq!(streams.len(), 19_530);
    let mut compared = 0;
    for settings in settings() {
        for stream in &streams {
            assert_eq!(
                argo(stream, settings),
                argo_model(stream, settings),
                "{stream:?} with {settings:?}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 216 * 19_530);
}

#[test]
fn every_stream_of_up_to_six_ticks_decides_as_flagger_does() {
    let mut compared = 0;
    for threshold in 1..=6 {
        for weights in 1..=5 {
            for stream in streams(6) {
                assert_eq!(
                    flagger(&stream, threshold, weights),
                    flagger_model(&stream, threshold, weights),
                    "{stream:?}, {threshold}, {weights}"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 30 * 19_530);
}

/// A golden: what the model says of every stream, the streams that share an end together.
fn golden(decide: &dyn Fn(&[char]) -> Result) -> String {
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let mut text = String::new();
    for stream in streams(6) {
        let (result, word) = (decide(&stream), stream.iter().collect::<String>());
        *ends.entry(result.to_string()).or_default() += 1;
        // A stream that was decided before its end is told by a shorter one.
        let told = match result {
            Result::Passed(at) | Result::Failed(at) | Result::Undecided(at) => at == stream.len(),
            Result::Running(_) => stream.len() == 6,
        };
        if told {
            let _ = writeln!(text, "{word} {result}");
        }
    }
    let mut out = String::new();
    for (end, count) in ends {
        let _ = writeln!(out, "{count:>6} {end}");
    }
    format!("{out}\n{text}")
}

#[test]
fn the_goldens_of_both_tools_are_what_the_model_and_dax_say() {
    let usual = Settings {
        failure_limit: 1,
        inconclusive_limit: 0,
        consecutive_error_limit: 4,
        consecutive_success_limit: 0,
        count: 4,
    };
    let text = golden(&|stream| argo_model(stream, usual));
    assert_eq!(golden(&|stream| argo(stream, usual)), text);
    super::compare("analysis", "argo", &text);
    let text = golden(&|stream| flagger_model(stream, 3, 3));
    assert_eq!(golden(&|stream| flagger(stream, 3, 3)), text);
    super::compare("analysis", "flagger", &text);
}

/// A canary whose only analysis has these rules.
fn canary(words: &str) -> Plan {
    let program = |version: u32| {
        format!(
            "import memory from \"std/memory\"\nprovider memory.world {{\n}}\nservice web {{\n  image = \"web:{version}\"\n}}\n\
             strategy s: canary {{\n  step 50% hold 1m\n  analysis every 30s from memory.world {{\n    metric m: Percent = memory\"error_rate\"\n    \
             require m < 10%\n    forbid m > 20%\n    {words}\n  }}\n}}\nenvironment dev {{\n  bind web to memory.world\n  rollout web with s\n}}\n"
        )
    };
    let (first, problems) = plan(
        &load(&Files::project(&program(1))),
        &params(&[]),
        "dev",
        &BTreeMap::new(),
        &BTreeMap::new(),
    );
    assert!(problems.is_empty(), "{problems:?}");
    let mut live = dax_model::LiveService::default();
    let operations = first.steps.iter().filter_map(|step| step.task.operation());
    operations.for_each(|operation| dax_plan::invariants::advance(&mut live, operation));
    let live = BTreeMap::from([("memory.world".into(), BTreeMap::from([("web".into(), live)]))]);
    let applied =
        first.result.into_iter().filter_map(|(addr, applied)| Some((addr, applied?))).collect();
    let (second, problems) =
        plan(&load(&Files::project(&program(2))), &params(&[]), "dev", &applied, &live);
    assert!(problems.is_empty(), "{problems:?}");
    second
}

fn measured(letter: char) -> Measured {
    let percent = |number: i64| {
        Value::Quantity(dax_core::Quantity::new(
            dax_core::Unit::Percent,
            dax_core::Decimal::from(number),
        ))
    };
    let value = |number: i64| Measured {
        values: BTreeMap::from([("m".into(), percent(number))]),
        ..Measured::default()
    };
    match letter {
        'o' => value(1),
        'f' => value(30),
        'i' => value(15),
        'e' => Measured { error: Some("it cannot be reached".to_owned()), ..Measured::default() },
        _ => Measured::default(),
    }
}

/// A run through the machine: when each measurement was made, and how it ended.
fn through_the_machine(
    plan: &Arc<Plan>,
    stream: &[char],
    restart: bool,
) -> (Vec<u64>, Option<Outcome>) {
    let (mut machine, mut journal) = (Machine::new(plan.clone(), &[]), Vec::new());
    let mut events = std::collections::VecDeque::from([Event::Start]);
    let mut timers: BTreeMap<(u64, dax_plan::StepId), ()> = BTreeMap::new();
    let (mut now, mut times, mut begun) = (0_u64, Vec::new(), None);
    loop {
        let Some(event) = events.pop_front().or_else(|| {
            let ((at, step), ()) = timers.pop_first()?;
            now = now.max(at);
            Some(Event::Timer(step))
        }) else {
            return (times, None);
        };
        for command in machine.step(now, event) {
            match command {
                Command::Write(entry) => {
                    if let Entry::Intent { step, at_ms } = &entry
                        && matches!(plan.steps[step.0 as usize].task, Task::Analyse { .. })
                    {
                        begun.get_or_insert(*at_ms);
                    }
                    journal.push(entry);
                }
                Command::Call(step) => events.push_back(Event::Succeeded(step)),
                Command::Undo(step, _) | Command::Force(step, _) => {
                    events.push_back(Event::Succeeded(step))
                }
                Command::Timer(step, ms) => drop(timers.insert((now + ms, step), ())),
                Command::Measure(step) => {
                    let Some(letter) = stream.get(times.len()) else { return (times, None) };
                    times.push(now - begun.unwrap_or(0));
                    events.push_back(Event::Measured(step, measured(*letter)));
                }
                Command::Await(step) => events.push_back(Event::Approved(step, Vec::new())),
                Command::Verify => events.push_back(Event::Verified(None)),
                Command::Finish(outcome) => return (times, Some(outcome)),
            }
        }
        if restart
            && events
                .iter()
                .all(|event| !matches!(event, Event::Measured(..) | Event::Succeeded(_)))
            && !timers.is_empty()
        {
            // The process dies while nothing is under way but waiting, and another one goes on from the journal.
            machine = Machine::new(plan.clone(), &journal);
            timers.clear();
            events = std::collections::VecDeque::from([Event::Start]);
            let only_waits =
                journal.iter().rev().any(|entry| matches!(entry, Entry::Intent { .. }));
            assert!(only_waits);
            // One restart for each wait: the first event after it is the start.
            let mut fresh = BTreeMap::new();
            for command in machine.step(now, events.pop_front().expect("the start")) {
                if let Command::Timer(step, ms) = command {
                    fresh.insert((now + ms, step), ());
                }
            }
            timers = fresh;
            let Some(((at, step), ())) = timers.pop_first() else { return (times, None) };
            now = now.max(at);
            events.push_back(Event::Timer(step));
        }
    }
}

#[test]
fn the_machine_measures_at_argos_times_and_ends_as_the_model_says_restarted_or_not() {
    let plan = Arc::new(canary(
        "semantics = \"argo\"\n    failure_limit = 1\n    inconclusive_limit = 0\n    error_limit = 2\n    count = 3",
    ));
    let settings = Settings {
        failure_limit: 1,
        inconclusive_limit: 0,
        consecutive_error_limit: 2,
        consecutive_success_limit: 0,
        count: 3,
    };
    for stream in streams(4) {
        for restart in [false, true] {
            let (times, outcome) = through_the_machine(&plan, &stream, restart);
            // The first at once, then after the interval, after an error ten seconds later whatever the interval is.
            let mut at = 0;
            let expected: Vec<u64> = stream
                .iter()
                .map(|letter| {
                    let now = at;
                    at += if matches!(letter, 'e' | 'n') { 10_000 } else { 30_000 };
                    now
                })
                .collect();
            assert_eq!(times, expected[..times.len()], "{stream:?}");
            match (argo_model(&stream, settings), outcome) {
                (Result::Passed(after), Some(Outcome::Succeeded)) => {
                    assert_eq!(times.len(), after, "{stream:?}")
                }
                (Result::Failed(after), Some(Outcome::RolledBack { .. })) => {
                    assert_eq!(times.len(), after, "{stream:?}")
                }
                (Result::Undecided(after), Some(Outcome::Held { .. })) => {
                    assert_eq!(times.len(), after, "{stream:?}")
                }
                (Result::Running(_), None) => {}
                (model, outcome) => {
                    panic!("{stream:?}, restarted {restart}: {model:?} but {outcome:?}")
                }
            }
        }
    }
}

#[test]
fn the_machine_counts_failed_checks_over_the_whole_rollout_as_flagger_does() {
    let plan = Arc::new(canary("semantics = \"flagger\"\n    failure_limit = 2"));
    for stream in streams(4) {
        let (_, outcome) = through_the_machine(&plan, &stream, false);
        match (flagger_model(&stream, 2, 1), outcome) {
            (Result::Passed(_), Some(Outcome::Succeeded))
            | (Result::Failed(_), Some(Outcome::RolledBack { .. }))
            | (Result::Running(_), None) => {}
            // The threshold ends it when the next tick comes, though the stream has none any more.
            (Result::Running(_), Some(Outcome::RolledBack { .. })) => {
                assert!(stream.iter().filter(|letter| **letter != 'o').count() >= 2, "{stream:?}");
            }
            (model, outcome) => panic!("{stream:?}: {model:?} but {outcome:?}"),
        }
    }
}

#[test]
fn what_is_forbidden_weighs_more_than_what_is_required_and_what_is_neither_is_inconclusive() {
    let settings = Settings {
        failure_limit: 0,
        inconclusive_limit: 0,
        consecutive_error_limit: 4,
        consecutive_success_limit: 0,
        count: 0,
    };
    let mut rules = analysis(Semantics::Argo, settings);
    let says = |rules: &Analysis, number: Option<i64>| {
        let values =
            number.map(|number| (Name::from("m"), Value::Int(number))).into_iter().collect();
        judge(rules, &Measured { values, ..Measured::default() })
    };
    assert_eq!(
        [5, 15, 25].map(|number| says(&rules, Some(number))),
        [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail]
    );
    assert_eq!(says(&rules, None), Verdict::NoData);
    rules.forbid.clear();
    assert_eq!(
        [5, 15, 25].map(|number| says(&rules, Some(number))),
        [Verdict::Pass, Verdict::Fail, Verdict::Fail]
    );
    std::mem::swap(&mut rules.forbid, &mut rules.require);
    assert_eq!([5, 15].map(|number| says(&rules, Some(number))), [Verdict::Fail, Verdict::Pass]);
    rules.forbid.clear();
    assert_eq!(
        says(&rules, Some(5)),
        Verdict::Pass,
        "as Argo's code has it, and not its documentation"
    );
}

/// Samples, and what R 4.2.2 printed for `wilcox.test(new, old, conf.int = TRUE, conf.level = 0.98, exact = FALSE)`:
/// the estimate and the two ends of its interval.
#[test]
fn the_mann_whitney_test_agrees_with_r() {
    let count = |from: i32, to: i32| (from..=to).map(f64::from).collect::<Vec<f64>>();
    let elevenths = (1..=8).map(|n| f64::from(n) * 1.1).collect::<Vec<f64>>();
    let cases = [
        (elevenths, count(1, 8), [0.45, -3.600_037_591, 4.500_037_591]),
        (count(101, 108), count(1, 8), [100.0, 96.000_050_294, 103.999_949_706]),
        (
            vec![5.0, 5.0, 6.0, 6.0, 7.0, 7.0, 8.0, 8.0, 9.0, 9.0],
            vec![4.0, 5.0, 5.0, 6.0, 6.0, 7.0, 7.0, 8.0, 8.0, 9.0],
            [0.5, -1.000_062_002, 2.000_062_002],
        ),
        (
            vec![10.2, 11.8, 9.7, 12.4, 13.1, 10.9, 12.2],
            vec![8.1, 9.4, 10.3, 7.7, 9.9, 8.8, 9.1, 10.1],
            [2.299_975_037, 0.599_985_480, 4.099_924_572],
        ),
    ];
    for (new, old, [estimate, lower, upper]) in cases {
        let result = mann_whitney(&new, &old, 0.98);
        // R looks for the ends with a tolerance of 1e-4, and so does Kayenta, which asks R's way.
        for (found, printed) in
            [(result.estimate, estimate), (result.lower, lower), (result.upper, upper)]
        {
            assert!((found - printed).abs() < 2e-4, "{found}, R says {printed}: {result:?}");
        }
    }
}

#[test]
fn a_metric_is_worse_only_where_the_test_is_sure_and_the_difference_is_large() {
    let rule = |way: Worse| Baseline {
        metric: "m".into(),
        worse: way,
        tolerance: 2_500,
        confidence: 9_800,
    };
    let old: Vec<f64> = (0..20).map(|n| 100.0 + f64::from(n % 5)).collect();
    let more: Vec<f64> = old.iter().map(|value| value * 1.5).collect();
    let same: Vec<f64> = old.iter().rev().copied().collect();
    assert_eq!(worse(&rule(Worse::Increase), &more, &old), Some(true));
    assert_eq!(worse(&rule(Worse::Decrease), &more, &old), Some(false));
    assert_eq!(worse(&rule(Worse::Either), &more, &old), Some(true));
    assert_eq!(worse(&rule(Worse::Decrease), &old, &more), Some(true));
    assert_eq!(worse(&rule(Worse::Either), &same, &old), Some(false));
    assert_eq!(
        worse(&rule(Worse::Either), &[1.0; 20], &[1.0; 20]),
        Some(false),
        "equal samples are no worse"
    );
    assert_eq!(worse(&rule(Worse::Either), &[], &old), None);
}
