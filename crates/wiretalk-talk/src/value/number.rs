//! Decimal numbers as JSON writes them (RFC 8259 section 6), compared by value and without rounding.

use std::cmp::Ordering;

/// Whether two JSON numbers have the same value.
pub(crate) fn equal(a: &str, b: &str) -> bool {
    a == b || compare(a, b) == Some(Ordering::Equal)
}

/// How two JSON numbers compare, or `None` if one is no JSON number.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let a = Decimal::parse(a)?;
    let b = Decimal::parse(b)?;
    Some(match (a.sign(), b.sign()) {
        (x, y) if x != y => x.cmp(&y),
        (-1, _) => b.compare_magnitude(&a),
        _ => a.compare_magnitude(&b),
    })
}

/// Whether a text is a JSON number; if `int`, one without fraction and exponent.
pub(crate) fn is_number(text: &str, int: bool) -> bool {
    Decimal::parse(text).is_some() && !(int && text.contains(['.', 'e', 'E']))
}

/// `0.DIGITS × 10^exponent`, the first digit not zero, nor the last; no digits at all for zero.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i128,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || !all_digits(whole)
            || !all_digits(fraction)
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return None;
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|d| **d == b'0').count();
        let trailing = digits[leading..]
            .iter()
            .rev()
            .take_while(|d| **d == b'0')
            .count();
        Some(Self {
            negative,
            exponent: exponent + whole.len() as i128 - leading as i128,
            digits: digits[leading..digits.len() - trailing].to_vec(),
        })
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        if self.digits.is_empty() || other.digits.is_empty() {
            return self.digits.len().cmp(&other.digits.len());
        }
        self.exponent
            .cmp(&other.exponent)
            .then_with(|| self.digits.cmp(&other.digits))
    }
}

/// An exponent; one too long for any number in use is held at the edge, so that it still compares.
fn parse_exponent(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size = digits
        .parse::<i64>()
        .map_or(i128::from(i64::MAX), i128::from);
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_and_not_by_spelling() {
        for (a, b) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("0.1", "1E-1"),
            ("12345678901234567890123", "1.2345678901234567890123e22"),
        ] {
            assert!(equal(a, b), "{a} = {b}");
        }
        for (a, b) in [
            ("12345678901234567890123", "12345678901234567890124"),
            ("0.1", "0.10000000000000000001"),
            ("1", "-1"),
            ("1", "x"),
        ] {
            assert!(!equal(a, b), "{a} != {b}");
        }
    }

    #[test]
    fn numbers_are_ordered() {
        let sorted = [
            "-1e9", "-2", "-1.5", "0", "1e-400", "0.2", "1", "9.99", "10", "1e400",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Some(Ordering::Less), "{pair:?}");
            assert_eq!(
                compare(pair[1], pair[0]),
                Some(Ordering::Greater),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn what_json_calls_no_number_is_none() {
        for text in [
            "", "01", "1.", ".5", "+1", "1e", "0x10", "١", "1_000", "NaN",
        ] {
            assert!(!is_number(text, false), "{text}");
        }
        assert!(is_number("1e2", false) && !is_number("1e2", true));
    }
}
