//! What a sequence of measurements decides, by the rules of dax, of Argo Rollouts or of Flagger.
//!
//! Pure: the machine that runs an analysis keeps the [`Tally`] and asks after each measurement. Sources of the
//! foreign rules: Argo Rollouts `analysis/analysis.go` and `utils/evaluate`, Flagger `pkg/controller/scheduler.go`.

use super::{Analysis, NoData, Semantics, Verdict};

/// Argo Rollouts measures again after an error when this has passed, whatever the interval is.
const ARGO_ERROR_RETRY_MS: u64 = 10_000;
/// Flagger's ticks are never closer to each other than this.
const FLAGGER_TICK_MS: u64 = 10_000;

/// What was measured so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Measurements that count.
    pub count: u32,
    /// Good ones in a row.
    pub successes_in_row: u32,
    /// Failed ones.
    pub failures: u32,
    /// Failed ones in a row.
    pub failures_in_row: u32,
    /// Inconclusive ones.
    pub inconclusive: u32,
    /// Errors in a row.
    pub errors_in_row: u32,
    /// Whether any said something for or against.
    pub conclusive: bool,
    /// Ticks of Flagger that failed, over the whole rollout.
    pub failed_checks: u32,
}

/// What follows from the measurements so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Measure again after so many milliseconds.
    Again(u64),
    /// It is good enough.
    Passed,
    /// It is not.
    Failed(Why),
    /// Somebody must decide.
    Undecided,
}

/// Which limit decided against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Too many measurements failed.
    Failures,
    /// Too many failed in a row.
    FailuresInRow,
    /// The source could not be asked too often in a row.
    Errors,
    /// The last measurement that was to be made came before enough good ones.
    TooFewSuccesses,
    /// No measurement said anything.
    NothingConclusive,
    /// As many ticks failed as Flagger's threshold allows.
    Threshold,
}

/// What a verdict counts as where data is lacking.
fn counted(analysis: &Analysis, verdict: Verdict) -> Verdict {
    match (verdict, analysis.on_no_data) {
        (Verdict::NoData, NoData::Pass) => Verdict::Pass,
        (Verdict::NoData, NoData::Fail) => Verdict::Fail,
        (Verdict::NoData, NoData::Inconclusive) => Verdict::Inconclusive,
        (Verdict::NoData, NoData::Error) => Verdict::Error,
        (verdict, _) => verdict,
    }
}

/// Takes a measurement in. `held` says whether the step was held as long as it is to be.
pub fn assess(analysis: &Analysis, tally: &mut Tally, verdict: Verdict, held: bool) -> Decision {
    match analysis.semantics {
        Semantics::Native => native(analysis, tally, counted(analysis, verdict), held),
        Semantics::Argo => argo(analysis, tally, verdict, held),
        Semantics::Flagger => flagger(analysis, tally, verdict),
    }
}

fn add(tally: &mut Tally, verdict: Verdict) {
    if verdict != Verdict::Error {
        tally.count += 1;
        tally.errors_in_row = 0;
    }
    if verdict != Verdict::Pass {
        tally.successes_in_row = 0;
    }
    if verdict != Verdict::Fail {
        tally.failures_in_row = 0;
    }
    match verdict {
        Verdict::Pass => {
            tally.successes_in_row += 1;
            tally.conclusive = true;
        }
        Verdict::Fail => {
            tally.failures += 1;
            tally.failures_in_row += 1;
            tally.conclusive = true;
        }
        Verdict::Inconclusive | Verdict::NoData => tally.inconclusive += 1,
        Verdict::Error => tally.errors_in_row += 1,
    }
}

fn native(analysis: &Analysis, tally: &mut Tally, verdict: Verdict, held: bool) -> Decision {
    add(tally, verdict);
    let limits = &analysis.limits;
    if limits.failures.is_some_and(|most| tally.failures > most) {
        return Decision::Failed(Why::Failures);
    }
    if limits.consecutive_failures.is_some_and(|most| tally.failures_in_row > most) {
        return Decision::Failed(Why::FailuresInRow);
    }
    if tally.errors_in_row > limits.errors {
        return Decision::Failed(Why::Errors);
    }
    if limits.inconclusive.is_some_and(|most| tally.inconclusive > most) {
        return Decision::Undecided;
    }
    let enough = limits.successes > 0 && tally.successes_in_row >= limits.successes;
    let counted = analysis.count > 0 && tally.count >= analysis.count;
    if enough || counted || (held && analysis.count == 0) {
        // Nobody saw the new revision do anything: that is no ground to go on.
        return if tally.conclusive {
            Decision::Passed
        } else {
            Decision::Failed(Why::NothingConclusive)
        };
    }
    Decision::Again(analysis.every_ms)
}

