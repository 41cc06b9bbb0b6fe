//! Programs made of bytes: every byte chooses a piece, so that random bytes give programs that mostly make sense.

use std::fmt::Write;

/// The bytes that choose.
struct Choices<'b> {
    bytes: std::slice::Iter<'b, u8>,
    depth: u32,
    /// Values and functions that were declared, by what they give.
    ints: Vec<String>,
    texts: Vec<String>,
    functions: Vec<String>,
}

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[usize::from(self.next()) % of.len()]
    }

    fn declared(&mut self, of: fn(&Self) -> &Vec<String>) -> Option<String> {
        let at = usize::from(self.next());
        let all = of(self);
        (!all.is_empty()).then(|| all[at % all.len()].clone())
    }
}

/// A program made of bytes: the same bytes give the same program.
pub fn program(bytes: &[u8]) -> String {
    let mut choices = Choices {
        bytes: bytes.iter(),
        depth: 0,
        ints: vec!["p".to_owned()],
        texts: Vec::new(),
        functions: Vec::new(),
    };
    let mut out = "import local from \"std/local\"\nprovider local.machine { }\nsecret token: string from env(\"T\")\n".to_owned();
    let lets = choices.next() % 6;
    for at in 0..lets {
        let _ = match choices.next() % 4 {
            0 => {
                let made = writeln!(
                    out,
                    "fn f{at}(a: int, b: List<int>) -> int = {}",
                    expr(&mut choices, "int")
                );
                choices.functions.push(format!("f{at}"));
                made
            }
            1 => {
                let made = writeln!(out, "let v{at}: int = {}", expr(&mut choices, "int"));
                choices.ints.push(format!("v{at}"));
                made
            }
            2 => {
                let made = writeln!(out, "let v{at}: string = {}", expr(&mut choices, "text"));
                choices.texts.push(format!("v{at}"));
                made
            }
            _ => writeln!(out, "let v{at} = {}", expr(&mut choices, "any")),
        };
    }
    let low = choices.next() % 9;
    let _ = writeln!(out, "param p: int {low}..300 = {}", low + choices.next() % 200);
    out.push_str("service web {\n");
    for _ in 0..choices.next() % 5 {
        let field = choices.pick(&[
            "replicas", "env", "env", "command", "cpu", "memory", "ports", "image", "needs",
        ]);
        let mark = choices.pick(&["", "", "default ", "override ", "sealed "]);
        let op = choices.pick(&["=", "=", "=", "+="]);
        let value = match field {
            "replicas" => format!("clamp({}, 0, 9)", expr(&mut choices, "int")),
            "env" if choices.next().is_multiple_of(4) => {
                format!(
                    "{{ S: {} }}",
                    choices.pick(&["token", "secret\"a${token}\"", "web.url", "db.revision"])
                )
            }
            "env" => format!(
                "{{ {}: {} }}",
                choices.pick(&["A", "B", "\"${p}\""]),
                expr(&mut choices, "text")
            ),
            "command" => format!("[{}]", expr(&mut choices, "text")),
            "cpu" => choices.pick(&["1cpu", "250mcpu * 2", "none"]).to_owned(),
            "memory" => choices.pick(&["1GiB", "512MiB + 1KiB", "none", "1GiB / 3"]).to_owned(),
            "ports" => format!("{{ http: clamp({}, 1, 9) }}", expr(&mut choices, "int")),
            "image" => choices.pick(&["\"nginx:1\"", "\"a/b@c\"", "\"x:${p}\""]).to_owned(),
            _ => choices.pick(&["[db]", "[]", "[db]", "[web]"]).to_owned(),
        };
        let _ = writeln!(out, "  {field} {op} {mark}{value}");
    }
    out.push_str("}\nservice db {\n  command = [\"db\"]\n}\n");
    out.push_str("environment base {\n  bind db to local.machine\n}\n");
    out.push_str("environment dev extends base {\n  bind web to local.machine\n");
    if choices.next().is_multiple_of(2) {
        let _ = writeln!(
            out,
            "  set web {{ replicas = {}{} }}",
            choices.pick(&["", "override ", "default "]),
            expr(&mut choices, "int")
        );
    }
    out.push_str("}\n");
    let level = choices.pick(&["warn", "warn", "warn", "deny"]);
    let _ = writeln!(
        out,
        "policy p1 on check {{\n  {level} s in services where {} {{ message = \"${{s.name}}\" }}\n}}",
        expr(&mut choices, "bool")
    );
    out
}

