//! Texts that do not fit: the order of what goes, and what stays in any case.

use super::markdown;
use crate::markdown::Flavour;
use crate::standing::Standing;
use crate::testing::{change, guarded, leaf, text};
use dax_plan::model::{Action, Change};

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
  dax approve -e production 993906444f88c109dad7b0e13658cb1d3c167ed38bfd445b2131f1ebda5a89c0
```

### Risks

| risk | count | where |
| --- | --- | --- |
| delete: its data is gone | 3 | service.s77, service.s177, service.s277 |
| replace: its data is gone | 3 | service.s78, service.s178, service.s278 |

- − delete, image 1 → 2 (3): service.s77, service.s177, service.s277
- ± replace, image 1 → 2 (3): service.s78, service.s178, service.s278
- \~ roll out, image 1 → 2 (294): service.s0, service.s1, service.s2, service.s3, service.s4, service.s5, service.s6, service.s7, service.s8, service.s9, service.s10, service.s11, service.s12, service.s13, service.s14, service.s15, service.s16, service.s17, service.s18, service.s19, service.s20, service.s21, service.s22, service.s23, service.s24, service.s25, service.s26, service.s27, service.s28, service.s29, service.s30, service.s31, service.s32, service.s33, service.s34, service.s35, service.s36, service.s37, service.s38, service.s39, service.s40, service.s41, service.s42, service.s43, service.s44, service.s45, service.s46, service.s47, service.s48, service.s49, service.s50, service.s51, service.s52, service.s53, service.s54, service.s55, service.s56, service.s57, service.s58, service.s59, service.s60, service.s61, service.s62, service.s63, service.s64, service.s65, service.s66, service.s67, service.s68, service.s69, service.s70, service.s71, service.s72, service.s73, service.s74, service.s75, service.s76, service.s79, service.s80, service.s81, service.s82, service.s83, service.s84, service.s85, service.s86, service.s87, service.s88, service.s89, service.s90, service.s91, service.s92, service.s93, service.s94, service.s95, service.s96, service.s97, service.s98, service.s99, service.s100, service.s101, service.s102, service.s103, service.s104, service.s105, service.s106, service.s107, service.s108, service.s109, service.s110, service.s111, service.s112, service.s113, service.s114, service.s115, service.s116, service.s117, service.s118, service.s119, service.s120, service.s121, service.s122, service.s123, service.s124, service.s125, service.s126, service.s127, service.s128, service.s129, service.s130, service.s131, service.s132, service.s133, service.s134, service.s135, service.s136, service.s137, service.s138, service.s139, service.s140, service.s141, service.s142, service.s143, service.s144, service.s145, service.s146, service.s147, service.s148, service.s149, service.s150, service.s151, service.s152, service.s153, service.s154, service.s155, service.s156, service.s157, service.s158, service.s159, service.s160, service.s161, service.s162, service.s163, service.s164, service.s165 and 130 more
```diff
  294 to roll out, 3 to replace, 3 to delete: 300 steps, 0 provider calls
  digest 993906444f88c109dad7b0e13658cb1d3c167ed38bfd445b2131f1ebda5a89c0
```


_Not shown here for its length: the steps of 300 changes, 600 leaves, the names of 130 changes. 300 changes share lines. All of it stands in the saved plan (`dax show`) and in the files of the run._
"#);
}
