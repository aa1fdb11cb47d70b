//! Whose request it is, as far as addresses tell.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;

/// The client's address: the peer's (from the `ConnectInfo<SocketAddr>` that the host's server
/// puts into the request), or behind `trusted_proxies` proxies what the farthest of them saw.
///
/// What stands further left in `X-Forwarded-For` is the client's own invention.
pub(crate) fn address(parts: &Parts, trusted_proxies: usize) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let Some(skipped) = trusted_proxies.checked_sub(1) else {
        return peer;
    };
    let forwarded: Vec<&str> = parts
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let seen = forwarded.iter().rev().nth(skipped).and_then(|text| text.parse().ok());
    seen.or(peer)
}

/// What one client counts as: an IPv4 address, or a network of 64 bits, which is what one
/// subscriber of IPv6 has.
pub(crate) fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use axum::extract::ConnectInfo;
    use axum::http::Request;

    use super::{address, bucket};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn forwarded_addresses_count_only_as_far_as_proxies_are_trusted() {
        let peer: SocketAddr = "10.0.0.1:9".parse().unwrap();
        let request = Request::builder()
            .header("x-forwarded-for", "6.6.6.6, 1.1.1.1")
            .header("x-forwarded-for", "2.2.2.2")
            .extension(ConnectInfo(peer))
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        assert_eq!(address(&parts, 0), Some(ip("10.0.0.1")));
        assert_eq!(address(&parts, 1), Some(ip("2.2.2.2")));
        assert_eq!(address(&parts, 2), Some(ip("1.1.1.1")));
        assert_eq!(address(&parts, 9), Some(ip("10.0.0.1")));
    }

    #[test]
    fn one_subscriber_is_one_bucket() {
        assert_eq!(bucket(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
        assert_eq!(bucket(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
    }
}
