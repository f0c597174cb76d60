//! What clients may say, compiled: a bitmap for the hot lane, sorted names for the ext lane. Looks things up, and decides
//! nothing else.
//!
//! Both are asked about every message, so names are found by numbers: see [`Key`].

use worldshard_protocol::app::SYS_SVC_NAME;
use worldshard_protocol::ext::EXT_NAME_BYTES_MAX;

/// The services and types of the ext lane that clients may say.
#[derive(Clone, Debug)]
pub(crate) struct ExtAllowed {
    services: Names<Types>,
}

/// Which types of a service.
#[derive(Clone, Debug)]
enum Types {
    All,
    Only(Names<()>),
}

/// What is known by names.
#[derive(Clone, Debug)]
struct Names<T> {
    /// Ascending by key and then by name, each name once.
    entries: Vec<(Key, Box<str>, T)>,
}

/// The length of a name and its first seven bytes. Of names that are no longer, no two have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key(u64);

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
        let mut services = Names::new();
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
            let types = services.entry(svc, || Types::Only(Names::new()));
            match types {
                _ if kind == ALL => *types = Types::All,
                Types::All => {}
                Types::Only(only) => {
                    only.entry(kind, || ());
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
        self.services.find(svc).is_some_and(|types| match types {
            Types::All => true,
            Types::Only(only) => only.find(kind).is_some(),
        })
    }
}

impl<T> Names<T> {
    fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// What is known by this name, which from now on is known.
    fn entry(&mut self, name: &str, new: impl FnOnce() -> T) -> &mut T {
        let key = Key::of(name);
        let place = self
            .entries
            .binary_search_by(|(one, other, _)| (*one, &**other).cmp(&(key, name)));
        let at = place.unwrap_or_else(|at| {
            self.entries.insert(at, (key, name.into(), new()));
            at
        });
        &mut self.entries[at].2
    }

    fn find(&self, name: &str) -> Option<&T> {
        let key = Key::of(name);
        let first = self.entries.partition_point(|(one, ..)| *one < key);
        let alike = self.entries[first..]
            .iter()
            .take_while(|(one, ..)| *one == key);
        let mut alike = alike.filter(|(_, one, _)| key.is_whole() || **one == *name);
        alike.next().map(|(.., value)| value)
    }
}

impl Key {
    #[inline]
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let length = (bytes.len() as u64).min(LENGTH_MAX) << 56;
        let first = match *bytes {
            [a, b, c, d, e, f, g, ..] => u64::from_le_bytes([a, b, c, d, e, f, g, 0]),
            [a, b, c, d, ref rest @ ..] => {
                let last = rest
                    .iter()
                    .rev()
                    .fold(0, |all, &one| all << 8 | u64::from(one));
                u64::from(u32::from_le_bytes([a, b, c, d])) | last << 32
            }
            [a, b, c] => u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]),
            [a, b] => u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]),
            [a] => u64::from(a),
            [] => 0,
        };
        Self(length | first)
    }

    /// Whether a name is known by it alone.
    fn is_whole(self) -> bool {
        self.0 >> 56 <= 7
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

/// Longer names are told apart by themselves.
const LENGTH_MAX: u64 = 0xff;

/// All types or opcodes of a service.
const ALL: &str = "*";

const SERVICES: usize = 256;

/// Of 64 opcodes each.
const WORDS: usize = 4;

#[cfg(test)]
mod tests;
