//! Plans as reviewers read them: flavours, budgets, hostile and foreign texts, a page in a real browser, a schema.

use dax_plan::Plan;
use dax_render::{Flavour, Standing, html, markdown, terminal};
use dax_tests::{Files, cases, kill, load, params, peers, plan, root};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

const FLAVOURS: [(Flavour, &str); 3] =
    [(Flavour::GitHub, "github"), (Flavour::GitLab, "gitlab"), (Flavour::Bitbucket, "bitbucket")];

fn made(main: &str) -> Plan {
    let loaded = load(&Files::project(main));
    let (made, problems) = plan(&loaded, &params(&[]), "dev", &BTreeMap::new(), &BTreeMap::new());
    assert!(problems.is_empty(), "{}", dax_tests::describe(&loaded.sources, &problems));
    made
}

/// The change of the quickstart's canary, with what stands in its way.
fn canary() -> (Plan, Standing) {
    let case = kill::corpus()
        .into_iter()
        .find(|case| case.name == "canary_with_routes_and_a_gate, changed")
        .expect("a fixture");
    (
        case.plan().clone(),
        Standing {
            obstacles: vec!["`dev` is pinned to state 3".to_owned()],
            ..Standing::default()
        },
    )
}

#[test]
fn each_flavour_of_markdown_has_its_own_text() {
    let (plan, standing) = canary();
    for (flavour, name) in FLAVOURS {
        super::compare(
            "render",
            name,
            &markdown(&dax_render::plan(&plan, &standing), flavour, flavour.budget()),
        );
    }
}

/// Texts that try to be something else, and texts of many scripts.
const HOSTILE: [&str; 8] = [
    "</details><script>alert(1)</script>",
    "```\n~~~ @everyone #1 [a](javascript:b)",
    "\u{202e}txt.exe",
    "\u{1b}[31mred\u{7}",
    "| a | b |\n| - | - |",
    "\u{200b}zero\u{feff}width",
    "日本語 Ελληνικά العربية 🚀 é",
    "<img src=x onerror=alert(1)>",
];

fn hostile() -> Plan {
    let mut env = String::new();
    for (at, text) in HOSTILE.iter().enumerate() {
        let escaped: String = text
            .chars()
            .map(|c| match c {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\n' => "\\n".to_owned(),
                c if c.is_control()
                    || ('\u{200b}'..='\u{202e}').contains(&c)
                    || c == '\u{feff}' =>
                {
                    format!("\\u{{{:x}}}", u32::from(c))
                }
                c => c.to_string(),
            })
            .collect();
        let _ = writeln!(env, "    H{at}: \"{escaped}\"");
    }
    made(&format!(
        "import memory from \"std/memory\"\nprovider memory.world {{\n}}\nservice web {{\n  image = \"web:1\"\n  env = {{\n{env}  }}\n}}\nenvironment dev {{\n  bind web to memory.world\n}}\n"
    ))
}

#[test]
fn hostile_texts_are_neutral_in_every_target_and_foreign_ones_stay_what_they_are() {
    let plan = hostile();
    let blocks = dax_render::plan(&plan, &Standing::default());
    let shown = terminal(&blocks, false);
    for (name, text) in [("terminal", shown), ("html", html("t", &blocks))]
        .into_iter()
        .chain(FLAVOURS.map(|(flavour, name)| (name, markdown(&blocks, flavour, flavour.budget()))))
    {
        assert!(
            !text.contains(['\u{202e}', '\u{1b}', '\u{7}', '\u{200b}', '\u{feff}']),
            "{name} holds what acts on whoever reads it"
        );
        assert!(text.contains("日本語 Ελληνικά العربية 🚀 é"), "{name} keeps foreign scripts");
    }
    let page = html("<b>&", &blocks);
    assert!(
        page.contains("<title>&lt;b&gt;&amp;</title>")
            && !page.contains("<script>alert")
            && !page.contains("<img")
    );
    for (flavour, name) in FLAVOURS {
        let text = markdown(&blocks, flavour, flavour.budget());
        // Whatever is hostile stands inside a fence that is longer than any inside of it.
        let mut fence: Option<String> = None;
        for line in text.lines() {
            let ticks: String = line.chars().take_while(|c| *c == '`').collect();
            match &fence {
                None if ticks.len() >= 3 => fence = Some(ticks),
                Some(open) if line == open => fence = None,
                None => assert!(
                    !line.contains("<script>")
                        && !line.contains("@everyone")
                        && !line.contains("<img"),
                    "{name}: {line}"
                ),
                Some(_) => {}
            }
        }
        assert_eq!(fence, None, "{name}: every fence is closed");
    }
    super::compare("render", "hostile_terminal", &terminal(&blocks, false));
}

