//! The first thing a session on lanes is told: who it is, and all it needs to read the rest.
//!
//! Never changes anything.

use worldshard_protocol::SessionId;
use worldshard_protocol::greeting::{
    ComponentInfo, Greeting, InterestInfo, LAYOUT_VERSION, SpaceInfo, TerritoryInfo,
};
use worldshard_spatial::{Bounds, Metric};
use worldshard_transport::{MessageKind, data_frame};

use crate::app::Framing;
use crate::hub::Hub;
use crate::identity::TraceId;

impl Hub {
    /// Says the first message to a session that speaks lanes, over a connection of this name.
    pub(crate) fn greet(&mut self, session: SessionId, trace: Option<TraceId>) {
        if self.desk.framing_if_open(session) == Some(Framing::Lanes) {
            let text = self.greeting(session, trace).to_text();
            let frame = data_frame(MessageKind::Text, text.as_bytes());
            self.desk.push_reliable(session, frame);
        }
    }

    fn greeting(&self, session: SessionId, trace: Option<TraceId>) -> Greeting {
        let config = &self.recipe.world.config;
        let cell_map = self.shard.cell_map();
        let territories = cell_map.shards().map(|shard| {
            let Bounds { min, max } = cell_map.territory(shard);
            TerritoryInfo {
                shard: shard.0,
                min: min.to_array(),
                max: max.to_array(),
            }
        });
        let components = self.recipe.world.registry.replicated();
        let entry = self.desk.sessions.get(&session);
        let standing = entry.and_then(|entry| entry.standing.as_deref());
        let resumption = standing.map(|one| &one.resumption);
        let identity = entry.and_then(|entry| entry.identity.as_deref());
        Greeting {
            session: session.value(),
            layout: LAYOUT_VERSION,
            tick: self.held.told(self.desk.tick).0,
            tick_rate_hz: 1.0 / config.tick_interval.as_secs_f64(),
            shards: cell_map.shard_count(),
            home: self.desk.own.0,
            world: self.recipe.world_name.clone(),
            space: SpaceInfo {
                min: config.bounds.min.to_array(),
                max: config.bounds.max.to_array(),
                metric: metric_name(config.metric).to_owned(),
                cell_edge_m: config.cell_edge_m,
            },
            territories: territories.collect(),
            interest: InterestInfo {
                radius_m: config.interest_radius_m,
                hysteresis_m: config.interest_hysteresis_m,
                radius_max_m: config.interest_radius_max_m,
            },
            border_m: config.border_width_m(),
            components: components
                .map(|(index, name)| ComponentInfo {
                    index,
                    name: name.to_owned(),
                })
                .collect(),
            entity: standing.and_then(|one| one.entity).map(|entity| entity.0),
            command_sequence: resumption
                .filter(|one| one.generation > 0)
                .map(|one| one.taken),
            resume: self.token(session),
            user: identity.and_then(|one| one.user.clone()),
            tenant: Some(self.desk.tenant_id(session)),
            trace: trace.map(|trace| trace.to_string()),
            connect: identity.and_then(|one| one.connect.clone()),
        }
    }
}

fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Plane => "plane",
        Metric::Flat => "flat",
        Metric::Solid => "solid",
    }
}
