//! Runs the application's own code, so that what it does wrong is its own. Never decides when: that is who calls.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::app::{AppRecipe, ContextSystem};
use crate::context::Context;
use crate::hub::Hub;
use crate::message::Event;
use crate::panic::panic_text;

impl Hub {
    pub(super) fn run_systems(
        &mut self,
        stage: fn(&AppRecipe) -> &[ContextSystem],
        events: &[Event],
    ) {
        let recipe = self.recipe.clone();
        for system in stage(&recipe) {
            self.guarded(system.name, events, |cx| (system.run)(cx));
        }
    }

    /// Runs a system, unless it is quarantined.
    pub(super) fn guarded(
        &mut self,
        name: &'static str,
        events: &[Event],
        run: impl FnOnce(&mut Context<'_>),
    ) {
        if self.blame.holds(name) {
            return;
        }
        let Some(panic) = self.caught(name, events, run) else {
            return self.blame.clear(name);
        };
        if self.blame.panicked(name, &panic) {
            tracing::error!(
                system = name,
                shard = self.desk.own.0,
                "a system is quarantined: it panics every time"
            );
        }
    }

    /// Runs user code so that its panic is its own, and gives the words of that: the hub's tables stay whole, because
    /// `Desk` changes them only between user code.
    pub(super) fn caught(
        &mut self,
        name: &'static str,
        events: &[Event],
        run: impl FnOnce(&mut Context<'_>),
    ) -> Option<String> {
        self.desk.spoken_of = self.runs_for;
        let mut context = Context::new(events, &mut self.desk, self.shard.resources_mut());
        let panic = catch_unwind(AssertUnwindSafe(|| run(&mut context))).err()?;
        self.desk.requests.interrupt();
        let (shard, text) = (self.desk.own.0, panic_text(&*panic));
        tracing::error!(system = name, shard, panic = text, "a system panicked");
        Some(text.to_owned())
    }
}
