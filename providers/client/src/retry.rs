//! When to try again, and when to give up: rules over one answer, without clock or network.

use std::time::Duration;

/// Waits between tries where the other side does not say how long: doubled each time.
const FIRST: Duration = Duration::from_millis(250);
/// Longest such wait.
const LONGEST: Duration = Duration::from_secs(10);
/// What to wait after a limit that does not say how long.
/// Source: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>.
const UNSAID: Duration = Duration::from_mins(1);
/// The least time before a limit is tried again, whatever the other side says.
const LEAST: Duration = Duration::from_secs(1);
/// So many tries of a call that fails for reasons of the way.
const TRIES: u32 = 5;

/// What is looked at of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'s> {
    /// Its status; nothing when none came.
    pub status: Option<u16>,
    /// `Retry-After`.
    pub retry_after: Option<&'s str>,
    /// `x-ratelimit-remaining`, or what another place calls it.
    pub remaining: Option<&'s str>,
    /// `x-ratelimit-reset`: seconds since 1970.
    pub reset: Option<&'s str>,
    /// The body.
    pub body: &'s str,
}

/// What to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Take it.
    Take,
    /// Try again after this long: the other side said so, or a limit was reached.
    Limited(Duration),
    /// Try again after this long: the way there failed.
    Again(Duration),
}

/// What to do after a try, counted from zero. What may have been done already is not tried again.
pub fn next(seen: &Seen<'_>, tried: u32, repeatable: bool, now_s: u64) -> Next {
    let said = seen
        .retry_after
        .and_then(|text| text.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).max(LEAST));
    let empty = seen.remaining.is_some_and(|left| left.trim() == "0");
    let reset = seen
        .reset
        .and_then(|text| text.trim().parse::<u64>().ok())
        .map(|at| Duration::from_secs(at.saturating_sub(now_s) + 1));
    match seen.status {
        Some(429) => Next::Limited(said.or(reset.filter(|_| empty)).unwrap_or(UNSAID)),
        // GitHub says 403 for its limits, too; a 403 without such a sign is a no.
        Some(403) if said.is_some() => Next::Limited(said.unwrap_or(UNSAID)),
        Some(403) if empty => Next::Limited(reset.unwrap_or(UNSAID)),
        Some(403) if seen.body.contains("secondary rate limit") => Next::Limited(UNSAID),
        Some(503) if said.is_some() => Next::Limited(said.unwrap_or(UNSAID)),
        Some(500 | 502 | 503 | 504) | None if repeatable && tried + 1 < TRIES => {
            Next::Again((FIRST * 2_u32.pow(tried)).min(LONGEST))
        }
        _ => Next::Take,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16) -> Seen<'static> {
        Seen { status: Some(status), ..Seen::default() }
    }

    #[test]
    fn a_limit_is_waited_out_as_the_other_side_says() {
        assert_eq!(
            next(&Seen { retry_after: Some("7"), ..seen(429) }, 0, false, 0),
            Next::Limited(Duration::from_secs(7))
        );
        let primary = Seen { remaining: Some("0"), reset: Some("1030"), ..seen(403) };
        assert_eq!(next(&primary, 0, false, 1000), Next::Limited(Duration::from_secs(31)));
        let secondary = Seen { body: "You have exceeded a secondary rate limit", ..seen(403) };
        assert_eq!(next(&secondary, 0, false, 0), Next::Limited(UNSAID));
        assert_eq!(next(&seen(429), 0, false, 0), Next::Limited(UNSAID));
    }

    #[test]
    fn a_plain_no_is_an_answer() {
        assert_eq!(next(&Seen { remaining: Some("4999"), ..seen(403) }, 0, true, 0), Next::Take);
        assert_eq!(next(&seen(404), 0, true, 0), Next::Take);
    }

    #[test]
    fn what_may_have_been_done_is_not_done_twice() {
        assert_eq!(next(&seen(502), 0, true, 0), Next::Again(FIRST));
        assert_eq!(next(&seen(502), 0, false, 0), Next::Take);
        assert_eq!(next(&Seen::default(), 2, true, 0), Next::Again(FIRST * 4));
        assert_eq!(next(&seen(502), TRIES - 1, true, 0), Next::Take);
    }
}
