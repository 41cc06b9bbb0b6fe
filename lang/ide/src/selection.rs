//! What a cursor stands in, from the smallest part outwards.

use crate::bytes::Bytes;
use dax_syntax::split;
use dax_syntax::tree::Tree;

/// The parts of a text that a byte stands in, the smallest first and the whole text last.
pub fn enclosing(text: &str, at: usize) -> Vec<Bytes> {
    let mut all: Vec<Bytes> = Vec::from([Bytes { start: 0, end: text.len() }]);
    if let Some(chunk) =
        split::split(text).into_iter().find(|chunk| chunk.start <= at && at <= chunk.end)
    {
        let tree = Tree::parse(text, &chunk);
        for node in &tree.nodes {
            let range = chunk.start + node.start as usize..chunk.start + node.end as usize;
            // Nodes take the blanks behind them with them, which nobody means.
            let trimmed = text.get(range.clone()).map_or(range.clone(), |own| {
                range.end - own.trim_start().len()..range.start + own.trim_end().len()
            });
            let inside = all.last().is_none_or(|outer| {
                outer.start <= trimmed.start && trimmed.end <= outer.end && *outer != trimmed
            });
            if inside && trimmed.start <= at && at <= trimmed.end && !trimmed.is_empty() {
                all.push(trimmed);
            }
        }
    }
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_stands_in_a_number_a_list_a_field_a_body_and_an_item() {
        let text = "let x = 1\n\nservice web {\n  args = [10, 20]\n}\n";
        let at = text.find("20").unwrap();
        let shown: Vec<&str> = enclosing(text, at).into_iter().map(|range| &text[range]).collect();
        insta::assert_snapshot!(shown.join("\n---\n"), @r#"
        20
        ---
        [10, 20]
        ---
        args = [10, 20]
        ---
        {
          args = [10, 20]
        }
        ---
        service web {
          args = [10, 20]
        }
        ---
        let x = 1

        service web {
          args = [10, 20]
        }
        "#);
        assert_eq!(enclosing("", 0).len(), 1);
    }
}
