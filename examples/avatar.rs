//! A world at `ws://127.0.0.1:8080/world` whose clients do not wait for it: an avatar is shown where it will be, and put right
//! when that was wrong. Walk in it at `http://127.0.0.1:8080/`, or by `avatar ws://127.0.0.1:8080/world 10`, for 10 seconds.

use std::error::Error;
use std::time::{Duration, Instant};

use worldshard::prelude::*;
use worldshard_client::protocol::{ClientMessage, InterestWish, ViewpointMode};
use worldshard_client::{Link, Options, OptionsError, Prediction, Report};

mod site;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        world()
            .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
            .plugin(site::SamplePage("avatar"))
            .run()?;
        return Ok(());
    };
    let seconds: u32 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    walk(&url, seconds)
}

/// A world in which avatars take a stride for each command. In one place the wind carries them off: that no client foresees.
///
/// `commands_per_tick_max` of the world's limits bounds how fast a client may walk.
pub(crate) fn world() -> App {
    let mut app = App::new();
    app.world(WorldConfig {
        bounds: BOUNDS,
        ..WorldConfig::default()
    })
    .avatar(|_, at| Draft::at(at))
    .command(STRIDE, |avatar, payload| {
        let way = Way::read(payload).ok_or_else(|| Refusal::bad("a stride is two bytes"))?;
        avatar.change(|Position(at): &mut Position| {
            *at = stride(*at, way);
            if WINDY_X_M.contains(&at.x) {
                *at = BOUNDS.clamp(*at + GUST);
            }
        });
        Ok(())
    })
    .options(|options| options.limits.resume_grace = Duration::from_secs(30));
    app
}

/// The direction of a stride, along x and y in 127ths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way(pub(crate) i8, pub(crate) i8);

impl Way {
    /// The way nearest to an angle.
    pub(crate) fn at_angle(radians: f32) -> Self {
        let (y, x) = radians.sin_cos();
        Self((x * 127.0) as i8, (y * 127.0) as i8)
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let &[x, y] = payload else { return None };
        Some(Self(x.cast_signed(), y.cast_signed()))
    }

    fn to_bytes(self) -> [u8; 2] {
        [self.0.cast_unsigned(), self.1.cast_unsigned()]
    }
}

/// Where a stride leads. Server and clients do the same sums in the same precision, so they come to the same bits.
pub(crate) fn stride(at: Point, Way(x, y): Way) -> Point {
    let to = at + Point::flat(f32::from(x), f32::from(y)) * STRIDE_127TH_M;
    let is_blocked = (to - ROCK).length_squared() < ROCK_RADIUS_M * ROCK_RADIUS_M;
    if is_blocked { at } else { BOUNDS.clamp(to) }
}

/// A client, and its own avatar ahead of the server by all strides that the server has not confirmed.
pub(crate) struct Walker {
    pub(crate) link: Link,
    /// None while the client has no avatar.
    pub(crate) own: Option<Own>,
    /// How often the server knew better.
    pub(crate) corrections: u32,
}

type Own = Prediction<Point, Way, fn(&mut Point, &Way)>;

impl Walker {
    pub(crate) fn new(options: Options) -> std::result::Result<Self, OptionsError> {
        Ok(Self {
            link: Link::new(options)?,
            own: None,
            corrections: 0,
        })
    }

    /// Takes in the next thing that the server says; false when it says nothing in time.
    pub(crate) fn hear(&mut self, timeout: Duration) -> std::result::Result<bool, Box<dyn Error>> {
        match self.link.wait(timeout) {
            Some(Report::Live(live)) if !live.resumed => {
                self.own = None;
                self.link
                    .join(ViewpointMode::Avatar, Some(START), InterestWish::Default)?;
            }
            Some(Report::Delta(_)) => self.confirm(),
            Some(Report::Dead { cause, .. }) => return Err(format!("dead: {cause:?}").into()),
            Some(_) => {}
            None => return Ok(false),
        }
        Ok(true)
    }

    /// The server's word on where the avatar is, and which of its strides are in that.
    fn confirm(&mut self) {
        let view = self.link.view();
        let Some(seen) = self.link.avatar().and_then(|avatar| view.get(avatar)) else {
            self.own = None;
            return;
        };
        let at = Point::from_array(seen.record.position());
        match &mut self.own {
            Some(own) => {
                let shown = own.confirm(at, view.command_sequence());
                self.corrections += u32::from(shown != *own.state());
            }
            None => {
                let step: fn(&mut Point, &Way) = |at, way| *at = stride(*at, *way);
                self.own = Some(Prediction::new(at, STRIDES_AHEAD_MAX, step));
            }
        }
    }

    /// Shows a stride at once and asks the server for it. Without a session nobody can be asked, and the avatar stands.
    pub(crate) fn stride(&mut self, way: Way) -> bool {
        let Some(own) = &mut self.own else {
            return false;
        };
        let (opcode, payload) = (STRIDE, &way.to_bytes()[..]);
        match self.link.say(&ClientMessage::Custom { opcode, payload }) {
            Ok(sequence) => {
                own.input(sequence, way);
                true
            }
            Err(_) => false,
        }
    }
}

/// Walks in circles, says once a second how far ahead it is, and at the end whether the server has it in the same place.
fn walk(url: &str, seconds: u32) -> std::result::Result<(), Box<dyn Error>> {
    let mut walker = Walker::new(Options::new(url)?)?;
    let mut next = now();
    for turn in 1..=seconds * STRIDES_PER_S {
        next += Duration::from_secs(1) / STRIDES_PER_S;
        while walker.hear(next.saturating_duration_since(now()))? {}
        walker.stride(Way::at_angle(turn as f32 / 20.0));
        if let Some(own) = &walker.own
            && turn % STRIDES_PER_S == 0
        {
            let (Point { x, y, .. }, pending) = (*own.state(), own.pending());
            let corrections = walker.corrections;
            println!("at {x:.2}, {y:.2}: {pending} strides ahead, {corrections} corrections");
        }
    }
    while walker.own.as_ref().is_none_or(|own| own.pending() > 0) {
        if !walker.hear(PATIENCE)? {
            return Err("the server confirms nothing any more".into());
        }
    }
    println!(
        "all strides are confirmed, {} corrections",
        walker.corrections
    );
    walker.link.finish(PATIENCE);
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program has a clock of its own"
)]
fn now() -> Instant {
    Instant::now()
}

/// The command.
const STRIDE: u8 = 64;
/// A whole stride is half a metre.
const STRIDE_127TH_M: f32 = 0.5 / 127.0;
const STRIDES_PER_S: u32 = 20;
/// As many as a client says again when it goes on over another connection.
const STRIDES_AHEAD_MAX: usize = 256;
const BOUNDS: Bounds = Bounds::new(Point::ORIGIN, Point::flat(1024.0, 1024.0));
/// In the middle, where several shards meet. Nobody comes nearer than its radius.
const ROCK: Point = Point::flat(512.0, 512.0);
const ROCK_RADIUS_M: f32 = 3.0;
const START: [f32; 3] = [500.0, 500.0, 0.0];
/// Where the wind blows, at all y.
const WINDY_X_M: std::ops::Range<f32> = 489.0..491.0;
/// Where it carries who takes a stride there.
const GUST: Point = Point::flat(0.0, -0.7);
const PATIENCE: Duration = Duration::from_secs(10);
