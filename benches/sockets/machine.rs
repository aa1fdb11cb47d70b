//! What a process has used, as Linux tells it.

use std::time::Duration;

/// Processor time of this process, all threads together.
pub(crate) struct Cpu(u64);

impl Cpu {
    /// `USER_HZ`, which has been 100 on every Linux for long.
    const TICK: Duration = Duration::from_millis(10);

    pub(crate) fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
        let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
        // User and system time are the 14th and 15th; the first here is the third.
        let ticks = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
        Self(ticks.map(|ticks| ticks.expect("ticks")).sum())
    }

    /// Since then.
    pub(crate) fn spent(&self) -> Duration {
        let ticks = Self::now().0 - self.0;
        Self::TICK * u32::try_from(ticks).expect("not that long")
    }
}

/// Memory that this process has touched and not given back.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("kB");
    kib * 1024
}
