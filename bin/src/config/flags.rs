//! The flags of `serve`, as sections of a configuration. Which of them were given, `layers` knows.

use super::Config;
use super::number::{Count, Ms, Real, Within};
use super::security::Tls;
use super::server::{CoalesceMs, Data, Server, World, WorldKind};
use crate::cli::ServeArgs;
use worldshard::worlds::WorldName;

impl ServeArgs {
    /// What all flags say, given or not.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config {
            server: self.server(),
            world: self.world(),
            auth: self.identity.section(),
            tls: Tls {
                cert_file: self.tls.tls_cert.clone(),
                key_file: self.tls.tls_key.clone(),
                dev: self.tls.tls_dev.is_some(),
                dev_folder: self.tls.tls_dev.clone().flatten(),
            },
            data: self.data(),
            admin: self.admin.section(),
            hook: Some(self.hook.section()),
            ..Config::default()
        };
        config.gateway.listen = Some(self.address());
        let ms = |seconds: u16| Some(Ms::unchecked(u64::from(seconds) * 1000));
        config.limits.ping_interval_ms = ms(self.heartbeat_interval);
        config.limits.silence_max_ms = ms(self.heartbeat_timeout);
        config.limits.resume_grace_ms = Ms::of_duration(self.resume_grace);
        config
    }

    fn server(&self) -> Server {
        Server {
            app: self.app,
            shards: Within::unchecked(self.shards),
            runtime: self.runtime,
            coalesce: CoalesceMs(self.coalesce),
            files: self.files.iter().cloned().collect(),
            protocol_version: self.identity.protocol_version().map(str::to_owned),
            unknown_services: self.unknown_services,
            public_metrics: self.admin.public_metrics,
            ..Server::default()
        }
    }

    fn world(&self) -> World {
        // By its digits, so that 24.1 is not 24.100000381.
        let digits = |metres: f32| {
            metres
                .to_string()
                .parse()
                .map_or(f64::from(metres), |m: f64| m)
        };
        World {
            name: match self.world.world {
                WorldName::Flock => WorldKind::Flock,
                WorldName::Crowd => WorldKind::Crowd,
                WorldName::Swarm3d => WorldKind::Swarm3d,
            },
            entities: Within::unchecked(self.world.entities),
            seed: self.world.seed,
            tick_rate_hz: Real::unchecked(self.tick_rate),
            interest_radius_m: self.interest_radius.map(digits).map(Real::unchecked),
        }
    }

    fn data(&self) -> Data {
        let every_ms = (self.data.checkpoint_every * 1e3).round() as u64;
        Data {
            folder: self.data.data.clone(),
            durability: self.data.durability.into(),
            checkpoint_every_ms: Ms::unchecked(every_ms.max(1)),
            checkpoints_kept: Count::unchecked(self.data.checkpoints_kept),
            accept_loss: self.data.accept_loss,
            digest_file: self.data.digest.clone(),
        }
    }
}

impl From<WorldKind> for WorldName {
    fn from(kind: WorldKind) -> Self {
        match kind {
            WorldKind::Flock => Self::Flock,
            WorldKind::Crowd => Self::Crowd,
            WorldKind::Swarm3d => Self::Swarm3d,
        }
    }
}
