//! The values everything else is made of: no IO, no async, no clock.

mod ids;
mod price;
mod reservation;
mod snapshot;
mod stock;
mod terms;
mod time;
mod units;
mod username;

pub use ids::{DropId, InvalidId, ReservationId, Revision, UserId, VariantNo};
pub use price::{Amount, InvalidPrice, Price};
pub use reservation::{Claim, Hold, Purchase, Reservation, Status};
pub use snapshot::{DropSnapshot, DropStatus, Purchaser, VariantStock};
pub use stock::{InvalidStock, Stock};
pub use terms::{
    DropName, DropTerms, HoldPolicy, InvalidTerms, NewDrop, NewVariant, VariantName, Window,
};
pub use time::{InvalidTime, Timestamp};
pub use units::{InvalidUnits, Units};
pub use username::{InvalidUsername, User, Username};
