//! [`Filter`]: which cells are wanted.

use super::row::Cell;

/// What the command line names: `cargo bench --bench hot_drop -- postgres 256`.
///
/// A number is a place on the axis, and of several any will do. Every other word has to be in
/// the cell's work or series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    words: Vec<String>,
    places: Vec<u64>,
}

impl Filter {
    /// Of this process's command line.
    #[must_use]
    pub fn from_arguments() -> Self {
        Self::of(std::env::args().skip(1))
    }

    /// Of these words; what begins with a dash is cargo's.
    #[must_use]
    pub fn of(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut filter = Self::default();
        for word in arguments.into_iter().filter(|word| !word.starts_with('-')) {
            match word.parse() {
                Ok(place) => filter.places.push(place),
                Err(_) => filter.words.push(word),
            }
        }
        filter
    }

    /// Whether everything is wanted.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.words.is_empty() && self.places.is_empty()
    }

    /// Whether this cell is.
    #[must_use]
    pub fn wants(&self, cell: &Cell) -> bool {
        let named = |word: &String| cell.work.contains(word) || cell.series.contains(word);
        self.words.iter().all(named) && (self.places.is_empty() || self.places.contains(&cell.x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_must_all_be_there_and_one_of_the_numbers() {
        let of = |words: &str| Filter::of(words.split(' ').map(str::to_owned));
        let cell = Cell::new("reserve", "postgres", "callers", 256);
        for words in ["--bench", "postgres", "postgres 256", "reserve post 16 256"] {
            assert!(of(words).wants(&cell), "{words}");
        }
        for words in ["memory", "postgres 16", "reserve memory 256"] {
            assert!(!of(words).wants(&cell), "{words}");
        }
        assert!(of("--bench").is_all());
    }
}
