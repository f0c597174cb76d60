//! Signs what is posted, so that the service knows whose it is and when it was said.

use std::fmt::Write as _;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The signature of a body that is posted at a time, since 1970: `t=SECONDS,v1=HEX`, of which HEX is the HMAC-SHA-256 of
/// the seconds, a full stop and the body.
#[must_use]
pub fn signature(secret: &[u8], at: Duration, body: &[u8]) -> String {
    let mut line = format!("t={}", at.as_secs());
    let mut print = Hmac::<Sha256>::new_from_slice(secret).expect("it takes any length");
    print.update(&line.as_bytes()[2..]);
    print.update(b".");
    print.update(body);
    let print = HEXLOWER.encode(&print.finalize().into_bytes());
    write!(line, ",v1={print}").expect("a string takes all");
    line
}

/// The header that has it.
pub const SIGNATURE_HEADER: &str = "worldshard-signature";

#[cfg(test)]
mod tests;
