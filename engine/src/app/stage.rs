//! When a system runs. The stage decides what a system may touch: only `FixedUpdate` gets the world.

use std::sync::Arc;

use worldshard_shard::{NamedSystem, Step};

use crate::context::Context;

/// A moment in the life of an engine at which systems run.
pub trait Stage: sealed::Sealed {
    /// What runs in it.
    type System: ?Sized;
}

/// Once per shard, before the first connection. A panic keeps the engine from starting.
#[derive(Clone, Copy, Debug)]
pub struct Startup;

/// At event pace: as soon as something was read, and at least once per tick. Never touches the world.
#[derive(Clone, Copy, Debug)]
pub struct Update;

/// Once per tick and shard, over the entities of the shard.
#[derive(Clone, Copy, Debug)]
pub struct FixedUpdate;

/// After all `Update` systems of the same turn, with the same events.
#[derive(Clone, Copy, Debug)]
pub struct Last;

/// Once per shard, when the engine stops, while sessions can still be told.
#[derive(Clone, Copy, Debug)]
pub struct Shutdown;

/// A function that can be a system of the stage `S`. Implemented by every fitting `Fn`.
pub trait System<S: Stage>: Send + Sync + 'static {
    #[doc(hidden)]
    fn enlist(self, systems: &mut Systems);
}

/// All systems of an application, in the order in which they were added.
#[doc(hidden)]
#[derive(Default)]
pub struct Systems {
    pub(crate) startup: Vec<ContextSystem>,
    pub(crate) update: Vec<ContextSystem>,
    pub(crate) fixed_update: Vec<NamedSystem>,
    pub(crate) last: Vec<ContextSystem>,
    pub(crate) shutdown: Vec<ContextSystem>,
}

/// A system of any stage but `FixedUpdate`.
pub(crate) struct ContextSystem {
    /// For logs and faults.
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn Fn(&mut Context<'_>) + Send + Sync>,
}

impl Stage for FixedUpdate {
    type System = dyn Fn(&mut Step<'_>);
}

impl sealed::Sealed for FixedUpdate {}

impl<F: Fn(&mut Step<'_>) + Send + Sync + 'static> System<FixedUpdate> for F {
    fn enlist(self, systems: &mut Systems) {
        systems.fixed_update.push(NamedSystem {
            name: std::any::type_name::<F>(),
            run: Arc::new(self),
        });
    }
}

/// The stages whose systems get a `Context`.
macro_rules! context_stage {
    ($stage:ident, $list:ident) => {
        impl Stage for $stage {
            type System = dyn Fn(&mut Context<'_>);
        }

        impl sealed::Sealed for $stage {}

        impl<F: Fn(&mut Context<'_>) + Send + Sync + 'static> System<$stage> for F {
            fn enlist(self, systems: &mut Systems) {
                systems.$list.push(ContextSystem {
                    name: std::any::type_name::<F>(),
                    run: Box::new(self),
                });
            }
        }
    };
}

context_stage!(Startup, startup);
context_stage!(Update, update);
context_stage!(Last, last);
context_stage!(Shutdown, shutdown);

mod sealed {
    pub trait Sealed {}
}
