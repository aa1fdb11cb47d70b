//! What shoppers send. Unknown fields are ignored: the seed's clients may send more.

use drop_core::model::{DropId, ReservationId, Units};
use drop_core::{Rejection, Reserve};
use serde::Deserialize;

use crate::error::{About, Problem};

use super::field::Field;

/// The body of `POST /api/reservations`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReserveBody {
    drop_id: Option<Field>,
    username: Option<Field>,
    variant: Option<Field>,
    quantity: Option<Field>,
}

impl ReserveBody {
    pub(crate) fn parse(&self) -> Result<(DropId, Reserve), Problem> {
        let required = Problem::REQUIRED_TO_RESERVE;
        let (id, username) = claimant(self.drop_id.as_ref(), "dropId", &self.username, required)?;
        let variant = match &self.variant {
            Some(variant) => Some(variant.text("variant")?),
            None => None,
        };
        let quantity = match &self.quantity {
            Some(quantity) => Units::new(quantity.integer("quantity")?)
                .map_err(|invalid| Problem::validation(format!("quantity: {invalid}")))?,
            None => Units::ONE,
        };
        // An integer that no drop can have is the number of no drop.
        let drop_id =
            DropId::new(id).map_err(|_| Problem::refusal(About::Drop, &Rejection::DropNotFound))?;
        Ok((drop_id, Reserve { username, variant, quantity }))
    }
}

/// The body of `POST /api/purchases`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PurchaseBody {
    reservation_id: Option<Field>,
    username: Option<Field>,
}

impl PurchaseBody {
    pub(crate) fn parse(&self) -> Result<(ReservationId, String), Problem> {
        let required = Problem::REQUIRED_TO_PURCHASE;
        let id = self.reservation_id.as_ref();
        let (id, username) = claimant(id, "reservationId", &self.username, required)?;
        let id = ReservationId::from_i64(id)
            .map_err(|_| Problem::refusal(About::Purchase, &Rejection::ReservationNotFound))?;
        Ok((id, username))
    }
}

/// The two fields that both bodies need; as in the seed, 0 and an empty name are absent.
fn claimant(
    id: Option<&Field>,
    name: &str,
    username: &Option<Field>,
    required: &'static str,
) -> Result<(i64, String), Problem> {
    let (Some(id), Some(username)) = (id, username) else {
        return Err(Problem::validation(required));
    };
    let (id, username) = (id.integer(name)?, username.text("username")?);
    if id == 0 || username.is_empty() {
        return Err(Problem::validation(required));
    }
    Ok((id, username))
}
