//! Ages on the command line.

use std::time::Duration;

/// A whole number of seconds, minutes, hours or days: `90s`, `15m`, `12h`, `7d`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 60 * 60,
        Some(b'd') => 24 * 60 * 60,
        _ => return Err(wanted()),
    };
    let digits = &text[..text.len() - 1];
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wanted());
    }
    let number: u64 = digits.parse().map_err(|_| wanted())?;
    let seconds = number.checked_mul(unit).ok_or_else(|| "that is too much".to_owned())?;
    Ok(Duration::from_secs(seconds))
}

fn wanted() -> String {
    "an age is wanted, such as 90s, 15m, 12h or 7d".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("12h", 43200), ("7d", 604_800)]
        {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_age_is_refused() {
        for text in ["", "7", "d", "-1d", "+1d", "1.5h", "7w", "99999999999999999999s", "é"] {
            assert!(age(text).is_err(), "{text:?}");
        }
        assert!(age("999999999999999d").unwrap_err().contains("too much"));
    }
}
