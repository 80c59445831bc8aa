//! Truth values, numbers and spans of time as Traefik reads them, which is as the Go language does.

const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const SECOND: i128 = 1_000_000_000;

/// `true`, `1`, `t` and their like.
pub(crate) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// A whole number of 64 bits.
pub(crate) fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number"))
}

/// Nanoseconds of a span: a whole number is seconds, anything else has units.
pub(crate) fn span(text: &str) -> Result<i64, String> {
    let fail = || format!("{text:?} is no span of time such as 10s or 1m30s");
    let nanos = match text.parse::<i64>() {
        Ok(seconds) => i128::from(seconds) * SECOND,
        Err(_) => with_units(text).ok_or_else(fail)?,
    };
    i64::try_from(nanos).map_err(|_| format!("{text:?} is longer than can be counted"))
}

fn with_units(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut nanos = 0_i128;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        nanos = nanos.checked_add(scaled(count, unit)?)?;
        rest = behind;
    }
    Some(sign * nanos)
}

/// `1.5` times a unit. Digits beyond the nanosecond are dropped.
fn scaled(count: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(fraction) || whole.len() > 20 {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(15)];
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some(whole * unit + part * unit / 10_i128.pow(u32::try_from(fraction.len()).ok()?))
}

/// A span as Traefik prints it: `1m0s`, `100ms`, `1.5s`.
pub(crate) fn print_span(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let total = i128::from(nanos).abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < SECOND {
        let (name, unit) = match total {
            ..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{name}", fraction(total, unit));
    }
    let (hours, minutes) = (total / (3600 * SECOND), total / (60 * SECOND) % 60);
    let seconds = fraction(total % (60 * SECOND), SECOND);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

fn fraction(nanos: i128, unit: i128) -> String {
    let (whole, rest) = (nanos / unit, nanos % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{rest:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_printed_as_go_does() {
        for (text, printed) in [
            ("10", "10s"),
            ("-1", "-1s"),
            ("60s", "1m0s"),
            ("1m30s", "1m30s"),
            ("1h", "1h0m0s"),
            ("100ms", "100ms"),
            ("1.5s", "1.5s"),
            (".5s", "500ms"),
            ("1500us", "1.5ms"),
            ("2µs", "2µs"),
            ("7ns", "7ns"),
            ("0", "0s"),
            ("-2m", "-2m0s"),
        ] {
            assert_eq!(span(text).map(print_span).as_deref(), Ok(printed), "{text}");
        }
    }

    #[test]
    fn spans_without_sense_are_refused() {
        for text in ["", "s", "1x", "1 s", "1.2.3s", "--1s", "1d", "9999999999999999", "foobar", "."] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_gos_words_are_truth_values() {
        assert_eq!(flag("T"), Ok(true));
        assert_eq!(flag("False"), Ok(false));
        for text in ["", "yes", "on", "tRUE", " true"] {
            assert!(flag(text).is_err(), "{text}");
        }
    }
}
