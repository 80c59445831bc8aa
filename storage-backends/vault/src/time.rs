//! Points in time, as Vault writes them and as people read them. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

use biplane_core::scalars::Timestamp;

/// Digits behind the second in what Vault writes.
const DIGITS: usize = 9;

/// For people.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX)).to_string()
}

/// A moment to the nanosecond, which orders by time. Vault drops the zeros at the end.
pub(crate) fn moment(text: &str) -> Option<(Timestamp, u32)> {
    let second: Timestamp = text.parse().ok()?;
    let digits = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits: String = digits.chars().take_while(char::is_ascii_digit).take(DIGITS).collect();
    Some((second, format!("{digits:0<DIGITS$}").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn moments_order_by_time_and_not_as_text() {
        let order = [
            "2026-03-22T02:24:06Z",
            "2026-03-22T02:24:06.05Z",
            "2026-03-22T02:24:06.945319214Z",
            "2026-03-22T02:24:06.95Z",
            "2026-03-22T02:24:07Z",
        ];
        let moments: Vec<_> = order.iter().map(|text| moment(text).expect(text)).collect();
        assert!(moments.is_sorted() && moments[0] < moments[4], "{moments:?}");
        assert_eq!(moment(""), None);
    }

    #[test]
    fn people_read_utc() {
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(1)), "1970-01-01T00:00:01Z");
    }
}
