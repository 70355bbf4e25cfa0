//! The power is cut, or the disk fails: the appliance's state is on a disk that forgets what was not synced.
//!
//! For soak runs: `CHANCERY_TEST_CUTS` (cuts under load, 200), `CHANCERY_TEST_SEED` (1).

mod failing;
mod first;
mod on_disk;
mod under_load;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [under_load::trials(), first::trials(), failing::trials()].into_iter().flatten().collect()
}
