//! Sizes on the command line.

use wal::Config;

/// A number of bytes, plain or with one of the suffixes k, m and g for powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = match lower.as_bytes().last() {
        Some(b'k') => (&lower[..lower.len() - 1], 1 << 10),
        Some(b'm') => (&lower[..lower.len() - 1], 1 << 20),
        Some(b'g') => (&lower[..lower.len() - 1], 1 << 30),
        _ => (lower.as_str(), 1),
    };
    let number = digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<u64>());
    match number {
        Some(Ok(number)) => number.checked_mul(unit).ok_or_else(|| "that is too much".to_owned()),
        _ => Err("a number of bytes is wanted, such as 1048576, 64k or 16m".to_owned()),
    }
}

/// A size that a log takes for its segments, in bytes.
pub(crate) fn segment_size(text: &str) -> Result<u64, String> {
    let mut config = Config::default();
    config.segment_size = bytes(text)?;
    config.validate().map_err(|error| error.to_string())?;
    Ok(config.segment_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_bytes_and_suffixes() {
        assert_eq!(bytes("65536"), Ok(65536));
        assert_eq!(bytes("64k"), Ok(65536));
        assert_eq!(bytes("16M"), Ok(16 << 20));
        assert_eq!(bytes("2g"), Ok(2 << 30));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "k", "-1", "+1", "1.5m", "64kb", "x", "99999999999999999999", "99999999999g"]
        {
            assert!(bytes(text).is_err(), "{text:?}");
        }
        assert!(segment_size("16383").unwrap_err().contains("segment_size"));
        assert_eq!(segment_size("16k"), Ok(16384));
    }
}
