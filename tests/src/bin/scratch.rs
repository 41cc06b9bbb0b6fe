//! scratch
use dax_plan::proof::{against, prove};
fn main() {
    for (case, dax_tests::plans::Made { plan, applied, live }) in dax_tests::plans::made() {
        let a = prove(&plan);
        let b = against(&plan, &applied, &live);
        let c = dax_apply::world::moved_on(&plan, &live);
        if !a.is_empty() || !b.is_empty() || c.is_some() { println!("{case}\n  {a:?}\n  {b:?}\n {c:?}"); }
    }
}
