//! The counts as a table or as JSON.

use std::io::{self, Write as _};

use serde_json::json;

use crate::callgrind::Counts;
use crate::world::Change;

/// The most that a change may cost in the largest configuration, against the smallest.
const BAR: f64 = 1.5;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

impl Format {
    /// What the arguments ask for.
    pub(crate) fn of(arguments: &[&str]) -> Self {
        let json = arguments.windows(2).any(|pair| pair == ["-o", "json"]);
        if json { Self::Json } else { Self::Table }
    }
}

/// One line of the result.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was counted.
    title: String,
    /// Instructions, one number a size.
    instructions: Vec<u64>,
    /// The last against the first.
    ratio: f64,
    /// Whether the ratio is within the bar, where there is one.
    pub(crate) within_bar: Option<bool>,
}

impl Row {
    fn new(title: String, instructions: Vec<u64>, has_bar: bool) -> Self {
        let (first, last) = (instructions[0], instructions[instructions.len() - 1]);
        let ratio = ratio(last, first);
        Self { title, instructions, ratio, within_bar: has_bar.then_some(ratio <= BAR) }
    }
}

/// All rows: each change from event to snapshot, and in the graph alone.
pub(crate) fn rows(counts: &[Counts]) -> Vec<Row> {
    let mut rows = Vec::new();
    let joining: Vec<u64> = counts.iter().map(|counts| counts.joining).collect();
    for (index, change) in Change::ALL.into_iter().enumerate() {
        let events = counts.iter().map(|counts| counts.events[index]).collect();
        let graph = counts.iter().map(|counts| counts.graph[index]).collect();
        rows.extend(of_change(change, "event to snapshot", events, &joining));
        rows.extend(of_change(change, "graph alone", graph, &joining));
    }
    rows.push(Row::new("joining and hashing the route configuration".to_owned(), joining, false));
    rows
}

fn of_change(change: Change, part: &str, instructions: Vec<u64>, joining: &[u64]) -> Vec<Row> {
    let title = format!("{}: {part}", change.title());
    if change != Change::Route {
        return vec![Row::new(title, instructions, true)];
    }
    let apart = instructions.iter().zip(joining).map(|(all, joining)| all.saturating_sub(*joining)).collect();
    let without = Row::new(format!("{title}, without the joining"), apart, true);
    vec![Row::new(title, instructions, false), without]
}

/// Prints all rows.
pub(crate) fn print(rows: &[Row], sizes: &[usize], format: Format) {
    let text = match format {
        Format::Table => table(rows, sizes),
        Format::Json => json(rows, sizes),
    };
    // A reader that has gone away is no reason to fail.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn table(rows: &[Row], sizes: &[usize]) -> String {
    let mut text = format!("{:58}", "instructions per change");
    for size in sizes {
        text += &format!("{:>14}", format!("{size} routes"));
    }
    text += &format!("{:>8}  bar\n", "ratio");
    for row in rows {
        text += &format!("{:58}", row.title);
        for count in &row.instructions {
            text += &format!("{count:>14}");
        }
        let verdict = match row.within_bar {
            Some(true) => format!("{BAR} met"),
            Some(false) => format!("{BAR} MISSED"),
            None => "-".to_owned(),
        };
        text += &format!("{:>8.2}  {verdict}\n", row.ratio);
    }
    text
}

fn json(rows: &[Row], sizes: &[usize]) -> String {
    let row = |row: &Row| {
        json!({
            "what": row.title,
            "unit": "instructions",
            "values": row.instructions,
            "ratio": row.ratio,
            "bar": row.within_bar.map(|_| BAR),
            "met": row.within_bar,
        })
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    format!("{:#}\n", json!({ "benchmark": "graph", "routes": sizes, "rows": rows }))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn ratio(last: u64, first: u64) -> f64 {
    last as f64 / first as f64
}
