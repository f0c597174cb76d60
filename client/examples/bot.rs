//! A bot that walks through a world in circles and says what it sees: `bot ws://127.0.0.1:8080/world 10`.

use std::error::Error;
use std::f32::consts::TAU;
use std::time::{Duration, Instant};

use worldshard_client::protocol::{InterestWish, ViewpointMode};
use worldshard_client::{Link, Options, Report};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:8080/world");
    let seconds: u32 = arguments.next().map_or(Ok(10), |text| text.parse())?;

    let mut link = Link::new(Options::new(url)?)?;
    let mut turns = 0;
    let mut next_turn = now();
    while turns < seconds * TURNS_PER_S {
        match link.wait(next_turn.saturating_duration_since(now())) {
            Some(Report::Live(live)) => {
                println!("live, resumed: {}", live.resumed);
                if !live.resumed {
                    link.join(ViewpointMode::Avatar, None, InterestWish::Default)?;
                }
            }
            Some(Report::Joined { entity, tick }) => println!("joined as {entity:?} in {tick}"),
            Some(Report::Refused(refused)) => println!("refused: {}", refused.message),
            Some(Report::Disconnected(why)) => println!("no connection: {why:?}"),
            Some(Report::Dead { cause, .. }) => return Err(format!("dead: {cause:?}").into()),
            Some(_) => {}
            None => {
                next_turn += Duration::from_secs(1) / TURNS_PER_S;
                if link.avatar().is_some() {
                    turns += 1;
                    turn(&mut link, turns);
                }
            }
        }
    }
    for report in link.finish(Duration::from_secs(5)) {
        if let Report::Dead { cause, unsent } = report {
            println!("done: {cause:?}, {} unsent", unsent.len());
        }
    }
    Ok(())
}

/// Walks on along the circle, and says once a second what it sees.
fn turn(link: &mut Link, turns: u32) {
    let angle = TAU * turns as f32 / CIRCLE_TURNS;
    // Without a session there is nobody to tell; it is steered with the next turn.
    let _ = link.steer([angle.cos(), angle.sin(), 0.0]);
    if turns.is_multiple_of(TURNS_PER_S) {
        tell(link);
    }
}

/// One line of what it sees.
fn tell(link: &Link) {
    let view = link.view();
    let place = link
        .avatar()
        .and_then(|avatar| view.get(avatar))
        .map(|seen| seen.record.position());
    println!(
        "tick {}: {} entities in sight, at {place:?}, command {} of {} done",
        view.tick(),
        view.len(),
        view.command_sequence(),
        link.sequence()
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program has a clock of its own"
)]
fn now() -> Instant {
    Instant::now()
}

const TURNS_PER_S: u32 = 10;

/// Turns of one circle.
const CIRCLE_TURNS: f32 = 40.0;
