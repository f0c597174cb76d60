//! Who a client is: what it shows, how that is proven, how many sessions a user may have. Sans-IO: the time comes in.
//!
//! Never opens or closes a session: that is the hub's and the reactor's work. Credentials are never shown: not in a log,
//! not by `Debug`.

mod auth;
mod claim;
mod decide;
mod key;
mod secret;
mod token;

mod gate;
mod seats;
mod trace;

pub use auth::{AUDIENCE, Auth, Environment, Identity, OnExpiry, TokenPolicy, Unproven};
pub use decide::{Applicant, Decide, Decider, Entry, EntryToken, REASON_BYTES_MAX};
pub use key::{KeyError, PrivateKey, PublicKey};
pub use seats::{OnExceed, TooManySessions};
pub use secret::{SECRET_BYTES_MIN, Secret};
pub use token::Grant;
pub use trace::TraceId;
pub use worldshard_protocol::JsonText;
pub use worldshard_protocol::user::{NotAUser, UserId};

pub(crate) use claim::{Claim, answered_protocol};
pub(crate) use decide::{Ballot, Verdict};
pub(crate) use gate::check_version;
pub(crate) use seats::Seats;

/// A longer protocol version is refused, the server's own too.
pub const VERSION_BYTES_MAX: usize = 20;

/// A longer connect message is refused, in bytes of its JSON.
pub const CONNECT_BYTES_MAX: usize = 4096;

/// Clocks of servers and of who makes tokens may differ by at most so much.
pub const SKEW_MAX: std::time::Duration = std::time::Duration::from_secs(60);
