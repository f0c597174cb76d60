//! Reads a component out of the bytes of one version of it. Never knows which versions there are.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use hecs::EntityBuilder;

use crate::component::Component;

/// Makes a component of bytes of one version, and adds it to an entity.
#[derive(Clone)]
pub(crate) struct Migration {
    from: u16,
    read: Arc<Read>,
}

/// `None` when the bytes are not a value.
type Read = dyn Fn(&[u8], &mut EntityBuilder) -> Option<()> + Send + Sync;

impl Migration {
    /// From an earlier version.
    pub(crate) fn new<C: Component>(
        from: u16,
        read: impl Fn(&[u8]) -> Option<C> + Send + Sync + 'static,
    ) -> Self {
        let read = move |bytes: &[u8], builder: &mut EntityBuilder| {
            builder.add(read(bytes)?);
            Some(())
        };
        Self {
            from,
            read: Arc::new(read),
        }
    }

    /// From the present version: all bytes must be taken.
    pub(crate) fn present(
        version: u16,
        decode: fn(&mut &[u8], &mut EntityBuilder) -> bool,
    ) -> Self {
        let read = move |mut bytes: &[u8], builder: &mut EntityBuilder| {
            (decode(&mut bytes, builder) && bytes.is_empty()).then_some(())
        };
        Self {
            from: version,
            read: Arc::new(read),
        }
    }

    pub(crate) fn from(&self) -> u16 {
        self.from
    }
}

impl Deref for Migration {
    type Target = Read;

    fn deref(&self) -> &Read {
        &*self.read
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Migration(from version {})", self.from)
    }
}
