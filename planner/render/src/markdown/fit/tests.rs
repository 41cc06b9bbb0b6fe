//! Texts that do not fit: the order of what goes, and what stays in any case.

use super::{Items, REMARK, fitted, markdown, write_section};
use crate::markdown::Flavour;
use crate::standing::Standing;
use crate::testing::{change, guarded, leaf, text};
use crate::tree::{Block, Section};
use dax_core::Value;
use dax_plan::model::{Action, Change, LeafChange};
use std::collections::{BTreeMap, BTreeSet};

const BUDGET: usize = 65_000;

fn balanced(text: &str) {
    assert_eq!(text.matches("<details").count(), text.matches("</details>").count());
    let fences = text.lines().filter(|line| line.starts_with("```")).count();
    assert_eq!(fences % 2, 0, "a fence is cut");
}

#[test]
fn a_big_value_hides_no_image() {
    let leaves = vec![
        leaf("env.HOST", text("a"), text(&"b".repeat(70_000))),
        leaf("image", text("acme/web:1"), text("acme/web:evil")),
    ];
    let plan = guarded(vec![change("web", Action::Rollout, leaves)]);
    let blocks = crate::plan(&plan, &Standing::default());
    for budget in [BUDGET, 1_200] {
        let text = markdown(&blocks, Flavour::GitHub, budget);
        assert!(text.len() <= budget, "{}", text.len());
        assert!(text.contains("evil"), "{text}");
        assert!(!text.contains("less risky"));
        balanced(&text);
    }
    let text = markdown(&blocks, Flavour::GitHub, BUDGET);
    assert!(text.contains("\"acme/web:1\" → \"acme/web:evil\""), "{text}");
    assert!(text.contains("(70,000 characters, "), "{text}");
}

/// So many changes, of which each hundredth deletes and each hundredth and first replaces.
fn many(count: usize) -> Vec<Change> {
    (0..count)
        .map(|at| {
            let action = match at % 100 {
                77 => Action::Delete,
                78 => Action::Replace,
                _ => Action::Rollout,
            };
            let leaves = vec![
                leaf("image", text("acme/web:1"), text("acme/web:2")),
                leaf("env.HOST", text("a"), text(&format!("host-{at}"))),
            ];
            change(&format!("s{at}"), action, leaves)
        })
        .collect()
}

#[test]
fn of_thousands_of_changes_each_that_deletes_or_replaces_is_named() {
    let all = [Flavour::GitHub, Flavour::GitLab, Flavour::Bitbucket];
    for (count, flavours) in [(2_000, &all[..]), (20_000, &all[..1])] {
        let plan = guarded(many(count));
        let blocks = crate::plan(&plan, &Standing::default());
        for &flavour in flavours {
            let text = markdown(&blocks, flavour, BUDGET.min(flavour.budget()));
            assert!(text.len() <= BUDGET.min(flavour.budget()), "{count}: {}", text.len());
            balanced(&text);
            for change in &plan.changes {
                if matches!(change.action, Action::Delete | Action::Replace) {
                    let name = change.addr.as_str();
                    let named = [", ", "\n", "<", " "]
                        .iter()
                        .any(|end| text.contains(&format!("{name}{end}")));
                    assert!(named, "{count}: {name} is not named");
                }
            }
            assert!(text.contains("Not shown here for its length"), "{count}");
        }
    }
}

