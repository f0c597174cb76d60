use std::collections::BTreeSet;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use serde_json::{Value, json};
use worldshard::ServerLimits;

use super::layers::{FLAGS, REPLACES, variable};
use super::{Config, keys};
use crate::cli::{Cli, Command, ServeArgs};

fn value(config: &Config, key: &str) -> Value {
    let all = serde_json::to_value(config).unwrap();
    let pointer = format!("/{}", key.replace('.', "/"));
    all.pointer(&pointer).cloned().unwrap_or_default()
}

fn no_flags() -> ServeArgs {
    let matches = Cli::command().get_matches_from(["worldshard", "serve"]);
    let cli = Cli::from_arg_matches(&matches).unwrap();
    let Command::Serve(args) = cli.command else {
        panic!("serve was asked for");
    };
    *args
}

#[test]
fn what_no_flag_says_is_the_default_of_its_key() {
    let of_flags = no_flags().config().settled();
    // Its flags are there without it; what it has no default for is an empty text then.
    let hook = serde_json::json!({ "url": "", "secret_file": "" });
    let of_keys = Config {
        hook: Some(serde_json::from_value(hook).unwrap()),
        ..Config::default()
    };
    let of_keys = of_keys.settled();
    for (flag, key) in FLAGS {
        assert_eq!(value(&of_flags, key), value(&of_keys, key), "--{flag}");
    }
}

#[test]
fn every_flag_of_the_table_is_one_of_serve_and_every_key_is_there() {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let flags: BTreeSet<&str> = serve
        .get_arguments()
        .map(|one| one.get_id().as_str())
        .collect();
    let all = keys::keys();
    let keys: BTreeSet<&str> = all.iter().map(|key| key.path.as_str()).collect();
    for (flag, key) in FLAGS {
        assert!(flags.contains(flag), "--{flag}");
        assert!(keys.contains(key), "{key} of --{flag}");
    }
    for key in REPLACES.iter().flat_map(|(key, replaced)| [key, replaced]) {
        assert!(keys.contains(key), "{key}");
    }
}

#[test]
fn flags_that_say_something_of_the_server_are_in_the_table() {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let others = [
        "help",
        "config",
        "print_config",
        "log",
        "module",
        "guest_config",
        "guest_memory",
        "guest_call",
        "rooms",
        "room_wait",
    ];
    for argument in serve.get_arguments() {
        let id = argument.get_id().as_str();
        let is_known = FLAGS.iter().any(|(flag, _)| *flag == id) || others.contains(&id);
        assert!(is_known, "--{id} says nothing that a file could say");
    }
}

#[test]
fn no_two_keys_have_one_variable() {
    let all = keys::keys();
    let outer: Vec<&str> = all
        .iter()
        .filter(|key| !key.is_inner)
        .map(|key| key.path.as_str())
        .collect();
    let variables: BTreeSet<String> = outer.iter().map(|key| variable(key)).collect();
    assert_eq!(variables.len(), outer.len());
    assert!(outer.len() > 70, "only {} keys were found", outer.len());
}

#[test]
fn what_nothing_says_is_what_the_engine_does() {
    let engine = ServerLimits {
        resume_grace: Duration::from_secs(15),
        ..ServerLimits::default()
    };
    assert_eq!(Config::default().limits(), engine);
}

#[test]
fn tenants_bring_the_defaults_of_wsprism() {
    let config: Config =
        serde_json::from_value(json!({ "version": 1, "tenants": [{ "id": "acme" }] })).unwrap();
    let limits = config.limits();
    assert_eq!(config.listen(), "0.0.0.0:8080");
    assert_eq!(limits.ping_interval, Duration::from_secs(20));
    assert_eq!(limits.silence_max, Duration::from_secs(60));
    assert_eq!(limits.stall_max, Duration::from_millis(1500));
    assert_eq!(limits.drain_max, Duration::from_secs(2));
}