/// Ten thousand services, of which one is taken away.
fn large() -> Plan {
    let mut plan = made(&{
        let mut text = "import memory from \"std/memory\"\nprovider memory.world {\n}\n".to_owned();
        for at in 0..10_000 {
            let _ = write!(text, "service s{at} {{\n  command = [\"größe-{at}\"]\n}}\n");
        }
        text.push_str("environment dev {\n  bind [");
        for at in 0..10_000 {
            let _ = write!(text, "{}s{at}", if at == 0 { "" } else { ", " });
        }
        text.push_str("] to memory.world\n}\n");
        text
    });
    let risky = &mut plan.changes[7_777];
    risky.action = dax_plan::model::Action::Delete;
    risky.risks = vec![dax_plan::model::Risk::Delete];
    plan
}

#[test]
fn ten_thousand_changes_fit_into_a_comment_the_risky_ones_first_and_what_is_missing_is_said() {
    let plan = large();
    let blocks = dax_render::plan(&plan, &Standing::default());
    for (flavour, name) in FLAVOURS {
        for budget in [flavour.budget(), 5_000, 2_000] {
            let text = markdown(&blocks, flavour, budget);
            assert!(text.len() <= budget, "{name}: {} bytes, {budget} are allowed", text.len());
            assert_eq!(
                text.matches("<details").count(),
                text.matches("</details>").count(),
                "{name}"
            );
            assert_eq!(
                text.lines().filter(|line| line.starts_with("```")).count() % 2,
                0,
                "{name}: a fence is cut"
            );
            assert!(
                text.contains("delete") && text.contains(plan.changes[7_777].addr.name()),
                "{name}: the risky change is there"
            );
            assert!(text.contains("Not shown here for its length"), "{name}");
        }
    }
    let page = html("large", &blocks);
    assert_eq!(page.matches("<details class=\"change\"").count(), 10_000);
    super::compare("render", "large", &markdown(&blocks, Flavour::GitHub, 2_000));
}

/// The page of the canary, in a folder of its own.
fn page(folder: &Path) -> String {
    let (plan, standing) = canary();
    let text = html("test / dev", &dax_render::plan(&plan, &standing));
    std::fs::write(folder.join("plan.html"), &text).expect("written");
    text
}

/// A real browser that shows pages of a folder; gives what it prints.
fn browser(folder: &Path) -> Option<impl Fn(&[&str], &str) -> String> {
    let browser = peers::chromium()?;
    let folder = folder.to_owned();
    Some(move |args: &[&str], page: &str| {
        let mut command = Command::new(&browser);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--virtual-time-budget=3000",
        ]);
        command.arg(format!("--user-data-dir={}", folder.join("profile").display())).args(args);
        let output = command
            .arg(format!("file://{}", folder.join(page).display()))
            .current_dir(&folder)
            .output()
            .expect("a browser");
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}

/// A comment roughly as GitHub shows it: its Markdown, its colours for lines of a difference.
fn shown_on_github(text: &str) -> String {
    let mut page = String::new();
    for (at, part) in github(text).split("<code class=\"language-diff\">").enumerate() {
        let (code, rest) =
            if at == 0 { ("", part) } else { part.split_once("</code>").unwrap_or((part, "")) };
        for line in code.lines() {
            let class = match line.chars().next() {
                Some('+') => "add",
                Some('-') => "del",
                Some('!') => "chg",
                _ => "ctx",
            };
            let _ = write!(page, "<span class=\"{class}\">{line}</span>");
        }
        page.push_str(rest);
    }
    format!(
        "<!doctype html><meta charset=\"utf-8\"><style>{STYLE}</style><article>{page}</article>"
    )
}

