//! The text format 0.0.4. Pure functions.
//!
//! Source of the rules: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::counter::Series;

/// Appends a family's `# HELP` and `# TYPE` lines.
pub fn write_header(out: &mut Vec<u8>, name: &str, help: &str, kind: &str) {
    out.extend_from_slice(b"# HELP ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            other => out.push(other),
        }
    }
    out.extend_from_slice(b"\n# TYPE ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(kind.as_bytes());
    out.push(b'\n');
}

/// Appends the line of a series. Each label starts with a comma; the opening brace replaces the first comma.
pub fn write_series(out: &mut Vec<u8>, name: &[u8], series: &Series<'_>) {
    out.extend_from_slice(name);
    let open = out.len();
    series.write_labels(out);
    if let Some(brace) = out.get_mut(open) {
        *brace = b'{';
        out.push(b'}');
    }
    out.push(b' ');
    write_count(out, series.value);
    out.push(b'\n');
}

/// Appends a count as JavaScript prints it: a whole number.
fn write_count(out: &mut Vec<u8>, count: f64) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of increments by one: whole, and exact below 2^53"
    )]
    let whole = count as u64;
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_text_escapes_backslash_and_line_feed_only() {
        let mut out = Vec::new();
        write_header(&mut out, "a_total", "a \\ \"b\"\nc", "counter");
        let text = "# HELP a_total a \\\\ \"b\"\\nc\n# TYPE a_total counter\n";
        assert_eq!(String::from_utf8_lossy(&out), text);
    }
}
