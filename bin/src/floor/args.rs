//! The flags of `worldshard floor`.

use clap::{Args, ValueEnum};

use crate::cli::{frequency, positive};

#[derive(Args, Debug)]
pub(crate) struct FloorArgs {
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    pub(crate) bind: String,

    /// What to do with what clients say
    #[arg(long, value_enum)]
    pub(crate) scenario: DeedName,

    /// Broadcast: everything that comes in so many milliseconds goes to each client in one write
    #[arg(long, value_name = "MS", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) write_per_tick: Option<f64>,

    /// How what goes to all clients is given to the kernel
    #[arg(long, value_enum, default_value_t = MeansName::Plain)]
    pub(crate) send: MeansName,

    /// World: frames a second to each client
    #[arg(long, value_name = "HZ", default_value = "20", value_parser = frequency, allow_negative_numbers = true)]
    pub(crate) rate: f64,

    /// World: bytes of a frame, header included; `load --scenario world` prints what a world sends
    #[arg(long, value_name = "BYTES", default_value_t = 1660, value_parser = bytes)]
    pub(crate) bytes: usize,

    /// Run on this core only
    #[arg(long, value_name = "CPU")]
    pub(crate) pin: Option<usize>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DeedName {
    /// Each message back to its sender
    Echo,
    /// Each message to all
    Broadcast,
    /// Frames of one size to all, whatever they say: the sends of a world without the world
    World,
    /// Nothing after the upgrade
    Handshake,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MeansName {
    /// A system call for each client
    Plain,
    /// One submission to an io_uring for all of them
    Ring,
    /// The same, the bytes not copied
    RingZc,
}

fn bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 2..=FRAME_BYTES_MAX) => Ok(bytes),
        _ => Err(format!("2 to {FRAME_BYTES_MAX}")),
    }
}

/// A longer frame is no tick of one client.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(crate) const EXAMPLES: &str = "\
Examples:
  worldshard floor --scenario broadcast --pin 0 &
  worldshard load --scenario broadcast --url ws://127.0.0.1:9000/ --connections 1000 --rate 30 --pid $! --pin 1
  worldshard floor --scenario world --bytes 1700 &
  worldshard load --scenario sink --url ws://127.0.0.1:9000/ --connections 1000 --pid $!

It trusts its clients: not for an open network. Ctrl-c ends it.";
