//! The section `bans`: who may not come.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worldshard::UserId;
use worldshard::policy::{self, Banned};

use super::number::Size;

/// Somebody who may not come: an address, or a user of a tenant
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ban {
    /// Who comes from this address; of an IPv6 address the first 64 bits count
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ip: Option<IpAddr>,
    /// This user
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// With `user`: of this tenant; `default` where none are named
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// What they are told
    #[serde(default)]
    pub(crate) reason: String,
    /// When it ends, in seconds since 1970; not said, never
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until_unix_s: Option<Size<0>>,
}

impl Ban {
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn options(&self) -> Result<policy::Ban, String> {
        let whom = match (self.ip, &self.user) {
            (Some(ip), None) if self.tenant.is_none() => Banned::Ip(ip),
            (None, Some(user)) => Banned::User {
                tenant: self.tenant.as_deref().unwrap_or(NAMELESS).to_owned(),
                user: UserId::new(user)
                    .map_err(|_| format!("user: {user:?} is not a user's name"))?,
            },
            _ => return Err("either ip, or user with its tenant".to_owned()),
        };
        let bytes = self.reason.len();
        if bytes > policy::BAN_REASON_BYTES_MAX {
            let most = policy::BAN_REASON_BYTES_MAX;
            return Err(format!("a reason of {bytes} bytes; at most {most}"));
        }
        Ok(policy::Ban {
            whom,
            reason: self.reason.clone(),
            until: self.until_unix_s.map(|s| Duration::from_secs(s.get())),
        })
    }
}

/// The tenant of a server that names none.
pub(super) const NAMELESS: &str = "default";
