//! Live clients: they connect, join, walk, look, stall, break off, and lie, as the seed has it.
//!
//! Decides what a client does next. Never touches a hub: the simulation carries its deeds out.

use worldshard_protocol::hot::HOT_VERSION;
use worldshard_protocol::{ClientMessage, HotHeader, InterestWish, Tick, ViewpointMode, WORLD_SVC};
use worldshard_shard::{Chance, Interest, WorldConfig};
use worldshard_spatial::Point;
use worldshard_transport::MessageKind;

use crate::sim::client::{ClientStanding, SimClient};
use crate::sim::faults::{FaultCounts, Faults, STALL_TICKS_MAX, strikes, up_to};

/// What a client does, for the simulation to carry out.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Connects, to this home.
    Open(u16),
    /// Reads this many of the frames that wait for it.
    Read(usize),
    /// Acknowledges what it has read.
    Acknowledge,
    /// Says a message.
    Say(MessageKind, Vec<u8>),
    /// Breaks its connection.
    Break,
}

/// What a live client has in mind.
#[derive(Debug, Default)]
pub(crate) struct Mind {
    stalled_until: Tick,
    away_until: Tick,
    acks: bool,
    /// The last delta of this viewpoint that it acknowledged.
    acknowledged: u32,
    camera: bool,
    /// Where its camera is, or its avatar began.
    at: [f32; 3],
}

/// Where a client lives, and what may go wrong.
pub(crate) struct Circumstances<'a> {
    pub(crate) config: &'a WorldConfig,
    pub(crate) shards: u16,
    pub(crate) tick: Tick,
    pub(crate) faults: &'a Faults,
}

/// Whether a client never lies. What the others say must cost these nothing.
pub(crate) fn is_honest(number: u32) -> bool {
    number % LIARS_ONE_IN != LIARS_ONE_IN - 1
}

impl Mind {
    /// What the client does in this tick, in order.
    pub(crate) fn act(
        &mut self,
        client: &mut SimClient,
        around: &Circumstances<'_>,
        counts: &mut FaultCounts,
        chance: &mut Chance,
    ) -> Vec<Deed> {
        let (tick, faults) = (around.tick, around.faults);
        if client.session().is_none() {
            if tick < self.away_until {
                return Vec::new();
            }
            *self = Self::default();
            let home = chance.next_u64() % u64::from(around.shards);
            return vec![Deed::Open(home as u16)];
        }
        if strikes(faults.disconnects, &mut counts.disconnects, chance) {
            self.away_until = tick + up_to(AWAY_TICKS_MAX, chance);
            return vec![Deed::Break];
        }
        if tick >= self.stalled_until
            && strikes(faults.client_stalls, &mut counts.client_stalls, chance)
        {
            self.stalled_until = tick + up_to(STALL_TICKS_MAX, chance);
        }
        let mut deeds = Vec::new();
        if tick >= self.stalled_until {
            // Not always all of it: a kernel takes what it has room for.
            let all = client.unread() as u64;
            let some = if chance.next_u64().is_multiple_of(4) {
                chance.next_u64() % (all + 1)
            } else {
                all
            };
            deeds.push(Deed::Read(some as usize));
            // Acknowledgements are cumulative: now and then one is saved.
            if !chance.next_u64().is_multiple_of(3) {
                deeds.push(Deed::Acknowledge);
            }
        }
        if !is_honest(client.number()) && strikes(faults.lies, &mut counts.lies, chance) {
            deeds.push(lie(client, around, chance));
        }
        deeds.extend(self.say(client, around.config, chance));
        deeds
    }

    /// The word that it has what it read; none when it never promised any, or has said it.
    pub(crate) fn acknowledgement(&mut self, client: &SimClient) -> Option<Deed> {
        let last = client.delta_sequence();
        let is_due = client.standing() == ClientStanding::In && self.acks;
        if !is_due || last == self.acknowledged {
            return None;
        }
        self.acknowledged = last;
        Some(hot(&ClientMessage::Ack, None, Some(last)))
    }

