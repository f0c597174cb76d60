//! Handlers of an application's messages by their kind, called in the order in which the messages came.
//!
//! A message of a kind is JSON with one field, named after it: `{"chat": {"text": "hello"}}`. That is how serde writes a
//! variant of an enum. Never queues anything.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::message::{Payload, PayloadError};

/// Handlers, each with the type that it takes. `World` is whatever they work on.
///
/// ```
/// use worldshard_client::{Handled, Handlers, Payload};
///
/// #[derive(serde::Deserialize)]
/// struct Chat {
///     text: String,
/// }
///
/// let mut handlers = Handlers::new()
///     .on("chat", |lines: &mut Vec<String>, chat: Chat| lines.push(chat.text))
///     .on("score", |lines: &mut Vec<String>, score: u32| lines.push(format!("{score} points")));
/// let mut lines = Vec::new();
/// // As `Report::Message` has it.
/// let message = Payload::Json(r#"{"chat":{"text":"hello"}}"#.to_owned());
/// assert_eq!(handlers.handle(&mut lines, &message), Ok(Handled::Done));
/// assert_eq!(lines, ["hello"]);
/// ```
pub struct Handlers<World> {
    by_kind: BTreeMap<String, Handler<World>>,
}

type Handler<World> = Box<dyn FnMut(&mut World, &RawValue) -> Result<(), PayloadError> + Send>;

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Handled {
    /// Its handler was called.
    Done,
    /// No handler takes this kind; the message names it.
    Unknown(String),
    /// It is not JSON with one field, so it has no kind.
    Untyped,
}

impl<World> Handlers<World> {
    /// No handlers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            by_kind: BTreeMap::new(),
        }
    }

    /// Adds a handler of a kind.
    ///
    /// # Panics
    /// When the kind has a handler already.
    #[must_use]
    pub fn on<T: DeserializeOwned>(
        mut self,
        kind: &str,
        mut handler: impl FnMut(&mut World, T) + Send + 'static,
    ) -> Self {
        let name = kind.to_owned();
        let typed = move |world: &mut World, data: &RawValue| {
            let parsed = serde_json::from_str(data.get())
                .map_err(|error| PayloadError(format!("{name}: {error}")))?;
            handler(world, parsed);
            Ok(())
        };
        let before = self.by_kind.insert(kind.to_owned(), Box::new(typed));
        assert!(before.is_none(), "{kind} has two handlers");
        self
    }

    /// Calls the handler of a message. Called with each message as it is reported, the order of all kinds is kept.
    ///
    /// # Errors
    /// The message is of a kind, but not of its type.
    pub fn handle(
        &mut self,
        world: &mut World,
        message: &Payload,
    ) -> Result<Handled, PayloadError> {
        let text = match message {
            Payload::Text(text) | Payload::Json(text) => text,
            Payload::Binary(_) => return Ok(Handled::Untyped),
        };
        let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else {
            return Ok(Handled::Untyped);
        };
        let mut fields = fields.into_iter();
        let (Some((kind, data)), None) = (fields.next(), fields.next()) else {
            return Ok(Handled::Untyped);
        };
        match self.by_kind.get_mut(&kind) {
            Some(handler) => handler(world, data).map(|()| Handled::Done),
            None => Ok(Handled::Unknown(kind)),
        }
    }
}

impl<World> Default for Handlers<World> {
    fn default() -> Self {
        Self::new()
    }
}

impl<World> std::fmt::Debug for Handlers<World> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_kind.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
    struct Chat {
        text: String,
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
    #[serde(rename_all = "snake_case")]
    enum Said {
        Chat(Chat),
        Score(u32),
    }

    fn handlers() -> Handlers<Vec<Said>> {
        Handlers::new()
            .on("chat", |log: &mut Vec<Said>, chat| {
                log.push(Said::Chat(chat))
            })
            .on("score", |log: &mut Vec<Said>, score| {
                log.push(Said::Score(score))
            })
    }

    #[test]
    fn interleaved_kinds_are_handled_in_order_of_arrival() {
        let (mut handlers, mut log) = (handlers(), Vec::new());
        let said: Vec<_> = (0..100)
            .map(|at| {
                if at % 3 == 0 {
                    Said::Chat(Chat {
                        text: at.to_string(),
                    })
                } else {
                    Said::Score(at)
                }
            })
            .collect();
        for one in &said {
            let message = Payload::json(one).unwrap();
            assert_eq!(handlers.handle(&mut log, &message), Ok(Handled::Done));
        }
        assert_eq!(log, said);
    }

    #[test]
    fn what_has_no_handler_is_named_and_what_has_another_type_refused() {
        let (mut handlers, mut log) = (handlers(), Vec::new());
        let json = |text: &str| Payload::Json(text.to_owned());
        let mut handle = |message: &Payload| handlers.handle(&mut log, message);
        assert_eq!(
            handle(&json(r#"{"dance":1}"#)),
            Ok(Handled::Unknown("dance".to_owned()))
        );
        for untyped in [
            json("1"),
            json("{}"),
            json(r#"{"a":1,"b":2}"#),
            "hello".into(),
            vec![1].into(),
        ] {
            assert_eq!(handle(&untyped), Ok(Handled::Untyped));
        }
        let refused = handle(&json(r#"{"score":"many"}"#)).unwrap_err();
        assert!(refused.to_string().contains("score"), "{refused}");
        assert_eq!(handle(&r#"{"score":7}"#.into()), Ok(Handled::Done));
        assert_eq!(log, [Said::Score(7)]);
    }
}
