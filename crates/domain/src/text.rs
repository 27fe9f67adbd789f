//! What a short text that people read may hold. Free text never enters the event log except as a salted hash.

/// The most characters of a name, a contact, a purpose or a reason.
pub const TEXT_CHARS_MAX: usize = 200;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most {TEXT_CHARS_MAX} characters")]
    TooLong,
    #[error("must not contain control or bidirectional characters")]
    Forbidden,
}

/// Checks a text: 1 to 200 characters, none of them a control or a bidirectional formatting character (which make a name
/// look like another one), not blank.
pub fn check(text: &str) -> Result<(), TextFault> {
    if text.trim().is_empty() {
        return Err(TextFault::Empty);
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(TextFault::TooLong);
    }
    if text.chars().any(is_forbidden) {
        return Err(TextFault::Forbidden);
    }
    Ok(())
}

fn is_forbidden(c: char) -> bool {
    let is_bidirectional =
        matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let is_separator = matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}');
    c.is_control() || is_bidirectional || is_separator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_printable() {
        for (text, result) in [
            ("Wind farm Öre 1 – north", Ok(())),
            ("", Err(TextFault::Empty)),
            ("  ", Err(TextFault::Empty)),
            ("a\u{0}b", Err(TextFault::Forbidden)),
            ("a\nb", Err(TextFault::Forbidden)),
            ("pay\u{202E}lap", Err(TextFault::Forbidden)),
        ] {
            assert_eq!(check(text), result, "{text:?}");
        }
        assert_eq!(check(&"é".repeat(200)), Ok(()));
        assert_eq!(check(&"é".repeat(201)), Err(TextFault::TooLong));
    }
}
