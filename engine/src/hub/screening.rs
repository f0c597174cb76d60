//! Lets the application look at what clients say before anybody is told of it, and drop it. Never decides what is dropped.

use std::sync::Arc;

use worldshard_protocol::SessionId;

use crate::app::Screened;
use crate::hub::Hub;
use crate::hub::application::Lane;
use crate::hub::blocks::Blocks;
use crate::message::Payload;

impl Hub {
    /// Whether a screen drops this. All are asked, so none depends on its place among them; without any nothing is done.
    pub(crate) fn is_screened_out(
        &mut self,
        session: SessionId,
        payload: impl FnOnce(&mut Blocks) -> Payload,
    ) -> bool {
        if self.recipe.screens.is_empty() {
            return false;
        }
        let payload = payload(&mut self.desk.blocks);
        let recipe = Arc::clone(&self.recipe);
        let mut drops = false;
        self.runs_for = self.desk.tenant(session);
        for screen in &recipe.screens {
            let mut screened = Screened::Pass;
            let panic = self.caught(screen.name, &[], |cx| {
                screened = (screen.sees)(cx, session, &payload);
            });
            drops |= screened == Screened::Drop;
            // However often it panics it goes on: who makes it panic must not end it for all.
            if let Some(panic) = panic {
                self.blame.count(screen.name, &panic);
            }
        }
        self.runs_for = 0;
        drops
    }

    /// The same of a request, which is answered all the same.
    pub(crate) fn is_request_screened_out(
        &mut self,
        session: SessionId,
        lane: Lane,
        seq: Option<u32>,
        payload: impl FnOnce(&mut Blocks) -> Payload,
    ) -> bool {
        let drops = self.is_screened_out(session, payload);
        if drops {
            self.desk.turn_away(session, lane, seq);
        }
        drops
    }
}
