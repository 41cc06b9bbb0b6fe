//! The new revision against the old one: the Mann-Whitney test, as Kayenta's judge uses it.
//!
//! The confidence interval of the difference is found as R's `wilcox.test` finds it for large samples, with
//! continuity correction. The metric is worse when the whole interval lies beyond a fraction of the estimate.

use super::{Baseline, Worse};

/// What the test says of two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// The Hodges-Lehmann estimate of the difference.
    pub estimate: f64,
    /// The lower end of its confidence interval.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

/// Whether the new revision is worse than the old one; nothing when there is no data of one of them.
pub fn worse(baseline: &Baseline, new: &[f64], old: &[f64]) -> Option<bool> {
    if new.is_empty() || old.is_empty() {
        return None;
    }
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let first = new[0];
    let all_equal = new.iter().chain(old).all(|value| value.total_cmp(&first).is_eq());
    if all_equal || sorted(new) == sorted(old) {
        return Some(false);
    }
    let result = mann_whitney(new, old, f64::from(baseline.confidence) / 10_000.0);
    let bound = f64::from(baseline.tolerance) / 10_000.0 * result.estimate.abs();
    let high = result.lower > bound;
    let low = result.upper < -bound;
    Some(match baseline.worse {
        Worse::Increase => high,
        Worse::Decrease => low,
        Worse::Either => high || low,
    })
}

/// The difference `new - old` with its confidence interval; the samples must hold two different values.
pub fn mann_whitney(new: &[f64], old: &[f64], confidence: f64) -> MannWhitney {
    let low = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (least, most) = (low(new) - high(old), high(new) - low(old));
    let quantile = normal_quantile((1.0 - confidence) / 2.0);
    let at = |quantile: f64| root(new, old, quantile, least, most);
    MannWhitney { estimate: shift(new, old), lower: at(-quantile), upper: at(quantile) }
}

/// The Hodges-Lehmann estimate: the median of all differences.
fn shift(new: &[f64], old: &[f64]) -> f64 {
    let mut differences: Vec<f64> =
        new.iter().flat_map(|new| old.iter().map(move |old| new - old)).collect();
    differences.sort_by(f64::total_cmp);
    let middle = differences.len() / 2;
    if differences.len() % 2 == 1 {
        differences[middle]
    } else {
        f64::midpoint(differences[middle - 1], differences[middle])
    }
}

/// Where the standardised rank sum of `new` shifted by the result falls to a quantile.
fn root(new: &[f64], old: &[f64], quantile: f64, least: f64, most: f64) -> f64 {
    let difference = |shift: f64| standardised(new, old, shift) - quantile;
    if difference(least) <= 0.0 {
        return least;
    }
    if difference(most) >= 0.0 {
        return most;
    }
    let (mut low, mut high) = (least, most);
    // The statistic falls with the shift; halving ends where neighbours have no number between them.
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if difference(middle) > 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The rank sum of `new - shift` among both samples, standardised, with continuity correction and ties.
fn standardised(new: &[f64], old: &[f64], shift: f64) -> f64 {
    let mut all: Vec<(f64, bool)> =
        new.iter().map(|v| (v - shift, true)).chain(old.iter().map(|v| (*v, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    #[expect(clippy::cast_precision_loss, reason = "samples are far smaller than 2^52")]
    let count = |n: usize| n as f64;
    let (m, n) = (count(new.len()), count(old.len()));
    let (mut rank_sum, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let end = all[at..]
            .iter()
            .position(|one| one.0 > all[at].0)
            .map_or(all.len(), |offset| at + offset);
        let rank = (count(at) + 1.0 + count(end)) / 2.0;
        rank_sum += rank * count(all[at..end].iter().filter(|one| one.1).count());
        let tied = count(end - at);
        ties += tied.powi(3) - tied;
        at = end;
    }
    let difference = rank_sum - m * (m + 1.0) / 2.0 - m * n / 2.0;
    let correction = if difference == 0.0 { 0.0 } else { difference.signum() * 0.5 };
    let sigma = (m * n / 12.0 * ((m + n + 1.0) - ties / ((m + n) * (m + n - 1.0)))).sqrt();
    if sigma == 0.0 { 0.0 } else { (difference - correction) / sigma }
}

/// The quantile of the standard normal distribution. Source: P. J. Acklam's rational approximation, whose relative
/// error is below 1.15e-9.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p < 0.02425 {
        let q = (-2.0 * p.ln()).sqrt();
        return horner(&C, q) / (horner(&D, q) * q + 1.0);
    }
    if p > 1.0 - 0.02425 {
        return -normal_quantile(1.0 - p);
    }
    let q = p - 0.5;
    let r = q * q;
    horner(&A, r) * q / (horner(&B, r) * r + 1.0)
}
