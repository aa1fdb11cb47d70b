//! A request on its way: asked of an instance, answered on the desk.

use std::sync::Arc;

use crate::error::ServiceError;
use crate::service::{DropService, Reserve};

use super::desk::{Desk, Event};
use super::request::{Request, Told};

impl Request {
    /// Asks, and puts the answer on the desk. Dropped before that, it puts there that there is
    /// none.
    pub(super) async fn ask(self, service: DropService, call: u64, desk: Arc<Desk>) {
        let mut desk = Reporting { desk, call, told: Told::Nothing };
        desk.told = self.answer(&service).await.unwrap_or_else(Told::Failed);
    }

    async fn answer(self, service: &DropService) -> Result<Told, ServiceError> {
        Ok(match self {
            Self::Reserve { drop_id, who, variant, quantity } => {
                let variant = variant.map(|name| name.as_str().to_owned());
                let ask = Reserve { username: who.as_str().to_owned(), variant, quantity };
                Told::Reserved(service.reserve(drop_id, ask).await?)
            }
            Self::Release { reservation, who: Some(who) } => {
                Told::Released(service.release(reservation, who.as_str()).await?)
            }
            Self::Release { reservation, who: None } => {
                Told::Released(service.release_any(reservation).await?)
            }
            Self::Purchase { reservation, who } => {
                Told::Purchased(service.purchase(reservation, who.as_str()).await?)
            }
            Self::Amend { drop_id, amendment } => {
                Told::Drop(Some(service.amend_drop(drop_id, amendment).await?))
            }
            Self::Delete { drop_id, force } => {
                service.delete_drop(drop_id, force).await?;
                Told::Done
            }
            Self::DeleteUser { who, force } => {
                service.delete_user(who.as_str(), force).await?;
                Told::Done
            }
            Self::Create { new } => Told::Drop(Some(service.create_drop(new).await?)),
            Self::Read { drop_id } => Told::Drop(service.drop_snapshot(drop_id).await?),
        })
    }
}

/// Puts the answer on the desk when dropped, also when what waits for it breaks off.
struct Reporting {
    desk: Arc<Desk>,
    call: u64,
    told: Told,
}

impl std::ops::Drop for Reporting {
    fn drop(&mut self) {
        let told = std::mem::replace(&mut self.told, Told::Nothing);
        self.desk.note(Event::Answered(self.call, told));
    }
}
