//! Tests of the engine through its public interface, in one binary.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one event and lets the others pass"
)]

mod child;
mod folder;
#[path = "../../../transport/tests/common/mod.rs"]
mod framing;
mod lossy;
mod operators;
mod prometheus;
#[path = "../../../client/tests/rules/mod.rs"]
mod rules;
mod runtimes;
mod socket;
mod tls;
mod upgrade;

mod client_avatar;
mod client_bot;
mod client_journey;
mod credential;
mod documents;
mod durable_hostile;
mod examples;
mod hub_admission;
mod hub_app;
mod hub_application;
mod hub_audience;
mod hub_bounds;
mod hub_commands;
mod hub_emit;
mod hub_memberships;
mod hub_outside;
mod hub_policy;
mod hub_requests;
mod hub_resume;
mod hub_room_answers;
mod hub_room_chaos;
mod hub_room_turns;
mod hub_rooms;
mod hub_screens;
mod hub_sessions;
mod hub_tenants;
mod hub_users;
mod hub_world;
mod hub_zones;
mod net_abuse;
mod net_admin;
mod net_audience;
mod net_auth;
mod net_bans;
mod net_begun;
#[cfg(target_os = "linux")]
mod net_churn;
mod net_closes;
mod net_coalesce;
mod net_commands;
mod net_commit;
mod net_cuts;
mod net_decided;
mod net_drain;
mod net_echo;
mod net_emit;
mod net_files;
#[cfg(target_os = "linux")]
mod net_floods;
mod net_framing;
mod net_handshakes;
mod net_health;
mod net_hostile;
mod net_http;
mod net_interest;
mod net_life;
mod net_memberships;
mod net_metrics;
mod net_process;
mod net_rates;
mod net_rebuild;
mod net_reopened;
mod net_requests;
mod net_resume;
mod net_rooms;
mod net_silent;
mod net_stalled_member;
mod net_subscribe;
mod net_tenants;
mod net_tls;
mod net_tls_hostile;
mod net_users;
mod net_walker;
mod net_world;
mod pump;
mod sim_crashes;
mod sim_cuts;
mod sim_driver;
mod sim_faults;
#[cfg(target_os = "linux")]
mod submission;
mod tidy;
mod world_pace;
