//! An audit on the wire.

use drop_core::Audit;
use drop_core::model::{Timestamp, VariantName};
use drop_core::rules::CountedVariant;
use serde::Serialize;

use super::drops::VariantView;
use super::text::text;

/// A drop whose counters were recounted from its rows and found sound.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditView<'a> {
    drop_id: i64,
    sound: bool,
    variants: Vec<CountedView<'a>>,
    version: u64,
    #[serde(serialize_with = "text")]
    server_time: Timestamp,
}

#[derive(Debug, Serialize)]
struct CountedView<'a> {
    #[serde(flatten)]
    counters: VariantView<'a>,
    rows: Rows,
}

#[derive(Debug, Serialize)]
struct Rows {
    held: u64,
    completed: u64,
    purchased: u64,
}

impl<'a> AuditView<'a> {
    pub(crate) fn new(audit: &'a Audit) -> Self {
        let counted = |variant: &'a CountedVariant| CountedView {
            counters: VariantView::new(
                variant.name.as_ref().map(VariantName::as_str),
                variant.counters,
            ),
            rows: Rows {
                held: variant.held,
                completed: variant.completed,
                purchased: variant.purchased,
            },
        };
        Self {
            drop_id: audit.drop_id.get(),
            sound: audit.is_sound(),
            variants: audit.variants.iter().map(counted).collect(),
            version: audit.revision.get(),
            server_time: audit.as_of,
        }
    }
}
