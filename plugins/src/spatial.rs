//! Positions that clients say, told to those near by.
//!
//! All of them are in one room, on one shard, so who is near is exact; here sessions are only brought there, at their homes.

mod grid;
mod room;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use worldshard::prelude::*;

use room::SpatialRoom;

/// Positions by the text command `/move <x> <y>` or `/move <x> <y> <z>`, and by binary messages where that is wished
/// ([`binary`](Self::binary)), told to everybody within a radius.
///
/// | a client is told | when |
/// |---|---|
/// | `enter <session>` | another one is within the radius now; its position follows |
/// | `pos <session> <x> <y>[ <z>]` | the other one has moved, and is still within the radius |
/// | `leave <session>` | it is not any more, or has ended |
///
/// Nobody is told of itself, and nothing is told while nobody moves; what was said within a tick is told at its end. A client
/// comes into being where it first says that it is. What is no position is refused, in words that begin with a code: no
/// numbers, or not so many as there are axes (`BAD_REQUEST`), outside the bounds (`NOT_ALLOWED`), faster than allowed
/// (`RATE_LIMITED`).
///
/// This is for a chat with places. A world of many, with deltas, has [`App::world`] and lanes.
#[derive(Clone, Debug)]
pub struct SpatialPlugin {
    rules: Arc<SpatialRules>,
    sessions_max: u32,
    opcode: Option<u8>,
}

/// What a position may be, and how far it is told.
#[derive(Clone, Debug)]
struct SpatialRules {
    axes: usize,
    /// Of the axes, those that a distance has.
    counts: [bool; 3],
    radius: f64,
    min: f64,
    max: f64,
    speed_max: Option<f64>,
}

impl SpatialPlugin {
    /// Positions in a plane: `x` and `y`.
    #[must_use]
    pub fn in_2d() -> Self {
        Self::new(2, [true, true, false])
    }

    /// Positions in space.
    #[must_use]
    pub fn in_3d() -> Self {
        Self::new(3, [true; 3])
    }

    /// Positions in space, of which only `x` and `z` count for who is near.
    #[must_use]
    pub fn in_3d_flat() -> Self {
        Self::new(3, [true, false, true])
    }

    fn new(axes: usize, counts: [bool; 3]) -> Self {
        Self {
            rules: Arc::new(SpatialRules {
                axes,
                counts,
                radius: 100.0,
                min: -100_000.0,
                max: 100_000.0,
                speed_max: None,
            }),
            sessions_max: 10_000,
            opcode: None,
        }
    }

    fn rules(mut self, change: impl FnOnce(&mut SpatialRules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    /// Who is at most so far away is near: 100 unless said.
    #[must_use]
    pub fn radius(self, radius: f64) -> Self {
        self.rules(|rules| rules.radius = radius)
    }

    /// Where a position may be, on each axis: within 100 000 of zero unless said.
    #[must_use]
    pub fn bounds(self, min: f64, max: f64) -> Self {
        self.rules(|rules| (rules.min, rules.max) = (min, max))
    }

    /// How far one may come in a second of the world's time, and at once after a second of rest: any way unless said.
    #[must_use]
    pub fn speed_max(self, speed: f64) -> Self {
        self.rules(|rules| rules.speed_max = Some(speed))
    }

    /// Takes positions as binary messages of raw paths too: this byte, and the number of each axis as four bytes, a
    /// little-endian IEEE 754 `binary32`. So 9 bytes in a plane, and 13 in space.
    ///
    /// They mean what `/move` does, in order with it, and are refused in the same words. A message that begins with this
    /// byte and has another length is none (`BAD_REQUEST`); one that begins with another is not this plugin's.
    #[must_use]
    pub fn binary(mut self, opcode: u8) -> Self {
        self.opcode = Some(opcode);
        self
    }

    /// Sessions that have a position; one more is refused.
    #[must_use]
    pub fn sessions_max(mut self, sessions: u32) -> Self {
        self.sessions_max = sessions;
        self
    }
}

impl Plugin for SpatialPlugin {
    fn build(&self, app: &mut App) {
        let rules = Arc::clone(&self.rules);
        if !(rules.radius > 0.0 && rules.radius.is_finite()) {
            app.mistake("SpatialPlugin", format!("no radius: {}", rules.radius));
        }
        if !(rules.min < rules.max && rules.min.is_finite() && rules.max.is_finite()) {
            app.mistake(
                "SpatialPlugin",
                format!("no bounds: {} to {}", rules.min, rules.max),
            );
        }
        if rules
            .speed_max
            .is_some_and(|speed| !(speed > 0.0 && speed.is_finite()))
        {
            app.mistake("SpatialPlugin", format!("no speed: {:?}", rules.speed_max));
        }
        let for_rooms = Arc::clone(&rules);
        let rooms = Rooms::named(KIND, move |_| SpatialRoom::new(Arc::clone(&for_rooms)));
        app.rooms(rooms.members_max(self.sessions_max))
            .text_command("/move", move |cx: &mut Context<'_>, session, to: &str| {
                walk(cx, session, rules.read(to), &rules);
            })
            .system(Update, follow);
        let rules = Arc::clone(&self.rules);
        if let Some(opcode) = self.opcode {
            app.binary_command(opcode, move |cx: &mut Context<'_>, session, to: &[u8]| {
                walk(cx, session, rules.read_binary(to), &rules);
            });
        }
    }
}

