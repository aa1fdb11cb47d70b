//! Which faults have met which commands in which states.

use std::fmt::Write;

use super::states::{CommandKind, DropState, HoldState, Trouble};

/// Counts of (state x command x fault), over any number of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    hits: Vec<u64>,
}

/// One combination of states, command and fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What was asked.
    pub kind: CommandKind,
    /// Where the hold stood.
    pub hold: HoldState,
    /// Where the drop stood.
    pub drop: DropState,
    /// What went wrong.
    pub trouble: Trouble,
}

impl Cell {
    fn all() -> impl Iterator<Item = Self> {
        CommandKind::ALL.iter().flat_map(|kind| {
            states().flat_map(move |(hold, drop)| {
                let troubles = Trouble::ALL.iter();
                troubles.map(move |trouble| Self { kind: *kind, hold, drop, trouble: *trouble })
            })
        })
    }

    const fn index(self) -> usize {
        let states = self.hold.index() * DropState::ALL.len() + self.drop.index();
        let of_kind = self.kind.index() * HoldState::ALL.len() * DropState::ALL.len() + states;
        of_kind * Trouble::ALL.len() + self.trouble.index()
    }

    /// Why there can be no such combination; `None` where there can.
    #[must_use]
    pub fn unreachable(self) -> Option<&'static str> {
        let gone = matches!(self.drop, DropState::Deleted | DropState::Unknown);
        let none = self.hold == HoldState::Nothing;
        match self.kind {
            CommandKind::Create | CommandKind::DeleteUser
                if !none || self.drop != DropState::Unknown =>
            {
                return Some("it concerns no drop that there is");
            }
            CommandKind::Expire | CommandKind::Amend | CommandKind::Delete if !none => {
                return Some("the command concerns the drop, and no one hold");
            }
            _ if gone && !none => return Some("a drop that is not there has no holds"),
            CommandKind::PurchaseOther | CommandKind::ReleaseOther if none => {
                return Some("what is not there is nobody else's");
            }
            CommandKind::PurchaseOther | CommandKind::ReleaseOther
                if self.hold == HoldState::Forgotten =>
            {
                return Some("what is forgotten is nobody else's");
            }
            CommandKind::Forget if self.drop == DropState::Unknown => {
                return Some("users are forgotten where they have rows");
            }
            CommandKind::Forget if none && !gone => {
                return Some("users are forgotten where they have had rows");
            }
            CommandKind::Expire if self.drop == DropState::Unknown => {
                return Some("workers know of no drop that never was");
            }
            _ => {}
        }
        match self.trouble {
            Trouble::Duplicate if self.kind == CommandKind::Expire => {
                Some("no client sends it, so none sends it twice")
            }
            _ => None,
        }
    }
}

fn states() -> impl Iterator<Item = (HoldState, DropState)> {
    let drops = DropState::ALL.iter();
    drops.flat_map(|drop| HoldState::ALL.iter().map(move |hold| (*hold, *drop)))
}

impl Default for Coverage {
    fn default() -> Self {
        let axes = [CommandKind::ALL.len(), HoldState::ALL.len(), DropState::ALL.len()];
        Self { hits: vec![0; axes.iter().product::<usize>() * Trouble::ALL.len()] }
    }
}

impl Coverage {
    pub(super) fn hit(&mut self, cell: Cell) {
        self.hits[cell.index()] += 1;
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (sum, hits) in self.hits.iter_mut().zip(&other.hits) {
            *sum += hits;
        }
    }

    /// How often a combination was met.
    #[must_use]
    pub fn hits(&self, cell: Cell) -> u64 {
        self.hits[cell.index()]
    }

    /// The combinations that can be and were not met.
    #[must_use]
    pub fn empty(&self) -> Vec<Cell> {
        Cell::all().filter(|cell| cell.unreachable().is_none() && self.hits(*cell) == 0).collect()
    }

    /// How often the combination was met that was met least, of those that can be.
    #[must_use]
    pub fn fewest(&self) -> u64 {
        let cells = Cell::all().filter(|cell| cell.unreachable().is_none());
        cells.map(|cell| self.hits(cell)).min().unwrap_or(0)
    }

    /// The combinations that cannot be and were met all the same: the list of what cannot be
    /// is wrong.
    #[must_use]
    pub fn impossible(&self) -> Vec<Cell> {
        Cell::all().filter(|cell| cell.unreachable().is_some() && self.hits(*cell) > 0).collect()
    }

    /// How many combinations can be.
    #[must_use]
    pub fn reachable(&self) -> usize {
        Cell::all().filter(|cell| cell.unreachable().is_none()).count()
    }

    /// As two tables in Markdown: commands by states, each with the fault that met it least and
    /// how often; and faults by commands, each with the state that it met least.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let head = |text: &mut String, first: &str, columns: &[&str]| {
            let _ = writeln!(text, "| {first} | {} |", columns.join(" | "));
            let _ = writeln!(text, "|{}", " --- |".repeat(columns.len() + 1));
        };
        let kinds: Vec<_> = CommandKind::ALL.iter().map(|kind| kind.words()).collect();
        text.push_str("Hits of the fault that met each state and command least.\n\n");
        head(&mut text, "drop, hold", &kinds);
        for (hold, drop) in states() {
            let least = CommandKind::ALL.iter().map(|kind| {
                self.least(|cell| (cell.kind, cell.hold, cell.drop) == (*kind, hold, drop))
            });
            let least: Vec<_> = least.collect();
            if least.iter().any(|least| !least.is_empty()) {
                let (drop, hold) = (drop.words(), hold.words());
                let _ = writeln!(text, "| {drop}, {hold} | {} |", least.join(" | "));
            }
        }
        text.push_str("\nHits of the state in which each fault met each command least.\n\n");
        head(&mut text, "fault", &kinds);
        for trouble in Trouble::ALL {
            let least = CommandKind::ALL
                .iter()
                .map(|kind| self.least(|cell| (cell.kind, cell.trouble) == (*kind, *trouble)));
            let least: Vec<_> = least.collect();
            let _ = writeln!(text, "| {} | {} |", trouble.words(), least.join(" | "));
        }
        text
    }

    /// The fewest hits of the combinations that can be; nothing where none can.
    fn least(&self, which: impl Fn(&Cell) -> bool) -> String {
        let cells = Cell::all().filter(|cell| which(cell) && cell.unreachable().is_none());
        cells.map(|cell| self.hits(cell)).min().map_or_else(String::new, |least| least.to_string())
    }
}