const STYLE: &str = "body{margin:0;padding:24px;background:#fff;font:14px/1.5 -apple-system,'Segoe UI',Helvetica,Arial,sans-serif;color:#1f2328}\
article{border:1px solid #d1d9e0;border-radius:6px;padding:16px;max-width:900px}h2{border-bottom:1px solid #d1d9e0b3;padding-bottom:.3em;margin:0 0 12px}\
h3{margin:18px 0 8px}pre{background:#f6f8fa;border-radius:6px;padding:12px;overflow:auto;font:12px/1.45 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;margin:8px 0}\
pre span{display:block;min-height:1.45em}.add{background:#dafbe1;color:#116329}.del{background:#ffebe9;color:#82071e}.chg{color:#953800;background:#fff1e5}\
table{border-collapse:collapse;margin:8px 0}td,th{border:1px solid #d1d9e0;padding:4px 10px;text-align:left}summary{font-weight:600;margin:10px 0 4px}em{color:#59636e}a{color:#0969da}";

const SHOP: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image    = "ghcr.io/acme/web:1.4.0"
  replicas = 3
  ports    = { http: 8080 }
  env      = { LOG_LEVEL: "info" }
}

service search {
  image = "ghcr.io/acme/search:7"
  ports = { http: 8081 }
}

strategy careful: canary {
  step 25% hold 2m
  step 50% hold 5m
}

environment dev {
  bind [web, search] to memory.world
  rollout web with careful
  approve 1 of ["team:sre"]
}
"#;

#[test]
fn a_comment_is_shown_by_a_real_browser() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = made(SHOP);
    let before = made(&SHOP.replace("replicas = 3", "replicas = 2").replace("1.4.0", "1.3.9"));
    let denied =
        "main.dax:31:3: error[DAX4021]: a policy denies this: web needs 3 or more replicas, has 2";
    let first = comment_with(before.clone(), None, &[denied]);
    for (name, text) in [("review-first", &first), ("review-second", &comment(plan, Some(before)))]
    {
        std::fs::write(folder.path().join(format!("{name}.html")), shown_on_github(text))
            .expect("written");
    }
    let Some(run) = browser(folder.path()) else { return };
    for name in ["review-first", "review-second"] {
        let shown = run(&["--dump-dom"], &format!("{name}.html"));
        assert!(shown.contains("<summary>") && shown.contains("class=\"add\""), "{shown}");
        run(
            &["--window-size=980,420", &format!("--screenshot={name}.png")],
            &format!("{name}.html"),
        );
        let picture = std::fs::read(folder.path().join(format!("{name}.png"))).expect("a picture");
        assert!(
            picture.starts_with(b"\x89PNG") && picture.len() > 10_000,
            "{} bytes",
            picture.len()
        );
        if std::env::var_os("DAX_SCREENSHOT").is_some() {
            std::fs::copy(
                folder.path().join(format!("{name}.png")),
                root().join(format!("docs/{name}.png")),
            )
            .expect("kept");
        }
    }
}

