//! Machines whose clocks are wrong, by `faketime`: waits go by the clock of the database that keeps the state.

use crate::project::{Project, Said, said};
use dax_tests::peers;
use std::path::Path;
use std::process::Command;

const SOAKED: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image = "acme/web:1"
}

environment staging {
  bind web to memory.world
}

environment production {
  after staging { soak = 1h }
  bind web to memory.world
}
"#;

/// A command of a machine whose clock is off by so much.
fn at(faketime: &Path, clock: &str, project: &Project, state: &str, args: &[&str]) -> Said {
    let mut command = Command::new(faketime);
    command.args(["-f", clock, env!("CARGO_BIN_EXE_dax")]).args(args);
    command.current_dir(project.path("")).stdin(std::process::Stdio::null());
    command.env("NO_COLOR", "1").env_remove("CI").env("DAX_STATE", state);
    said(&command.output().expect("faketime runs"))
}

#[test]
fn a_clock_that_is_ahead_ends_no_soak() {
    let Some(faketime) = peers::require("faketime") else { return };
    let Some(state) = peers::shared::database() else { return };
    let project = Project::new(SOAKED);
    let apply = |clock: &str, environment: &str| {
        let args = ["apply", "-e", environment, "--auto-approve"];
        at(&faketime, clock, &project, &state, &args)
    };
    // What a machine wrote whose clock is behind has soaked no longer, either.
    let staging = apply("-2h", "staging");
    assert_eq!(staging.code, 0, "{}{}", staging.out, staging.err);
    for clock in ["+0", "+2h", "+30d"] {
        let refused = apply(clock, "production");
        let text = format!("{}{}", refused.out, refused.err);
        assert!(refused.code == 3 && text.contains("must have run for 1h"), "{clock}: {text}");
    }
    let rows = peers::shared::sql(
        &state,
        "SELECT key FROM dax_state WHERE key LIKE 'states/production/%'",
    );
    assert!(rows.is_empty(), "{rows:?}");
}
