//! What a drop is sold under: its name, price, window, limit, hold policy and variants.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidPrice, Price, Timestamp, Units};

/// The terms of a drop contradict themselves or break a bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTerms {
    /// A name is empty, too long, or holds control characters.
    #[error("{0} must be 1 to {1} characters without control characters")]
    Name(&'static str, usize),
    /// The price is not one.
    #[error(transparent)]
    Price(#[from] InvalidPrice),
    /// The window closes before it opens.
    #[error("endsAt must be after startsAt")]
    Window,
    /// The longest hold is shorter than a hold, or a hold is out of bounds.
    #[error("a hold lasts from 1 ms to 24 h, and its longest extension no less")]
    Hold,
    /// A limit of nothing would refuse everybody.
    #[error("maxPerCustomer must be at least 1")]
    Limit,
    /// No variant, too many, or two of one name.
    #[error("{0}")]
    Variants(&'static str),
    /// A total of nothing, or one that is larger than a drop can have.
    #[error("totalStock must be from 1 to {max}", max = Units::MAX)]
    Total,
}

macro_rules! bounded_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest, in characters.
            pub const MAX_CHARS: usize = $max;

            /// Trims and checks `text`.
            ///
            /// # Errors
            /// [`InvalidTerms::Name`] when it is empty, too long or holds control characters.
            pub fn new(text: &str) -> Result<Self, InvalidTerms> {
                let text = text.trim();
                let length = text.chars().count();
                if length == 0 || length > Self::MAX_CHARS || text.chars().any(char::is_control) {
                    return Err(InvalidTerms::Name($what, Self::MAX_CHARS));
                }
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidTerms;

            fn try_from(text: String) -> Result<Self, InvalidTerms> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

bounded_name!(
    /// What a drop is called: 1 to 200 characters.
    DropName, "name", 200
);
bounded_name!(
    /// What a variant (a size, a colour) is called: 1 to 60 characters.
    VariantName, "a variant's name", 60
);

/// When reserving is open: `starts_at <= as_of < ends_at`.
///
/// The window limits reserving only. A hold taken inside it may be paid after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
}

impl Window {
    /// A window from `starts_at` to `ends_at`, or without end.
    ///
    /// # Errors
    /// [`InvalidTerms::Window`] when it would never be open.
    pub fn new(starts_at: Timestamp, ends_at: Option<Timestamp>) -> Result<Self, InvalidTerms> {
        match ends_at {
            Some(ends_at) if ends_at <= starts_at => Err(InvalidTerms::Window),
            _ => Ok(Self { starts_at, ends_at }),
        }
    }

    /// A window that is open at all times that a machine's clock shows.
    #[must_use]
    pub const fn always() -> Self {
        Self { starts_at: Timestamp::EPOCH, ends_at: None }
    }

    /// When it opens.
    #[must_use]
    pub const fn starts_at(self) -> Timestamp {
        self.starts_at
    }

    /// When it closes, if ever.
    #[must_use]
    pub const fn ends_at(self) -> Option<Timestamp> {
        self.ends_at
    }

    /// Whether it has opened by `as_of`.
    #[must_use]
    pub fn has_opened(self, as_of: Timestamp) -> bool {
        self.starts_at <= as_of
    }

    /// Whether it has closed by `as_of`.
    #[must_use]
    pub fn has_closed(self, as_of: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= as_of)
    }

    /// Whether it is open at `as_of`.
    #[must_use]
    pub fn is_open(self, as_of: Timestamp) -> bool {
        self.has_opened(as_of) && !self.has_closed(as_of)
    }
}

/// How long a unit is held, and how long repeating may keep it.
///
/// The seed extends a hold by 60 seconds at each repeat, which lets anybody hoard by
/// clicking. Here a repeat gives a fresh deadline, but never past `longest` after the hold
/// was first taken. `longest = hold` switches extension off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldPolicy {
    hold: Duration,
    longest: Duration,
}

impl HoldPolicy {
    /// The longest that any policy may allow: a day.
    pub const MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// Holds of `hold`, extended to `longest` at most.
    ///
    /// # Errors
    /// [`InvalidTerms::Hold`] unless `1 ms <= hold <= longest <= 24 h`.
    pub fn new(hold: Duration, longest: Duration) -> Result<Self, InvalidTerms> {
        if hold < Duration::from_millis(1) || longest < hold || longest > Self::MAX {
            return Err(InvalidTerms::Hold);
        }
        Ok(Self { hold, longest })
    }

