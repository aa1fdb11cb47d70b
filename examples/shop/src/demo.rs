//! A few drops to look at.

use std::time::Duration;

use drop_core::DropService;
use drop_core::model::{
    DropName, DropTerms, HoldPolicy, NewDrop, Timestamp, Units, VariantName, Window,
};
use drop_core::store::DropPage;

/// Creates the demo's drops if the store has none; returns how many it made.
pub(crate) async fn fill(service: &DropService) -> Result<usize, Box<dyn std::error::Error>> {
    let any = DropPage { status: None, after: None, limit: 1 };
    if !service.drop_snapshots(&any).await?.is_empty() {
        return Ok(0);
    }
    let now = service.ready().await?;
    let drops = drops(now, service.hold_policy())?;
    let made = drops.len();
    for new in drops {
        service.create_drop(new).await?;
    }
    Ok(made)
}

fn drops(now: Timestamp, hold: HoldPolicy) -> Result<Vec<NewDrop>, Box<dyn std::error::Error>> {
    let later = |seconds| now.saturating_add(Duration::from_secs(seconds));
    let terms =
        |name: &str, price: &str, starts_at, limit| -> Result<_, Box<dyn std::error::Error>> {
            Ok(DropTerms {
                name: DropName::new(name)?,
                price: price.parse()?,
                window: Window::new(starts_at, None)?,
                limit,
                hold,
            })
        };
    let sizes = |sizes: &[(&str, i64)]| -> Result<Vec<_>, Box<dyn std::error::Error>> {
        sizes
            .iter()
            .map(|(name, total)| Ok((VariantName::new(name)?, Units::new(*total)?)))
            .collect()
    };
    let two = Some(Units::new(2)?);
    Ok(vec![
        NewDrop::with_variants(
            terms("Night Relay 3", "219.00", later(180), two)?,
            sizes(&[("EU 40", 6), ("EU 42", 12), ("EU 44", 6)])?,
        )?,
        NewDrop::plain(terms("Gum Sole Classic", "95.00", now, None)?, Units::new(250)?)?,
        NewDrop::plain(terms("One of One", "1200.00", now, Some(Units::ONE))?, Units::ONE)?,
        NewDrop::with_variants(
            terms("Air Meridian Low", "149.99", now, two)?,
            sizes(&[("EU 39", 4), ("EU 41", 10), ("EU 42", 14), ("EU 43", 10), ("EU 45", 2)])?,
        )?,
    ])
}