    fn say(
        &mut self,
        client: &mut SimClient,
        config: &WorldConfig,
        chance: &mut Chance,
    ) -> Option<Deed> {
        let standing = client.standing();
        let message = match standing {
            ClientStanding::Out => self.join(config, chance),
            ClientStanding::Leaving => return None,
            ClientStanding::Joining | ClientStanding::In => {
                if !chance.next_u64().is_multiple_of(3) {
                    return None;
                }
                if chance.next_u64().is_multiple_of(16) {
                    // No command: it has no number.
                    return Some(hot(&overview(chance), None, None));
                }
                self.wish(config, chance)
            }
        };
        let seen = client.seen()?;
        seen.command_sent += 1;
        let number = seen.command_sent;
        match message {
            ClientMessage::Join {
                mode, at, interest, ..
            } => {
                seen.join_sent = number;
                seen.interest = (0, Interest::admit(&interest, config, 0).ok()?);
                let is_camera = mode == ViewpointMode::Camera;
                let at = at.filter(|_| is_camera);
                seen.camera = at.map(|at| (0, Point::from_array(at)));
                client.stands(ClientStanding::Joining);
            }
            ClientMessage::Interest(wish) => {
                seen.interest = (number, Interest::admit(&wish, config, 0).ok()?);
            }
            ClientMessage::Look { at } => seen.camera = Some((number, Point::from_array(at))),
            ClientMessage::Leave => client.stands(ClientStanding::Leaving),
            ClientMessage::Steer { .. }
            | ClientMessage::Move { .. }
            | ClientMessage::Ack
            | ClientMessage::Overview { .. }
            | ClientMessage::Custom { .. } => {}
        }
        Some(hot(&message, Some(number), None))
    }

    fn join(&mut self, config: &WorldConfig, chance: &mut Chance) -> ClientMessage<'static> {
        self.acks = chance.next_u64().is_multiple_of(2);
        self.acknowledged = 0;
        self.camera = chance.next_u64().is_multiple_of(3);
        self.at = place(config, chance);
        ClientMessage::Join {
            mode: if self.camera {
                ViewpointMode::Camera
            } else {
                ViewpointMode::Avatar
            },
            at: (!chance.next_u64().is_multiple_of(4)).then_some(self.at),
            interest: interest(config, chance),
            full: chance.next_u64().is_multiple_of(8),
            acks: self.acks,
        }
    }

    fn wish(&mut self, config: &WorldConfig, chance: &mut Chance) -> ClientMessage<'static> {
        match chance.next_u64() % 16 {
            0 => ClientMessage::Leave,
            1 | 2 => ClientMessage::Interest(interest(config, chance)),
            _ if self.camera => {
                // Mostly a little further, sometimes somewhere else altogether.
                let to = place(config, chance);
                let share = if chance.next_u64().is_multiple_of(4) {
                    1.0
                } else {
                    0.05
                };
                for (at, to) in self.at.iter_mut().zip(to) {
                    *at += (to - *at) * share;
                }
                let at = config.bounds.clamp(Point::from_array(self.at));
                ClientMessage::Look { at: at.to_array() }
            }
            3 => ClientMessage::Move { to: self.at },
            _ => ClientMessage::Steer {
                direction: (chance.unit_vector(config.metric) * chance.next_f32()).to_array(),
            },
        }
    }
}

fn overview(chance: &mut Chance) -> ClientMessage<'static> {
    ClientMessage::Overview {
        on: chance.next_u64().is_multiple_of(2),
        ghosts: chance.next_u64().is_multiple_of(2),
    }
}

