//! Measurements, and how they are printed: one table for people, or one JSON document for programs.

use std::io::{self, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use crate::machine::Machine;

/// The unit of a row's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    pub(crate) decimals: usize,
}

impl Unit {
    /// Milliseconds.
    pub(crate) const MILLISECONDS: Self = Self { name: "ms", decimals: 2 };
    /// Bytes.
    pub(crate) const BYTES: Self = Self { name: "B", decimals: 0 };
    /// Milliseconds of processor time in a second.
    pub(crate) const MILLISECONDS_PER_SECOND: Self = Self { name: "ms/s", decimals: 2 };
}

/// One line of the result.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured.
    title: String,
    /// Of what size.
    size: String,
    unit: Unit,
    /// In rising order, never empty.
    samples: Vec<f64>,
    /// What the median must stay below.
    bar: Option<f64>,
}

impl Row {
    /// Durations.
    pub(crate) fn times(title: impl Into<String>, size: impl Into<String>, times: &[Duration]) -> Self {
        Self::new(
            title,
            size,
            Unit::MILLISECONDS,
            times.iter().map(|time| time.as_secs_f64() * 1e3).collect(),
        )
    }

    /// One duration.
    pub(crate) fn time(title: impl Into<String>, size: impl Into<String>, time: Duration) -> Self {
        Self::times(title, size, &[time])
    }

    /// Any figures.
    pub(crate) fn new(
        title: impl Into<String>,
        size: impl Into<String>,
        unit: Unit,
        mut samples: Vec<f64>,
    ) -> Self {
        assert!(!samples.is_empty(), "a row has figures");
        samples.sort_by(f64::total_cmp);
        Self { title: title.into(), size: size.into(), unit, samples, bar: None }
    }

    /// The median must stay below this.
    pub(crate) fn below(mut self, bar: f64) -> Self {
        self.bar = Some(bar);
        self
    }

    fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The smallest sample that `percent` of all are not above.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.samples.len() * percent).div_ceil(100);
        self.samples[rank.max(1) - 1]
    }

    fn is_met(&self) -> Option<bool> {
        self.bar.map(|bar| self.median() < bar)
    }

    fn line(&self) -> String {
        let decimals = self.unit.decimals;
        let p99 = if self.samples.len() > 1 {
            format!("{:.decimals$}", self.percentile(99))
        } else {
            String::new()
        };
        let bar = match (self.bar, self.is_met()) {
            (Some(bar), Some(true)) => format!("< {bar} met"),
            (Some(bar), _) => format!("< {bar} MISSED"),
            _ => String::new(),
        };
        let line = format!(
            "{:48}{:>24}{:>13.decimals$}{p99:>13}  {:5}{:>5}  {bar}",
            self.title,
            self.size,
            self.median(),
            self.unit.name,
            self.samples.len(),
        );
        line.trim_end().to_owned()
    }

    fn json(&self) -> Value {
        json!({
            "what": self.title,
            "size": self.size,
            "unit": self.unit.name,
            "median": self.median(),
            "p99": self.percentile(99),
            "samples": self.samples.len(),
            "bar": self.bar,
            "met": self.is_met(),
        })
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    /// By which benchmark.
    pub(crate) benchmark: &'static str,
    /// Where.
    pub(crate) machine: Machine,
    /// What came out.
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// Prints it to standard output.
    pub(crate) fn print(&self, as_json: bool) {
        let text = if as_json { self.json() } else { self.table() };
        // A reader that has gone away is no reason to fail.
        let _ = io::stdout().lock().write_all(text.as_bytes());
    }

    fn table(&self) -> String {
        let head =
            format!("{:48}{:>24}{:>13}{:>13}  {:5}{:>5}  bar", "what", "of", "median", "p99", "unit", "n");
        let lines = self.rows.iter().map(Row::line);
        std::iter::once(head).chain(lines).map(|line| line + "\n").collect()
    }

    fn json(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(Row::json).collect();
        format!(
            "{:#}\n",
            json!({ "benchmark": self.benchmark, "machine": self.machine.json(), "rows": rows })
        )
    }
}
