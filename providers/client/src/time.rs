//! Times that code hosts write, as milliseconds since 1970: rules over text, without a clock.

/// The time of a field such as `2026-01-01T00:00:00Z`; nothing where it is none. Source: RFC 3339.
pub fn timestamp(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// The time of a `Date` header; nothing where it is none. Source: RFC 9110, section 5.6.7.
pub fn http_date(text: &str) -> Option<u64> {
    let time = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    u64::try_from(time.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_each_code_host_writes_them() {
        assert_eq!(timestamp("2026-01-01T00:00:00Z"), Some(1_767_225_600_000));
        assert_eq!(timestamp("2026-01-01T01:00:00.250+01:00"), Some(1_767_225_600_250));
        assert_eq!(timestamp("2026-01-01T00:00:00.123456+00:00"), Some(1_767_225_600_123));
        assert_eq!(timestamp("yesterday"), None);
        assert_eq!(http_date("Thu, 01 Jan 2026 00:00:00 GMT"), Some(1_767_225_600_000));
        assert_eq!(http_date("1 January"), None);
    }
}
