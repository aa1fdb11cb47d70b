//! Entity tags: `"<hash>"` of a list, `"v<version>-<hash>"` of one drop.

use std::hash::{DefaultHasher, Hasher};

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use drop_core::model::Revision;
use serde::Serialize;

use crate::error::Problem;

/// A body and its tag, to be answered with any number of times.
#[derive(Debug)]
pub(crate) struct Tagged {
    body: Bytes,
    tag: String,
    header: HeaderValue,
}

impl Tagged {
    /// Writes `value` as JSON.
    ///
    /// # Errors
    /// 500 where it cannot be written.
    pub(crate) fn new<T: Serialize>(
        revision: Option<Revision>,
        value: &T,
    ) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value).map_err(unwritten)?;
        let tag = tag(revision, &body);
        let header = HeaderValue::from_str(&tag).map_err(unwritten)?;
        Ok(Self { body: body.into(), tag, header })
    }

    /// The body, or 304 if the client has just that.
    pub(crate) fn answer(&self, request: &HeaderMap, private: bool) -> Response {
        let mut response = if has(request, &self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let json = HeaderValue::from_static("application/json");
            ([(CONTENT_TYPE, json)], self.body.clone()).into_response()
        };
        let cache = if private { "private, no-cache" } else { "no-cache" };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(ETAG, self.header.clone());
        response
    }
}

fn unwritten(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "an answer cannot be written");
    Problem::internal()
}

/// A strong tag over the bytes of a body.
fn tag(revision: Option<Revision>, body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    let hash = hasher.finish();
    match revision {
        Some(revision) => format!("\"v{revision}-{hash:016x}\""),
        None => format!("\"{hash:016x}\""),
    }
}

/// `value` as JSON with its tag, or 304 if the client has just that.
pub(crate) fn answer<T: Serialize>(
    request: &HeaderMap,
    revision: Option<Revision>,
    private: bool,
    value: &T,
) -> Result<Response, Problem> {
    Ok(Tagged::new(revision, value)?.answer(request, private))
}

/// Adds to the answer of a write the tag by which the next may be made conditional.
pub(crate) fn versioned(mut response: Response, revision: Revision) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"v{revision}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Whether `If-None-Match` names `tag`, by weak comparison (RFC 9110, 13.1.2).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    each(headers, IF_NONE_MATCH.as_str())
        .any(|candidate| candidate == "*" || candidate.trim_start_matches("W/") == tag)
}

/// The version that `If-Match` asks for: `"7"`, `"v7"`, `"v7-<hash>"`, weak or bare; of several
/// the newest, because versions only grow. `*` asks for nothing that is not so anyway.
///
/// # Errors
/// 412 when no tag can be one of ours.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Revision>, Problem> {
    let mut newest = None;
    for candidate in each(headers, IF_MATCH.as_str()) {
        if candidate == "*" {
            return Ok(None);
        }
        newest = newest.max(Some(version(candidate)));
    }
    match newest {
        None => Ok(None),
        Some(Some(revision)) => Ok(Some(revision)),
        Some(None) => {
            let message = "If-Match names no version of this drop";
            let status = StatusCode::PRECONDITION_FAILED;
            Err(Problem::new(status, "PRECONDITION_FAILED", message))
        }
    }
}

fn version(tag: &str) -> Option<Revision> {
    let opaque = tag.trim_start_matches("W/").trim_matches('"');
    let number = opaque.split('-').next()?;
    let digits = number.strip_prefix('v').unwrap_or(number);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Revision::new)
}

fn each<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::header::IF_MATCH;
    use axum::http::{HeaderMap, HeaderValue};
    use drop_core::model::Revision;

    use super::{if_match, tag};

    #[test]
    fn the_tag_of_a_drop_names_its_version() {
        let headers =
            |value: &str| HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_str(value).unwrap())]);
        let own = tag(Some(Revision::new(7)), b"{}");
        for text in [own.as_str(), "\"7\"", "W/\"7\"", "7", "\"v7\"", "\"3\", \"v7-x\"", "\"x\", 7"]
        {
            let revision = if_match(&headers(text)).ok().flatten();
            assert_eq!(revision, Some(Revision::new(7)), "{text}");
        }
        for text in ["", "*"] {
            assert_eq!(if_match(&headers(text)).ok(), Some(None), "{text}");
        }
        for text in ["\"x\"", "\"\"", "\"-7\"", "\"v\"", "99999999999999999999999"] {
            assert!(if_match(&headers(text)).is_err(), "{text}");
        }
        assert!(if_match(&HeaderMap::new()).is_ok_and(|revision| revision.is_none()));
    }

    #[test]
    fn another_body_has_another_tag() {
        assert_ne!(tag(None, b"{\"drops\":[]}"), tag(None, b"{\"drops\":[1]}"));
    }
}
