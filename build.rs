//! Makes the linker accept the Node-API symbols, which the host process defines. Writes the files of the
//! live page, which the binary contains. All modules become one script, comments and indentation are
//! removed, and each file is compressed.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const LIVE_PAGE: &str = "src/live";

/// The module that imports all others.
const ENTRY: &str = "page.mjs";

fn main() -> Result<()> {
    napi_build::setup();
    println!("cargo::rerun-if-changed={LIVE_PAGE}");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for name in ["page.html", "page.css", "icon.svg"] {
        write(&out, name, &shorten(&read(name)?))?;
    }
    write(&out, "page.js", &bundle()?)?;
    for name in ["uplot.js", "uplot.css", "dagre.js"] {
        let text = read(&format!("vendor/{name}"))?;
        // The source map is not in the binary.
        let text = text.split("//# sourceMappingURL").next().unwrap_or_default();
        write(&out, name, text)?;
    }
    Ok(())
}

fn read(name: &str) -> Result<String> {
    let path = Path::new(LIVE_PAGE).join(name);
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn write(out: &Path, name: &str, text: &str) -> Result<()> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text.as_bytes())?;
    Ok(fs::write(out.join(format!("{name}.gz")), gzip.finish()?)?)
}

/// Returns one script of all modules. In it, each module is a function that returns its exports, and
/// follows the modules that it imports.
///
/// In a module, each import is one line, `import { a, b } from './name.mjs'`, and each export is one
/// declaration.
fn bundle() -> Result<String> {
    let mut script = String::new();
    add_module(ENTRY, &mut BTreeMap::new(), &mut script)?;
    Ok(script)
}

/// Adds a module, unless the script contains it. In `added`, a module is `false` while its imports are
/// added, then `true`.
fn add_module(name: &str, added: &mut BTreeMap<String, bool>, script: &mut String) -> Result<()> {
    match added.get(name) {
        Some(true) => return Ok(()),
        Some(false) => return Err(format!("{name} imports itself through other modules").into()),
        None => added.insert(name.to_owned(), false),
    };
    let (mut body, mut exports) = (String::new(), Vec::new());
    for line in shorten(&read(name)?).lines() {
        if let Some(import) = line.strip_prefix("import ") {
            let (names, from) = import.split_once(" from './").ok_or(line)?;
            let from = from.strip_suffix('\'').ok_or(line)?;
            add_module(from, added, script)?;
            writeln!(body, "const {} = {}", names.replace(" as ", ": "), variable(from))?;
        } else if let Some(declaration) = line.strip_prefix("export ") {
            let exported = declaration
                .split([' ', '('])
                .find(|word| !["async", "function", "class", "const"].contains(word));
            exports.push(exported.ok_or(line)?.to_owned());
            writeln!(body, "{declaration}")?;
        } else {
            writeln!(body, "{line}")?;
        }
    }
    let (name, exports) = (name.to_owned(), exports.join(", "));
    writeln!(script, "const {} = (() => {{\n{body}return {{ {exports} }}\n}})()", variable(&name))?;
    added.insert(name, true);
    Ok(())
}

/// Returns the name of the variable that has a module's exports.
fn variable(module: &str) -> String {
    format!("${}", module.trim_end_matches(".mjs"))
}

/// Removes indentation, empty lines and lines that are comments. The text of `<pre>` is not changed.
fn shorten(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let (mut is_comment, mut is_pre) = (false, false);
    for line in text.lines() {
        let trimmed = line.trim();
        is_comment |= trimmed.starts_with("/*");
        is_pre |= trimmed.contains("<pre");
        if is_pre || !(is_comment || trimmed.is_empty() || trimmed.starts_with("//")) {
            short.push_str(if is_pre { line } else { trimmed });
            short.push('\n');
        }
        is_comment &= !trimmed.ends_with("*/");
        is_pre &= !trimmed.contains("</pre>");
    }
    short
}
