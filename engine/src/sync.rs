//! What threads share is made of these. The model checker in `loom/` has its own in their place.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
