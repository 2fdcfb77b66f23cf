//! [`table`]: rows as people read them.

use std::fmt::Write;

use super::{Row, Workload};

const HEADINGS: [&str; 8] = [
    "subject",
    "records/s (quartiles)",
    "MB/s",
    "p50 us",
    "p99 us",
    "p99.9 us",
    "syncs per commit",
    "durable",
];

/// A table in Markdown for each of the workloads.
pub fn table(rows: &[Row], workloads: &[Workload]) -> String {
    let mut text = String::new();
    for workload in workloads {
        let name = workload.name();
        let rows: Vec<_> = rows.iter().filter(|row| row.workload == name).collect();
        if rows.is_empty() {
            continue;
        }
        let lines: Vec<_> = rows.iter().map(|row| cells(row)).collect();
        // Nothing to fail: a `String` takes all there is.
        let _ = write!(text, "**{name}**: {}\n\n{}\n", workload.what(), grid(&lines));
        if rows.iter().any(|row| row.threads_for_tasks) {
            text.push_str(
                "\\* cannot be awaited: `spawn_blocking`, up to 512 threads, tokio's default\n\n",
            );
        }
    }
    text
}

fn cells(row: &Row) -> [String; 8] {
    let or_dash = |value: Option<f64>| value.map_or_else(|| "-".into(), number);
    let mark = if row.threads_for_tasks { " \\*" } else { "" };
    let (low, high) = (row.records_per_second_low, row.records_per_second_high);
    [
        format!("{}{mark}", row.subject),
        format!("{} ({}–{})", number(row.records_per_second), number(low), number(high)),
        number(row.mb_per_second),
        or_dash(row.p50_us),
        or_dash(row.p99_us),
        or_dash(row.p999_us),
        or_dash(row.syncs_per_commit),
        if row.durable { "yes" } else { "NO" }.into(),
    ]
}

fn grid(lines: &[[String; 8]]) -> String {
    let mut widths = HEADINGS.map(|heading| heading.chars().count());
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 8]| {
        let cells: Vec<_> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let head = line(&HEADINGS.map(String::from)) + &line(&widths.map(|width| "-".repeat(width)));
    head + &lines.iter().map(line).collect::<String>()
}

/// Three digits that count, thousands apart.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 0.001 => format!("{value:.1e}"),
        size if size < 0.1 => format!("{value:.3}"),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => thousands(&format!("{value:.0}")),
    }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_three_digits_and_thousands_apart() {
        let shown = [0.0, 0.00001, 0.0123, 0.5, 1.234, 12.34, 99.96, 1234.5, 1_234_567.0];
        let shown = shown.map(number);
        let wanted = ["0", "1.0e-5", "0.012", "0.50", "1.23", "12.3", "100", "1 234", "1 234 567"];
        assert_eq!(shown, wanted);
    }
}
