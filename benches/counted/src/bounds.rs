//! [`Bounds`]: the file of bounds.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// What was measured when the bound was set, and what it may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// Measured.
    pub measured: f64,
    /// At most.
    pub bound: f64,
}

/// Every bound, by the name of what is counted. The last part of a name is its unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The compiler by whose code instructions were counted.
    pub compiler: String,
    /// By unit, how many percent above what was measured a bound is set. What is the same in each
    /// run has none: its bound is met exactly.
    pub tolerances: BTreeMap<String, f64>,
    /// By name.
    pub counts: BTreeMap<String, Bound>,
}

impl Bounds {
    /// A count below this share of its bound is a bound that guards nothing: half as much again
    /// could come back unseen.
    const LOOSE: f64 = 0.7;

    /// What is wrong with a count, if anything.
    #[must_use]
    pub fn finding(&self, name: &str, measured: f64) -> Option<String> {
        let Some(Bound { bound, .. }) = self.counts.get(name).copied() else {
            return Some(format!("{name}: {measured} measured, and there is no bound"));
        };
        let percent = |share: f64| format!("{:.1} %", (share - 1.0).abs() * 100.0);
        let exact = self.tolerance(name) == 0.0;
        let least = if exact { bound } else { bound * Self::LOOSE };
        if measured > bound {
            let over = if bound > 0.0 { percent(measured / bound) } else { "all".to_owned() };
            return Some(format!("{name}: {measured}, and the bound is {bound}: {over} over it"));
        }
        (measured < least).then(|| {
            let under = percent(measured / bound);
            format!("{name}: {measured} is {under} under its bound of {bound}: tighten it")
        })
    }

    /// Sets a bound by what was measured.
    pub fn bless(&mut self, name: &str, measured: f64) {
        let bound = thousandths(measured * (1.0 + self.tolerance(name) / 100.0));
        self.counts.insert(name.to_owned(), Bound { measured, bound });
    }

    /// One line a count, so that a change of a bound is a change of a line.
    ///
    /// # Panics
    /// Never: what there is can be written.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{{\n  \"compiler\": {},\n  \"tolerances\": {},\n  \"counts\": {{\n",
            json(&self.compiler),
            json(&self.tolerances)
        );
        let last = self.counts.len();
        for (place, (name, bound)) in (1..).zip(&self.counts) {
            let comma = if place == last { "" } else { "," };
            let _ = writeln!(text, "    {}: {}{comma}", json(name), json(bound));
        }
        text.push_str("  }\n}\n");
        text
    }

    fn tolerance(&self, name: &str) -> f64 {
        let unit = name.rsplit('/').next().unwrap_or(name);
        self.tolerances.get(unit).copied().unwrap_or_default()
    }
}

/// Rounded to what is worth telling.
pub(crate) fn thousandths(count: f64) -> f64 {
    (count * 1000.0).round() / 1000.0
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        let tolerances = [("instructions".to_owned(), 5.0), ("messages".to_owned(), 0.0)];
        let mut bounds = Bounds { tolerances: tolerances.into(), ..Bounds::default() };
        bounds.bless("decide/1/instructions", 1000.0);
        bounds.bless("postgres/1/messages", 4.0);
        bounds.bless("postgres/1/flushes", 0.0);
        bounds
    }

    #[test]
    fn a_count_beyond_its_bound_is_found_and_so_is_a_bound_that_guards_nothing() {
        let bounds = bounds();
        for (name, measured, expected) in [
            ("decide/1/instructions", 1000.0, None),
            ("decide/1/instructions", 1050.0, None),
            ("decide/1/instructions", 740.0, None),
            ("decide/1/instructions", 1155.0, Some("the bound is 1050: 10.0 % over it")),
            ("decide/1/instructions", 630.0, Some("40.0 % under its bound of 1050: tighten it")),
            ("postgres/1/messages", 4.0, None),
            ("postgres/1/messages", 5.0, Some("25.0 % over it")),
            ("postgres/1/messages", 3.0, Some("25.0 % under its bound of 4: tighten it")),
            ("postgres/1/flushes", 0.0, None),
            ("postgres/1/flushes", 1.0, Some("the bound is 0: all over it")),
            ("decide/2/instructions", 1.0, Some("there is no bound")),
        ] {
            let finding = bounds.finding(name, measured);
            let seen = match (&finding, expected) {
                (Some(finding), Some(expected)) => finding.contains(expected),
                (finding, expected) => finding.is_none() && expected.is_none(),
            };
            assert!(seen, "{name} {measured}: {finding:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bounds = bounds();
        let read: Bounds = serde_json::from_str(&bounds.to_text()).unwrap();
        assert_eq!(read, bounds);
    }
}
