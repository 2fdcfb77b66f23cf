//! [`chart`]: rows as a picture.

use std::fmt::Write;

use super::table::number;
use super::{Row, Workload};
use crate::{Entrant, Side};

const PANEL_WIDTH: usize = 560;
const LABEL_WIDTH: usize = 150;
const BAR_WIDTH: f64 = 270.0;
const BAR_HEIGHT: usize = 18;
const HEAD: usize = 44;
const COLUMNS: usize = 2;

/// An SVG with a panel for each of the workloads, a bar for each log, the best first, each panel to
/// a scale of its own. The line through the end of a bar is from quartile to quartile.
pub fn chart(rows: &[Row], workloads: &[Workload], entrants: &[Entrant]) -> String {
    let panel = |workload: &Workload| {
        let name = workload.name();
        let rows: Vec<_> = rows.iter().filter(|row| row.workload == name).collect();
        (workload.what(), name, rows)
    };
    let panels: Vec<_> = workloads.iter().map(panel).filter(|panel| !panel.2.is_empty()).collect();
    let most = panels.iter().map(|(.., rows)| rows.len()).max().unwrap_or(0);
    let panel_height = HEAD + most * BAR_HEIGHT + 24;
    let (width, height) =
        (COLUMNS * PANEL_WIDTH, panels.len().div_ceil(COLUMNS) * panel_height + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"14\">Records acknowledged a second; pale: an \
         acknowledged record does not survive a power cut</text>\n"
    );
    for (number, (what, name, rows)) in panels.iter().enumerate() {
        let x = (number % COLUMNS) * PANEL_WIDTH + 12;
        let y = (number / COLUMNS) * panel_height + 40;
        // Nothing to fail, here and below: a `String` takes all there is.
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{}</text>\n\
             <text x=\"{x}\" y=\"{}\" font-size=\"10\" fill=\"#555\">{}</text>",
            y + 14,
            escaped(name),
            y + 29,
            escaped(what)
        );
        bars(&mut svg, rows, entrants, x, y + HEAD);
    }
    svg.push_str("</svg>\n");
    svg
}

fn bars(svg: &mut String, rows: &[&Row], entrants: &[Entrant], x: usize, y: usize) {
    let best = rows.iter().map(|row| row.records_per_second_high).fold(1.0, f64::max);
    let left = x + LABEL_WIDTH;
    #[expect(clippy::cast_precision_loss, reason = "a place on a page")]
    let place = |rate: f64| left as f64 + rate / best * BAR_WIDTH;
    for (number_of, row) in rows.iter().enumerate() {
        let top = y + number_of * BAR_HEIGHT;
        let side = entrants.iter().find(|entrant| entrant.name == row.subject);
        let color = match side.map(|entrant| entrant.side) {
            Some(Side::Ours | Side::Preset) => "#2166ac",
            Some(Side::Floor) => "#777777",
            Some(Side::Peer) | None => "#d6862b",
        };
        let opacity = if row.durable { 1.0 } else { 0.35 };
        let (low, high) = (place(row.records_per_second_low), place(row.records_per_second_high));
        let (length, middle) = (place(row.records_per_second) - place(0.0), top + BAR_HEIGHT / 2);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{left}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" fill=\"{color}\" \
             fill-opacity=\"{opacity}\"/>\
             <path d=\"M{low:.1} {middle}H{high:.1}\" stroke=\"black\"/>\
             <text x=\"{:.1}\" y=\"{}\" font-size=\"10\">{}</text>",
            left - 6,
            top + 13,
            escaped(row.subject),
            top + 2,
            BAR_HEIGHT - 4,
            high + 5.0,
            top + 13,
            number(row.records_per_second)
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::entrants;
    use crate::measure::drive::Sample;

    #[test]
    fn every_row_has_a_bar_in_the_panel_of_its_workload() {
        let (entrants, workload) = (entrants(), Workload::Durable(1));
        let sample =
            |records| Sample { records, took: Duration::from_secs(1), ..Sample::default() };
        let row =
            |entrant, records| Row::new(entrant, workload, &[sample(records)], Duration::ZERO);
        let rows = [row(&entrants[0], 4000), row(&entrants[1], 1000)];
        let svg = chart(&rows, &[workload, Workload::Tasks(9)], &entrants);
        let bars: Vec<_> = svg.match_indices("fill-opacity").collect();
        assert_eq!(bars.len(), 2);
        assert!(svg.contains(&format!("width=\"{BAR_WIDTH:.1}\"")), "the best fills the panel");
        assert!(svg.contains(&format!("width=\"{:.1}\"", BAR_WIDTH / 4.0)));
        assert!(svg.contains("durable-1") && !svg.contains("tasks-9"), "no empty panel");
    }
}
