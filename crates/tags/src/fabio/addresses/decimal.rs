//! Regexes for decimal numbers from 0 to 255, without leading zeros.

/// The numbers from `low` to `high`.
pub(super) fn range(low: u8, high: u8) -> String {
    let alternatives: Vec<String> = [(0, 9), (10, 99), (100, 255)]
        .into_iter()
        .filter(|(first, last)| low <= *last && high >= *first)
        .map(|(first, last)| digits(&low.max(first).to_string(), &high.min(last).to_string()))
        .collect();
    match &alternatives[..] {
        [one] if !one.contains('|') => one.clone(),
        several => format!("(?:{})", several.join("|")),
    }
}

/// The numbers between two of equal length.
fn digits(low: &str, high: &str) -> String {
    let (Some(first), Some(last)) = (low.chars().next(), high.chars().next()) else { return String::new() };
    let (low, high) = (&low[1..], &high[1..]);
    let (from_zero, to_nine) = (low.bytes().all(|b| b == b'0'), high.bytes().all(|b| b == b'9'));
    if first == last {
        return format!("{first}{}", grouped(&digits(low, high)));
    }
    let mut alternatives = Vec::new();
    if !from_zero {
        alternatives.push(format!("{first}{}", grouped(&digits(low, &"9".repeat(low.len())))));
    }
    let middle = (next(first, !from_zero), previous(last, !to_nine));
    if middle.0 <= middle.1 {
        alternatives.push(format!("{}{}", class(middle.0, middle.1), "[0-9]".repeat(low.len())));
    }
    if !to_nine {
        alternatives.push(format!("{last}{}", grouped(&digits(&"0".repeat(high.len()), high))));
    }
    alternatives.join("|")
}

fn grouped(alternatives: &str) -> String {
    if alternatives.contains('|') { format!("(?:{alternatives})") } else { alternatives.to_owned() }
}

fn next(digit: char, go: bool) -> char {
    char::from(digit as u8 + u8::from(go))
}

fn previous(digit: char, go: bool) -> char {
    char::from(digit as u8 - u8::from(go))
}

fn class(from: char, to: char) -> String {
    if from == to { from.to_string() } else { format!("[{from}-{to}]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_numbers_of_the_range_match() {
        for low in (0..=255_u8).step_by(3) {
            for high in [low, low | 1, low | 15, low | 127, 255] {
                let regex = regex::Regex::new(&format!("^{}$", range(low, high))).expect("a regex");
                for number in 0..=300_u16 {
                    let inside = (u16::from(low)..=u16::from(high)).contains(&number);
                    assert_eq!(regex.is_match(&number.to_string()), inside, "{low}-{high}: {number}");
                }
                assert!(!regex.is_match("01") && !regex.is_match(""));
            }
        }
    }
}
