//! [`lines`]: stdin cut into records.

use std::io::{BufRead, Read};

use anyhow::{Context, bail};

use crate::stop::Stopped;

/// How the lines of an input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// That was all.
    Whole,
    /// A signal ended them. So many bytes were read of a line whose end was not: they are no record.
    Stopped { unfinished: usize },
}

/// Gives each line of `source` to `each`, without its newline; bytes behind the last newline are a
/// line, too, but not where a signal ended the input. Holds one line in memory, and refuses one longer
/// than `limit` bytes.
pub(crate) fn lines(
    mut source: impl BufRead,
    limit: usize,
    mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<End> {
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        // Room for the newline, and for one byte too many.
        let mut one = source.by_ref().take(limit as u64 + 2);
        match one.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(End::Whole),
            Ok(_) => {}
            Err(error) if Stopped::is_source_of(&error) => {
                return Ok(End::Stopped { unfinished: line.len() });
            }
            read => {
                read.with_context(|| format!("reading line {number} of the input failed"))?;
            }
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

    fn split(input: &[u8], limit: usize) -> (Vec<Vec<u8>>, anyhow::Result<End>) {
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
    fn half_a_line_is_no_record_where_a_signal_ended_the_input() {
        struct Signal;
        impl Read for Signal {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other(Stopped))
            }
        }
        for (input, whole, unfinished) in [("one\ntwo\nthr", 2, 3), ("one\n", 1, 0), ("", 0, 0)] {
            let source = std::io::BufReader::new(input.as_bytes().chain(Signal));
            let mut found = 0;
            let ended = lines(source, 6, |_| {
                found += 1;
                Ok(())
            });
            assert_eq!((ended.unwrap(), found), (End::Stopped { unfinished }, whole), "{input:?}");
        }
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
