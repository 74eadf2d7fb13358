//! Unpacks the values that the trace path packs into one string, so that only one string crosses Node-API.
//! U+001F ends each value. Within a value, U+001E `0` encodes U+001E and U+001E `1` encodes U+001F. Pure.

use std::borrow::Cow;

const SEPARATOR: char = '\u{1f}';
const ESCAPE: char = '\u{1e}';

/// Returns the values of a packed string.
pub fn unpack(packed: &str) -> Vec<Cow<'_, str>> {
    packed.split_terminator(SEPARATOR).map(unescape).collect()
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains(ESCAPE) {
        return Cow::Borrowed(value);
    }
    let mut pieces = value.split(ESCAPE);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escaped, rest) = match piece.strip_prefix('1') {
            Some(rest) => (SEPARATOR, rest),
            None => (ESCAPE, piece.strip_prefix('0').unwrap_or(piece)),
        };
        plain.push(escaped);
        plain.push_str(rest);
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_are_unpacked_unchanged() {
        let table: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("\u{1f}", &[""]),
            ("a\u{1f}\u{1f}b\u{1f}", &["a", "", "b"]),
            ("\u{1e}1\u{1f}", &["\u{1f}"]),
            ("\u{1e}0\u{1f}", &["\u{1e}"]),
            ("\u{1e}01\u{1e}10\u{1f}", &["\u{1e}1\u{1f}0"]),
            ("é\u{1e}1😀\u{1f}", &["é\u{1f}😀"]),
        ];
        for (packed, values) in table {
            assert_eq!(unpack(packed), values, "{packed:?}");
        }
    }
}
