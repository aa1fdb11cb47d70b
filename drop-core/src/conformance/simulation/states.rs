//! In which states commands and faults meet.

/// One start of an instance, by a number that each start gets anew.
pub(super) type Incarnation = u64;

macro_rules! axis {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $index:literal $words:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$case_doc])* $case,)*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$case,)*];

            /// In few words.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$case => $words,)* }
            }

            pub(super) const fn index(self) -> usize {
                match self { $(Self::$case => $index,)* }
            }
        }

        // Two of the same number would share their cells and hide what was never met.
        const _: () = {
            let mut at = 0;
            while at < $name::ALL.len() {
                assert!($name::ALL[at].index() == at);
                at += 1;
            }
        };
    };
}

axis! {
    /// Where the hold of a command stands when the command comes to the store: the one that it
    /// names, or else its user's newest in the drop.
    HoldState {
        /// There has never been one.
        Nothing = 0 "none",
        /// Valid.
        Active = 1 "active",
        /// Past its deadline and not settled.
        Lapsed = 2 "lapsed",
        /// Bought.
        Completed = 3 "completed",
        /// Settled as expired.
        Expired = 4 "expired",
        /// Given back.
        Released = 5 "released",
        /// Removed with its user.
        Forgotten = 6 "forgotten",
    }
}

axis! {
    /// Where the drop stands when a command comes to the store.
    DropState {
        /// Not open yet.
        Upcoming = 0 "upcoming",
        /// Open, with units by its counters.
        Open = 1 "open",
        /// Open, without.
        SoldOut = 2 "sold out",
        /// Closed.
        Ended = 3 "ended",
        /// Deleted.
        Deleted = 4 "deleted",
        /// Never created.
        Unknown = 5 "unknown",
    }
}

axis! {
    /// What a command wants.
    CommandKind {
        /// To reserve.
        Reserve = 0 "reserve",
        /// To buy one's own hold.
        Purchase = 1 "purchase",
        /// To buy another's.
        PurchaseOther = 2 "purchase another's",
        /// To give one's own hold back.
        Release = 3 "release",
        /// To give another's back.
        ReleaseOther = 4 "release another's",
        /// To give any hold back, as the seller.
        ReleaseAny = 5 "release by the seller",
        /// To remove a user's rows.
        Forget = 6 "forget",
        /// To settle what has lapsed.
        Expire = 7 "expire",
        /// To change terms or totals.
        Amend = 8 "amend",
        /// To delete the drop.
        Delete = 9 "delete",
        /// To create a drop.
        Create = 10 "create",
        /// To delete a user who has no rows any more.
        DeleteUser = 11 "delete a user",
    }
}

axis! {
    /// What goes wrong with a command on its way.
    Trouble {
        /// Nothing.
        Clean = 0 "no fault",
        /// The instance is killed before the store has done anything.
        CrashBefore = 1 "crash before the commit",
        /// The instance is killed after the commit, before the answer.
        CrashAfter = 2 "crash after the commit",
        /// The commit is done and its answer lost: the instance hears `Unknown`.
        AnswerLost = 3 "answer lost",
        /// The instance hears `Unknown`, and nothing was done.
        UnknownNotDone = 4 "unknown, not done",
        /// The store cannot be reached.
        Unavailable = 5 "unavailable",
        /// Others keep writing the drop.
        Contended = 6 "contended",
        /// The store panics before it has done anything.
        PanicBefore = 7 "panic before the commit",
        /// The store panics after the commit.
        PanicAfter = 8 "panic after the commit",
        /// The request is left lying while others go on.
        Delay = 9 "delay",
        /// The request is one that was sent before.
        Duplicate = 10 "duplicate",
        /// The instance stands still while the request is under way.
        Pause = 11 "pause",
        /// The caller has gone.
        CallerGone = 12 "caller gone",
        /// A minute to an hour passes at once while the request is under way.
        ClockForward = 13 "clock forward",
        /// The store's clock is set back while the request is under way.
        ClockBack = 14 "clock back",
        /// The instance's workers are dead.
        SweeperDead = 15 "sweeper dead",
    }
}

impl Trouble {
    /// What happens at a call of the store itself.
    pub(super) const AT_THE_STORE: [Self; 8] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::AnswerLost,
        Self::UnknownNotDone,
        Self::Unavailable,
        Self::Contended,
        Self::PanicBefore,
        Self::PanicAfter,
    ];

    pub(super) const fn bit(self) -> u32 {
        1 << self.index()
    }
}
