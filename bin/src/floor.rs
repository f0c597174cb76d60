//! `worldshard floor`: a server that only does what the kernel must be asked for, to hold others against.

use std::io::Write as _;
use std::time::Duration;

use worldshard_bench::floor::{Deed, Floor, Means, stop_on_signals};

use crate::cores;
use crate::failure::Failure;
use args::{DeedName, FloorArgs, MeansName};

pub(crate) mod args;

/// Serves until ctrl-c.
pub(crate) fn run(args: &FloorArgs) -> Result<(), Failure> {
    if let Some(core) = args.pin {
        cores::pin(core)?;
    }
    let (deed, words) = deed(args)?;
    let means = match args.send {
        MeansName::Plain => Means::Plain,
        MeansName::Ring => Means::Ring,
        MeansName::RingZc => Means::RingZeroCopy,
    };
    let stop = stop_on_signals()
        .map_err(|error| Failure::runtime(format!("preparing for signals: {error}")))?;
    let floor = Floor::listen(&args.bind, deed, means, stop)
        .map_err(|error| Failure::bind(&args.bind, &error))?;
    let failed = |error: std::io::Error| Failure::runtime(format!("the floor failed: {error}"));
    let address = floor.local_addr().map_err(failed)?;
    // Whoever does not want the line may have closed stdout.
    let _ = writeln!(
        std::io::stdout(),
        "worldshard: ws://{address}/  floor {words}"
    );
    floor.run().map_err(failed)
}

fn deed(args: &FloorArgs) -> Result<(Deed, String), Failure> {
    let write_interval = args
        .write_per_tick
        .map(|ms| Duration::from_secs_f64(ms / 1e3));
    if write_interval.is_some() && args.scenario != DeedName::Broadcast {
        return Err(Failure::usage(
            "--write-per-tick: only a broadcast has it; a world writes at --rate",
        ));
    }
    Ok(match args.scenario {
        DeedName::Handshake => (Deed::Nothing, "handshake".to_owned()),
        DeedName::Echo => (Deed::Echo, "echo".to_owned()),
        DeedName::Broadcast => {
            let words = match args.write_per_tick {
                None => "broadcast, one write per message and client".to_owned(),
                Some(ms) => format!("broadcast, one write per client in {ms} ms"),
            };
            (Deed::Broadcast { write_interval }, words)
        }
        DeedName::World => {
            let words = format!("world, {} bytes per client at {} Hz", args.bytes, args.rate);
            let interval = Duration::from_secs_f64(args.rate.recip());
            let frame_bytes = args.bytes;
            (
                Deed::Ticks {
                    interval,
                    frame_bytes,
                },
                words,
            )
        }
    })
}
