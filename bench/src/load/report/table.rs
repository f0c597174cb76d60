//! A report for people: one fact a line.

use std::fmt::Write as _;

use super::{Latencies, Report};

impl Report {
    /// Lines of a name and what it came to, in the units of the report.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(table, "{name:<28}{value}");
        };
        row("scenario", self.headline());
        row("offered", self.offered_words());
        row(
            "delivered",
            format!("{}, {:.0} a second", self.delivered, self.delivered_per_s),
        );
        for (name, cost) in [
            ("CPU µs per message", self.cpu_us_per_message),
            ("CPU µs per client-tick", self.cpu_us_per_client_tick),
            ("CPU µs per handshake", self.cpu_us_per_handshake),
            ("bytes per connection", self.bytes_per_connection),
        ] {
            if let Some(cost) = cost {
                row(name, format!("{cost:.2}"));
            }
        }
        if let Some(latency) = &self.latency_us {
            row("latency µs", latency.to_string());
        }
        if let Some(world) = &self.world {
            row(
                "world",
                format!(
                    "{:.1} visible, {:.0} bytes per client-tick, {:.2} ticks a second, {} starved",
                    world.visible_mean,
                    world.bytes_per_client_tick,
                    world.ticks_per_s,
                    world.starved_ticks
                ),
            );
            if let Some(lateness) = &world.lateness_us {
                row("lateness of deltas µs", lateness.to_string());
            }
        }
        if let Some(storm) = &self.storm {
            row(
                "handshakes a second",
                format!("{:.0}", storm.handshakes_per_s),
            );
            if let Some(cost) = storm.cpu_us_per_close {
                row("CPU µs per close", format!("{cost:.2}"));
            }
        }
        self.stalled_rows(&mut row);
        self.process_rows(&mut row);
        let faults = &self.faults;
        row(
            "faults",
            format!(
                "{} lost, {} repeated, {} corrupted, {} refused, {} closed",
                faults.lost, faults.repeated, faults.corrupted, faults.refused, faults.closed
            ),
        );
        for example in &faults.examples {
            row("", example.clone());
        }
        if self.valid {
            row("valid", "yes".to_owned());
        }
        for why in &self.why_invalid {
            row("NOT VALID", why.clone());
        }
        table
    }

    fn headline(&self) -> String {
        let mut words = format!("{}, {} connections", self.scenario, self.connections);
        if self.payload_bytes > 0 {
            let _ = write!(words, ", messages of {} bytes", self.payload_bytes);
        }
        let _ = write!(
            words,
            ", {:.2} s after {:.1} s",
            self.seconds, self.warmup_s
        );
        words
    }

    fn offered_words(&self) -> String {
        let offered = &self.offered;
        if let Some(rate) = offered.messages_per_s {
            return format!("{rate} messages a second, {} sent", self.sent);
        }
        if let Some(in_flight) = offered.in_flight {
            return format!(
                "{in_flight} in flight on each connection, {} sent",
                self.sent
            );
        }
        match offered.connections_per_s {
            Some(rate) => format!("{rate} connections a second"),
            None => "connections".to_owned(),
        }
    }

    fn stalled_rows(&self, row: &mut impl FnMut(&str, String)) {
        let Some(stalled) = &self.stalled else { return };
        row(
            "do not read",
            format!(
                "{}, of which {} were closed",
                stalled.connections, stalled.closed
            ),
        );
        if let Some(bytes) = stalled.bytes_per_stalled {
            row("bytes per stalled", format!("{bytes:.0}"));
        }
        for (name, latencies) in [
            ("latency µs, all reading", &stalled.quiet_latency_us),
            ("lateness µs, all reading", &stalled.quiet_lateness_us),
        ] {
            if let Some(latencies) = latencies {
                row(name, latencies.to_string());
            }
        }
        if let Some(cost) = stalled.quiet_cpu_us_per_message {
            row("CPU µs, all reading", format!("{cost:.2}"));
        }
    }

    fn process_rows(&self, row: &mut impl FnMut(&str, String)) {
        if let Some(server) = &self.server {
            let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
            row(
                "server",
                format!(
                    "{:.1} % of a core, {:.1} MiB resident before, {:.1} MiB after",
                    server.cpu_cores * 100.0,
                    mib(server.rss_bytes_before),
                    mib(server.rss_bytes_after)
                ),
            );
        }
        let own = &self.generator;
        let mut words = format!("{:.1} % of a core", own.cpu_cores * 100.0);
        if let Some(others) = own.others_cpu_cores {
            let _ = write!(words, ", all others {:.1} %", others * 100.0);
        }
        if let Some(lag) = &own.lag_us {
            let _ = write!(words, ", sends late by {:.0} µs (p99)", lag.p99);
        }
        row("generator", words);
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            p50,
            p90,
            p99,
            p99_9,
            max,
            ..
        } = self;
        write!(
            f,
            "p50 {p50:.0}, p90 {p90:.0}, p99 {p99:.0}, p99.9 {p99_9:.0}, max {max:.0}"
        )
    }
}
