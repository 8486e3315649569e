//! Reading amounts: `[+-] digits [. digits] suffix`, exactly, however many digits there are.

use super::{Format, MAX_NANOS};

/// A text that is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// The text has characters that no amount has, or has them in the wrong order.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// There is no number.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// The suffix is none of those that exist.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// What a suffix does to the number before it.
struct Suffix {
    format: Format,
    /// Power of ten.
    ten: i64,
    /// Power of 1024.
    binary: u32,
}

/// Billionths of a unit, not beyond `MAX_NANOS`, and how they were written.
pub(super) fn nanos(text: &str) -> Result<(i128, Format), ParseQuantityError> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, rest) = split_digits(unsigned);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
    if text.is_empty() || !looks_like_suffix(rest) {
        return Err(ParseQuantityError::Format);
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(ParseQuantityError::Number);
    }
    let suffix = suffix(rest).ok_or(ParseQuantityError::Suffix)?;
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
    for _ in 0..suffix.binary {
        times_1024(&mut digits);
    }
    let ten = suffix.ten.saturating_sub(fraction.len() as i64).saturating_add(9);
    let magnitude = scaled(&digits, ten);
    Ok((if negative { -magnitude } else { magnitude }, suffix.format))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn looks_like_suffix(text: &str) -> bool {
    let rest = text.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    rest.bytes().all(|b| b.is_ascii_digit())
}

fn suffix(text: &str) -> Option<Suffix> {
    let decimal = |ten| Some(Suffix { format: Format::DecimalSi, ten, binary: 0 });
    let binary = |binary| Some(Suffix { format: Format::BinarySi, ten: 0, binary });
    match text {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let ten = text.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?;
            Some(Suffix { format: Format::DecimalExponent, ten: i64::from(ten), binary: 0 })
        }
    }
}

/// Multiplies a decimal number, most significant digit first, in place.
fn times_1024(digits: &mut Vec<u8>) {
    let mut carry = 0u32;
    for digit in digits.iter_mut().rev() {
        carry += u32::from(*digit) * 1024;
        *digit = (carry % 10) as u8;
        carry /= 10;
    }
    while carry > 0 {
        digits.insert(0, (carry % 10) as u8);
        carry /= 10;
    }
}

/// `digits * 10^ten`, a fraction rounded up, not beyond `MAX_NANOS`.
fn scaled(digits: &[u8], ten: i64) -> i128 {
    let Some(first) = digits.iter().position(|digit| *digit != 0) else {
        return 0;
    };
    let digits = &digits[first..];
    let places = (digits.len() as i64).saturating_add(ten);
    // MAX_NANOS has 28 places; 30 fit into i128 many times over.
    if places > 30 {
        return MAX_NANOS;
    }
    let places = usize::try_from(places).unwrap_or(0);
    let kept = (0..places).map(|place| digits.get(place).copied().unwrap_or(0));
    let number = kept.fold(0i128, |number, digit| number * 10 + i128::from(digit));
    let is_cut = digits.iter().skip(places).any(|digit| *digit != 0);
    (number + i128::from(is_cut)).min(MAX_NANOS)
}
