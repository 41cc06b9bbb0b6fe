//! Nothing of a value survives, in whatever form it was written.

use super::*;
use data_encoding::{BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXUPPER};

/// Numbers that look random and are the same each time. Source: xorshift64, Marsaglia 2003.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn text(&mut self, alphabet: &[char], length: usize) -> String {
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

const ALPHABET: &str = "abcXYZ019+/=_-%&<>\"'\\ $`#@:.äß€😀{}\n\t";

fn percent_encoded(text: &str, numbers: &mut Numbers) -> String {
    let all = numbers.below(2) == 0;
    let lower = numbers.below(2) == 0;
    let mut out = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain && (!all || numbers.below(2) == 0) {
            out.push(char::from(byte));
        } else if lower {
            out.push_str(&format!("%{byte:02x}"));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn json(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out
}

fn unicode_escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn wrapped(text: &str, columns: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    let lines = characters.chunks(columns).map(|line| line.iter().collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
        .replace('>', "&#x3e;")
}

/// Every writing of a value that is promised to be found, with its name.
fn writings(value: &str, numbers: &mut Numbers) -> Vec<(&'static str, String)> {
    let bytes = value.as_bytes();
    let before: Vec<u8> = numbers.text(&['u', ':', 'q'], numbers.0 as usize % 4).into_bytes();
    let longer = [&before[..], bytes, b":tail"].concat();
    let hex = HEXLOWER.encode(bytes);
    vec![
        ("exact", value.to_owned()),
        ("other case", value.to_ascii_uppercase()),
        ("base64", BASE64.encode(bytes)),
        ("base64 without padding", BASE64_NOPAD.encode(bytes)),
        ("base64 for URLs", BASE64URL.encode(bytes)),
        ("inside of base64", BASE64.encode(&longer)),
        ("inside of base64 for URLs", BASE64URL_NOPAD.encode(&longer)),
        ("base64 in lines", wrapped(&BASE64.encode(&longer), 8)),
        ("base64 in a URL", percent_encoded(&BASE64.encode(&longer), numbers)),
        ("hexadecimal", hex.clone()),
        ("HEXADECIMAL", HEXUPPER.encode(bytes)),
        ("hexadecimal with colons", wrapped(&hex, 2).replace('\n', ":")),
        ("hexadecimal with 0x", format!("0x{}", wrapped(&hex, 2).replace('\n', ", 0x"))),
        ("hexadecimal in lines", wrapped(&wrapped(&hex, 4).replace('\n', " "), 10)),
        ("escaped bytes", format!("\\x{}", wrapped(&hex, 2).replace('\n', "\\x"))),
        ("percent", percent_encoded(value, numbers)),
        ("percent twice", percent_encoded(&percent_encoded(value, numbers), numbers)),
        ("JSON", json(value)),
        ("JSON in JSON", json(&json(value))),
        ("Unicode escapes", unicode_escaped(value)),
        ("Debug", format!("{value:?}")),
        ("HTML", html(value)),
        ("shell", format!("'{}'", value.replace('\'', "'\\''"))),
        ("in lines", wrapped(value, 3)),
    ]
}

#[test]
fn nothing_of_a_value_survives_in_any_writing() {
    let alphabet: Vec<char> = ALPHABET.chars().collect();
    let mut numbers = Numbers(0x5eed);
    for round in 0..60 {
        let length = SHORT + numbers.below(40);
        let value = numbers.text(&alphabet, length).trim().to_owned();
        if value.len() < SHORT {
            continue;
        }
        let redactor = Redactor::new([&value]);
        for (name, writing) in writings(&value, &mut numbers) {
            let masked = redactor.redact(&format!("begin ~~ {writing} ~~ end"));
            let inner =
                masked.strip_prefix("begin ~~ ").and_then(|text| text.strip_suffix(" ~~ end"));
            let left = inner
                .unwrap_or_else(|| panic!("{round} {name} {value:?} {masked:?}"))
                .replace(MASK, "")
                .replace('\n', "");
            let left = left.trim_matches(|c: char| "'\" \n\t\\xXn0,:".contains(c));
            // What stood around the value inside of a longer base64 text may stay: eight bytes and
            // the padding.
            let around = match name {
                "base64 in a URL" => 3 * 14,
                name if name.contains("base64") => 14,
                _ => 0,
            };
            assert!(
                left.len() <= around && masked.contains(MASK),
                "round {round}, {name}: {value:?} as {writing:?} shows as {masked:?}"
            );
        }
    }
}

#[test]
fn what_is_no_secret_stays() {
    let redactor = Redactor::new(["hunter2-correct-horse", "line one of it\n}\nline two of it"]);
    let text = "GET /health 200\nstarting worker 7\n{\"level\": \"info\"}\n";
    assert_eq!(redactor.redact(text), text);
    assert_eq!(redactor.redact("a hunter2-correct-horse b"), "a *** b");
    assert_eq!(redactor.redact("x\nline two of it\ny"), "x\n***\ny");
    assert_eq!(Redactor::default().redact(text), text);
    assert_eq!(Redactor::new(["", "  "]).redact(text), text);
}

#[test]
fn a_short_value_takes_its_line_with_it() {
    let redactor = Redactor::new(["x7"]);
    assert_eq!(
        redactor.redact("one\npin=x7 ok\npin=7837\neDc= here\ntwo"),
        "one\n***\n***\n***\ntwo"
    );
}

#[test]
fn the_password_of_a_url_is_a_secret_of_its_own() {
    let redactor = Redactor::new(["postgres://app:p%40ss%2Fword@db:5432/shop?sslmode=require"]);
    let shown = redactor.redact("login app with p@ss/word, p%40ss%2Fword at db:5432");
    assert_eq!(shown, "login app with ***, *** at db:5432");
}

#[test]
fn any_text_is_masked_without_a_panic() {
    let alphabet: Vec<char> = "\\xu0{}D83&#;%2n\"' +\n€".chars().collect();
    let mut numbers = Numbers(77);
    for _ in 0..1_500 {
        let length = numbers.below(24);
        let text = numbers.text(&alphabet, length);
        let length = numbers.below(8);
        let value = numbers.text(&alphabet, length);
        let masked = Redactor::new([&value]).redact(&text);
        assert_eq!(masked.matches('\n').count(), text.matches('\n').count());
    }
}

#[test]
fn an_error_of_a_platform_shows_no_secret() {
    let message = "Job failed, its last lines:\ntoken aHVudGVyMi14eQ==".to_owned();
    let error = crate::ProviderError::Refused { message };
    let shown = error.redacted(["hunter2-xy"]).to_string();
    assert_eq!(shown, "Job failed, its last lines:\ntoken ***");
}
