//! Clients of a world: they join, steer, check and apply every delta, and acknowledge it.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::time::Duration;

use worldshard_client::protocol::world::OPCODE_S2C_DELTA;
use worldshard_client::protocol::{
    ClientMessage, ExtEnvelope, Greeting, HotHeader, InterestWish, Record, ViewpointMode, WORLD_SVC,
};
use worldshard_client::transport::MessageKind;

use super::counts::{Counts, histogram, nanos};
use super::flat_view::FlatView;
use super::fleet::{Actor, Heard};
use super::plan::Plan;
use super::report::{Latencies, Report, WorldReport};
use super::run::Driven;
use super::runner::Window;
use super::schedule::{Due, Schedule};
use super::sink::wire_bytes;
use super::spoken::speak;

/// All clients.
pub(crate) struct World {
    counts: Counts,
    schedule: Schedule,
    clients: Vec<Client>,
    /// Clients that have seen something.
    ready: usize,
    /// Clients from this number on do not read.
    stalled_from: usize,
    radius_m: Option<f32>,
    seed: u64,
    tick_rate_hz: f64,
    seen: Seen,
    scratch: Vec<Record>,
}

/// One client.
#[derive(Default)]
struct Client {
    view: FlatView,
    /// Number of the last delta.
    delta: u32,
    acknowledged: u32,
    /// Number of the last message sent.
    sequence: u32,
    /// Directions given and not yet seen to be taken: number and when it was due.
    steered: VecDeque<(u32, Duration)>,
}

/// What the deltas of a window came to.
#[derive(Default)]
struct Seen {
    visible: u64,
    wire_bytes: u64,
    starved_ticks: u64,
    /// Tick and time of arrival of each delta.
    arrivals: Vec<(u64, Duration)>,
}

impl World {
    pub(crate) fn new(plan: &Plan, radius_m: Option<f32>, steer_hz: f64) -> Self {
        Self {
            counts: Counts::new(),
            schedule: Schedule::new(plan.connections, steer_hz),
            clients: (0..plan.connections).map(|_| Client::default()).collect(),
            ready: 0,
            stalled_from: plan.connections,
            radius_m,
            seed: plan.seed,
            tick_rate_hz: 0.0,
            seen: Seen::default(),
            scratch: Vec::new(),
        }
    }

    fn heard_text(&mut self, who: usize, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        let envelope = ExtEnvelope::parse(text).map_err(|error| error.to_string())?;
        match (&*envelope.svc, &*envelope.kind) {
            ("sys", "authed") => {
                let greeting = Greeting::parse(text).map_err(|error| error.to_string())?;
                self.tick_rate_hz = greeting.tick_rate_hz;
                let message = ClientMessage::Join {
                    mode: ViewpointMode::Avatar,
                    at: Some(place(&greeting, who)),
                    interest: self
                        .radius_m
                        .map_or(InterestWish::Default, InterestWish::Radius),
                    full: false,
                    acks: true,
                };
                let client = &mut self.clients[who];
                client.sequence += 1;
                speak(&message, Some(client.sequence), None, out);
            }
            ("world", "joined") => {}
            _ => {
                self.counts.faults.refused += 1;
                self.counts.faults.tell(|| format!("{who} was told {text}"));
            }
        }
        Ok(())
    }

    fn heard_binary(&mut self, who: usize, bytes: &[u8], now: Duration) -> Result<(), String> {
        let (header, payload) = HotHeader::parse(bytes).map_err(|error| error.to_string())?;
        if (header.svc, header.opcode) != (WORLD_SVC, OPCODE_S2C_DELTA) {
            return Err(format!("{header:?} is no delta"));
        }
        let client = &mut self.clients[who];
        let is_first = client.delta == 0;
        if header.seq != Some(client.delta + 1) {
            return Err(format!("{header:?} follows delta {}", client.delta));
        }
        client.delta += 1;
        let base = client.view.tick();
        let applied = client.view.apply(payload, &mut self.scratch);
        applied.map_err(|error| error.to_string())?;
        let tick = client.view.tick();
        self.ready += usize::from(is_first);
        let taken = client.view.command_sequence();
        while let Some(&(_, due)) = client
            .steered
            .front()
            .filter(|(number, _)| *number <= taken)
        {
            client.steered.pop_front();
            self.counts.took(due, now);
        }
        self.counts.came(bytes.len());
        if self.counts.counting {
            self.seen.visible += client.view.len() as u64;
            self.seen.wire_bytes += wire_bytes(bytes.len());
            self.seen.arrivals.push((tick.0, now));
            if !is_first {
                self.seen.starved_ticks += tick.0 - base.0 - 1;
            }
        }
        Ok(())
    }
}

