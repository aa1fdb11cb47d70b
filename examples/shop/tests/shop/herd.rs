//! 1,000 clients for one unit.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Barrier;

use crate::support::{Shop, Start, database};

const CLIENTS: usize = 1000;

/// All clients press the button at once, each on a connection of its own to one of `shops`.
async fn herd(shops: &[Shop]) {
    let drop_id = shops[0].api.plain_drop(1).await;
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let api = shops[client % shops.len()].api.clone();
            let barrier = barrier.clone();
            tokio::spawn(async move {
                barrier.wait().await;
                let answer = api.reserve(drop_id, &format!("client_{client}")).await.unwrap();
                let error = answer.body["error"].as_str().unwrap_or("").to_owned();
                (answer.status, error)
            })
        })
        .collect();
    let mut answers = BTreeMap::new();
    for client in clients {
        *answers.entry(client.await.unwrap()).or_insert(0) += 1;
    }
    let expected = [((201, String::new()), 1), ((409, "OUT_OF_STOCK".to_owned()), CLIENTS - 1)];
    assert_eq!(answers, BTreeMap::from(expected));
    for shop in shops {
        let drop = shop.api.drop(drop_id).await;
        assert_eq!((&drop["availableStock"], &drop["heldStock"]), (&0.into(), &1.into()), "{drop}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_unit_goes_to_one_of_a_thousand_in_memory() {
    herd(&[Start::on("memory").run().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_unit_goes_to_one_of_a_thousand_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    herd(&[Start::on(&format!("file:{}", directory.path().display())).run().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_unit_goes_to_one_of_a_thousand_in_postgres() {
    let database = database().await;
    herd(&[Start::on(&database.url()).run().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_unit_goes_to_one_of_a_thousand_over_two_instances() {
    let database = database().await;
    let start = Start::on(&database.url());
    herd(&[start.run().await, start.run().await]).await;
}
