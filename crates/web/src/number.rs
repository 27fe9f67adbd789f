//! Whole numbers as programs write them: `3`, `3.0`, `3e0`. Read exactly, never by way of floating point.

/// Why a text is not a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotANumber,
    Fraction,
    TooLarge,
}

/// Digits that are worth a look; every 64-bit number has fewer.
const DIGITS_MAX: usize = 25;

pub(crate) fn whole(text: &str) -> Result<i128, Fault> {
    let text = text.trim();
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(Fault::NotANumber);
    }
    let exponent: i64 = exponent.parse().map_err(|_| Fault::NotANumber)?;
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // How many of the significant digits stand before the point; fewer than none where zeros follow it.
    let skipped = length(&digits)? - length(significant)?;
    let before = length(whole)?.saturating_add(exponent).saturating_sub(skipped);
    let kept = significant.trim_end_matches('0');
    if before < length(kept)? {
        return Err(Fault::Fraction);
    }
    let before = usize::try_from(before).ok().filter(|n| *n <= DIGITS_MAX).ok_or(Fault::TooLarge)?;
    let value: i128 = format!("{kept:0<before$}").parse().map_err(|_| Fault::TooLarge)?;
    Ok(sign * value)
}

fn length(text: &str) -> Result<i64, Fault> {
    i64::try_from(text.len()).map_err(|_| Fault::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_exactly_however_they_are_written() {
        for (text, value) in [
            ("0", Ok(0)),
            ("3", Ok(3)),
            ("-3", Ok(-3)),
            ("3.0", Ok(3)),
            ("5000000.0", Ok(5_000_000)),
            ("5e6", Ok(5_000_000)),
            ("1.5e3", Ok(1_500)),
            ("1500e-2", Ok(15)),
            ("0.003e3", Ok(3)),
            ("0.0", Ok(0)),
            ("0e99999", Ok(0)),
            (" 7 ", Ok(7)),
            ("9007199254740993", Ok(9_007_199_254_740_993)),
            ("18446744073709551616", Ok(18_446_744_073_709_551_616)),
            ("1.5", Err(Fault::Fraction)),
            ("1e-3", Err(Fault::Fraction)),
            ("1e400", Err(Fault::TooLarge)),
            ("1e99999999999999999999", Err(Fault::NotANumber)),
            ("", Err(Fault::NotANumber)),
            ("three", Err(Fault::NotANumber)),
            (".5", Err(Fault::NotANumber)),
            ("1,5", Err(Fault::NotANumber)),
            ("--1", Err(Fault::NotANumber)),
        ] {
            assert_eq!(whole(text), value, "{text}");
        }
    }
}
