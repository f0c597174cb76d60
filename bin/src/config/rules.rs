//! What must hold between several values. Ranges of one are in its type.

use std::collections::BTreeSet;

use worldshard::policy::Banned;

use super::Config;
use super::bans::NAMELESS;
use super::security::{Auth, AuthMode};
use super::server::{ANY, SAME_HOST};
use super::tenants::{Policy, SessionMode, Tenant};
use crate::cli::AppName;

/// A key whose value cannot be, beside the others, and why.
pub(crate) struct Broken {
    pub(crate) key: String,
    pub(crate) why: String,
}

/// The first rule that does not hold.
pub(crate) fn check(config: &Config) -> Result<(), Broken> {
    times(config)?;
    auth(&config.auth)?;
    tls(config)?;
    server(config)?;
    hook(config)?;
    bans(config)?;
    let Some(tenants) = &config.tenants else {
        return Ok(());
    };
    let none = "empty; at least one, or leave it out";
    require(!tenants.is_empty(), "tenants", none)?;
    let mut ids = BTreeSet::new();
    for (index, one) in tenants.iter().enumerate() {
        tenant(&format!("tenants[{index}]"), one, config)?;
        let twice = format!("{:?}: there is a tenant of this name before", one.id);
        require(ids.insert(&one.id), &format!("tenants[{index}].id"), &twice)?;
    }
    Ok(())
}

/// Whether each ban is of somebody: one of a tenant that there is not would keep nobody out.
fn bans(config: &Config) -> Result<(), Broken> {
    let tenants = config.tenants.as_deref();
    let is_tenant = |id: &str| match tenants {
        Some(tenants) => tenants.iter().any(|one| one.id == id),
        None => id == NAMELESS,
    };
    for (index, ban) in config.bans.iter().enumerate() {
        let key = format!("bans[{index}]");
        let whom = ban.options().map_err(|why| broken(&key, why))?.whom;
        if let Banned::User { tenant, .. } = whom {
            let why = format!("{tenant:?}: there is no such tenant");
            require(is_tenant(&tenant), &format!("{key}.tenant"), &why)?;
        }
    }
    Ok(())
}

fn hook(config: &Config) -> Result<(), Broken> {
    let Some(hook) = &config.hook else {
        return Ok(());
    };
    let is_http = hook.url.starts_with("http://") || hook.url.starts_with("https://");
    require(
        is_http,
        "hook.url",
        "an address of http or https, such as http://127.0.0.1:9000/hook",
    )?;
    let events = hook.events();
    let events = events.map_err(|why| broken("hook.events", why))?;
    let authorities = hook.authorities();
    authorities.map_err(|why| broken("hook.ca_file", why))?;
    require(
        !events.auth || config.auth.mode.is_none(),
        "auth.mode",
        "with auth among hook.events the service decides; leave one of both out",
    )
}

fn broken(key: impl Into<String>, why: impl Into<String>) -> Broken {
    let (key, why) = (key.into(), why.into());
    Broken { key, why }
}

fn require(holds: bool, key: &str, why: &str) -> Result<(), Broken> {
    holds.then_some(()).ok_or_else(|| broken(key, why))
}

/// Which key is to blame when silence ends before a client was asked: the one that is said.
fn times(config: &Config) -> Result<(), Broken> {
    let (gateway, limits) = (&config.gateway, &config.limits);
    for (of_gateway, of_limits, name) in [
        (
            gateway.ping_interval_ms.is_some(),
            limits.ping_interval_ms.is_some(),
            "limits.ping_interval_ms",
        ),
        (
            gateway.idle_timeout_ms.is_some(),
            limits.silence_max_ms.is_some(),
            "limits.silence_max_ms",
        ),
        (
            gateway.writer_send_timeout_ms.is_some(),
            limits.stall_max_ms.is_some(),
            "limits.stall_max_ms",
        ),
        (
            gateway.drain_grace_ms.is_some(),
            limits.drain_max_ms.is_some(),
            "limits.drain_max_ms",
        ),
    ] {
        require(
            !(of_gateway && of_limits),
            name,
            "said in gateway too; leave out one of both",
        )?;
    }
    let settled = config.limits();
    let why = format!(
        "{} ms; longer than ping_interval_ms, {} ms, or nobody has the time to answer",
        settled.silence_max.as_millis(),
        settled.ping_interval.as_millis()
    );
    let key = match (gateway.idle_timeout_ms, limits.silence_max_ms) {
        (Some(_), _) => "gateway.idle_timeout_ms",
        (None, Some(_)) => "limits.silence_max_ms",
        (None, None) if gateway.ping_interval_ms.is_some() => "gateway.ping_interval_ms",
        (None, None) => "limits.ping_interval_ms",
    };
    require(settled.silence_max > settled.ping_interval, key, &why)?;
    let (queue, message) = (settled.messages_queue_bytes_max, settled.message_bytes_max);
    let why = format!(
        "{queue}; at least message_bytes_max and 1024 more, {}",
        message.saturating_add(1024)
    );
    require(
        queue >= message.saturating_add(1024),
        "limits.messages_queue_bytes_max",
        &why,
    )
}

