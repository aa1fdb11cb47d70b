//! A caller who wants to know what became of each thing asked.

use drop_core::conformance::Dice;
use drop_core::conformance::history::{Answer, Ask, Recorder};
use drop_core::model::{DropId, ReservationId};
use drop_core::{DropService, Reserve, ServiceError, StoreError};

use crate::kit::name;

/// So often a caller asks the same; more would mean that nothing comes through.
const PATIENCE: usize = 200;

/// What a caller is told of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Contended,
    Unavailable,
    Unknown,
}

impl Fault {
    pub(super) fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Contended(_) => Self::Contended,
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::Unknown(_) => Self::Unknown,
            other => panic!("{other:?}"),
        }
    }
}

/// Somebody who asks until told.
pub(super) struct Caller {
    pub(super) service: DropService,
    pub(super) recorder: Recorder,
    /// What a fault may be, besides unknown.
    pub(super) expected: Fault,
    pub(super) dice: Dice,
}

impl Caller {
    /// Reserves, and buys or gives back, each until it is told what became of it. How often it
    /// was told of a fault, and of one whose outcome is unknown.
    pub(super) async fn run(mut self, drop_id: DropId, rounds: usize) -> (usize, usize) {
        let mut told = (0, 0);
        for _ in 0..rounds {
            let username = format!("user{}", self.dice.below(12));
            let ask =
                Ask::Reserve { drop_id, username: name(&username), variant: None, quantity: 1 };
            let service = self.service.clone();
            let reserved = self
                .until_told(&mut told, &ask, async || {
                    let reserved = service.reserve(drop_id, Reserve::one(&*username)).await?;
                    Ok((Answer::from(&reserved), reserved.id()))
                })
                .await;
            let Some(id) = reserved else { continue };
            if self.dice.one_in(2) {
                let ask = Ask::Purchase { reservation: id, username: name(&username) };
                let purchase = async || {
                    let sold = service.purchase(id, &username).await?;
                    Ok((Answer::from(&sold), id))
                };
                self.until_told(&mut told, &ask, purchase).await;
            } else {
                let ask = Ask::Release { reservation: id, username: Some(name(&username)) };
                let release = async || {
                    let released = service.release(id, &username).await?;
                    Ok((Answer::from(&released), id))
                };
                self.until_told(&mut told, &ask, release).await;
            }
        }
        told
    }

    /// Asks until the answer is no fault; `None` where it is a refusal.
    async fn until_told(
        &self,
        told: &mut (usize, usize),
        ask: &Ask,
        call: impl AsyncFn() -> Result<(Answer, ReservationId), ServiceError>,
    ) -> Option<ReservationId> {
        for _ in 0..PATIENCE {
            let ticket = self.recorder.begin(ask.clone());
            match call().await {
                Ok((answer, id)) => {
                    self.recorder.end(ticket, answer);
                    return Some(id);
                }
                Err(error) => {
                    self.recorder.end(ticket, Answer::from(&error));
                    let ServiceError::Store(fault) = &error else {
                        assert!(matches!(error, ServiceError::Rejected(_)), "{error:?}");
                        return None;
                    };
                    let found = Fault::of(fault);
                    assert!(found == self.expected || found == Fault::Unknown, "{fault:?}");
                    told.0 += 1;
                    told.1 += usize::from(found == Fault::Unknown);
                }
            }
        }
        panic!("nothing came through in {PATIENCE} calls");
    }
}
