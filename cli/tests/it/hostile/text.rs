//! Texts as other systems write them: marks, other line ends, other encodings.

use super::Checkout;

#[test]
fn a_text_is_the_same_with_other_line_ends_and_with_a_mark() {
    let plain = "let c = \"\"\"\n  line1\n    line2\n  \"\"\"\nlet   d = 1\n";
    let value = |text: &[u8]| {
        let checkout = Checkout::new(&[]);
        std::fs::write(checkout.path("main.dax"), text).expect("written");
        let said = checkout.dax(&["eval", "c", "--format", "json"]);
        assert_eq!(said.code, 0, "{}", said.text);
        assert_eq!(checkout.dax(&["fmt"]).code, 0);
        let formatted = std::fs::read_to_string(checkout.path("main.dax")).expect("a text");
        assert_eq!(checkout.dax(&["fmt", "--check"]).code, 0);
        (said.text, formatted)
    };
    let (wanted, formatted) = value(plain.as_bytes());
    let wide = plain.replace('\n', "\r\n");
    assert_eq!(value(wide.as_bytes()), (wanted.clone(), formatted.replace('\n', "\r\n")));
    let marked = format!("\u{feff}{plain}");
    assert_eq!(value(marked.as_bytes()), (wanted.clone(), formatted));
    assert!(wanted.contains(r"line1\n  line2"), "{wanted}");
}

#[test]
fn utf_16_is_named_with_the_way_out() {
    let wide = |text: &str| -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    for name in ["main.dax", "dax.mod", "c.json", "manifest.yaml"] {
        let checkout = Checkout::new(&[("main.dax", "let c = data \"c.json\"\n"), ("c.json", "1")]);
        std::fs::write(checkout.path(name), wide("{\"a\": 1}\n")).expect("written");
        let args: &[&str] = match name {
            "manifest.yaml" => &["import", "kubernetes", "manifest.yaml"],
            _ => &["check"],
        };
        checkout.refused(args, "it is UTF-16; save it as UTF-8");
        checkout.refused(args, name);
    }
}