impl Actor for World {
    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    fn heard(&mut self, who: usize, message: Heard<'_>, out: &mut Vec<u8>, now: Duration) {
        let understood = match message.kind {
            MessageKind::Text => {
                let text = std::str::from_utf8(message.payload);
                let text = text.expect("the reader passes UTF-8 only");
                self.heard_text(who, text, out)
            }
            MessageKind::Binary => self.heard_binary(who, message.payload, now),
        };
        if let Err(error) = understood {
            self.counts.faults.corrupted += 1;
            self.counts.faults.tell(|| format!("client {who}: {error}"));
        }
    }

    fn rested(&mut self, who: usize, out: &mut Vec<u8>, _now: Duration) {
        let client = &mut self.clients[who];
        if client.acknowledged != client.delta {
            client.acknowledged = client.delta;
            speak(&ClientMessage::Ack, None, Some(client.delta), out);
        }
    }
}

impl Driven for World {
    fn schedule(&mut self) -> Option<&mut Schedule> {
        Some(&mut self.schedule)
    }

    fn say(&mut self, due: Due, out: &mut Vec<u8>) {
        let client = &mut self.clients[due.sender];
        client.sequence += 1;
        if due.sender < self.stalled_from {
            client.steered.push_back((client.sequence, due.at));
        }
        let turn = chance(self.seed, due.sender as u64, u64::from(due.number)) * TAU;
        let message = ClientMessage::Steer {
            direction: [turn.cos(), turn.sin(), 0.0],
        };
        speak(&message, Some(client.sequence), None, out);
    }

    fn is_ready(&self) -> bool {
        self.ready == self.clients.len()
    }

    fn stall(&mut self, from: usize) {
        self.stalled_from = from;
        for client in &mut self.clients[from..] {
            client.steered.clear();
        }
    }

    fn missing(&self) -> u64 {
        let readers = &self.clients[..self.stalled_from];
        readers.iter().map(|one| one.steered.len() as u64).sum()
    }

    fn window_began(&mut self) {
        self.seen = Seen::default();
    }

    fn report(&mut self, window: &Window, report: &mut Report) {
        let deltas = self.counts.delivered.max(1) as f64;
        let seen = &mut self.seen;
        let ticks = seen.arrivals.iter().map(|(tick, _)| *tick);
        let span = ticks.clone().max().zip(ticks.min());
        report.world = Some(WorldReport {
            visible_mean: seen.visible as f64 / deltas,
            bytes_per_client_tick: seen.wire_bytes as f64 / deltas,
            starved_ticks: seen.starved_ticks,
            ticks_per_s: span.map_or(0.0, |(last, first)| {
                (last - first + 1) as f64 / window.length.as_secs_f64()
            }),
            lateness_us: lateness(&mut seen.arrivals, self.tick_rate_hz),
        });
    }
}

/// How late deltas were read, behind the earliest of the same second of the world's time.
fn lateness(arrivals: &mut [(u64, Duration)], tick_rate_hz: f64) -> Option<Latencies> {
    arrivals.sort_unstable();
    let second = |tick: u64| (tick as f64 / tick_rate_hz) as u64;
    let mut late = histogram();
    for arrivals in arrivals.chunk_by(|one, other| second(one.0) == second(other.0)) {
        let first_tick = arrivals[0].0;
        // Where the first tick of the second would have been seen, had each come as late as this one.
        let begin = |(tick, at): &(u64, Duration)| {
            let since = (tick - first_tick) as f64 / tick_rate_hz;
            at.saturating_sub(Duration::from_secs_f64(since))
        };
        let best = arrivals.iter().map(begin).min().unwrap_or_default();
        for arrival in arrivals {
            late.saturating_record(nanos(begin(arrival) - best).max(1));
        }
    }
    Latencies::of(&late)
}

/// Places that are spread evenly, one for each number: the additive recurrence of the plastic number.
fn place(greeting: &Greeting, number: usize) -> [f32; 3] {
    const STEPS: [f64; 3] = [0.754_877_666_246_693, 0.569_840_290_998_053, 0.0];
    let (min, max) = (greeting.space.min, greeting.space.max);
    [0, 1, 2].map(|axis| {
        let share = (0.5 + number as f64 * STEPS[axis]).fract() as f32;
        min[axis] + (max[axis] - min[axis]) * share
    })
}

/// From 0 up to 1, the same for the same numbers.
fn chance(seed: u64, who: u64, number: u64) -> f32 {
    let mixed = (seed ^ who << 32 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f32 / (1 << 24) as f32
}
