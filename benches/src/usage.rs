//! [`Usage`]: what this process takes of the machine.

use std::time::Duration;

/// What the kernel says of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in memory.
    pub resident: u64,
    /// Time on a processor, since it began; to a hundredth of a second.
    pub busy: Duration,
}

impl Usage {
    /// The kernel counts in these, whatever its own clock.
    const TICKS: u64 = 100;

    /// Of this process, now.
    ///
    /// # Panics
    /// Where there is no Linux under it.
    #[must_use]
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = resident.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
        // The name, in brackets, may contain anything; what follows it does not.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse::<u64>().expect("a count")).sum();
        Self {
            resident: kibibytes.map(|count: u64| count * 1024).expect("a size"),
            busy: Duration::from_millis(ticks * 1000 / Self::TICKS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn what_is_taken_is_seen() {
        let before = Usage::now();
        let taken = vec![1_u8; 64 << 20];
        let after = Usage::now();
        assert!(after.resident >= before.resident + (60 << 20), "{before:?} {after:?}");
        assert!(after.busy >= before.busy);
        assert_eq!(taken.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 64 << 20);
    }
}