#[test]
fn what_is_not_shown_is_counted_with_the_place_where_it_is() {
    let plan = guarded(many(300));
    let blocks = crate::plan(&plan, &Standing::default());
    insta::assert_snapshot!(markdown(&blocks, Flavour::GitHub, 4_000), @r#"
## production · deletes s77, s177, s277 · replaces s78, s178, s278 with downtime · image s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 287 more 1 → 2 · env.HOST s0 "a" → "host-0" · env.HOST s1 "a" → "host-1" · env.HOST s2 "a" → "host-2" · +294 more · needs 1 of team:sre

```diff
  Rollback: by itself when a step fails; later `dax rollback -e production`; s77, s177, s277 come back from the state, without data; the data of s78, s178, s278 is gone
```

### Approval

```diff
! 1 of team:sre: 0 of 1  main.dax:19:3
  dax approve -e production 9c0b6469801ba10e8cc3cb286d2c29c0a0a92a38474c9f26687e729231258368
```

### Risks

| risk | count | where |
| --- | --- | --- |
| delete: its data is gone | 3 | service.s77, service.s177, service.s277 |
| replace: its data is gone | 3 | service.s78, service.s178, service.s278 |

- − delete (3): service.s77, service.s177, service.s277
- ± replace, image 1 → 2 (3): service.s78, service.s178, service.s278
- \~ roll out, image 1 → 2 (294): service.s0, service.s1, service.s2, service.s3, service.s4, service.s5, service.s6, service.s7, service.s8, service.s9, service.s10, service.s11, service.s12, service.s13, service.s14, service.s15, service.s16, service.s17, service.s18, service.s19, service.s20, service.s21, service.s22, service.s23, service.s24, service.s25, service.s26, service.s27, service.s28, service.s29, service.s30, service.s31, service.s32, service.s33, service.s34, service.s35, service.s36, service.s37, service.s38, service.s39, service.s40, service.s41, service.s42, service.s43, service.s44, service.s45, service.s46, service.s47, service.s48, service.s49, service.s50, service.s51, service.s52, service.s53, service.s54, service.s55, service.s56, service.s57, service.s58, service.s59, service.s60, service.s61, service.s62, service.s63, service.s64, service.s65, service.s66, service.s67, service.s68, service.s69, service.s70, service.s71, service.s72, service.s73, service.s74, service.s75, service.s76, service.s79, service.s80, service.s81, service.s82, service.s83, service.s84, service.s85, service.s86, service.s87, service.s88, service.s89, service.s90, service.s91, service.s92, service.s93, service.s94, service.s95, service.s96, service.s97, service.s98, service.s99, service.s100, service.s101, service.s102, service.s103, service.s104, service.s105, service.s106, service.s107, service.s108, service.s109, service.s110, service.s111, service.s112, service.s113, service.s114, service.s115, service.s116, service.s117, service.s118, service.s119, service.s120, service.s121, service.s122, service.s123, service.s124, service.s125, service.s126, service.s127, service.s128, service.s129, service.s130, service.s131, service.s132, service.s133, service.s134, service.s135, service.s136, service.s137, service.s138, service.s139, service.s140, service.s141, service.s142, service.s143, service.s144, service.s145, service.s146, service.s147, service.s148, service.s149, service.s150, service.s151, service.s152, service.s153, service.s154, service.s155, service.s156, service.s157, service.s158, service.s159, service.s160, service.s161, service.s162, service.s163, service.s164, service.s165, service.s166, service.s167, service.s168 and 127 more
```diff
  294 to roll out, 3 to replace, 3 to delete: 300 steps, 0 provider calls
  digest 9c0b6469801ba10e8cc3cb286d2c29c0a0a92a38474c9f26687e729231258368
```


_Not shown here for its length: the steps of 300 changes, 300 fields, the names of 127 changes. 300 changes share lines. All of it stands in the saved plan (`dax show`) and in the files of the run._
"#);
}

#[test]
fn the_fields_that_decide_what_runs_stay_as_long_as_the_name() {
    let decoys = |at: usize| -> Vec<LeafChange> {
        let field =
            |field: usize| leaf(&format!("env.K{field}"), text("w"), text(&"v".repeat(150)));
        let mut all: Vec<LeafChange> = (0..20).map(field).collect();
        if at == 59 {
            all.push(leaf("replicas", Value::Int(5), Value::Int(1)));
            all.push(leaf("ports.admin", Value::Int(80), Value::Int(81)));
            all.push(leaf("command", text("serve"), text("evil")));
        }
        all
    };
    let all = (0..60).map(|at| change(&format!("s{at}"), Action::Rollout, decoys(at))).collect();
    let blocks = crate::details(&guarded(all));
    for budget in [60_000, 15_000, 4_000] {
        let shown = fitted(&blocks, Flavour::GitHub, budget);
        assert!(shown.text.len() <= budget && shown.cut.fields > 0, "{:?}", shown.cut);
        assert!(shown.cut.names_all(), "{budget}: {:?}", shown.cut);
        for part in ["service.s59", "replicas", "ports.admin", "evil"] {
            assert!(shown.text.contains(part), "{budget}: {part}\n{}", shown.text);
        }
    }
    let little = fitted(&blocks, Flavour::GitHub, 900);
    assert!(!little.cut.names_all() && fitted(&blocks, Flavour::GitHub, 9).cut.unnamed == 60);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        // Source: Knuth, The Art of Computer Programming 2, section 3.3.4, MMIX.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % most
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A field: mostly short, some long, some of many lines, some with fences in them.
    fn field(&mut self, name: &str) -> LeafChange {
        let size = self.one_of(&[1, 20, 20, 150, 400]);
        let value = match self.below(8) {
            0 => (0..size.min(60)).map(|at| format!("line {at}\n")).collect(),
            1 => "`".repeat(size),
            2 => "\u{1f980}".repeat(size),
            _ => "v".repeat(size),
        };
        let mut field = leaf(name, text("a"), text(&value));
        field.before = field.before.filter(|_| self.below(4) > 0);
        field
    }

    fn change(&mut self, at: usize, most: usize) -> Change {
        let mut fields: Vec<LeafChange> =
            (0..self.below(most)).map(|field| self.field(&format!("f{at}x{field}"))).collect();
        if self.below(3) > 0 {
            let to = format!("acme/web:{}", self.below(at + 2));
            fields.push(leaf("image", text("acme/web:old"), text(&to)));
        }
        let action =
            self.one_of(&[Action::Rollout, Action::Rollout, Action::Create, Action::Delete]);
        change(&format!("s{at}"), action, fields)
    }
}

/// The number behind which a word stands in the sentence about what is not shown.
fn counted(text: &str, word: &str) -> usize {
    let Some((_, said)) = text.rsplit_once("_Not shown here for its length: ") else { return 0 };
    let (said, _) = said.split_once('.').unwrap_or((said, ""));
    let part = said.split(", ").find(|part| part.trim_end_matches('s').ends_with(word));
    part.map_or(0, |part| {
        let digits: String = part.chars().filter(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    })
}

fn section_text(section: &Section, flavour: Flavour, shown: usize) -> String {
    let body = Items::of(&section.body).first(shown);
    let mut text = String::new();
    write_section(&mut text, &Section { steps: None, body, ..section.clone() }, flavour, false);
    text
}

#[test]
fn no_text_is_longer_than_its_budget_and_each_shows_as_many_fields_as_fit() {
    let mut filled = 0;
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let services = dice.one_of(&[1, 1, 1, 3, 30, 300]);
        let most = 1 + dice.below(3_000) / services;
        let plan = guarded((0..services).map(|at| dice.change(at, most)).collect());
        // Images are there in any case.
        let leaves = plan.changes.iter().flat_map(|one| &one.leaves);
        let leaves: Vec<&LeafChange> = leaves.filter(|leaf| leaf.path != "image").collect();
        let total = leaves.len();
        let blocks = crate::plan(&plan, &Standing::default());
        let flavour = dice.one_of(&[Flavour::GitHub, Flavour::GitLab, Flavour::Bitbucket]);
        let budget = dice.one_of(&[700, 5_000, 30_000, 60_000, 65_000]) - dice.below(700);
        let shown = markdown(&blocks, flavour, budget);
        assert!(shown.len() <= budget, "seed {seed}: {} of {budget}", shown.len());
        assert_eq!(shown, markdown(&blocks, flavour, budget), "seed {seed}");
        balanced(&shown);
        if shown.is_empty() {
            continue;
        }
        let names: BTreeSet<&str> = leaves.iter().map(|leaf| leaf.path.as_str()).collect();
        let there = shown.lines().filter(|line| {
            let line = line.trim_start_matches([' ', '+', '-', '!', '~']);
            line.split_once(": ").is_some_and(|(name, _)| names.contains(name))
        });
        let there = there.count();
        if !shown.contains("for its length") {
            assert_eq!(there, total, "seed {seed}");
            continue;
        }
        assert_eq!(there + counted(&shown, "field"), total, "seed {seed}: {shown}");
        // One more field would be too much.
        if let (1, Some(section), true) = (services, only(&blocks), there > 3 && there < total) {
            let items = Items::of(&section.body);
            let at = (0..items.len())
                .find(|at| items.rest(*at).0 == total - there)
                .expect("the items that are shown");
            let now = section_text(section, flavour, at);
            assert!(shown.contains(&now), "seed {seed}");
            let remark = shown.rsplit_once("\n_").expect("a remark").1.len() + 1;
            let more = section_text(section, flavour, at + 1).len() - now.len();
            assert!(shown.len() - remark + more > budget - REMARK, "seed {seed}: {more} fit");
            filled += 1;
        }
    }
    assert!(filled > 12, "{filled} texts were full of one service");
}

fn only(blocks: &[Block]) -> Option<&Section> {
    blocks.iter().find_map(|block| match block {
        Block::Section(section) => Some(section),
        _ => None,
    })
}

#[test]
fn thousands_of_fields_of_one_service_fill_the_budget() {
    let fields = (0..5_000).map(|at| leaf(&format!("env.F{at}"), text("a"), text("b"))).collect();
    let plan = guarded(vec![change("web", Action::Rollout, fields)]);
    let blocks = crate::plan(&plan, &Standing::default());
    let shown: BTreeMap<&str, usize> = [
        ("github", Flavour::GitHub),
        ("gitlab", Flavour::GitLab),
        ("bitbucket", Flavour::Bitbucket),
    ]
    .into_iter()
    .map(|(name, flavour)| {
        let text = markdown(&blocks, flavour, flavour.budget());
        assert!(text.len() <= flavour.budget());
        assert_eq!(text.contains("for its length"), name != "gitlab");
        (name, text.lines().filter(|line| line.contains(": \"a\" → \"b\"")).count())
    })
    .collect();
    insta::assert_snapshot!(
        format!("{shown:?}"),
        @r#"{"bitbucket": 999, "github": 2036, "gitlab": 5000}"#
    );
}