/// Whether what is said of whom to let in goes together.
pub(crate) fn auth(auth: &Auth) -> Result<(), Broken> {
    let is = |mode| auth.mode == Some(mode);
    let only = |mode| format!("only with --auth {mode}, auth.mode in a file");
    let has_secret = auth.secret_file.is_some();
    require(
        is(AuthMode::Secret) || !has_secret,
        "auth.secret_file",
        &only("secret"),
    )?;
    let has_keys = !auth.key_files.is_empty();
    require(
        is(AuthMode::Token) || !has_keys,
        "auth.key_files",
        &only("token"),
    )?;
    let wanted = "secret: say where it stands, by --auth-secret-file, auth.secret_file in a file";
    require(!is(AuthMode::Secret) || has_secret, "auth.mode", wanted)?;
    let wanted = "token: say whose tokens are good, by --auth-key, auth.key_files in a file";
    require(!is(AuthMode::Token) || has_keys, "auth.mode", wanted)
}

fn tls(config: &Config) -> Result<(), Broken> {
    let tls = &config.tls;
    let files = (tls.cert_file.is_some(), tls.key_file.is_some());
    let both = "only together with tls.key_file";
    require(files != (true, false), "tls.cert_file", both)?;
    let both = "only together with tls.cert_file";
    require(files != (false, true), "tls.key_file", both)?;
    let one = "only without tls.cert_file";
    require(!(tls.dev && files.0), "tls.dev", one)?;
    let wanted = "only with tls.dev";
    require(
        tls.dev || tls.dev_folder.is_none(),
        "tls.dev_folder",
        wanted,
    )
}

fn server(config: &Config) -> Result<(), Broken> {
    let server = &config.server;
    let bytes = server.protocol_version.as_ref().map_or(1, String::len);
    let why = format!("{bytes} bytes; 1 to 20");
    require((1..=20).contains(&bytes), "server.protocol_version", &why)?;
    let words = [SAME_HOST, ANY];
    let alone = server.origins.len() == 1
        || !server
            .origins
            .iter()
            .any(|one| words.contains(&one.as_str()));
    require(alone, "server.origins", "same_host and any stand alone")?;
    for path in server.files.keys() {
        let why = format!("{path:?}: a path begins with a slash");
        require(path.starts_with('/'), "server.files", &why)?;
    }
    let data = &config.data;
    let wanted = "only a world can be kept; leave it out, or take --app world";
    let is_world = server.app == AppName::World;
    require(is_world || data.folder.is_none(), "data.folder", wanted)?;
    let wanted = "only with --data, data.folder in a file";
    require(
        data.folder.is_some() || !data.accept_loss,
        "data.accept_loss",
        wanted,
    )?;
    require(
        data.folder.is_some() || data.digest_file.is_none(),
        "data.digest_file",
        wanted,
    )
}

fn tenant(key: &str, tenant: &Tenant, config: &Config) -> Result<(), Broken> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let id = &tenant.id;
    let good = (1..=64).contains(&id.len()) && id.bytes().all(is_good);
    let why = format!("{id:?}; 1 to 64 of A-Z a-z 0-9 . _ @ -");
    require(good, &format!("{key}.id"), &why)?;
    let (frame, most) = (
        tenant.limits.max_frame_bytes.size(),
        config.limits().message_bytes_max,
    );
    let why = format!("{frame}; at most limits.message_bytes_max, {most}");
    require(
        frame <= most,
        &format!("{key}.limits.max_frame_bytes"),
        &why,
    )?;
    policy(&format!("{key}.policy"), &tenant.policy)
}

fn policy(key: &str, policy: &Policy) -> Result<(), Broken> {
    let sessions = &policy.sessions;
    let single = sessions.mode == SessionMode::Single;
    let most = sessions.max_sessions_per_user.count();
    let why = format!("{most}; 1 with mode single");
    require(
        !single || most == 1,
        &format!("{key}.sessions.max_sessions_per_user"),
        &why,
    )?;
    for (index, entry) in policy.ext_allowlist.iter().enumerate() {
        let is_name = |name: &str| !name.is_empty() && !name.contains('*');
        let good = entry
            .split_once(':')
            .is_some_and(|(svc, kind)| is_name(svc) && (kind == "*" || is_name(kind)));
        let why = format!("{entry:?}; svc:type or svc:*");
        require(good, &format!("{key}.ext_allowlist[{index}]"), &why)?;
    }
    for (index, entry) in policy.hot_allowlist.iter().enumerate() {
        let digits = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u8>().is_ok()
        };
        let good = entry
            .split_once(':')
            .is_some_and(|(svc, opcode)| digits(svc) && (opcode == "*" || digits(opcode)));
        let why = format!("{entry:?}; svc_id:opcode or svc_id:*, each 0 to 255");
        require(good, &format!("{key}.hot_allowlist[{index}]"), &why)?;
    }
    rates(key, policy)
}

/// Whether each rate has a bucket of its own: in one that two share everything would count twice.
fn rates(key: &str, policy: &Policy) -> Result<(), Broken> {
    let mut buckets = BTreeSet::new();
    let why = "there is the same before; rate_limit_rps and its burst are one too";
    for (at, rate) in policy.all_rates().iter().enumerate() {
        for one in rate.options() {
            let bucket = (one.scope as u8, one.unit as u8, one.per_second, one.burst);
            // The first is none of the list.
            let key = format!("{key}.rates[{}]", at.saturating_sub(1));
            require(buckets.insert(bucket), &key, why)?;
        }
    }
    Ok(())
}
