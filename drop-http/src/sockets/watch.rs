//! What a watcher asks for: `?drops=1,2`.

use std::collections::BTreeSet;

use drop_core::model::DropId;
use serde::Deserialize;

use crate::error::Problem;
use crate::live::Filter;

/// Drops that a watcher may name; who wants more watches all.
const MAX_NAMED: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct WatchParams {
    drops: Option<String>,
}

impl WatchParams {
    /// The drops that are named, separated by commas.
    pub(super) fn filter(&self) -> Result<Filter, Problem> {
        let Some(text) = self.drops.as_deref() else {
            return Ok(Filter::all());
        };
        let ids: Result<BTreeSet<DropId>, _> =
            text.split(',').take(MAX_NAMED.saturating_add(1)).map(str::parse).collect();
        match ids {
            Ok(ids) if ids.len() <= MAX_NAMED && text.split(',').count() <= MAX_NAMED => {
                Ok(Filter::only(ids))
            }
            _ => Err(Problem::validation(format!(
                "drops must be up to {MAX_NAMED} ids, separated by commas"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, MAX_NAMED, WatchParams};

    fn count(text: &str) -> Option<usize> {
        let params = WatchParams { drops: Some(text.to_owned()) };
        params.filter().ok().map(|filter| filter.count())
    }

    #[test]
    fn drops_are_named_by_their_ids() {
        assert_eq!(count("1"), Some(1));
        assert_eq!(count("1,2,2"), Some(2));
        for text in ["", "x", "1,", ",1", "1 ,2", "-1", "0", "99999999999999999999"] {
            assert_eq!(count(text), None, "{text}");
        }
        let many = |n: usize| (1..=n).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(count(&many(MAX_NAMED)), Some(MAX_NAMED));
        assert_eq!(count(&many(MAX_NAMED + 1)), None);
        assert!(WatchParams { drops: None }.filter().is_ok_and(|filter| filter == Filter::all()));
    }
}
