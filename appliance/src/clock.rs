//! Two clocks. Windows run on service time, which no wall clock moves; `hours` and `expires_at` need wall time, and
//! fail closed after a step nobody explained.

use appliance_wire::Entry;
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// An instant as entries record it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Wall time.
    pub time: Timestamp,
    /// Service time in milliseconds.
    pub elapsed: u64,
    /// Whether wall time may decide anything: it has not stepped by more than a minute.
    pub wall_trusted: bool,
}

impl Moment {
    /// When an entry was made. Wall time was trusted where it decided anything.
    ///
    /// # Errors
    /// It says no time.
    pub fn of(entry: &Entry) -> Result<Self, String> {
        let time = entry.time.parse().map_err(|_| "its time is no RFC 3339".to_owned())?;
        Ok(Self { time, elapsed: entry.elapsed, wall_trusted: true })
    }

    /// When it will be by the wall clock, where service time is `elapsed` and the machine stays on.
    #[must_use]
    pub fn wall_time_at(&self, elapsed: u64) -> Option<Timestamp> {
        let wait = i64::try_from(elapsed.saturating_sub(self.elapsed)).ok()?;
        self.time.checked_add(jiff::SignedDuration::from_millis(wait)).ok()
    }
}

/// Where service time stood at the last start, from the log.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct LastBoot {
    /// The kernel's boot id then.
    pub boot_id: String,
    /// CLOCK_BOOTTIME then, in milliseconds.
    pub boot_time: u64,
    /// Service time then.
    pub elapsed: u64,
    /// Wall time less CLOCK_BOOTTIME, in milliseconds, as trusted in that boot.
    pub wall_offset: i64,
}

/// Reads both clocks.
#[derive(Clone, Debug)]
pub struct Clock {
    boot_id: String,
    /// (CLOCK_BOOTTIME, service time), in milliseconds: the two advance together from here.
    base: (u64, u64),
    wall_offset: i64,
}

const LARGEST_STEP_MS: u64 = 60_000;

impl Clock {
    /// Goes on from the log. Within one boot of the machine, time in which the appliance did not run counts; over a
    /// reboot service time stands still, because nothing proves how long the machine was off.
    ///
    /// # Errors
    /// The kernel's boot id cannot be read.
    pub fn resume(
        last_boot: Option<&LastBoot>,
        last_elapsed: u64,
        last_time: Option<Timestamp>,
    ) -> std::io::Result<Self> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let now = boot_time_ms();
        let clock = match last_boot.filter(|last| last.boot_id == boot_id && last.boot_time <= now) {
            Some(last) => {
                let elapsed = last.elapsed.saturating_add(now - last.boot_time).max(last_elapsed);
                Self { boot_id, base: (now, elapsed), wall_offset: last.wall_offset }
            }
            None => {
                // After a reboot only a clock that went back is known to be wrong.
                let wall = Timestamp::now().max(last_time.unwrap_or(Timestamp::UNIX_EPOCH));
                Self { boot_id, base: (now, last_elapsed), wall_offset: wall.as_millisecond() - now as i64 }
            }
        };
        Ok(clock)
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        let (time, boot_time) = (Timestamp::now(), boot_time_ms());
        let offset = time.as_millisecond() - boot_time as i64;
        Moment {
            time,
            elapsed: self.base.1.saturating_add(boot_time.saturating_sub(self.base.0)),
            wall_trusted: offset.abs_diff(self.wall_offset) <= LARGEST_STEP_MS,
        }
    }

    /// Takes the wall clock for right as it is, and credits time in which the machine was off. What this moves is what a
    /// `clock` entry records.
    pub fn accept(&mut self, credit_ms: u64) -> LastBoot {
        self.base.1 = self.base.1.saturating_add(credit_ms);
        self.wall_offset = Timestamp::now().as_millisecond() - boot_time_ms() as i64;
        self.boot()
    }

    /// What a `boot` entry records, so that the next start can go on.
    #[must_use]
    pub fn boot(&self) -> LastBoot {
        let boot_time = boot_time_ms();
        LastBoot {
            boot_id: self.boot_id.clone(),
            boot_time,
            elapsed: self.base.1.saturating_add(boot_time.saturating_sub(self.base.0)),
            wall_offset: self.wall_offset,
        }
    }
}

/// CLOCK_BOOTTIME: since the machine started, suspension included, moved by nobody.
fn boot_time_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000 + now.tv_nsec as u64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_time_goes_on_within_a_boot_and_stands_still_over_a_reboot() {
        let fresh = Clock::resume(None, 0, None).unwrap();
        let mut boot = LastBoot { elapsed: 5_000, ..fresh.boot() };
        boot.boot_time = boot.boot_time.saturating_sub(1_000);
        let same = Clock::resume(Some(&boot), 5_200, None).unwrap();
        assert!((6_000..60_000).contains(&same.now().elapsed));

        boot.boot_id = "another".to_owned();
        let rebooted = Clock::resume(Some(&boot), 5_200, None).unwrap();
        assert!((5_200..6_000).contains(&rebooted.now().elapsed), "time switched off is not credited");
    }

    #[test]
    fn a_step_of_the_wall_clock_is_noticed_also_over_a_restart() {
        let fresh = Clock::resume(None, 0, None).unwrap();
        assert!(fresh.now().wall_trusted);
        for step in [61_000, -61_000, 90_000_000] {
            let boot = fresh.boot();
            let stepped = LastBoot { wall_offset: boot.wall_offset + step, ..boot };
            assert!(!Clock::resume(Some(&stepped), 0, None).unwrap().now().wall_trusted);
        }
        let future = Timestamp::now().checked_add(jiff::SignedDuration::from_secs(3_600)).unwrap();
        assert!(!Clock::resume(None, 0, Some(future)).unwrap().now().wall_trusted, "the log is ahead of the clock");
    }
}
