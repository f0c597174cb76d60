//! Whether allowlists name services that there are: a slip there denies in silence what it should allow.

use worldshard::AppRecipe;

use super::rules::Broken;
use super::server::UnknownServices;
use super::{Config, Layers};
use crate::failure::Failure;

/// Looks at all allowlists.
///
/// # Errors
/// Names the first entry whose service the application does not have, unless that is only to be warned of.
pub(crate) fn check_services(
    config: &Config,
    layers: &Layers,
    recipe: &AppRecipe,
) -> Result<(), Failure> {
    for broken in unknown(config, recipe) {
        let refused = layers.blame(&broken);
        match config.server.unknown_services {
            UnknownServices::Refuse => return Err(refused),
            UnknownServices::Warn => tracing::warn!("{refused}"),
        }
    }
    Ok(())
}

fn unknown(config: &Config, recipe: &AppRecipe) -> Vec<Broken> {
    let ext: Vec<&str> = recipe.ext_services().collect();
    let hot: Vec<String> = recipe.hot_services().map(|svc| svc.to_string()).collect();
    let hot: Vec<&str> = hot.iter().map(String::as_str).collect();
    let mut unknown = Vec::new();
    for (index, tenant) in config.tenants.iter().flatten().enumerate() {
        let policy = &tenant.policy;
        for (list, name, known) in [
            (&policy.ext_allowlist, "ext_allowlist", &ext),
            (&policy.hot_allowlist, "hot_allowlist", &hot),
        ] {
            for (entry, text) in list.iter().enumerate() {
                let service = text.split(':').next().unwrap_or_default();
                let same =
                    |known: &&str| *known == service.trim_start_matches('0') || *known == service;
                if !known.iter().any(same) {
                    let key = format!("tenants[{index}].policy.{name}[{entry}]");
                    let why = format!(
                        "{text:?}: no service {service}; there are {}",
                        known.join(", ")
                    );
                    unknown.push(Broken { key, why });
                }
            }
        }
    }
    unknown
}