impl SpatialRules {
    /// The position that a client says; or why it is none.
    fn read(&self, to: &str) -> Result<[f64; 3], String> {
        let mut at = [0.0; 3];
        let mut words = to.split_whitespace();
        for axis in at.iter_mut().take(self.axes) {
            let number = words.next().and_then(|word| word.parse::<f64>().ok());
            let number = number.filter(|number| number.is_finite());
            // There is no other zero, for it would be shown as one.
            *axis = number.ok_or_else(|| self.usage())? + 0.0;
        }
        if words.next().is_some() {
            return Err(self.usage());
        }
        self.inside(at)
    }

    /// The same of the bytes that stand behind the opcode.
    fn read_binary(&self, to: &[u8]) -> Result<[f64; 3], String> {
        let (numbers, rest) = to.as_chunks::<4>();
        let mut at = [0.0; 3];
        if numbers.len() != self.axes || !rest.is_empty() {
            return Err(self.binary_usage());
        }
        for (axis, number) in at.iter_mut().zip(numbers) {
            let number = f32::from_le_bytes(*number);
            if !number.is_finite() {
                return Err(self.binary_usage());
            }
            *axis = f64::from(number) + 0.0;
        }
        self.inside(at)
    }

    /// The position, if it may be one.
    fn inside(&self, at: [f64; 3]) -> Result<[f64; 3], String> {
        let is_outside = |axis: &f64| !(self.min..=self.max).contains(axis);
        if at.iter().take(self.axes).any(is_outside) {
            let (code, min, max) = (ErrorCode::NotAllowed, self.min, self.max);
            return Err(format!("{code}: outside {min} to {max}"));
        }
        Ok(at)
    }

    fn usage(&self) -> String {
        let axes = ["<x>", "<y>", "<z>"][..self.axes].join(" ");
        format!("{}: say /move {axes}", ErrorCode::BadRequest)
    }

    fn binary_usage(&self) -> String {
        let axes = self.axes;
        format!(
            "{}: say {axes} finite numbers, each as 4 bytes",
            ErrorCode::BadRequest
        )
    }

    fn shown(&self, at: [f64; 3]) -> String {
        let numbers: Vec<_> = at[..self.axes].iter().map(f64::to_string).collect();
        numbers.join(" ")
    }
}

fn walk(
    cx: &mut Context<'_>,
    session: SessionId,
    to: Result<[f64; 3], String>,
    rules: &SpatialRules,
) {
    match to {
        Err(detail) => error(cx, session, &detail),
        Ok(at) => {
            let to = rules.shown(at);
            if !cx.tell_room(session, KIND, ROOM, to.clone()) {
                cx.join(session, KIND, ROOM, to);
            }
        }
    }
}

/// Tells who was not let in.
fn follow(cx: &mut Context<'_>) {
    let of_space = cx.memberships().filter(|one| &*one.kind == KIND);
    let refused = of_space.filter_map(|one| match one.change {
        MembershipChange::Refused(reason) => Some((one.session, reason)),
        MembershipChange::Joined | MembershipChange::Left(_) => None,
    });
    for (session, reason) in refused {
        error(
            cx,
            session,
            &format!("{}: {reason}", ErrorCode::ResourceExhausted),
        );
    }
}

fn error(cx: &mut Context<'_>, session: SessionId, detail: &str) {
    cx.send(Audience::One(session), format!("[Error] {detail}"));
}

/// What the room is called among kinds of rooms, and among those of its kind.
const KIND: &str = "spatial";
const ROOM: &str = "all";