/// Argo Rollouts: limits are strict, an error counts for itself only and is tried again soon, of several
/// limits that are passed at once the last one in the order failures, inconclusive, errors decides.
fn argo(analysis: &Analysis, tally: &mut Tally, verdict: Verdict, held: bool) -> Decision {
    // An empty result cannot be read by a condition, which is an error there.
    let verdict = if verdict == Verdict::NoData {
        match analysis.on_no_data {
            NoData::Pass => Verdict::Pass,
            NoData::Fail => Verdict::Fail,
            NoData::Inconclusive | NoData::Error => Verdict::Error,
        }
    } else {
        verdict
    };
    add(tally, verdict);
    let limits = &analysis.limits;
    let mut over = None;
    if limits.failures.is_some_and(|most| tally.failures > most) {
        over = Some(Decision::Failed(Why::Failures));
    }
    if tally.inconclusive > limits.inconclusive.unwrap_or(0) {
        over = Some(Decision::Undecided);
    }
    if tally.errors_in_row > limits.errors {
        over = Some(Decision::Failed(Why::Errors));
    }
    if let Some(decision) = over {
        return decision;
    }
    if limits.successes > 0 && tally.successes_in_row >= limits.successes {
        return Decision::Passed;
    }
    if analysis.count > 0 && tally.count >= analysis.count {
        return match (limits.failures, limits.successes) {
            (_, 0) => Decision::Passed,
            (Some(_), _) => Decision::Undecided,
            (None, _) => Decision::Failed(Why::TooFewSuccesses),
        };
    }
    if held && analysis.count == 0 {
        return Decision::Passed;
    }
    Decision::Again(if verdict == Verdict::Error { ARGO_ERROR_RETRY_MS } else { analysis.every_ms })
}

/// Flagger: every tick that is not good is one failed check, which is never forgotten; as many as the threshold
/// end the rollout at the next tick, before anything is measured.
fn flagger(analysis: &Analysis, tally: &mut Tally, verdict: Verdict) -> Decision {
    tally.count += 1;
    if verdict == Verdict::Pass {
        tally.conclusive = true;
        return Decision::Passed;
    }
    tally.failed_checks += 1;
    Decision::Again(analysis.every_ms.max(FLAGGER_TICK_MS))
}

impl Tally {
    /// Whether the rollout ends before the next measurement is made.
    pub fn over_before_measuring(&self, analysis: &Analysis) -> Option<Decision> {
        // Flagger's threshold is one where nobody says otherwise.
        let threshold = analysis.limits.failures.unwrap_or(1).max(1);
        let over = analysis.semantics == Semantics::Flagger && self.failed_checks >= threshold;
        over.then_some(Decision::Failed(Why::Threshold))
    }
}

impl Analysis {
    /// Milliseconds that a step with it takes at least when all goes well.
    pub fn least_ms(&self, held_ms: u64) -> u64 {
        if self.semantics == Semantics::Flagger {
            return self.first_after_ms(held_ms);
        }
        let measured = u64::from(self.count.saturating_sub(1)).saturating_mul(self.every_ms);
        let counted = self.first_after_ms(held_ms).saturating_add(measured);
        held_ms.max(if self.count > 0 { counted } else { 0 })
    }

    /// Milliseconds that a step with it takes at most before it decides, errors of the source not counted.
    pub fn most_ms(&self, held_ms: u64) -> u64 {
        let failing = u64::from(self.limits.failures.unwrap_or(0)) + u64::from(self.limits.errors);
        let longer = (failing + 2).saturating_mul(self.every_ms.max(ARGO_ERROR_RETRY_MS));
        self.least_ms(held_ms).saturating_add(longer)
    }

    /// Milliseconds before the first measurement of a step that is held so long.
    pub fn first_after_ms(&self, held_ms: u64) -> u64 {
        match self.semantics {
            Semantics::Native => self.initial_delay_ms.saturating_add(self.every_ms.min(held_ms)),
            Semantics::Argo => self.initial_delay_ms,
            Semantics::Flagger => self.every_ms.max(FLAGGER_TICK_MS),
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Failures => "too many measurements failed",
            Self::FailuresInRow => "too many measurements in a row failed",
            Self::Errors => "the source of the metrics could not be asked too often in a row",
            Self::TooFewSuccesses => "too few measurements in a row were good",
            Self::NothingConclusive => {
                "no measurement had data: the revision got no traffic; with `on_no_data = \"pass\"` that is good enough"
            }
            Self::Threshold => "as many checks failed as the threshold allows",
        })
    }
}
