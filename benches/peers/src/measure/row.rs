//! [`Row`]: one log under one workload.

use std::time::Duration;

use benches::{Samples, Spread};
use serde::Serialize;

use super::Workload;
use super::drive::Sample;
use crate::Entrant;

/// One log under one workload: medians over the rounds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The log's name.
    pub subject: &'static str,
    /// The workload's name.
    pub workload: String,
    /// Records acknowledged a second.
    pub records_per_second: f64,
    /// Millions of bytes of records a second.
    pub mb_per_second: f64,
    /// Microseconds from an append to its acknowledgement that half of the records stayed within.
    /// None of these where records were not waited for one by one.
    pub p50_us: Option<f64>,
    /// That 99 of 100 stayed within.
    pub p99_us: Option<f64>,
    /// That 999 of 1000 stayed within.
    pub p999_us: Option<f64>,
    /// Syncs a record, where they can be counted.
    pub syncs_per_commit: Option<f64>,
    /// Whether what was acknowledged survives a power cut.
    pub durable: bool,
    /// The lower quartile of `records_per_second` over the rounds.
    pub records_per_second_low: f64,
    /// The upper quartile.
    pub records_per_second_high: f64,
    /// Milliseconds that every sync was made to take longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_delay_ms: Option<f64>,
    /// Whether tasks had to be given threads, since the log cannot be awaited.
    #[serde(skip)]
    pub threads_for_tasks: bool,
}

impl Row {
    pub(super) fn new(
        entrant: &Entrant,
        workload: Workload,
        samples: &[Sample],
        sync_delay: Duration,
    ) -> Self {
        let rate = spread(samples, |sample| {
            Some(float(sample.records) / sample.took.as_secs_f64().max(f64::MIN_POSITIVE))
        });
        let rate = rate.unwrap_or(Spread { low: 0.0, median: 0.0, high: 0.0 });
        let latency = |share| {
            let of = |sample: &Sample| Some(micros(sample.latency(share)?));
            spread(samples, of).map(|latency| latency.median)
        };
        let syncs = |sample: &Sample| Some(float(sample.syncs?) / float(sample.records.max(1)));
        Self {
            subject: entrant.name,
            workload: workload.name(),
            records_per_second: rate.median,
            mb_per_second: rate.median * float(workload.record_len() as u64) / 1e6,
            p50_us: latency(0.5),
            p99_us: latency(0.99),
            p999_us: latency(0.999),
            syncs_per_commit: spread(samples, syncs).map(|syncs| syncs.median),
            // A pipelined run ends with a sync, whatever the log does by itself.
            durable: entrant.durable() || matches!(workload, Workload::Pipelined(_)),
            records_per_second_low: rate.low,
            records_per_second_high: rate.high,
            sync_delay_ms: (!sync_delay.is_zero()).then_some(sync_delay.as_secs_f64() * 1e3),
            threads_for_tasks: samples.iter().any(|sample| sample.threads_for_tasks),
        }
    }
}

/// None where one of the samples has no such value.
fn spread(samples: &[Sample], of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
    let values: Option<Vec<_>> = samples.iter().map(of).collect();
    values.filter(|values| !values.is_empty()).map(|values| Samples::from(values).spread())
}

fn micros(time: Duration) -> f64 {
    float(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)) / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entrants;

    fn sample(records: u64, syncs: Option<u64>) -> Sample {
        let took = Duration::from_secs(2);
        let latencies = (1..=records).map(Duration::from_micros).collect();
        Sample { records, took, latencies, syncs, threads_for_tasks: false }
    }

    #[test]
    fn a_row_is_the_median_of_its_rounds_in_the_units_that_it_names() {
        let samples = [sample(1000, Some(100)), sample(3000, Some(300)), sample(2000, Some(200))];
        let entrant = entrants()[0];
        let row = Row::new(&entrant, Workload::Durable(8), &samples, Duration::ZERO);
        let json = serde_json::to_value(&row).unwrap();
        let wanted = serde_json::json!({
            "subject": entrant.name,
            "workload": "durable-8",
            "records_per_second": 1000.0,
            "mb_per_second": 0.1,
            "p50_us": 1001.0,
            "p99_us": 1981.0,
            "p999_us": 1999.0,
            "syncs_per_commit": 0.1,
            "durable": true,
            "records_per_second_low": 1000.0,
            "records_per_second_high": 1500.0,
        });
        assert_eq!(json, wanted);
    }

    /// What cannot be counted is null, not zero.
    #[test]
    fn what_is_not_known_is_null() {
        let sample = Sample { latencies: Vec::new(), ..sample(5, None) };
        let row = Row::new(&entrants()[0], Workload::Pipelined(100), &[sample], Duration::ZERO);
        let json = serde_json::to_value(&row).unwrap();
        assert!(json["p50_us"].is_null() && json["syncs_per_commit"].is_null());
    }
}
