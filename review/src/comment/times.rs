//! Times as people read them, in UTC.

/// `2026-11-27 05:12 UTC`.
pub(super) fn utc(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| at_ms.to_string(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn a_time_is_read_in_utc_to_the_minute_and_one_beyond_the_calendar_is_a_number() {
        let texts = [0, 1_795_756_320_000, u64::MAX].map(utc);
        insta::assert_snapshot!(texts.join(" | "), @"1970-01-01 00:00 UTC | 2026-11-27 05:12 UTC | 18446744073709551615");
    }
}
