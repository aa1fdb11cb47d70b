//! [`Spread`]: what several rounds say together.

use serde::{Deserialize, Serialize};

/// The median of some rounds, with the lowest and the highest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The one in the middle; of an even number, the lower of the two.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// Of these figures; `None` where there are none.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let median = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
        Some(Self { median, min: *sorted.first()?, max: *sorted.last()? })
    }
}

/// A figure with as many digits as it is worth: `1,234`, `56.7`, `0.0123`.
#[must_use]
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if size >= 1000.0 {
        let digits = format!("{size:.0}");
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        return if value < 0.0 { format!("-{text}") } else { text };
    }
    let decimals = match size {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.1.. => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, figure};

    #[test]
    fn the_median_is_a_round_that_was_measured() {
        let spread = Spread::of([3.0, 1.0, 9.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (2.0, 1.0, 9.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn figures_have_the_digits_that_they_are_worth() {
        let told = [1_234_567.8, 1000.0, 999.4, 100.0, 12.34, 1.5, 0.9994, 0.012_34, 0.0, -2500.0];
        let told: Vec<_> = told.into_iter().map(figure).collect();
        let expected =
            ["1,234,568", "1,000", "999", "100", "12.3", "1.5", "0.999", "0.0123", "0", "-2,500"];
        assert_eq!(told, expected);
    }
}
