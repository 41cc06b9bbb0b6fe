//! What holds for every text, however it came about: the same for tests and for fuzzing.

mod saved;
mod written;

use crate::{Files, load, params};
use dax_core::FileId;
pub use saved::saved_plan;
pub use written::{manifest, manifests, schema, words};

/// The chunks of the splitter cover the text without gap or overlap.
pub fn split(text: &str) {
    let mut at = 0;
    for chunk in dax_syntax::split::split(text) {
        assert_eq!(chunk.start, at, "a gap or an overlap in {text:?}");
        assert!(
            chunk.end > chunk.start && text.is_char_boundary(chunk.end),
            "an empty or torn chunk in {text:?}"
        );
        at = chunk.end;
    }
    assert_eq!(at, text.len(), "the end of {text:?} is lost");
}

/// Parsing gives a tree, spans lie inside of the text, and the parser's short way for sound items gives what the
/// grammar gives, spans included.
pub fn parse(text: &str) {
    let (file, faults) = dax_syntax::parse(FileId(0), text);
    let (reference, reference_faults) = dax_syntax::parser::parse_by_grammar(FileId(0), text);
    assert_eq!(faults, reference_faults, "in {text:?}");
    assert_eq!(format!("{:?}", file.items), format!("{:?}", reference.items), "in {text:?}");
    for fault in &faults {
        let inside = fault.span.start <= fault.span.end && fault.span.end as usize <= text.len();
        assert!(inside, "a span outside of {text:?}: {fault:?}");
    }
}

/// Formatting what was formatted changes nothing, and the tree stays the same.
pub fn format(text: &str) {
    let once = dax_syntax::format(text);
    assert_eq!(dax_syntax::format(&once), once, "not settled: {text:?}");
    assert_eq!(shape(&once), shape(text), "another meaning: {text:?}");
}

/// The syntax tree without places.
pub fn shape(text: &str) -> String {
    let (file, _) = dax_syntax::parse(FileId(0), text);
    let debug = format!("{:?}", file.items);
    let mut out = String::new();
    let mut rest = debug.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        rest = rest[at..]
            .split_once('}')
            .and_then(|(_, tail)| tail.split_once('}'))
            .map_or("", |(_, tail)| tail);
    }
    out + rest
}

/// A program is checked and evaluated to its end; nothing is left out without a word.
pub fn analyse(text: &str) {
    let loaded = load(&Files::project(text));
    let (_, diagnostics) = loaded.analyse(&params(&[]));
    for found in &diagnostics {
        let length = loaded.sources.text(found.span.file).len();
        assert!(
            found.span.start <= found.span.end && found.span.end as usize <= length,
            "a span outside of {text:?}: {found:?}"
        );
        assert_ne!(
            found.code.number, 4012,
            "a service without values and without a word in {text:?}"
        );
        assert!(!found.detail.is_empty(), "nothing is said in {text:?}");
    }
}
