//! Tells a guest from a file what the lines of the standard input say, and prints what it wants done: to try a module out, and
//! to hold builds of one service against each other.
//!
//! ```text
//! cargo run -p worldshard-wasm --example tell -- counter.wasm <<'END'
//! connect 7
//! message 7 increment
//! END
//! ```

use std::error::Error;
use std::io::BufRead;
use std::time::Duration;

use worldshard_wasm::{Event, Guest, GuestConfig, Host, Limits, Module, PayloadRef};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which module?")?;
    let host = Host::new(Limits::default())?;
    let module = Module::new(&host, &std::fs::read(path)?)?;
    println!("{:?}", module.abi());
    let room = "lobby".to_owned();
    let config = GuestConfig {
        room,
        ..GuestConfig::default()
    };
    let mut guest = Guest::new(&module, config.clone(), Duration::ZERO)?;
    tell(&mut guest, Event::Init, Duration::ZERO);
    for (line, number) in std::io::stdin().lock().lines().zip(1..) {
        let line = line?;
        // A second for each line: time is what it is said to be.
        let now = Duration::from_secs(number);
        if line == "replace" {
            let state = guest.save(now)?.unwrap_or_default();
            guest = Guest::new(&module, config.clone(), now)?;
            tell(&mut guest, Event::Load { state: &state }, now);
            continue;
        }
        tell(&mut guest, event(&line, number)?, now);
    }
    Ok(())
}

fn event(line: &str, number: u64) -> Result<Event<'_>, Box<dyn Error>> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match verb {
        "connect" => Event::Connect {
            member: rest.parse()?,
        },
        "disconnect" => Event::Disconnect {
            member: rest.parse()?,
        },
        "message" => {
            let (member, text) = rest.split_once(' ').ok_or("what does the member say?")?;
            let payload = PayloadRef::Text(text);
            Event::Message {
                member: member.parse()?,
                payload,
            }
        }
        "timer" => Event::Timer { name: rest },
        "tick" => Event::Tick { number },
        _ => return Err(format!("{verb} is no event").into()),
    })
}

/// A guest that dies is heard too.
fn tell(guest: &mut Guest, event: Event<'_>, now: Duration) {
    match guest.call(event, now) {
        Ok(effects) => effects.for_each(|effect| println!("{effect:?}")),
        Err(trap) => println!("{trap}"),
    }
    guest.drain_log().for_each(|line| println!("log: {line}"));
}
