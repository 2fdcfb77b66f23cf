//! [`lines`]: stdin cut into records.

use std::io::{BufRead, Read};

use anyhow::{Context, bail};

/// Gives each line of `source` to `each`, without its newline; bytes behind the last newline are a
/// line, too. Holds one line in memory, and refuses one longer than `limit` bytes.
pub(crate) fn lines(
    mut source: impl BufRead,
    limit: usize,
    mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        // Room for the newline, and for one byte too many.
        let mut one = source.by_ref().take(limit as u64 + 2);
        let read = one.read_until(b'\n', &mut line);
        if read.with_context(|| format!("reading line {number} of the input failed"))? == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.len() > limit {
            bail!("line {number} of the input is longer than a record may be, {limit} bytes");
        }
        each(&line)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(input: &[u8], limit: usize) -> (Vec<Vec<u8>>, anyhow::Result<()>) {
        let mut found = Vec::new();
        let result = lines(input, limit, |line| {
            found.push(line.to_vec());
            Ok(())
        });
        (found, result)
    }

    #[test]
    fn every_line_is_a_record_also_the_empty_and_the_unfinished() {
        let (found, result) = split(b"one\n\nthree\r\nfour", 6);
        result.unwrap();
        assert_eq!(found, [b"one".as_slice(), b"", b"three\r", b"four"]);
        assert_eq!(split(b"", 6).0, Vec::<Vec<u8>>::new());
        assert_eq!(split(b"\n", 6).0, [b""]);
    }

    #[test]
    fn a_line_over_the_limit_is_refused_with_or_without_its_newline() {
        for input in [b"ok\n1234567\n".as_slice(), b"ok\n1234567", b"ok\n123456789"] {
            let (found, result) = split(input, 6);
            assert_eq!(found, [b"ok"]);
            assert!(result.unwrap_err().to_string().contains("line 2"));
        }
        let (found, result) = split(b"123456\n654321", 6);
        result.unwrap();
        assert_eq!(found, [b"123456", b"654321"]);
    }
}
