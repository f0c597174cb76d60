//! A bot that walks through a world in circles and says what it sees: `bot ws://127.0.0.1:8080/world 10`.

use std::error::Error;
use std::f32::consts::TAU;
use std::time::Duration;

use worldshard_client::protocol::{InterestWish, ViewpointMode};
use worldshard_client::{Link, Options, Report};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:8080/world");
    let seconds: u32 = arguments.next().map_or(Ok(10), |text| text.parse())?;

    let mut link = Link::new(Options::new(url)?)?;
    let (mut deltas, mut turns) = (0_u32, 0_u32);
    // Ten turns a second, as long as it walks.
    while turns < seconds * TURNS_PER_S {
        match link.wait(Duration::from_secs(1) / TURNS_PER_S) {
            Some(Report::Live(live)) => {
                println!("live, resumed: {}", live.resumed);
                if !live.resumed {
                    link.join(ViewpointMode::Avatar, None, InterestWish::Default)?;
                }
            }
            Some(Report::Joined { entity, tick }) => println!("joined as {entity:?} in {tick}"),
            Some(Report::Delta(_)) => deltas += 1,
            Some(Report::Refused(refused)) => println!("refused: {}", refused.message),
            Some(Report::Disconnected(why)) => println!("no connection: {why:?}"),
            Some(Report::Dead { cause, .. }) => return Err(format!("dead: {cause:?}").into()),
            Some(_) => {}
            // Nothing was heard for a turn's time.
            None => {}
        }
        // Deltas come as often as the world ticks; it steers with every second of them.
        if link.avatar().is_some() && deltas >= 2 {
            deltas = 0;
            turns += 1;
            let angle = TAU * turns as f32 / CIRCLE_TURNS;
            link.steer([angle.cos(), angle.sin(), 0.0])?;
            if turns % TURNS_PER_S == 0 {
                tell(&link);
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

const TURNS_PER_S: u32 = 10;

/// Turns of one circle.
const CIRCLE_TURNS: f32 = 40.0;
