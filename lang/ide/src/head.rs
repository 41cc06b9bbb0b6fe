//! Declarations as they are shown: without bodies.

/// A written type up to the value behind it.
pub(crate) fn until_default(text: &str) -> &str {
    let mut depth = 0_i32;
    let (mut in_text, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '{' | '[' | '(' | '<' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            '}' | ']' | ')' | '>' => depth -= 1,
            '=' if depth == 0
                && !text[at..].starts_with("==")
                && !text[..at].ends_with(['=', '!', '<', '>']) =>
            {
                return &text[..at];
            }
            '\n' if depth <= 0 => return &text[..at],
            _ => {}
        }
    }
    text
}

/// The first line of a declaration, without the brace that opens its body.
pub(crate) fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim_end();
    line.strip_suffix('{').unwrap_or(line).trim_end().to_owned()
}

/// Where the blank lines behind a place end: they go with an item that goes.
pub(crate) fn past_blank_lines(text: &str, end: u32) -> u32 {
    let rest = text.get(end as usize..).unwrap_or_default();
    let blank = rest.len() - rest.trim_start_matches(['\n', '\r']).len();
    end + u32::try_from(blank).unwrap_or(0)
}
