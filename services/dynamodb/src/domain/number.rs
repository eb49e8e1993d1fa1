//! Numbers of 38 significant digits, exact.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number>

use std::cmp::Ordering;
use std::fmt;

use super::Invalid;

const MOST_DIGITS: u32 = 38;
/// Powers of ten of the first digit.
const LARGEST_MAGNITUDE: i64 = 125;
const SMALLEST_MAGNITUDE: i64 = -130;

/// `digits × 10^exponent`, negated if so. The digits do not end in a zero, so that equal numbers
/// are equal structs; zero is never negative and has exponent zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    digits: u128,
    exponent: i16,
}

impl Number {
    pub const ZERO: Self = Self {
        negative: false,
        digits: 0,
        exponent: 0,
    };

    /// Reads a decimal, as `-1.50e3`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(
                "The parameter cannot be converted to a numeric value",
            ));
        }
        let malformed = || {
            Invalid::new(format!(
                "The parameter cannot be converted to a numeric value: {text}"
            ))
        };
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (
                &text[..at],
                read_exponent(&text[at + 1..]).ok_or_else(malformed)?,
            ),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.as_bytes().first() {
            Some(b'-') => (true, &mantissa[1..]),
            Some(b'+') => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_decimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_decimal(whole) || !is_decimal(fraction) {
            return Err(malformed());
        }
        let all = [whole, fraction].concat();
        let kept = all.trim_end_matches('0');
        let dropped = all.len() - kept.len();
        let kept = kept.trim_start_matches('0');
        if kept.is_empty() {
            return Ok(Self::ZERO);
        }
        let exponent = exponent - fraction.len() as i64 + dropped as i64;
        check_magnitude(kept.len() as i64 + exponent - 1)?;
        if kept.len() > MOST_DIGITS as usize {
            return Err(too_many_digits());
        }
        Ok(Self {
            negative,
            digits: kept.parse().map_err(|_| malformed())?,
            exponent: exponent as i16,
        })
    }

    /// The sum.
    ///
    /// # Errors
    /// It has too many digits, or is out of range.
    pub fn plus(self, other: Self) -> Result<Self, Invalid> {
        let exponent = if self.digits == 0 {
            other.exponent
        } else if other.digits == 0 {
            self.exponent
        } else {
            self.exponent.min(other.exponent)
        };
        // A sum that does not fit has its last digit at the lower exponent, and more than 38 above.
        let (a, b) = (self.at(exponent)?, other.at(exponent)?);
        let (negative, digits) = if self.negative == other.negative {
            (self.negative, a.checked_add(b).ok_or_else(too_many_digits)?)
        } else if a >= b {
            (self.negative, a - b)
        } else {
            (other.negative, b - a)
        };
        Self::normal(negative, digits, i64::from(exponent))
    }

    pub fn minus(self, other: Self) -> Result<Self, Invalid> {
        self.plus(other.negated())
    }

    fn negated(self) -> Self {
        Self {
            negative: !self.negative && self.digits != 0,
            ..self
        }
    }

    /// The digits of this number written with a lower exponent.
    fn at(self, exponent: i16) -> Result<u128, Invalid> {
        if self.digits == 0 {
            return Ok(0);
        }
        let shift = u32::try_from(self.exponent - exponent).unwrap_or(0);
        10_u128
            .checked_pow(shift)
            .and_then(|power| self.digits.checked_mul(power))
            .ok_or_else(too_many_digits)
    }

    fn normal(negative: bool, mut digits: u128, mut exponent: i64) -> Result<Self, Invalid> {
        if digits == 0 {
            return Ok(Self::ZERO);
        }
        while digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        if digits.ilog10() >= MOST_DIGITS {
            return Err(too_many_digits());
        }
        check_magnitude(i64::from(digits.ilog10()) + exponent)?;
        Ok(Self {
            negative,
            digits,
            exponent: exponent as i16,
        })
    }

    /// Power of ten of the first digit.
    fn magnitude(self) -> i16 {
        self.digits.checked_ilog10().unwrap_or(0) as i16 + self.exponent
    }

    /// Bytes an item is charged for it.
    pub fn size(self) -> usize {
        let digits = self
            .digits
            .checked_ilog10()
            .map_or(0, |log| log as usize + 1);
        digits.div_ceil(2) + 1 + usize::from(self.negative)
    }

    /// The whole number, if it is one and fits.
    pub fn to_i64(self) -> Option<i64> {
        let whole = i128::try_from(self.at(0.min(self.exponent)).ok()?).ok()?;
        let whole = if self.exponent < 0 {
            whole / 10_i128.checked_pow(u32::from(self.exponent.unsigned_abs()))?
        } else {
            whole
        };
        i64::try_from(if self.negative { -whole } else { whole }).ok()
    }

    /// Appends bytes whose order is the order of numbers.
    ///
    /// A byte for the sign, one for the magnitude, then the digits from the first, in pairs. Those
    /// of a negative number are complemented, and end above any digit: the longer is the lesser.
    pub fn encode_ordered(self, bytes: &mut Vec<u8>) {
        if self.digits == 0 {
            bytes.push(1);
            return;
        }
        bytes.push(if self.negative { 0 } else { 2 });
        let start = bytes.len();
        bytes.push((i64::from(self.magnitude()) - SMALLEST_MAGNITUDE) as u8);
        let mut text = self.digits.to_string().into_bytes();
        if text.len() % 2 == 1 {
            text.push(b'0');
        }
        bytes.extend(
            text.chunks_exact(2)
                .map(|pair| (pair[0] - b'0') * 10 + (pair[1] - b'0') + 1),
        );
        if self.negative {
            for byte in &mut bytes[start..] {
                *byte = u8::MAX - *byte;
            }
            bytes.push(u8::MAX);
        }
    }
}

fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_exponent = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Far out of range either way, and safe to add to.
    let far = if text.starts_with('-') {
        -1_000_000_000
    } else {
        1_000_000_000
    };
    is_exponent.then(|| {
        text.parse()
            .map_or(far, |given: i64| given.clamp(-1_000_000_000, 1_000_000_000))
    })
}

fn check_magnitude(magnitude: i64) -> Result<(), Invalid> {
    if magnitude > LARGEST_MAGNITUDE {
        return Err(Invalid::new(
            "Number overflow. Attempting to store a number with magnitude larger than supported \
             range",
        ));
    }
    if magnitude < SMALLEST_MAGNITUDE {
        return Err(Invalid::new(
            "Number underflow. Attempting to store a number with magnitude smaller than supported \
             range",
        ));
    }
    Ok(())
}

fn too_many_digits() -> Invalid {
    Invalid::new("Attempting to store more than 38 significant digits in a Number")
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let encoded = |number: &Self| {
            let mut bytes = Vec::with_capacity(24);
            number.encode_ordered(&mut bytes);
            bytes
        };
        match (
            self.exponent == other.exponent,
            self.negative,
            other.negative,
        ) {
            (true, false, false) => self.digits.cmp(&other.digits),
            (true, true, true) => other.digits.cmp(&self.digits),
            _ => encoded(self).cmp(&encoded(other)),
        }
    }
}

/// Without an exponent, as DynamoDB writes numbers.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let digits = self.digits.to_string();
        if self.exponent >= 0 {
            let zeros = if self.digits == 0 {
                0
            } else {
                self.exponent as usize
            };
            return write!(f, "{digits}{}", "0".repeat(zeros));
        }
        let places = usize::from(self.exponent.unsigned_abs());
        if digits.len() > places {
            let (whole, fraction) = digits.split_at(digits.len() - places);
            write!(f, "{whole}.{fraction}")
        } else {
            write!(f, "0.{}{digits}", "0".repeat(places - digits.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message))
    }

    fn ordered(number: Number) -> Vec<u8> {
        let mut bytes = Vec::new();
        number.encode_ordered(&mut bytes);
        bytes
    }

    #[test]
    fn every_form_of_a_number_is_one_number() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("1", "1"),
            ("+001.500", "1.5"),
            ("-15e-1", "-1.5"),
            ("1E3", "1000"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e-130", &format!("0.{}1", "0".repeat(129))),
            (
                "9.9999999999999999999999999999999999999e125",
                &format!("{}{}", "9".repeat(38), "0".repeat(88)),
            ),
        ] {
            assert_eq!(number(text).to_string(), shown, "{text}");
            assert_eq!(number(shown), number(text));
        }
    }

    #[test]
    fn what_is_no_number_is_refused_in_aws_words() {
        for (text, message) in [
            ("", "The parameter cannot be converted to a numeric value"),
            (
                "a",
                "The parameter cannot be converted to a numeric value: a",
            ),
            (
                "1e",
                "The parameter cannot be converted to a numeric value: 1e",
            ),
            (
                "1e126",
                "Number overflow. Attempting to store a number with magnitude larger than supported range",
            ),
            (
                "1e-131",
                "Number underflow. Attempting to store a number with magnitude smaller than supported range",
            ),
            (
                "123456789012345678901234567890123456789",
                "Attempting to store more than 38 significant digits in a Number",
            ),
        ] {
            assert_eq!(Number::parse(text), Err(Invalid::new(message)), "{text}");
        }
    }

    #[test]
    fn sums_are_exact_or_refused() {
        let sum = |a, b| number(a).plus(number(b)).map(|sum| sum.to_string());
        assert_eq!(sum("0.1", "0.2").unwrap(), "0.3");
        assert_eq!(sum("5", "-5").unwrap(), "0");
        assert_eq!(sum("0", "1e100").unwrap(), number("1e100").to_string());
        assert_eq!(
            sum("99999999999999999999999999999999999999", "1").unwrap(),
            number("1e38").to_string()
        );
        assert!(sum("1e100", "1").is_err());
        assert!(sum("9.9e125", "9e125").is_err());
        assert_eq!(number("7").minus(number("10")).unwrap().to_string(), "-3");
    }

    proptest! {
        #[test]
        fn byte_order_is_numeric_order(
            a in (any::<i64>(), -40_i16..40), b in (any::<i64>(), -40_i16..40),
        ) {
            let of = |(digits, exponent)| number(&format!("{digits}e{exponent}"));
            let (a, b) = (of(a), of(b));
            prop_assert_eq!(a.cmp(&b), ordered(a).cmp(&ordered(b)));
            let difference = a.minus(b);
            if let Ok(difference) = difference {
                prop_assert_eq!(difference.cmp(&Number::ZERO), a.cmp(&b));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}|[-+]?[0-9]{0,50}[.]?[0-9]{0,50}(e[-+]?[0-9]{0,25})?") {
            if let Ok(read) = Number::parse(&text) {
                prop_assert_eq!(Number::parse(&read.to_string()), Ok(read));
            }
        }
    }
}
