//! Families of metrics as they are written down, each with its help and its type.

use std::fmt;

use annals_engine::{HISTOGRAM_BOUNDS_US, HistogramFigures};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;

const US_PER_S: f64 = 1e6;

/// Takes one family after the other. Counters are named without `_total`, which the encoder adds.
pub(super) struct Sheet<'e>(pub(super) DescriptorEncoder<'e>);

impl Sheet<'_> {
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A counter of seconds.
    pub(super) fn counter_seconds(&mut self, name: &str, help: &str, seconds: f64) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
    }

    /// A counter for each value of a label.
    pub(super) fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (word, value) in values {
            let labels = [(label, *word)];
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(value, None)?;
        }
        Ok(())
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    pub(super) fn gauge_seconds(&mut self, name: &str, help: &str, seconds: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&seconds)
    }

    /// 1 or 0.
    pub(super) fn flag(&mut self, name: &str, help: &str, flag: bool) -> fmt::Result {
        self.gauge(name, help, u64::from(flag))
    }

    /// A gauge that is always 1 and says something by its labels.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let labels = labels.to_vec();
        encoder.encode_family(&labels)?.encode_gauge(&1_u64)
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, figures: &HistogramFigures) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        let (sum_s, buckets) = in_seconds(figures);
        encoder.encode_histogram::<NoLabelSet>(sum_s, figures.count(), &buckets, None)
    }

    /// A histogram for each value of a label.
    pub(super) fn histograms<'w>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (&'w str, HistogramFigures)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (word, figures) in values {
            let labels = [(label, word)];
            let (sum_s, buckets) = in_seconds(&figures);
            let mut of_word = encoder.encode_family(&labels)?;
            of_word.encode_histogram::<NoLabelSet>(sum_s, figures.count(), &buckets, None)?;
        }
        Ok(())
    }

    /// A family that the library keeps itself.
    pub(super) fn family(&mut self, name: &str, help: &str, family: &impl EncodeMetric) -> fmt::Result {
        family.encode(self.0.encode_descriptor(name, help, None, family.metric_type())?)
    }
}

/// The sum, and each bound with its own count.
fn in_seconds(figures: &HistogramFigures) -> (f64, Vec<(f64, u64)>) {
    let bounds = HISTOGRAM_BOUNDS_US.iter().map(|us| seconds(*us)).chain([f64::INFINITY]);
    (seconds(figures.sum_us), bounds.zip(figures.buckets).collect())
}

/// Seconds of microseconds; exact for as long as a process lives.
#[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / US_PER_S
}
