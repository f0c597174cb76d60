//! How much was said, by lane. Never decides anything.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::Framing;

/// What was said on one lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LaneTraffic {
    /// Messages.
    pub messages: u64,
    /// Their bytes: inbound without the heads of frames, outbound with them.
    pub bytes: u64,
}

/// What was said on each lane, and on paths without.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic([LaneTraffic; LANES.len()]);

impl Traffic {
    /// Counts messages of so many bytes together.
    pub(crate) fn count(&mut self, framing: Framing, is_text: bool, messages: u64, bytes: u64) {
        let lane = match (framing, is_text) {
            (Framing::Lanes, false) => &mut self.0[0],
            (Framing::Lanes, true) => &mut self.0[1],
            (Framing::Raw, _) => &mut self.0[2],
        };
        lane.messages += messages;
        lane.bytes += bytes;
    }

    /// Of all lanes together.
    pub(crate) fn total(&self) -> LaneTraffic {
        let [mut total, ext, raw] = self.0;
        for lane in [ext, raw] {
            total.messages += lane.messages;
            total.bytes += lane.bytes;
        }
        total
    }

    /// By the lanes' names.
    pub(crate) fn by_lane(&self) -> BTreeMap<&'static str, LaneTraffic> {
        LANES.into_iter().zip(self.0).collect()
    }
}

/// The names of the lanes, and of paths without.
const LANES: [&str; 3] = ["hot", "ext", "raw"];