#[test]
fn the_page_stands_alone_and_a_real_browser_shows_it_with_and_without_scripts() {
    let folder = tempfile::tempdir().expect("a folder");
    let kills = kill::corpus();
    let both =
        kills.iter().find(|case| case.name == "needs_come_first, changed").expect("a fixture");
    let text = page(folder.path());
    assert!(
        !text.contains("src=") && !text.contains("href=") && !text.contains("@import"),
        "nothing is loaded"
    );
    assert!(!text.contains("unsafe-inline") && text.contains("style-src 'sha256-"), "{text}");
    // The chart has a title, a description, and a table that says the same.
    for part in
        ["role=\"img\"", "<title id=", "<desc id=", "aria-labelledby=", "The same as a table"]
    {
        assert!(text.contains(part), "{part}");
    }
    let wide = html("test / dev", &dax_render::plan(both.plan(), &Standing::default()));
    assert!(wide.contains("<figure class=\"graph\"><svg"), "some services make a picture");
    std::fs::write(folder.path().join("wide.html"), &wide).expect("written");
    let Some(run) = browser(folder.path()) else { return };
    // With scripts the search is there, and everything stands open.
    let shown = run(&["--dump-dom"], "wide.html");
    assert!(
        shown.contains("id=\"search\"")
            && !shown.contains("<form class=\"search\" role=\"search\" hidden"),
        "{shown}"
    );
    assert!(
        shown.contains("shift traffic")
            && shown.matches("<details class=\"change\" open").count() == 3,
        "{shown}"
    );
    // Without them the same text is there, and the search is not. (A headless browser does its commands by scripts:
    // so the page's own script is taken out instead.)
    let (before, rest) = wide.split_once("<script>").expect("a script");
    let (_, after) = rest.split_once("</script>").expect("its end");
    std::fs::write(folder.path().join("quiet.html"), format!("{before}{after}")).expect("written");
    let quiet = run(&["--dump-dom"], "quiet.html");
    assert!(quiet.contains("shift traffic") && quiet.contains("role=\"search\" hidden"), "{quiet}");
    run(&["--window-size=1100,1000", "--screenshot=plan.png"], "wide.html");
    let picture = std::fs::read(folder.path().join("plan.png")).expect("a picture");
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{} bytes", picture.len());
    if std::env::var_os("DAX_SCREENSHOT").is_some() {
        std::fs::copy(folder.path().join("plan.png"), root().join("docs/plan.png")).expect("kept");
    }
}

#[test]
fn every_plan_as_json_is_as_its_published_schema_says() {
    let text =
        std::fs::read_to_string(root().join("docs/schema/plan.schema.json")).expect("a schema");
    let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let mut count = 0;
    let mut check = |name: &str, plan: &Plan| {
        let json: serde_json::Value = serde_json::from_str(&dax_render::json(plan)).expect("JSON");
        let faults: Vec<String> = validator
            .iter_errors(&json)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{name}: {}", faults.join("\n"));
        // And it says no where something is not as it says.
        let mut other = json.clone();
        if let Some(step) = other["steps"].get_mut(0) {
            step["surprise"] = true.into();
            assert!(!validator.is_valid(&other));
        }
        count += 1;
    };
    for case in kill::corpus() {
        check(&case.name, case.plan());
    }
    for (name, folder) in cases("plan") {
        let mut files = Files::read(&folder);
        files.0.remove("before.dax");
        let (made, _) =
            plan(&load(&files), &params(&[]), "dev", &BTreeMap::new(), &BTreeMap::new());
        check(&name, &made);
    }
    check("hostile", &hostile());
    assert!(count > 100, "{count}");
}

#[test]
fn a_plan_is_the_same_bytes_for_any_order_of_the_files() {
    /// Files that are listed backwards.
    struct Backwards(Files);
    impl dax_project::FileSystem for Backwards {
        fn read(&self, within: &str, path: &str) -> Result<Option<Vec<u8>>, std::io::Error> {
            self.0.read(within, path)
        }
        fn list(&self, within: &str, folder: &str) -> Result<Option<Vec<String>>, std::io::Error> {
            Ok(self.0.list(within, folder)?.map(|names| names.into_iter().rev().collect()))
        }
    }
    let mut files = Files::project(
        "import memory from \"std/memory\"\nprovider memory.world {\n}\nenvironment dev {\n  bind [a, b, c] to memory.world\n}\n",
    );
    for name in ["a", "b", "c"] {
        files.0.insert(
            format!("{name}.dax"),
            format!("service {name} {{\n  image = \"{name}:1\"\n}}\n"),
        );
    }
    let nothing = BTreeMap::new();
    let of = |loaded: &dax_project::Loaded| {
        let (made, problems) = plan(loaded, &params(&[]), "dev", &nothing, &BTreeMap::new());
        assert!(problems.is_empty(), "{}", dax_tests::describe(&loaded.sources, &problems));
        assert_eq!(made.changes.len(), 3);
        dax_render::json(&made)
    };
    let backwards = dax_project::load(&Backwards(files.clone())).expect("files");
    assert_eq!(of(&load(&files)), of(&backwards));
}

