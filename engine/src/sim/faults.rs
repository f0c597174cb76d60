//! What goes wrong in a simulation: how often, and how often it did. Never does it: that is `simulation` and `live`.

use std::fmt;
use std::str::FromStr;

use worldshard_shard::Chance;

/// How often each kind of fault happens, in a thousand chances for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// An envelope is late by up to [`LATE_TURNS_MAX`] turns.
    pub late_envelopes: u16,
    /// A letter is late by up to [`LATE_TICKS_MAX`] ticks; what its sender says after it waits behind it.
    pub late_letters: u16,
    /// A shard about to advance does nothing for up to [`STALL_TURNS_MAX`] turns.
    pub shard_stalls: u16,
    /// The clock leaps ahead by up to [`JUMP_MS_MAX`] when a shard begins a tick: the machine slept. With none of these there is
    /// no clock, and shards run as fast as they can.
    pub clock_jumps: u16,
    /// A client does not read for up to [`STALL_TICKS_MAX`] ticks.
    pub client_stalls: u16,
    /// A connection breaks; another follows.
    pub disconnects: u16,
    /// A client that lies at all says what it must not.
    pub lies: u16,
    /// In a tick the process ends, between any two turns; another one opens the world. Needs a world that is kept.
    pub process_crashes: u16,
    /// In a tick one shard is lost, between any two turns, and made again. Needs a world that is kept.
    pub shard_crashes: u16,
    /// The machine ends with the process: what was on its way to the disk is lost in part.
    pub torn_tails: u16,
    /// After a crash a bit is wrong in a checkpoint that can be done without.
    pub damaged_checkpoints: u16,
    /// After a crash a bit is wrong within the journal, until somebody has seen it.
    pub damaged_journals: u16,
    /// The disk is full when the journal is to be written, which ends the process.
    pub full_disks: u16,
    /// A commit, or a checkpoint, takes up to [`SLOW_TURNS_MAX`] turns.
    pub slow_disks: u16,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        late_envelopes: 0,
        late_letters: 0,
        shard_stalls: 0,
        clock_jumps: 0,
        client_stalls: 0,
        disconnects: 0,
        lies: 0,
        process_crashes: 0,
        shard_crashes: 0,
        torn_tails: 0,
        damaged_checkpoints: 0,
        damaged_journals: 0,
        full_disks: 0,
        slow_disks: 0,
    };

    /// Everything goes wrong that may in a world that nobody keeps, each kind often enough to meet the others.
    pub const ALL: Self = Self {
        late_envelopes: 100,
        late_letters: 50,
        shard_stalls: 50,
        clock_jumps: 10,
        client_stalls: 15,
        disconnects: 8,
        lies: 400,
        ..Self::NONE
    };

    /// Everything goes wrong that may in a world that is kept.
    pub const CRASHES: Self = Self {
        process_crashes: 40,
        shard_crashes: 150,
        torn_tails: 600,
        damaged_checkpoints: 300,
        damaged_journals: 300,
        full_disks: 3,
        slow_disks: 50,
        ..Self::ALL
    };

    /// The same without one kind.
    #[must_use]
    pub fn without(mut self, kind: FaultKind) -> Self {
        *match kind {
            FaultKind::LateEnvelopes => &mut self.late_envelopes,
            FaultKind::LateLetters => &mut self.late_letters,
            FaultKind::ShardStalls => &mut self.shard_stalls,
            FaultKind::ClockJumps => &mut self.clock_jumps,
            FaultKind::ClientStalls => &mut self.client_stalls,
            FaultKind::Disconnects => &mut self.disconnects,
            FaultKind::Lies => &mut self.lies,
            FaultKind::ProcessCrashes => &mut self.process_crashes,
            FaultKind::ShardCrashes => &mut self.shard_crashes,
            FaultKind::TornTails => &mut self.torn_tails,
            FaultKind::DamagedCheckpoints => &mut self.damaged_checkpoints,
            FaultKind::DamagedJournals => &mut self.damaged_journals,
            FaultKind::FullDisks => &mut self.full_disks,
            FaultKind::SlowDisks => &mut self.slow_disks,
        } = 0;
        self
    }
}

