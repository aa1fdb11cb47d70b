//! The smallest host: a shop without a network.

use drop_core::model::{NewDrop, Units};
use drop_core::{DropService, Rejection, Reserve, ServiceError, Update};
use drop_store_memory::MemoryStore;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (service, workers) = DropService::builder(MemoryStore::new()).build();
    let cancel = CancellationToken::new();
    let running = tokio::spawn(workers.run(cancel.clone()));
    let mut updates = service.subscribe();

    let terms = service.terms("Air One", "149.99")?;
    let air_one = service.create_drop(NewDrop::plain(terms, Units::new(1)?)?).await?;
    let hold = service.reserve(air_one.id, Reserve::one("ann")).await?;
    match service.reserve(air_one.id, Reserve::one("bob")).await {
        Err(ServiceError::Rejected(Rejection::OutOfStock)) => println!("bob: sold out"),
        other => println!("bob: {other:?}"),
    }
    let sale = service.purchase(hold.id(), "ann").await?;
    println!("ann paid {}", sale.purchase.amount_paid);

    cancel.cancel();
    running.await?;
    drop(service);
    while let Some(Update::Changed(change)) = updates.next().await {
        let stock = change.stock();
        println!(
            "revision {}: {} available, {} sold",
            change.revision,
            stock.available(),
            stock.sold()
        );
    }
    Ok(())
}