/// A text as GitHub counts it, and what its Markdown parser makes of it.
fn github(text: &str) -> String {
    assert!(
        text.encode_utf16().count() <= 65_536 && text.chars().count() <= 65_536,
        "{} characters",
        text.chars().count()
    );
    let mut html = String::new();
    let mut options = pulldown_cmark::Options::empty();
    options.insert(pulldown_cmark::Options::ENABLE_TABLES);
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(text, options));
    html
}

/// The comment about a plan.
fn comment(plan: Plan, before: Option<Plan>) -> String {
    comment_with(plan, before, &[])
}

/// The comment about a plan of which policies say something.
fn comment_with(plan: Plan, before: Option<Plan>, policies: &[&str]) -> String {
    use dax_review::comment::{Before, CommentInput, Content, Frame, Outcome, PlanShown};
    let before =
        before.map(|plan| Before { commit: "0123456789abcdef".to_owned(), plan, same: false });
    let shown = PlanShown {
        digest: dax_plan::digest::digest(&plan),
        standing: Standing::default(),
        policies: policies.iter().map(|&text| text.to_owned()).collect(),
        denied: !policies.is_empty(),
        unseen: false,
        conditions: Vec::new(),
        lapsed: Vec::new(),
        before,
        plan,
    };
    let input = CommentInput {
        project: "shop".into(),
        environment: "dev".into(),
        content: Content::Plan(Box::new(shown)),
        outcome: Outcome::default(),
        same_as: None,
    };
    let frame = Frame {
        flavour: Flavour::GitHub,
        commit: "0123456789abcdef0123456789abcdef01234567",
        url: Some("https://github.com/acme/shop/actions/runs/1"),
        budget: 65_000,
    };
    dax_review::comment::comment(&input, &frame)
}

#[test]
fn a_comment_about_ten_thousand_changes_fits_keeps_what_is_risky_and_has_no_broken_fence() {
    let plan = large();
    let mut before = plan.clone();
    before.changes.truncate(5_000);
    let text = comment(plan.clone(), Some(before));
    let page = github(&text);
    assert!(
        text.contains(plan.changes[7_777].addr.name())
            && text.contains("Not shown here for its length"),
        "the risky change is there"
    );
    // Everything that is opened is closed, and what follows the last fence stands outside of it.
    assert_eq!(page.matches("<pre>").count(), page.matches("</pre>").count());
    assert_eq!(page.matches("<details").count(), page.matches("</details>").count());
    assert!(page.rfind("</pre>") < page.rfind("by dax"), "the last line is no code");
    assert!(page.contains("<em>9,999 to create"), "the last line is read as Markdown");
}

#[test]
fn a_list_of_conditions_that_is_too_long_is_cut() {
    let mut plan = large();
    let names = plan.changes.iter().map(|change| change.addr.clone()).collect();
    plan.releases.insert("all".into(), names);
    for step in plan.steps.iter_mut().take(5_000) {
        step.inverse.class = dax_plan::model::InverseClass::None;
    }
    let text = comment(plan, None);
    let page = github(&text);
    assert!(
        text.contains("lines more") && page.contains("<em>9,999 to create"),
        "{}",
        &text[text.len() - 600..]
    );
}

#[test]
fn what_people_write_into_a_program_mentions_nobody_and_links_to_nothing() {
    let text = comment_with(
        hostile(),
        None,
        &["main.dax:1:1: @everyone <script>alert(1)</script> see https://evil.example"],
    );
    let page = github(&text);
    let mut outside = String::new();
    for (at, part) in page.split("<pre>").enumerate() {
        outside.push_str(if at == 0 {
            part
        } else {
            part.split("</pre>").nth(1).unwrap_or_default()
        });
    }
    for active in ["@everyone", "<script", "<img", "https://evil", "javascript:"] {
        assert!(!outside.contains(active), "{active}: {outside}");
    }
    let links: Vec<&str> = outside
        .match_indices("href=\"")
        .map(|(at, _)| outside[at + 6..].split('"').next().unwrap_or_default())
        .collect();
    assert_eq!(links, ["https://github.com/acme/shop/actions/runs/1"]);
    super::compare("render", "hostile_comment", &text);
}
