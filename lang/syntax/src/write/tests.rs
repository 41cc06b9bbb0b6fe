//! What is written reads back as it was meant, whatever stands in it.

use super::*;
use crate::ast::BinaryOp;

/// Texts that try to leave the place that they are written to.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\"",
    "\\",
    "\\\"",
    "\"\"\"",
    "${secret}",
    "$${secret}",
    "\\${secret}",
    "$",
    "#",
    "## doc",
    "1\nlet evil = 1\n#",
    "1 }\n  protect web from destroy\n  #",
    "\r",
    "a\rlet evil = 1",
    "\r\nlet evil = 1",
    "\u{2028}let evil = 1",
    "\u{85}let evil = 1",
    "\u{202e}evil",
    "\u{200b}\u{feff}\u{e0041}",
    "\0",
    "\u{1b}[31m",
    "dax: allow DAX9011 because it is mine",
    "# dax: allow DAX9011 because it is mine",
    "*/ ]] }} >>",
];

fn program(text: &str) -> Program {
    let list = Expr::List(vec![Expr::str(text), Expr::Bool(true)], Layout::Lines);
    let map = Expr::Map(vec![(text.to_owned(), list)], Layout::Lines);
    let conditions =
        vec![Condition::Matches(text.to_owned()), Condition::Length(BinaryOp::LessEqual, 9)];
    let refined = Type::Where(Box::new(Type::Name("string".into())), conditions);
    let either = Type::Union(vec![refined.clone(), Type::Literal(text.to_owned())]);
    let of = |name: &str, ty| RecordField {
        doc: text.to_owned(),
        name: Ident::made_of(name),
        optional: false,
        ty,
        default: None,
    };
    let record = Type::Record(
        vec![
            of("a", Type::Of("List".into(), Box::new(refined.clone()))),
            RecordField { default: Some(Expr::str(text)), ..of("b", refined.clone()) },
            RecordField { optional: true, ..of("c", Type::Optional(Box::new(either))) },
            of("d", Type::Union(vec![refined, Type::Range("int".into(), -3, 9)])),
        ],
        true,
    );
    let name = Ident::made_of(text);
    let query = Field {
        lead: Some("metric".into()),
        name: name.clone(),
        ty: Some(Type::Name("number".into())),
        value: Expr::Tagged("promql".into(), text.to_owned()),
    };
    let bound = Expr::Compare(
        Box::new(Expr::name(name.clone())),
        BinaryOp::GreaterEqual,
        Box::new(Expr::number(-1)),
    );
    let service =
        command("service", [Expr::name(name.clone())]).block(vec![
            Member::Note(text.to_owned()),
            field("env", map),
            Member::Field(query),
            Member::Command(command("require", [bound])),
            Member::Command(command("health", [Expr::name("http"), Expr::str(text)]).inline(vec![
                field("every", Expr::Amount(Amount::new(5, "s").expect("an amount"))),
            ])),
        ]);
    Program {
        head: vec![text.to_owned()],
        items: vec![
            Item {
                notes: vec![text.to_owned(), text.to_owned()],
                doc: vec![text.to_owned(), "said".to_owned()],
                kind: ItemKind::Command(service),
            },
            Item {
                notes: Vec::new(),
                doc: vec![text.to_owned()],
                kind: ItemKind::Type(name, record),
            },
        ],
    }
}

#[test]
fn no_text_leaves_the_place_that_it_is_written_to() {
    let mut texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    for first in HOSTILE {
        texts.extend(HOSTILE.iter().map(|second| format!("{first}{second}")));
    }
    texts.push("x \"${".repeat(2_000));
    for text in texts {
        let written = write(&program(&text)).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        assert_eq!(crate::format(&written), written, "{text:?} is not formatted");
        let (file, faults) = crate::parse(dax_core::FileId(0), &written);
        assert_eq!((file.items.len(), faults.len()), (2, 0), "{written}");
        let raw = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{202e}' | '\u{2028}');
        assert_eq!(written.chars().find(raw), None, "{text:?} stands raw in {written}");
        assert!(!written.contains("dax: allow "), "{written}");
        for line in written.lines().filter(|line| line.contains("evil")) {
            let line = line.trim_start();
            let kept = line.starts_with('#') || line.contains('"') || line.starts_with("require");
            assert!(kept || line.contains("_let_evil") || line.contains("_evil"), "{line}");
        }
    }
}

#[test]
fn every_character_reads_back_from_a_string() {
    for c in (0..0x11_0000)
        .filter_map(char::from_u32)
        .filter(|c| u32::from(*c) % 7 == 0 || *c < '\u{3000}')
    {
        let text = format!("a{c}b");
        let written = format!("let a = {}\n", text::quoted(&text));
        let (file, faults) = crate::parse(dax_core::FileId(0), &written);
        assert!(faults.is_empty(), "{written}");
        let crate::ast::ItemKind::Field(field) = &file.items[0].kind else { panic!("{written}") };
        let crate::ast::ExprKind::Literal(dax_core::Value::Str(read)) = &field.value.kind else {
            panic!("{written}")
        };
        assert_eq!(*read, text.as_str());
    }
}

#[test]
fn what_is_no_word_or_nests_too_deep_is_refused_and_not_written() {
    let item = |command| Program { head: Vec::new(), items: vec![Item::plain(command)] };
    let refused = |command| write(&item(command)).expect_err("a mismatch").to_string();
    // A word of dax's own that is none, which only a mistake in dax can bring about.
    let two = refused(command("let a = 1\nservice", [Expr::name("web")]).block(Vec::new()));
    insta::assert_snapshot!(two, @"the program would not read back as it is meant, so it is not written: 2 items instead of 1");
    let other = refused(
        command("service", [Expr::name("web")]).block(vec![field("a = 1\n  b", Expr::Bool(true))]),
    );
    insta::assert_snapshot!(other, @"the program would not read back as it is meant, so it is not written: item 1 of 1, `service web`");
    let deep = (0..100).fold(Expr::Bool(true), |inner, _| Expr::list([inner]));
    let deep = refused(command("service", [Expr::name("web")]).block(vec![field("a", deep)]));
    assert!(deep.contains("DAX1"), "{deep}");
}

#[test]
fn names_are_words_and_each_is_given_once() {
    let mut names = Names::without(&["production"]);
    let mut claim = |wish: &str| names.claim(&[wish]).to_string();
    let given =
        ["web", "Web", "a-b", "a.b", "production", "none", "9", "", "é\n", "web"].map(&mut claim);
    insta::assert_snapshot!(
        given.join(" "),
        @"web Web_2 a_b a_b_2 production_2 none_item s9 s __ web_3"
    );
    assert_eq!(Ident::word("a b"), None);
    assert_eq!(Ident::word("1a"), None);
    assert_eq!(Amount::new(u64::MAX, "TiB"), None);
}
