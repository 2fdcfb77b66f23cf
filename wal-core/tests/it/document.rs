//! FORMAT.md shows true bytes, and its tables leave no byte out.

use std::fmt::Write as _;

use wal_core::format::{ANCHOR_LEN, FRAME_HEADER_LEN, HEADER_LEN, SLOT_LEN, START_LEN};

use crate::golden::worked_file;

const DOCUMENT: &str = include_str!("../../../FORMAT.md");

/// The lines of `xxd -a`.
fn dump(bytes: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let rows: Vec<_> = bytes.chunks(16).collect();
    for (number, row) in rows.iter().enumerate() {
        let zero = |row: Option<&&[u8]>| row.is_some_and(|row| **row == [0; 16]);
        // The first line of zeros of several is shown, and the rest are a star.
        let inside = number > 0 && zero(Some(row)) && zero(rows.get(number - 1));
        if inside && number + 1 < rows.len() {
            if lines.last().is_none_or(|line| line != "*") {
                lines.push("*".into());
            }
            continue;
        }
        let mut line = format!("{:08x}:", number * 16);
        for pair in row.chunks(2) {
            line.push(' ');
            for byte in pair {
                write!(line, "{byte:02x}").expect("a string takes all");
            }
        }
        line.push_str("  ");
        let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { *byte } else { b'.' };
        line.extend(row.iter().map(|byte| char::from(shown(byte))));
        lines.push(line);
    }
    lines
}

/// Whether the line begins as a line of a dump does.
fn is_dump(line: &str) -> bool {
    line == "*"
        || line.split_once(": ").is_some_and(|(offset, _)| {
            offset.len() == 8 && offset.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

#[test]
fn the_dump_is_the_golden_file() {
    let shown: Vec<_> = DOCUMENT.lines().filter(|line| is_dump(line)).collect();
    let made = dump(&worked_file());
    for (shown, made) in shown.iter().zip(&made) {
        assert_eq!(shown, made, "FORMAT.md and v1-worked.wal differ");
    }
    assert_eq!(shown.len(), made.len(), "FORMAT.md leaves lines out, or has lines too many");
}

/// What the table of fields with this place in the named section says of offsets and sizes, up to the
/// first field whose size is not fixed.
fn fields(section: &str, table: usize) -> Vec<(usize, usize)> {
    let heading = DOCUMENT.lines().position(|line| line == section);
    let heading = heading.unwrap_or_else(|| panic!("FORMAT.md has no section {section:?}"));
    let lines = DOCUMENT.lines().skip(heading + 1).take_while(|line| !line.starts_with('#'));
    let lines: Vec<_> = lines.collect();
    let head = |(at, line): (usize, &&str)| line.starts_with("| offset | bytes |").then_some(at);
    let begins = lines.iter().enumerate().filter_map(head).nth(table);
    let begins = begins.unwrap_or_else(|| panic!("{section:?} has no table {table}"));
    lines[begins + 2..]
        .iter()
        .map_while(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((cells.next()?.parse().ok()?, cells.next()?.parse().ok()?))
        })
        .collect()
}

#[test]
fn the_tables_leave_no_byte_out() {
    let tables = [
        ("### Segment header", 0, HEADER_LEN),
        ("## Frame", 0, FRAME_HEADER_LEN),
        ("### Start", 0, START_LEN),
        ("### Seal", 0, 56),
        ("### The anchor", 0, SLOT_LEN),
        ("### The anchor", 1, ANCHOR_LEN),
    ];
    for (section, table, len) in tables {
        let mut end = 0;
        for (offset, bytes) in fields(section, table) {
            assert_eq!(offset, end, "{section:?} has a gap or an overlap");
            end = offset + bytes;
        }
        assert_eq!(end, len, "table {table} of {section:?} ends too early or too late");
    }
}
