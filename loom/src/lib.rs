//! The engine's own files, and what must hold of them however their threads interleave. A wake that is lost is a deadlock here.

/// In the place of the engine's module of this name.
mod sync {
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
}

#[path = "../../engine/src/runtime/bell.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests call it here"))]
mod bell;
#[path = "../../engine/src/runtime/keeping/shared.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests call it here"))]
mod shared;
#[path = "../../engine/src/tray.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests call it here"))]
mod tray;

#[cfg(test)]
mod tests;
