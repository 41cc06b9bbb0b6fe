//! Programs by chance: some services that need one another, and the same ones changed.

use crate::Files;
use std::fmt::Write;

/// A generator whose numbers follow from its seed. Source: G. Marsaglia, Xorshift RNGs, 2003.
pub struct Chance(u64);

impl Chance {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below another.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn yes(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// A program and one that follows it, in an environment `dev` that takes everything back when a step fails, or not.
pub fn programs(seed: u64, all_back: bool) -> (Files, Files) {
    let mut chance = Chance::new(seed);
    let count = 1 + chance.below(5);
    let services: Vec<Vec<u64>> =
        (0..count).map(|at| (0..at).filter(|_| chance.yes(3)).collect()).collect();
    let before = program(&mut chance, &services, 1, all_back);
    // Some go, some come, the others change or do not.
    let after = program(&mut chance, &services, 2, all_back);
    (Files::project(&before), Files::project(&after))
}

fn program(chance: &mut Chance, services: &[Vec<u64>], version: u64, all_back: bool) -> String {
    let mut out = "import memory from \"std/memory\"\n\nprovider memory.world {\n}\n".to_owned();
    let there: Vec<bool> = services.iter().map(|_| !chance.yes(5)).collect();
    let mut bound = Vec::new();
    for (at, needs) in services.iter().enumerate().filter(|(at, _)| there[*at]) {
        let changed = if chance.yes(4) { 1 } else { version };
        let _ = writeln!(
            out,
            "\nservice s{at} {{\n  image = \"s{at}:{changed}\"\n  replicas = {}",
            1 + chance.below(4)
        );
        if chance.yes(2) {
            let _ =
                writeln!(out, "  ports = {{ http: {} }}", 8000 + at as u64 * 10 + chance.below(3));
        }
        let needs: Vec<String> = needs
            .iter()
            .filter(|need| there[**need as usize])
            .map(|need| format!("s{need}"))
            .collect();
        if !needs.is_empty() {
            let _ = writeln!(out, "  needs = [{}]", needs.join(", "));
        }
        out.push_str("}\n");
        bound.push(format!("s{at}"));
    }
    let strategies = [
        "immediate {\n}",
        "rolling {\n  surge = 1\n  unavailable = 0\n}",
        "rolling {\n  surge = 0\n  unavailable = 1\n}",
        "rolling {\n  surge = 50%\n  unavailable = 25%\n}",
        "canary {\n  step 10% hold 1s\n  step 50%\n}",
        "canary {\n  route \"X-Canary\" is \"yes\"\n  mirror 5% hold 1s\n  step 25% hold 2s\n}",
        "blue_green {\n  preview 1 hold 1s\n  hold = 1s\n}",
        "immediate {\n  hook before [\"./smoke\"]\n  migrate [\"./up\"] undo [\"./down\"]\n}",
    ];
    let mut rollouts = String::new();
    for name in &bound {
        let strategy =
            strategies[usize::try_from(chance.below(strategies.len() as u64)).unwrap_or(0)];
        let _ = writeln!(out, "\nstrategy of_{name}: {strategy}");
        let _ = writeln!(rollouts, "  rollout {name} with of_{name}");
    }
    out.push_str("\nenvironment dev {\n");
    if !bound.is_empty() {
        let _ = writeln!(out, "  bind [{}] to memory.world", bound.join(", "));
    }
    out.push_str(&rollouts);
    if all_back {
        out.push_str("  on failure rollback_all\n");
    }
    out.push_str("}\n");
    out
}
