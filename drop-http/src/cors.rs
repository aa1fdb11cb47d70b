//! Which pages of other origins may read the answers.

use std::str::FromStr;
use std::time::Duration;

use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use axum::http::uri::{Scheme, Uri};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The origins that are allowed: none, some, or all.
///
/// ```
/// use drop_http::Cors;
///
/// # fn main() -> Result<(), drop_http::InvalidOrigin> {
/// let closed: Cors = "".parse()?;
/// let some: Cors = "https://shop.example, http://localhost:5173".parse()?;
/// let all: Cors = "*".parse()?;
/// assert!("https://shop.example/path".parse::<Cors>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors(Origins);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Origins {
    #[default]
    None,
    Some(Vec<HeaderValue>),
    All,
}

/// A text is not an origin such as `https://shop.example`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin such as https://shop.example")]
pub struct InvalidOrigin(String);

impl Cors {
    /// No other origin: a page served by the same host needs nothing.
    #[must_use]
    pub const fn closed() -> Self {
        Self(Origins::None)
    }

    /// Every origin.
    #[must_use]
    pub const fn any() -> Self {
        Self(Origins::All)
    }

    /// These origins.
    ///
    /// # Errors
    /// [`InvalidOrigin`] with the first that is none.
    pub fn origins<T: AsRef<str>>(
        origins: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidOrigin> {
        let origins: Vec<_> =
            origins.into_iter().map(|text| origin(text.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self(if origins.is_empty() { Origins::None } else { Origins::Some(origins) }))
    }

    /// The layer, where anything is allowed. Credentials never are: the API has no cookies.
    pub(crate) fn layer(self) -> Option<CorsLayer> {
        let allowed = match self.0 {
            Origins::None => return None,
            Origins::Some(origins) => AllowOrigin::list(origins),
            Origins::All => AllowOrigin::any(),
        };
        let named = HeaderName::from_static;
        let layer = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
            .allow_headers([
                CONTENT_TYPE,
                AUTHORIZATION,
                IF_MATCH,
                IF_NONE_MATCH,
                named("x-api-key"),
                named("last-event-id"),
            ])
            .expose_headers([
                ETAG,
                LOCATION,
                RETRY_AFTER,
                named("ratelimit-limit"),
                named("ratelimit-remaining"),
                named("ratelimit-reset"),
            ])
            .max_age(Duration::from_secs(600));
        Some(layer)
    }
}

/// A list of origins separated by commas; empty is closed, `*` is all.
impl FromStr for Cors {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        if text.trim() == "*" {
            return Ok(Self::any());
        }
        Self::origins(text.split(',').map(str::trim).filter(|origin| !origin.is_empty()))
    }
}

fn origin(text: &str) -> Result<HeaderValue, InvalidOrigin> {
    let invalid = || InvalidOrigin(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| invalid())?;
    let http = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme());
    if !http || text.ends_with('/') || uri.path() != "/" || uri.query().is_some() {
        return Err(invalid());
    }
    HeaderValue::from_str(text).map_err(|_| invalid())
}