/// An expression of a kind.
fn expr(choices: &mut Choices<'_>, kind: &str) -> String {
    if choices.depth > 5 {
        return match kind {
            "int" => "1".to_owned(),
            "bool" => "true".to_owned(),
            _ => "\"x\"".to_owned(),
        };
    }
    choices.depth += 1;
    let made = match kind {
        "int" => match choices.next() % 12 {
            0 => choices.next().to_string(),
            1 => "p".to_owned(),
            2 => format!(
                "({} {} {})",
                expr(choices, "int"),
                choices.pick(&["+", "-", "*"]),
                expr(choices, "int")
            ),
            3 => format!("length({})", expr(choices, "text")),
            4 => format!(
                "(if {} then {} else {})",
                expr(choices, "bool"),
                expr(choices, "int"),
                expr(choices, "int")
            ),
            5 => match choices.declared(|c| &c.functions) {
                Some(function) => format!("{function}({}, [1, 2])", expr(choices, "int")),
                None => "p".to_owned(),
            },
            6 => choices.declared(|c| &c.ints).unwrap_or_default(),
            7 => format!("(first([{}]) ?? {})", expr(choices, "int"), expr(choices, "int")),
            8 => format!(
                "sum([for i in range(0, {}): i * {}], 0)",
                choices.next(),
                expr(choices, "int")
            ),
            9 => "db.replicas".to_owned(),
            10 => format!("max({}, {})", expr(choices, "int"), expr(choices, "int")),
            _ => format!("floor({} / {})", expr(choices, "int"), 1 + choices.next() % 9),
        },
        "bool" => match choices.next() % 7 {
            0 => format!(
                "{} {} {}",
                expr(choices, "int"),
                choices.pick(&["<", "==", ">=", "!="]),
                expr(choices, "int")
            ),
            1 => format!(
                "({} {} {})",
                expr(choices, "bool"),
                choices.pick(&["and", "or"]),
                expr(choices, "bool")
            ),
            2 => format!("not ({})", expr(choices, "bool")),
            3 => format!(
                "matches({}, {})",
                expr(choices, "text"),
                choices.pick(&["\"^a\"", "\"^a\"", "\"x+\"", "\"x+\"", "\"[\""])
            ),
            4 => format!("{} in [1, 2, {}]", expr(choices, "int"), expr(choices, "int")),
            5 => "web.cpu != none".to_owned(),
            _ => choices.pick(&["true", "false"]).to_owned(),
        },
        "text" => match choices.next() % 10 {
            0 => choices.pick(&["\"\"", "\"a\"", "\"é漢\"", "\"a.b/c\"", "\"{}\""]).to_owned(),
            1 => format!("\"${{{}}}\"", expr(choices, "int")),
            2 => format!("({} + {})", expr(choices, "text"), expr(choices, "text")),
            3 => format!(
                "replace({}, {}, {})",
                expr(choices, "text"),
                expr(choices, "text"),
                expr(choices, "text")
            ),
            4 => format!(
                "join(split({}, {}), \",\")",
                expr(choices, "text"),
                choices.pick(&["\",\"", "\".\"", "\"\""])
            ),
            5 => format!("json({})", expr(choices, "any")),
            6 => format!("repeat({}, {})", expr(choices, "text"), expr(choices, "int")),
            7 => choices.declared(|c| &c.texts).unwrap_or_else(|| "\"${db.url}\"".to_owned()),
            8 => format!(
                "substring({}, {}, {})",
                expr(choices, "text"),
                expr(choices, "int"),
                expr(choices, "int")
            ),
            _ => format!(
                "{}({})",
                choices.pick(&["upper", "sha256", "slug", "base64", "hex", "json"]),
                expr(choices, "text")
            ),
        },
        _ => match choices.next() % 8 {
            0 => format!("[for x in range(0, {}): x]", expr(choices, "int")),
            1 => format!("{{ a: {}, b: {} }}", expr(choices, "int"), expr(choices, "text")),
            2 => format!(
                "{{ for i in range(0, {}): \"k${{i}}\": {} }}",
                choices.next(),
                expr(choices, "int")
            ),
            3 => format!("from_json(json({}))", expr(choices, "text")),
            4 => format!("[{}, {}]", expr(choices, "int"), expr(choices, "int")),
            5 => expr(choices, "int"),
            6 => format!(
                "merge({{ a: {} }}, {{ b: {} }})",
                expr(choices, "int"),
                expr(choices, "int")
            ),
            _ => expr(choices, "text"),
        },
    };
    choices.depth -= 1;
    made
}
