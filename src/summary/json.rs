//! JSON as far as the summary needs it: objects, arrays, strings and numbers, appended to a buffer.
//!
//! Written here since a summary is one fixed shape: a general serialiser would be the largest
//! dependency of the crate for a page of code. Pure.

/// Appends JSON to a buffer. Commas come by themselves; that brackets match is the caller's part.
pub struct Json<'a>(pub &'a mut Vec<u8>);

impl Json<'_> {
    /// Begins an object or an array: `{` or `[`.
    pub fn open(&mut self, bracket: u8) -> &mut Self {
        self.separate();
        self.0.push(bracket);
        self
    }

    /// Ends one: `}` or `]`.
    pub fn close(&mut self, bracket: u8) -> &mut Self {
        self.0.push(bracket);
        self
    }

    /// Begins a member of an object.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.string(name);
        self.0.push(b':');
        self
    }

    /// A string. Any text is shown as it is; what JSON does not take literally is escaped.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.separate();
        self.0.push(b'"');
        let bytes = text.as_bytes();
        let mut copied = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.0.extend_from_slice(&bytes[copied..at]);
            copied = at + 1;
            match byte {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', byte]),
                control => self.0.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
            }
        }
        self.0.extend_from_slice(&bytes[copied..]);
        self.0.push(b'"');
        self
    }

    /// A number; `null` where it is not finite, which JSON cannot say.
    pub fn number(&mut self, number: f64) -> &mut Self {
        self.separate();
        let text = if number.is_finite() { number.to_string() } else { "null".to_owned() };
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// A number that may be unknown: `null`.
    pub fn known(&mut self, number: Option<f64>) -> &mut Self {
        self.number(number.unwrap_or(f64::NAN))
    }

    /// `true` or `false`.
    pub fn truth(&mut self, truth: bool) -> &mut Self {
        self.separate();
        self.0.extend_from_slice(truth.to_string().as_bytes());
        self
    }

    /// What stands behind an opening bracket or a colon needs no comma, and nothing else written
    /// here ends in one of these: a string ends in its quote.
    fn separate(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Json<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Json(&mut out));
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn values_are_parted_by_commas() {
        let text = written(|json| {
            json.open(b'{').key("a").number(1.0).key("b").open(b'[').string("x").string("{");
            json.string("y").close(b']').key("c").open(b'{').close(b'}').key("d").truth(true);
            json.key("e").known(None).close(b'}');
        });
        assert_eq!(text, r#"{"a":1,"b":["x","{","y"],"c":{},"d":true,"e":null}"#);
    }

    #[test]
    fn a_string_escapes_quotes_backslashes_and_control_characters() {
        let text = written(|json| {
            json.string("a\"b\\c\nd\u{0}e\u{7f}é\u{2028}😀</script>");
        });
        assert_eq!(text, "\"a\\\"b\\\\c\\u000ad\\u0000e\u{7f}é\u{2028}😀</script>\"");
    }

    #[test]
    fn numbers_print_as_javascript_reads_them() {
        let table = [
            (0.0, "0"),
            (225_600.0, "225600"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (0.000_25, "0.00025"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ];
        for (number, expected) in table {
            let text = written(|json| {
                json.number(number);
            });
            assert_eq!(text, expected);
        }
    }
}
