//! What clients may say, compiled: a bitmap for the hot lane, sorted names for the ext lane. Looks things up, and decides
//! nothing else.

use worldshard_protocol::app::SYS_SVC_NAME;
use worldshard_protocol::ext::EXT_NAME_BYTES_MAX;

/// The services and types of the ext lane that clients may say.
#[derive(Clone, Debug)]
pub(crate) struct ExtAllowed {
    /// Ascending by service, each once.
    services: Vec<(Box<str>, Types)>,
}

/// Which types of a service.
#[derive(Clone, Debug)]
enum Types {
    All,
    /// Ascending.
    Only(Vec<Box<str>>),
}

/// The services and opcodes of the hot lane that clients may say: one bit for each pair of them.
#[derive(Clone, Debug)]
pub(crate) struct HotAllowed {
    opcodes: Box<[[u64; WORDS]; SERVICES]>,
}

impl ExtAllowed {
    /// Compiles a list.
    ///
    /// # Errors
    /// Names the entry that is malformed.
    pub(crate) fn compile(entries: &[String]) -> Result<Self, String> {
        let mut services: Vec<(Box<str>, Types)> = Vec::new();
        for entry in entries {
            let malformed = || {
                format!(
                    "{entry:?}; svc:type or svc:*, each name 1 to {EXT_NAME_BYTES_MAX} bytes and without *"
                )
            };
            let (svc, kind) = entry.split_once(':').ok_or_else(malformed)?;
            let is_name =
                |name: &str| (1..=EXT_NAME_BYTES_MAX).contains(&name.len()) && !name.contains('*');
            if !is_name(svc) || (kind != ALL && !is_name(kind)) {
                return Err(malformed());
            }
            let at = match services.binary_search_by(|(name, _)| (**name).cmp(svc)) {
                Ok(at) => at,
                Err(at) => {
                    services.insert(at, (svc.into(), Types::Only(Vec::new())));
                    at
                }
            };
            let types = &mut services[at].1;
            match types {
                _ if kind == ALL => *types = Types::All,
                Types::All => {}
                Types::Only(only) => {
                    if let Err(at) = only.binary_search_by(|name| (**name).cmp(kind)) {
                        only.insert(at, kind.into());
                    }
                }
            }
        }
        Ok(Self { services })
    }

    /// Whether this may be said. What is said to `sys` always may: without its pings clients could not show that they live.
    pub(crate) fn allows(&self, svc: &str, kind: &str) -> bool {
        if svc == SYS_SVC_NAME {
            return true;
        }
        let place = self
            .services
            .binary_search_by(|(name, _)| (**name).cmp(svc));
        place.is_ok_and(|at| match &self.services[at].1 {
            Types::All => true,
            Types::Only(only) => only.binary_search_by(|name| (**name).cmp(kind)).is_ok(),
        })
    }
}

impl HotAllowed {
    /// Compiles a list.
    ///
    /// # Errors
    /// Names the entry that is malformed.
    pub(crate) fn compile(entries: &[String]) -> Result<Self, String> {
        let mut opcodes = Box::new([[0; WORDS]; SERVICES]);
        for entry in entries {
            let malformed =
                || format!("{entry:?}; svc_id:opcode or svc_id:*, numbers from 0 to 255");
            let (svc, opcode) = entry.split_once(':').ok_or_else(malformed)?;
            let of_svc = &mut opcodes[usize::from(number(svc).ok_or_else(malformed)?)];
            if opcode == ALL {
                *of_svc = [u64::MAX; WORDS];
                continue;
            }
            let opcode = number(opcode).ok_or_else(malformed)?;
            of_svc[usize::from(opcode / 64)] |= 1 << (opcode % 64);
        }
        Ok(Self { opcodes })
    }

    /// Whether this may be said.
    pub(crate) fn allows(&self, svc: u8, opcode: u8) -> bool {
        let word = self.opcodes[usize::from(svc)][usize::from(opcode / 64)];
        word & (1 << (opcode % 64)) != 0
    }
}

/// A number of one byte in digits alone: `parse` would take a sign.
fn number(text: &str) -> Option<u8> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

/// All types or opcodes of a service.
const ALL: &str = "*";

const SERVICES: usize = 256;

/// Of 64 opcodes each.
const WORDS: usize = 4;

#[cfg(test)]
mod tests;
