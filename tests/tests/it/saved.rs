//! Saved plans: what was made is proved, and no edit of it passes unseen.

use dax_plan::proof::{against, prove};
use dax_tests::plans::{Made, made};

#[test]
fn a_plan_that_was_just_made_is_proved() {
    for (case, Made { plan, applied, live }) in made() {
        assert_eq!(prove(&plan), [], "{case}");
        assert_eq!(against(&plan, &applied, &live), [], "{case}");
        assert_eq!(dax_apply::world::moved_on(&plan, &live), None, "{case}");
    }
}