    /// Holds of `hold` seconds (1 second at least, a day at most), extended to five times
    /// that at most: the default is 60 and 300.
    #[must_use]
    pub fn seconds(hold: u64) -> Self {
        let hold = Duration::from_secs(hold.max(1)).min(Self::MAX);
        Self { hold, longest: hold.saturating_mul(5).min(Self::MAX) }
    }

    /// How long a hold lasts.
    #[must_use]
    pub const fn hold(self) -> Duration {
        self.hold
    }

    /// How long after it was first taken a hold may last at most.
    #[must_use]
    pub const fn longest(self) -> Duration {
        self.longest
    }

    /// The deadline of a hold taken at `taken_at` and last asked for at `as_of`.
    #[must_use]
    pub fn expires_at(self, taken_at: Timestamp, as_of: Timestamp) -> Timestamp {
        as_of.saturating_add(self.hold).min(taken_at.saturating_add(self.longest))
    }
}

impl Default for HoldPolicy {
    /// 60 seconds, 300 at most.
    fn default() -> Self {
        Self::seconds(60)
    }
}

/// The terms that hold for all variants of a drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropTerms {
    /// What it is called.
    pub name: DropName,
    /// What one unit costs; a new price counts for new holds.
    pub price: Price,
    /// When reserving is open.
    pub window: Window,
    /// The most that one customer may hold and buy, over all variants and all time.
    pub limit: Option<Units>,
    /// How long a unit is held.
    pub hold: HoldPolicy,
}

impl DropTerms {
    /// Terms with a name, a price and a hold policy: always open, no limit.
    ///
    /// # Errors
    /// [`InvalidTerms`] when the name or the price is not one.
    pub fn new(name: &str, price: &str, hold: HoldPolicy) -> Result<Self, InvalidTerms> {
        Ok(Self {
            name: DropName::new(name)?,
            price: price.parse()?,
            window: Window::always(),
            limit: None,
            hold,
        })
    }
}

/// One variant of a drop that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVariant {
    /// What it is called; a plain drop's only variant has no name.
    pub name: Option<VariantName>,
    /// How many units there are.
    pub total: Units,
}

/// A drop that is to be created: its terms and its variants, checked together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDrop {
    terms: DropTerms,
    variants: Vec<NewVariant>,
}

impl NewDrop {
    /// The most variants that a drop can have.
    pub const MAX_VARIANTS: usize = 100;

    /// A plain drop: one variant without a name.
    ///
    /// # Errors
    /// [`InvalidTerms`] as [`NewDrop::with_variants`].
    pub fn plain(terms: DropTerms, total: Units) -> Result<Self, InvalidTerms> {
        Self::checked(terms, vec![NewVariant { name: None, total }])
    }

    /// A drop with named variants, in the order in which they are shown.
    ///
    /// # Errors
    /// [`InvalidTerms`] when there is no variant or more than [`NewDrop::MAX_VARIANTS`],
    /// when two have one name, when the sum of totals is 0 or above [`Units::MAX`], or when
    /// the limit is 0.
    pub fn with_variants(
        terms: DropTerms,
        variants: impl IntoIterator<Item = (VariantName, Units)>,
    ) -> Result<Self, InvalidTerms> {
        let variants = variants
            .into_iter()
            .map(|(name, total)| NewVariant { name: Some(name), total })
            .collect();
        Self::checked(terms, variants)
    }

    fn checked(terms: DropTerms, variants: Vec<NewVariant>) -> Result<Self, InvalidTerms> {
        if variants.is_empty() || variants.len() > Self::MAX_VARIANTS {
            return Err(InvalidTerms::Variants("a drop has 1 to 100 variants"));
        }
        for (index, variant) in variants.iter().enumerate() {
            if variants.iter().take(index).any(|earlier| earlier.name == variant.name) {
                return Err(InvalidTerms::Variants("two variants have the same name"));
            }
        }
        let sum = variants
            .iter()
            .try_fold(Units::ZERO, |sum, variant| sum.checked_add(variant.total))
            .ok_or(InvalidTerms::Total)?;
        if sum.is_zero() {
            return Err(InvalidTerms::Total);
        }
        if terms.limit.is_some_and(Units::is_zero) {
            return Err(InvalidTerms::Limit);
        }
        Ok(Self { terms, variants })
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &DropTerms {
        &self.terms
    }

    /// The variants, at least one.
    #[must_use]
    pub fn variants(&self) -> &[NewVariant] {
        &self.variants
    }
}