/// A kind of fault, by its name: that of the field of [`Faults`], with dashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "they are the fields of `Faults`")]
pub enum FaultKind {
    LateEnvelopes,
    LateLetters,
    ShardStalls,
    ClockJumps,
    ClientStalls,
    Disconnects,
    Lies,
    ProcessCrashes,
    ShardCrashes,
    TornTails,
    DamagedCheckpoints,
    DamagedJournals,
    FullDisks,
    SlowDisks,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::LateEnvelopes,
        Self::LateLetters,
        Self::ShardStalls,
        Self::ClockJumps,
        Self::ClientStalls,
        Self::Disconnects,
        Self::Lies,
        Self::ProcessCrashes,
        Self::ShardCrashes,
        Self::TornTails,
        Self::DamagedCheckpoints,
        Self::DamagedJournals,
        Self::FullDisks,
        Self::SlowDisks,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::LateEnvelopes => "late-envelopes",
            Self::LateLetters => "late-letters",
            Self::ShardStalls => "shard-stalls",
            Self::ClockJumps => "clock-jumps",
            Self::ClientStalls => "client-stalls",
            Self::Disconnects => "disconnects",
            Self::Lies => "lies",
            Self::ProcessCrashes => "process-crashes",
            Self::ShardCrashes => "shard-crashes",
            Self::TornTails => "torn-tails",
            Self::DamagedCheckpoints => "damaged-checkpoints",
            Self::DamagedJournals => "damaged-journals",
            Self::FullDisks => "full-disks",
            Self::SlowDisks => "slow-disks",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == text);
        kind.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("no fault is named {text:?}: {}", names.join(", "))
        })
    }
}

/// How many faults of each kind there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "they are those of `Faults`")]
pub struct FaultCounts {
    pub late_envelopes: u64,
    pub late_letters: u64,
    pub shard_stalls: u64,
    pub clock_jumps: u64,
    pub client_stalls: u64,
    pub disconnects: u64,
    pub lies: u64,
    /// Of a world that is kept.
    pub crashes: Option<CrashCounts>,
}

/// How many faults there were of each kind that only a world has that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "they are those of `Faults`")]
pub struct CrashCounts {
    pub process_crashes: u64,
    pub shard_crashes: u64,
    pub torn_tails: u64,
    pub damaged_checkpoints: u64,
    pub damaged_journals: u64,
    pub full_disks: u64,
    pub slow_disks: u64,
}

impl FaultCounts {
    /// Each kind by its name.
    #[must_use]
    pub fn by_kind(&self) -> Vec<(&'static str, u64)> {
        let mut kinds = vec![
            ("late envelopes", self.late_envelopes),
            ("late letters", self.late_letters),
            ("stalled shards", self.shard_stalls),
            ("clock jumps", self.clock_jumps),
            ("stalled clients", self.client_stalls),
            ("disconnects", self.disconnects),
            ("lies", self.lies),
        ];
        if let Some(crashes) = &self.crashes {
            kinds.extend([
                ("process crashes", crashes.process_crashes),
                ("shard crashes", crashes.shard_crashes),
                ("torn tails", crashes.torn_tails),
                ("damaged checkpoints", crashes.damaged_checkpoints),
                ("damaged journals", crashes.damaged_journals),
                ("full disks", crashes.full_disks),
                ("slow disks", crashes.slow_disks),
            ]);
        }
        kinds
    }

    /// Those of a world that is kept.
    pub(crate) fn crashes(&mut self) -> &mut CrashCounts {
        self.crashes.get_or_insert_default()
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, count)) in self.by_kind().into_iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}

/// Whether a fault happens this time.
pub(crate) fn happens(per_mille: u16, chance: &mut Chance) -> bool {
    per_mille > 0 && chance.next_u64() % 1000 < u64::from(per_mille)
}

/// Whether a fault happens this time; counts it.
pub(crate) fn strikes(per_mille: u16, count: &mut u64, chance: &mut Chance) -> bool {
    let struck = happens(per_mille, chance);
    *count += u64::from(struck);
    struck
}

/// A number from 1 to `most`.
pub(crate) fn up_to(most: u64, chance: &mut Chance) -> u64 {
    1 + chance.next_u64() % most
}

/// A late envelope comes at most so many turns later. The world waits for it.
pub const LATE_TURNS_MAX: u64 = 200;

/// A late letter comes at most so many ticks later.
pub const LATE_TICKS_MAX: u64 = 20;

/// A stalled shard does nothing for at most so many turns. The world waits for it.
pub const STALL_TURNS_MAX: u64 = 400;

/// The clock leaps ahead by at most so many milliseconds: a night.
pub const JUMP_MS_MAX: u64 = 8 * 3600 * 1000;

/// A stalled client reads nothing for at most so many ticks.
pub const STALL_TICKS_MAX: u64 = 60;

/// A slow disk does nothing for at most so many turns. A world that is too far ahead of it waits.
pub const SLOW_TURNS_MAX: u64 = 1000;
