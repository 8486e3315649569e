//! Amounts of resources, exact to the billionth: `500m`, `1Gi`, `1e3`.

mod parse;

pub use self::parse::ParseQuantityError;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use keelson_proto::resource;

const NANOS_PER_UNIT: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
/// Largest magnitude: 2^63-1 units, as in Kubernetes.
const MAX_NANOS: i128 = i64::MAX as i128 * NANOS_PER_UNIT;

/// An amount. It remembers how it was written, and compares by value alone: `1Ki == 1024`.
///
/// Amounts beyond ±(2^63-1) are cut to that, fractions finer than a billionth are rounded away from zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// How an amount is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Suffixes for powers of ten: n, u, m, none, k, M, G, T, P, E.
    #[default]
    DecimalSi,
    /// Suffixes for powers of 1024: Ki, Mi, Gi, Ti, Pi, Ei.
    BinarySi,
    /// An exponent of ten: e3, e6.
    DecimalExponent,
}

/// Writes an amount in canonical form into the field that it came from.
pub fn canonicalize(quantity: &mut resource::Quantity) -> Result<(), ParseQuantityError> {
    quantity.string = Quantity::parse(&quantity.string)?.to_string();
    Ok(())
}

// === impl Quantity ===

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0, format: Format::DecimalSi };

    fn new(nanos: i128, format: Format) -> Self {
        Self { nanos: nanos.clamp(-MAX_NANOS, MAX_NANOS), format }
    }

    /// Whole units: cores, bytes, pods.
    pub fn from_value(value: i64, format: Format) -> Self {
        Self::new(i128::from(value) * NANOS_PER_UNIT, format)
    }

    /// Thousandths of a unit, written in decimal form.
    pub fn from_milli(milli: i64) -> Self {
        Self::new(i128::from(milli) * NANOS_PER_MILLI, Format::DecimalSi)
    }

    /// Bytes, written with the suffixes Ki, Mi, ….
    pub fn from_bytes(bytes: u64) -> Self {
        Self::new(i128::from(bytes) * NANOS_PER_UNIT, Format::BinarySi)
    }

    /// The amount that `text` writes.
    pub fn parse(text: &str) -> Result<Self, ParseQuantityError> {
        let (nanos, format) = parse::nanos(text)?;
        let small = format == Format::BinarySi && nanos.abs() < NANOS_PER_UNIT && nanos != 0;
        // Less than one cannot be written with a binary suffix.
        Ok(Self::new(nanos, if small { Format::DecimalSi } else { format }))
    }

    /// The amount under `name` in a list of resources; zero if it is absent (or unreadable, which validation
    /// does not let in).
    pub fn of(resources: &BTreeMap<String, resource::Quantity>, name: &str) -> Self {
        resources.get(name).map(Self::from).unwrap_or_default()
    }

    /// Billionths of a unit.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// Thousandths of a unit, rounded away from zero, cut to what fits.
    pub fn milli(&self) -> i64 {
        self.scaled(NANOS_PER_MILLI)
    }

    /// Whole units, rounded away from zero.
    pub fn value(&self) -> i64 {
        self.scaled(NANOS_PER_UNIT)
    }

    fn scaled(&self, nanos_per: i128) -> i64 {
        let rounded_up = self.nanos / nanos_per + (self.nanos % nanos_per).signum();
        i64::try_from(rounded_up).unwrap_or(if rounded_up < 0 { i64::MIN } else { i64::MAX })
    }

    /// Units as a floating point number, for metrics and scores.
    pub fn as_f64(&self) -> f64 {
        self.nanos as f64 / NANOS_PER_UNIT as f64
    }

    /// How the amount was written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether this is nothing.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Whether this is less than nothing.
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// Whether this is a whole number of units.
    pub fn is_whole(&self) -> bool {
        self.nanos % NANOS_PER_UNIT == 0
    }

    /// The form of a sum: that of the first part, unless the first part is nothing.
    fn format_with(self, other: Self) -> Format {
        if self.is_zero() { other.format } else { self.format }
    }
}

impl From<&resource::Quantity> for Quantity {
    /// An unreadable text counts as zero; where that matters, ask [`Quantity::parse`].
    fn from(quantity: &resource::Quantity) -> Self {
        Self::parse(&quantity.string).unwrap_or_default()
    }
}

impl From<Quantity> for resource::Quantity {
    fn from(quantity: Quantity) -> Self {
        Self { string: quantity.to_string() }
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, ParseQuantityError> {
        Self::parse(text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.nanos + other.nanos, self.format_with(other))
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.nanos - other.nanos, self.format_with(other))
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self::new(-self.nanos, self.format)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Canonical form: the largest suffix under which the number is whole. A binary amount that is below 1024 or
/// not whole is written in decimal form.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_small = self.nanos.abs() < 1024 * NANOS_PER_UNIT;
        if self.format == Format::BinarySi && !is_small && self.is_whole() {
            let (number, power) = reduce(self.nanos / NANOS_PER_UNIT, 1024, 6);
            return write!(f, "{number}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power]);
        }
        let (number, power) = reduce(self.nanos, 1000, 9);
        match (self.format, power) {
            _ if number == 0 => f.write_str("0"),
            (Format::DecimalExponent, 3) => write!(f, "{number}"),
            (Format::DecimalExponent, _) => write!(f, "{number}e{}", power as i32 * 3 - 9),
            _ => write!(f, "{number}{}", ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][power]),
        }
    }
}

/// Divides by `base` while nothing is lost, `most` times at most; answers how often.
fn reduce(mut number: i128, base: i128, most: usize) -> (i128, usize) {
    let mut power = 0;
    while power < most && number != 0 && number % base == 0 {
        number /= base;
        power += 1;
    }
    (number, power)
}

#[cfg(test)]
mod tests;
