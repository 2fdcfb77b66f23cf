//! [`Table`]: rows as people and as programs read them.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{Budget, Row, Spread, Verdict};

/// Rows; its `Display` is a table for people, in Markdown.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The rows, in order.
    pub rows: Vec<Row>,
}

const HEADINGS: [&str; 7] = ["what", "floor", "ours", "ratio", "budget", "", "the floor is"];

impl Table {
    /// Writes the rows as a JSON array.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let mut json = serde_json::to_string_pretty(&self.rows)?;
        json.push('\n');
        fs::write(path, json).with_context(|| format!("writing {}", path.display()))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.rows.iter().map(cells).collect();
        let mut widths = HEADINGS.map(|heading| heading.chars().count().max(3));
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut write = |cells: &[String; 7]| {
            for (cell, width) in cells.iter().zip(widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")
        };
        write(&HEADINGS.map(String::from))?;
        write(&widths.map(|width| "-".repeat(width)))?;
        lines.iter().try_for_each(write)
    }
}

fn cells(row: &Row) -> [String; 7] {
    let Row { what, unit, floor_is, floor, ours, ratio, budget, verdict } = row;
    [
        what.clone(),
        format!("{} {unit}", number(floor.median)),
        format!("{} {unit} ({})", number(ours.median), range(*ours)),
        format!("{} ({})", number(ratio.median), range(*ratio)),
        match *budget {
            Budget::Open => "-".into(),
            Budget::AtMost(most) => format!("≤ {} {unit}", number(most)),
            Budget::AtLeast(least) => format!("≥ {} {unit}", number(least)),
            Budget::RatioAtMost(most) => format!("ratio ≤ {}", number(most)),
            Budget::RatioAtLeast(least) => format!("ratio ≥ {}", number(least)),
        },
        match verdict {
            Verdict::Open => "",
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
        }
        .into(),
        (*floor_is).into(),
    ]
}

fn range(spread: Spread) -> String {
    format!("{}–{}", number(spread.low), number(spread.high))
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Samples;

    #[test]
    fn a_row_shows_the_floor_beside_ours_and_says_when_a_budget_is_missed() {
        let (floor, ours) = (Samples::from(vec![40.0]), Samples::from(vec![64.0]));
        let row = Row::new("a commit", "us", ("raw", &floor), &ours, Budget::RatioAtMost(1.5));
        let text = Table { rows: vec![row] }.to_string();
        let last = text.lines().last().unwrap();
        let cells: Vec<_> = last.trim_matches('|').split('|').map(str::trim).collect();
        let ratio = "1.60 (1.60–1.60)";
        let wanted =
            ["a commit", "40.0 us", "64.0 us (64.0–64.0)", ratio, "ratio ≤ 1.50", "MISSED", "raw"];
        assert_eq!(cells, wanted);
    }

    #[test]
    fn the_json_has_a_row_each_with_the_spread() {
        let (floor, ours) = (Samples::from(vec![2.0]), Samples::from(vec![3.0]));
        let rows = vec![Row::new("x", "us", ("raw", &floor), &ours, Budget::AtMost(3.0))];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.json");
        Table { rows }.write_json(&path).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(json[0]["ratio"]["median"], 1.5);
        assert_eq!(json[0]["budget"]["at_most"], 3.0);
        assert_eq!(json[0]["verdict"], "met");
    }

    #[test]
    fn numbers_show_three_digits() {
        let shown = [0.0, 0.0123, 0.5, 1.234, 12.34, 99.96, 1234.5].map(number);
        assert_eq!(shown, ["0", "0.012", "0.50", "1.23", "12.3", "100", "1234"]);
    }
}
