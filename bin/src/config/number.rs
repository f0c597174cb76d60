//! Numbers with a range in their type: what a file may say, what the schema says of it, and what is checked are one.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number from `MIN` to `MAX`.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Within<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Within<MIN, MAX> {
    pub(crate) const fn of(number: u64) -> Self {
        assert!(MIN <= number && number <= MAX, "a number out of its range");
        Self(number)
    }

    /// A number that was checked elsewhere: it is checked again when all layers are read.
    pub(crate) fn unchecked(number: impl Into<u64>) -> Self {
        Self(number.into())
    }

    /// A number of bytes or of things in memory.
    pub(crate) fn size(self) -> usize {
        usize::try_from(self.0).expect("its range is that of memory")
    }

    pub(crate) fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn count(self) -> u32 {
        u32::try_from(self.0).expect("its range is that of a count")
    }

    /// A number of milliseconds.
    pub(crate) fn ms(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// The same milliseconds; what is less than one counts as one.
    pub(crate) fn of_duration(time: Duration) -> Self {
        let ms = time.as_secs_f64() * 1e3;
        Self(if ms > 0.0 {
            (ms.round() as u64).max(1)
        } else {
            0
        })
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Within<MIN, MAX> {
    /// Whatever stands there is taken first, and refused here: so it is its own place that is named, not its key's.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(from)?;
        if let Some(number) = scalar.number()
            && (MIN..=MAX).contains(&number)
        {
            return Ok(Self(number));
        }
        let wanted = match MAX {
            _ if MIN == MAX => format!("{MIN}"),
            SIZE_MAX => format!("a whole number, at least {MIN}"),
            _ => format!("a whole number from {MIN} to {MAX}"),
        };
        Err(D::Error::custom(format!(
            "{}; expected {wanted}",
            scalar.text
        )))
    }
}

/// A number or a word, as it was written.
pub(crate) struct Scalar {
    pub(crate) text: String,
    is_number: bool,
}

impl Scalar {
    fn word(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            text,
            is_number: false,
        }
    }

    fn digits(text: impl ToString) -> Self {
        let text = text.to_string();
        Self {
            text,
            is_number: true,
        }
    }

    /// The number, if it is one: a text of digits is none.
    fn number<T: FromStr>(&self) -> Option<T> {
        self.is_number.then(|| self.text.parse().ok()).flatten()
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a word")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::word("nothing"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::word(value.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::digits(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::digits(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::digits(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::word(text))
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Within<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Within_{MIN}_{MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        match MAX {
            SIZE_MAX => json_schema!({ "type": "integer", "minimum": MIN }),
            _ => json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX }),
        }
    }
}

/// A number from so many thousandths to so many.
#[derive(Serialize, Clone, Copy, PartialEq, Debug)]
pub(crate) struct Real<const MIN_MILLI: u64, const MAX_MILLI: u64>(f64);

impl<const MIN_MILLI: u64, const MAX_MILLI: u64> Real<MIN_MILLI, MAX_MILLI> {
    const MIN: f64 = MIN_MILLI as f64 / 1e3;
    const MAX: f64 = MAX_MILLI as f64 / 1e3;

    /// A number that was checked elsewhere: it is checked again when all layers are read.
    pub(crate) fn unchecked(number: f64) -> Self {
        Self(number)
    }

    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

impl<'de, const MIN_MILLI: u64, const MAX_MILLI: u64> Deserialize<'de>
    for Real<MIN_MILLI, MAX_MILLI>
{
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(from)?;
        if let Some(number) = scalar.number()
            && (Self::MIN..=Self::MAX).contains(&number)
        {
            return Ok(Self(number));
        }
        let (text, least, most) = (scalar.text, Self::MIN, Self::MAX);
        let why = format!("{text}; expected a number from {least} to {most}");
        Err(D::Error::custom(why))
    }
}

impl<const MIN_MILLI: u64, const MAX_MILLI: u64> JsonSchema for Real<MIN_MILLI, MAX_MILLI> {
    fn schema_name() -> Cow<'static, str> {
        format!("Real_{MIN_MILLI}_{MAX_MILLI}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": Self::MIN, "maximum": Self::MAX })
    }
}

/// As much as memory has, so that no range need be said.
pub(crate) const SIZE_MAX: u64 = u64::MAX >> 1;

/// The most of what is counted in 32 bits.
pub(crate) const COUNT_MAX: u64 = u32::MAX as u64;

/// A day, in milliseconds.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// A number of things in memory or bytes, at least `MIN`.
pub(crate) type Size<const MIN: u64> = Within<MIN, SIZE_MAX>;

/// A count, at least `MIN`.
pub(crate) type Count<const MIN: u64> = Within<MIN, COUNT_MAX>;

/// A time in milliseconds, at least `MIN` and at most a day.
pub(crate) type Ms<const MIN: u64> = Within<MIN, DAY_MS>;
