//! How benches measure: criterion over CPU time, with throughput as the time that each element or byte takes.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Criterion, Throughput};

/// Criterion over this clock, as the command line has it, in seconds rather than minutes unless it says otherwise.
pub(crate) fn criterion(clock: fn() -> Duration) -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime {
            clock,
            format: Format,
        })
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// CPU time, which goes on only while the work runs: a machine that others use makes it a little longer, not twice.
pub(crate) struct CpuTime {
    clock: fn() -> Duration,
    format: Format,
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        (self.clock)()
    }

    fn end(&self, began: Duration) -> Duration {
        (self.clock)().saturating_sub(began)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        // A sample of zero has no logarithm: clocks may stand still over an empty loop.
        value.as_nanos().max(1) as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &self.format
    }
}

struct Format;

impl ValueFormatter for Format {
    fn scale_values(&self, typical_ns: f64, values: &mut [f64]) -> &'static str {
        let (per_unit, unit) = match typical_ns {
            ns if ns < 1e3 => (1.0, "ns"),
            ns if ns < 1e6 => (1e3, "µs"),
            _ => (1e6, "ms"),
        };
        values.iter_mut().for_each(|ns| *ns /= per_unit);
        unit
    }

    fn scale_throughputs(
        &self,
        _: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        let (count, unit) = match *throughput {
            Throughput::Elements(count)
            | Throughput::ElementsAndBytes {
                elements: count, ..
            } => (count, "ns each"),
            Throughput::Bytes(count) | Throughput::BytesDecimal(count) => (count, "ns/B"),
            Throughput::Bits(count) => (count, "ns/bit"),
        };
        values.iter_mut().for_each(|ns| *ns /= count as f64);
        unit
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "ns"
    }
}
