//! Every plan of the corpus is killed at every place: some schedules with every test run, all of them on demand.

use dax_tests::kill::{Tally, corpus, run, schedules};

/// Of so many schedules one is run with every test run.
const STRIDE: usize = 97;

#[test]
fn killed_at_some_of_all_places_each_run_ends_right_and_each_effect_is_there_once() {
    let mut tally = Tally::default();
    for (at, case) in corpus().iter().enumerate() {
        run(case, at % STRIDE, STRIDE, &mut tally);
    }
    assert!(
        tally.wrong.is_empty(),
        "{} of {}:\n{}",
        tally.wrong.len(),
        tally.schedules,
        tally.wrong[..tally.wrong.len().min(10)].join("\n")
    );
    assert!(tally.schedules > 1_000 && tally.deaths > 1_000 && tally.late > 100, "{tally:?}");
}

/// `cargo xtask simulate` runs this and shows what it prints.
#[test]
#[ignore = "takes minutes: cargo xtask simulate"]
fn killed_at_all_places() {
    let mut tally = Tally::default();
    let corpus = corpus();
    for case in &corpus {
        let before = tally.schedules;
        run(case, 0, 1, &mut tally);
        println!("{:>7} schedules  {}", tally.schedules - before, case.name);
        assert_eq!(tally.schedules - before, schedules(case).len());
    }
    println!(
        "plans {}, schedules {}, deaths {}, late calls {}",
        corpus.len(),
        tally.schedules,
        tally.deaths,
        tally.late
    );
    println!("faults {:?}", tally.faults);
    println!("outcomes {:?}", tally.outcomes);
    println!("wrong {}", tally.wrong.len());
    tally.wrong.iter().take(20).for_each(|wrong| println!("  {wrong}"));
    assert!(tally.wrong.is_empty());
}
