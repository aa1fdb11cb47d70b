//! What variants are called: reservations carry a number, the wire a name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use drop_core::model::{DropId, DropSnapshot, VariantNo};
use drop_core::{DropService, ServiceError};

type Names = Arc<[Option<String>]>;

/// The names of each drop's variants, by number. A variant's name never changes and numbers
/// are never given twice, so what was once read stays right.
#[derive(Debug, Default)]
pub(crate) struct VariantNames {
    known: Mutex<HashMap<DropId, Names>>,
}

impl VariantNames {
    /// Drops that are remembered; a name that is forgotten costs one reading.
    const MAX_DROPS: usize = 10_000;

    /// The name of a variant; `None` for a plain drop's only one.
    pub(crate) async fn name(
        &self,
        service: &DropService,
        drop_id: DropId,
        variant: VariantNo,
    ) -> Result<Option<String>, ServiceError> {
        let index = variant.index();
        if let Some(name) = self.get(drop_id).and_then(|names| names.get(index).cloned()) {
            return Ok(name);
        }
        let Some(snapshot) = service.drop_snapshot(drop_id).await? else {
            return Ok(None);
        };
        Ok(self.learn(&snapshot).get(index).cloned().flatten())
    }

    fn get(&self, drop_id: DropId) -> Option<Names> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&drop_id).cloned()
    }

    fn learn(&self, snapshot: &DropSnapshot) -> Names {
        let names: Names = snapshot
            .variants
            .iter()
            .map(|variant| variant.name.as_ref().map(ToString::to_string))
            .collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MAX_DROPS {
            known.clear();
        }
        known.insert(snapshot.id, names.clone());
        names
    }
}
