//! Messages that say themselves whom they are for. Never sends one: that is `Context::emit`.

use serde::Serialize;

use crate::audience::Audience;
use crate::message::{Payload, Text};

/// A message that says whom it is for. [`Context::emit`](crate::Context::emit) sends it there;
/// [`Context::send`](crate::Context::send) sends it to whomever else.
///
/// Derived, it is the JSON of the type, which must be `serde::Serialize`. `audience` names a variant of [`Audience`], and
/// for what that holds the fields it is in; a number with a point stands for itself:
///
/// ```
/// use serde::Serialize;
/// use worldshard::prelude::*;
///
/// #[derive(Serialize, Emit)]
/// #[audience(All)]
/// struct Rang {
///     times: u32,
/// }
///
/// #[derive(Serialize, Emit)]
/// #[audience(User(owner))]
/// struct Sold {
///     #[serde(skip)]
///     owner: UserId,
///     price: u64,
/// }
///
/// #[derive(Serialize, Emit)]
/// #[audience(Area { centre: at, radius_m: 40.0 })]
/// struct Bang {
///     #[serde(skip)]
///     at: Point,
/// }
///
/// fn ring(cx: &mut Context) {
///     for message in cx.messages() {
///         let rang = Rang { times: 1 };
///         cx.emit(&rang);
///         // To its sender once more.
///         cx.send(Audience::One(message.session), &rang);
///     }
/// }
/// # App::new().raw("/ws").system(Update, ring).build()?;
/// # Ok::<(), worldshard::Error>(())
/// ```
///
/// A method may say either: one that takes `&self`, and gives an `Audience` or what becomes a [`Payload`].
///
/// ```
/// use worldshard::prelude::*;
///
/// #[derive(Emit)]
/// #[audience(with = others)]
/// #[emit(payload = bytes)]
/// enum Drawn {
///     Dot { by: SessionId, x: u8, y: u8 },
///     Cleared,
/// }
///
/// impl Drawn {
///     fn others(&self) -> Audience {
///         match self {
///             Self::Dot { by, .. } => Audience::AllBut(*by),
///             Self::Cleared => Audience::All,
///         }
///     }
///
///     fn bytes(&self) -> Vec<u8> {
///         match self {
///             Self::Dot { x, y, .. } => vec![1, *x, *y],
///             Self::Cleared => vec![0],
///         }
///     }
/// }
/// # assert_eq!(Drawn::Cleared.audience(), Audience::All);
/// # assert_eq!(Drawn::Cleared.payload(), Payload::from(vec![0]));
/// # let _ = Drawn::Dot { by: SessionId::new(0, 1), x: 1, y: 2 }.payload();
/// ```
pub trait Emit {
    /// Whom it is for, unless its sender says otherwise.
    fn audience(&self) -> Audience;

    /// What they get.
    fn payload(&self) -> Payload;
}

impl<M: Emit> From<&M> for Payload {
    fn from(message: &M) -> Self {
        message.payload()
    }
}

/// The JSON of a message, for derived code.
///
/// # Panics
/// When it is none, as a map with keys that are no texts.
pub fn json_payload<M: Serialize>(message: &M) -> Payload {
    match serde_json::to_vec(message) {
        Ok(json) => Text::of_json(json.into()).into(),
        Err(error) => panic!("{} is no JSON: {error}", std::any::type_name::<M>()),
    }
}