/// Something that no honest client says, or not now.
fn lie(client: &SimClient, around: &Circumstances<'_>, chance: &mut Chance) -> Deed {
    let (config, draw) = (around.config, chance.next_u64());
    let nowhere = [f32::NAN, f32::INFINITY, -1.0e30][(draw >> 32) as usize % 3];
    let far = config.bounds.max.to_array().map(|edge| edge * 3.0 + 1.0);
    let message = match draw % 12 {
        0 => ClientMessage::Move { to: [nowhere; 3] },
        1 => ClientMessage::Move { to: far },
        2 => ClientMessage::Move {
            to: place(config, chance),
        },
        3 => ClientMessage::Steer {
            direction: [nowhere, 9.0, 0.0],
        },
        4 => ClientMessage::Look { at: far },
        5 => ClientMessage::Join {
            mode: ViewpointMode::Avatar,
            at: Some(place(config, chance)),
            interest: InterestWish::Default,
            full: true,
            acks: true,
        },
        6 => ClientMessage::Interest(InterestWish::Radius(config.interest_radius_max_m * 2.0)),
        7 => ClientMessage::Interest(InterestWish::Nearest {
            k: u16::MAX,
            radius: nowhere,
        }),
        8 => {
            let never_sent = client
                .delta_sequence()
                .wrapping_add(up_to(1 << 31, chance) as u32);
            return hot(&ClientMessage::Ack, None, Some(never_sent));
        }
        9 => {
            // One that it may not have read.
            let next = client.delta_sequence().wrapping_add(1);
            return hot(&ClientMessage::Ack, None, Some(next));
        }
        10 => return Deed::Say(MessageKind::Text, text(chance)),
        _ => return Deed::Say(MessageKind::Binary, garbage(chance)),
    };
    let told = (draw >> 16) as u32;
    hot(&message, Some(told), None)
}

/// Bytes that begin like a message, or not even that.
fn garbage(chance: &mut Chance) -> Vec<u8> {
    let len = chance.next_u64() % 40;
    let mut bytes: Vec<u8> = (0..len).map(|_| chance.next_u64() as u8).collect();
    if chance.next_u64().is_multiple_of(2) {
        let opcode = (chance.next_u64() % 80) as u8;
        let flags = (chance.next_u64() % 16) as u8;
        for (byte, begins) in bytes
            .iter_mut()
            .zip([HOT_VERSION, WORLD_SVC, opcode, flags])
        {
            *byte = begins;
        }
    }
    bytes
}

/// A text that names no service, or is none; or one for an application that there is not.
fn text(chance: &mut Chance) -> Vec<u8> {
    let texts: [&[u8]; 8] = [
        br#"{"v":1,"svc":"world","type":"joined","data":{"entity":1,"tick":1}}"#,
        b"{\"v\":1,\"svc\":\"",
        b"\xff\xfe\xfd",
        br#"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["#,
        br#"{"v":1,"svc":"app","type":"request","seq":7,"data":[]}"#,
        br#"{"v":1,"svc":"app","type":"request","data":[]}"#,
        br#"{"v":1,"svc":"app","type":"message","flags":5,"seq":9}"#,
        br#"{"v":1,"svc":"sys","type":"ping","data":"there?"}"#,
    ];
    texts[(chance.next_u64() % 8) as usize].to_vec()
}

fn hot(message: &ClientMessage<'_>, seq: Option<u32>, delta_ack: Option<u32>) -> Deed {
    let mut bytes = Vec::new();
    message.encode(seq, delta_ack, &mut bytes);
    debug_assert!(HotHeader::parse(&bytes).is_ok());
    Deed::Say(MessageKind::Binary, bytes)
}

fn place(config: &WorldConfig, chance: &mut Chance) -> [f32; 3] {
    let (min, max) = (config.bounds.min.to_array(), config.bounds.max.to_array());
    [0, 1, 2].map(|axis| chance.range(min[axis], max[axis]))
}

fn interest(config: &WorldConfig, chance: &mut Chance) -> InterestWish {
    let reach_m = config.interest_radius_max_m * chance.range(0.1, 1.0);
    match chance.next_u64() % 4 {
        0 => InterestWish::Default,
        1 => InterestWish::Box {
            half: [reach_m / 2.0; 3],
        },
        2 => InterestWish::Nearest {
            k: up_to(40, chance) as u16,
            radius: reach_m,
        },
        _ => InterestWish::Radius(reach_m),
    }
}

/// Of so many clients one lies.
const LIARS_ONE_IN: u32 = 4;

/// Who broke off comes back after at most so many ticks.
const AWAY_TICKS_MAX: u64 = 30;
