//! What sellers send. Unknown fields are refused: a field that is misspelled is not ignored.

use std::time::Duration;

use drop_core::Amendment;
use drop_core::model::{
    DropName, DropTerms, HoldPolicy, InvalidTerms, NewDrop, Revision, Timestamp, Units,
    VariantName, Window,
};
use serde::Deserialize;

use crate::error::Problem;

use super::field::{Field, present};

/// The body of `POST /api/drops`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateBody {
    name: Option<Field>,
    price: Option<Field>,
    total_stock: Option<Field>,
    starts_at: Option<Field>,
    ends_at: Option<Field>,
    hold_seconds: Option<Field>,
    longest_hold_seconds: Option<Field>,
    max_per_customer: Option<Field>,
    variants: Option<Field>,
}

/// One of `variants`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VariantBody {
    name: Option<Field>,
    total_stock: Option<Field>,
}

impl CreateBody {
    /// The drop that is meant: it opens at `now` and holds by `policy` unless the body says
    /// otherwise.
    pub(crate) fn parse(&self, now: Timestamp, policy: HoldPolicy) -> Result<NewDrop, Problem> {
        let variants = variants(self.variants.as_ref())?;
        let (Some(name), Some(price)) = (&self.name, &self.price) else {
            return Err(Problem::validation(Problem::REQUIRED_TO_CREATE));
        };
        if self.total_stock.is_none() && variants.is_empty() {
            return Err(Problem::validation(Problem::REQUIRED_TO_CREATE));
        }
        let total = units(self.total_stock.as_ref(), "totalStock")?;
        let starts_at = match &self.starts_at {
            Some(at) => at.time("startsAt")?,
            None => now,
        };
        let ends_at = match &self.ends_at {
            Some(at) => Some(at.time("endsAt")?),
            None => None,
        };
        let terms = DropTerms {
            name: DropName::new(&name.text("name")?).map_err(invalid)?,
            price: price.price()?,
            window: Window::new(starts_at, ends_at).map_err(invalid)?,
            limit: units(self.max_per_customer.as_ref(), "maxPerCustomer")?,
            hold: self.hold(policy)?,
        };
        match total {
            Some(total) if variants.is_empty() => NewDrop::plain(terms, total).map_err(invalid),
            total => {
                let sum = variants
                    .iter()
                    .try_fold(Units::ZERO, |sum, (_, total)| sum.checked_add(*total));
                if total.is_some() && total != sum {
                    let differs = "totalStock differs from the sum of the variants";
                    return Err(Problem::validation(differs));
                }
                NewDrop::with_variants(terms, variants).map_err(invalid)
            }
        }
    }

    fn hold(&self, policy: HoldPolicy) -> Result<HoldPolicy, Problem> {
        let hold = seconds(self.hold_seconds.as_ref(), "holdSeconds")?;
        let longest = seconds(self.longest_hold_seconds.as_ref(), "longestHoldSeconds")?;
        let hold = hold.unwrap_or_else(|| policy.hold().min(longest.unwrap_or(policy.hold())));
        let longest = longest.unwrap_or_else(|| policy.longest().max(hold));
        HoldPolicy::new(hold, longest).map_err(invalid)
    }
}

/// The body of `PATCH /api/drops/{id}`. `endsAt` and `maxPerCustomer` are taken away by
/// `null`; elsewhere `null` means absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AmendBody {
    name: Option<Field>,
    price: Option<Field>,
    total_stock: Option<Field>,
    starts_at: Option<Field>,
    #[serde(default, deserialize_with = "present")]
    ends_at: Option<Option<Field>>,
    #[serde(default, deserialize_with = "present")]
    max_per_customer: Option<Option<Field>>,
    variants: Option<Field>,
}

impl AmendBody {
    /// The amendment that is meant, on condition of `if_revision`.
    pub(crate) fn parse(&self, if_revision: Option<Revision>) -> Result<Amendment, Problem> {
        let mut amendment = Amendment { if_revision, ..Amendment::default() };
        if let Some(name) = &self.name {
            amendment.name = Some(DropName::new(&name.text("name")?).map_err(invalid)?);
        }
        if let Some(price) = &self.price {
            amendment.price = Some(price.price()?);
        }
        if let Some(at) = &self.starts_at {
            amendment.starts_at = Some(at.time("startsAt")?);
        }
        amendment.ends_at = match &self.ends_at {
            Some(Some(at)) => Some(Some(at.time("endsAt")?)),
            Some(None) => Some(None),
            None => None,
        };
        amendment.limit = match &self.max_per_customer {
            Some(limit) => Some(units(limit.as_ref(), "maxPerCustomer")?),
            None => None,
        };
        amendment.total = units(self.total_stock.as_ref(), "totalStock")?;
        amendment.variants = variants(self.variants.as_ref())?;
        Ok(amendment)
    }
}

fn variants(field: Option<&Field>) -> Result<Vec<(VariantName, Units)>, Problem> {
    let Some(field) = field else {
        return Ok(Vec::new());
    };
    let bodies: Vec<VariantBody> = field.list("variants")?;
    let required = || Problem::validation("each of variants needs name and totalStock");
    bodies
        .iter()
        .map(|body| {
            let name = body.name.as_ref().ok_or_else(required)?.text("name")?;
            let name = VariantName::new(&name).map_err(invalid)?;
            let total = units(body.total_stock.as_ref(), "totalStock")?;
            Ok((name, total.ok_or_else(required)?))
        })
        .collect()
}

fn units(field: Option<&Field>, name: &str) -> Result<Option<Units>, Problem> {
    let Some(field) = field else {
        return Ok(None);
    };
    let units = Units::new(field.integer(name)?);
    units.map(Some).map_err(|invalid| Problem::validation(format!("{name}: {invalid}")))
}

fn seconds(field: Option<&Field>, name: &str) -> Result<Option<Duration>, Problem> {
    field.map(|field| field.seconds(name)).transpose()
}

#[expect(clippy::needless_pass_by_value, reason = "it is used in map_err")]
fn invalid(terms: InvalidTerms) -> Problem {
    Problem::validation(terms.to_string())
}
