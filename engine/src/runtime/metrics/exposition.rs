//! Lays out metrics as Prometheus reads them: text, format 0.0.4. Knows no metric.

use std::fmt::Write as _;

use super::histogram::Histogram;

/// What a number means over time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// It only grows.
    Counter,
    /// It is as it is now.
    Gauge,
    Histogram,
}

/// The text so far.
#[derive(Default)]
pub(crate) struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a metric. Its samples follow, and nothing else before them.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // A text takes whatever is written to it.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One number of the metric that was begun.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (at, (label, is)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let is = is
                .replace('\\', r"\\")
                .replace('"', r#"\""#)
                .replace('\n', r"\n");
            let _ = write!(self.text, "{label}=\"{is}\"");
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// The numbers of a histogram, in seconds.
    pub(crate) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], times: &Histogram) {
        let bucket = format!("{name}_bucket");
        let with = |text: &mut Self, bound: &str, count: u64| {
            let mut all = labels.to_vec();
            all.push(("le", bound));
            text.sample(&bucket, &all, count as f64);
        };
        for (bound, count) in times.up_to() {
            with(self, &bound.to_string(), count);
        }
        with(self, "+Inf", times.count());
        self.sample(&format!("{name}_sum"), labels, times.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), labels, times.count() as f64);
    }

    /// All of it.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// What the answer to a scrape says it is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
