//! What happened, as one number and, where it is wanted, in words.

use std::collections::VecDeque;
use std::fmt::Write;

use crate::rules::Change;

/// Takes every decision of the scheduler, every call and answer and every change.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    lines: Option<VecDeque<String>>,
}

impl Trace {
    /// The lines kept, the newest.
    const KEPT: usize = 4000;

    pub(super) const fn new(in_words: bool) -> Self {
        Self {
            hash: 0x9e37_79b9_7f4a_7c15,
            lines: if in_words { Some(VecDeque::new()) } else { None },
        }
    }

    /// Notes what happened: what kind of thing, the numbers that tell it from others, and the
    /// words for a reader.
    pub(super) fn note(&mut self, kind: &str, numbers: &[u64], words: impl FnOnce() -> String) {
        for byte in kind.bytes() {
            self.mix(u64::from(byte));
        }
        for number in numbers {
            self.mix(*number);
        }
        if let Some(lines) = &mut self.lines {
            if lines.len() == Self::KEPT {
                lines.pop_front();
            }
            lines.push_back(format!("{kind:<9}{}", words()));
        }
    }

    /// Notes a change with everything in it.
    pub(super) fn change(&mut self, change: &Change) {
        let mut numbers = vec![
            bits(change.drop_id.get()),
            change.revision.get(),
            bits(change.as_of.as_micros()),
            u64::from(change.next_number),
        ];
        for variant in &change.variants {
            let stock = variant.stock;
            numbers.extend([stock.total(), stock.held(), stock.sold()].map(|n| u64::from(n.get())));
        }
        for row in change.reservations() {
            numbers.extend([bits(row.id().get()), bits(row.expires_at().as_micros())]);
            numbers.extend(row.status().as_str().bytes().take(1).map(u64::from));
        }
        numbers.extend(change.forgotten.iter().map(|user| bits(user.get())));
        self.note("commit", &numbers, || {
            let mut words = format!(
                "drop {} revision {} at {}:",
                change.drop_id,
                change.revision,
                change.as_of.as_micros(),
            );
            for row in change.reservations() {
                let (number, user) = (row.id().number(), row.claim().user_id);
                let status = row.status().as_str();
                let until = row.expires_at().as_micros();
                let _ = write!(words, " #{number} of user {user} {status} until {until};");
            }
            for user in &change.forgotten {
                let _ = write!(words, " user {user} forgotten;");
            }
            if change.terms.is_some() {
                words.push_str(" new terms;");
            }
            let stock = change.stock();
            let _ = write!(words, " {}/{}/{}", stock.total(), stock.held(), stock.sold());
            words
        });
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The newest lines, where words were wanted.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.map(Vec::from).unwrap_or_default()
    }

    const fn mix(&mut self, number: u64) {
        let mixed = (self.hash ^ number).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.hash = mixed ^ (mixed >> 32);
    }
}

/// A signed number's bits.
pub(super) const fn bits(number: i64) -> u64 {
    number.cast_unsigned()
}
