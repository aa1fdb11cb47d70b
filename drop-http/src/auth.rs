//! The admin key: who has it is the seller.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The key that admin routes ask for; without one they refuse everybody.
#[derive(Clone, Default)]
pub(crate) struct AdminKey(Option<SecretString>);

impl AdminKey {
    /// An empty key would let everybody in who sends an empty header: it is no key.
    pub(crate) fn new(key: SecretString) -> Self {
        Self((!key.expose_secret().is_empty()).then_some(key))
    }

    /// Whether `headers` carry the key, in a time that does not depend on where they differ.
    pub(crate) fn opens(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.0 else {
            return false;
        };
        let key = key.expose_secret().as_bytes();
        offered(headers).is_some_and(|offered| bool::from(offered.ct_eq(key)))
    }
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "AdminKey(set)" } else { "AdminKey(none)" })
    }
}

/// The key that a client sends: `x-api-key`, or `Authorization: Bearer`.
pub(crate) fn offered(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use secrecy::SecretString;

    use super::AdminKey;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let value = HeaderValue::from_str(value).unwrap();
        HeaderMap::from_iter([(HeaderName::from_static(name), value)])
    }

    #[test]
    fn only_the_key_opens() {
        let key = AdminKey::new(SecretString::from("s3cret"));
        for (name, value) in [
            ("x-api-key", "s3cret"),
            ("authorization", "Bearer s3cret"),
            ("authorization", "bearer s3cret"),
        ] {
            assert!(key.opens(&headers(name, value)), "{name}: {value}");
        }
        for (name, value) in [
            ("x-api-key", ""),
            ("x-api-key", "s3cre"),
            ("x-api-key", "s3crets"),
            ("x-api-key", "S3cret"),
            ("authorization", "s3cret"),
            ("authorization", "Basic s3cret"),
            ("authorization", "Bearer"),
            ("cookie", "s3cret"),
        ] {
            assert!(!key.opens(&headers(name, value)), "{name}: {value}");
        }
        assert!(!format!("{key:?}").contains("s3cret"));
    }

    #[test]
    fn without_a_key_nothing_opens() {
        for key in [AdminKey::default(), AdminKey::new(SecretString::from(""))] {
            assert!(!key.opens(&HeaderMap::new()));
            assert!(!key.opens(&headers("x-api-key", "")));
        }
    }
}
