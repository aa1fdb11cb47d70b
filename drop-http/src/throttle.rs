//! How often one client may reserve and purchase.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::client;

type Limiter =
    RateLimiter<IpAddr, DefaultKeyedStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// So many requests a minute for each client address.
#[derive(Debug)]
pub(crate) struct Throttle {
    limiter: Limiter,
    per_minute: NonZeroU32,
    clock: DefaultClock,
}

/// What a client may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Within { remaining: u32 },
    Above { retry_after_seconds: u64 },
}

impl Throttle {
    /// Addresses that are remembered. Who has more than that many is not stopped by counting
    /// addresses, and shall not use up the memory.
    const MAX_ADDRESSES: usize = 200_000;

    pub(crate) fn per_minute(per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::keyed(Quota::per_minute(per_minute))
            .with_middleware::<StateInformationMiddleware>();
        Self { limiter, per_minute, clock: DefaultClock::default() }
    }

    pub(crate) fn limit(&self) -> NonZeroU32 {
        self.per_minute
    }

    /// Forgets addresses whose minute is over.
    pub(crate) fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }

    /// Counts one request of `address`.
    pub(crate) fn check(&self, address: IpAddr) -> Verdict {
        if self.limiter.len() > Self::MAX_ADDRESSES {
            return Verdict::Within { remaining: self.per_minute.get() };
        }
        match self.limiter.check_key(&client::bucket(address)) {
            Ok(state) => Verdict::Within { remaining: state.remaining_burst_capacity() },
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                Verdict::Above { retry_after_seconds: wait.as_secs().saturating_add(1) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use super::{Throttle, Verdict};

    #[test]
    fn each_address_has_its_own_limit() {
        let throttle = Throttle::per_minute(NonZeroU32::new(2).unwrap());
        let [ann, bob]: [IpAddr; 2] = ["1.1.1.1", "2.2.2.2"].map(|text| text.parse().unwrap());
        assert_eq!(throttle.check(ann), Verdict::Within { remaining: 1 });
        assert_eq!(throttle.check(ann), Verdict::Within { remaining: 0 });
        let Verdict::Above { retry_after_seconds } = throttle.check(ann) else {
            panic!("a third is above two");
        };
        assert!((1..=30).contains(&retry_after_seconds), "{retry_after_seconds}");
        assert_eq!(throttle.check(bob), Verdict::Within { remaining: 1 });
    }
}
