//! What an application looks at before anybody is told of it. Never runs a screen: that is `hub::screening`.

use worldshard_protocol::SessionId;

use crate::context::Context;
use crate::message::Payload;

/// What becomes of a message that a screen has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Screened {
    /// As far as this screen is concerned, it goes on.
    Pass,
    /// Nobody is told of it.
    Drop,
}

/// One screen, as [`App::screen`](crate::App::screen) was given it.
pub(crate) struct Screen {
    /// For logs and faults.
    pub(crate) name: &'static str,
    pub(crate) sees: Box<Sees>,
}

pub(crate) type Sees = dyn Fn(&mut Context<'_>, SessionId, &Payload) -> Screened + Send + Sync;
