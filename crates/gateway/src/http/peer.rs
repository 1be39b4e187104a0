//! Who is at the other end, seen through proxies that the operator trusts.

use std::net::IpAddr;

use http::HeaderMap;

/// The other end of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its address; `None` on sockets without addresses, or when a proxy named none.
    pub address: Option<IpAddr>,
    /// Whether it came over TLS; `None`: nobody trustworthy says.
    pub secure: Option<bool>,
}

/// An entry of the list of proxies that is no address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("trusted proxy '{0}' is not an address or network; write 192.0.2.7 or 192.0.2.0/24")]
pub struct ProxyError(pub String);

/// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
#[derive(Clone, Default, Debug)]
pub struct TrustedProxies(Vec<(IpAddr, u8)>);

impl TrustedProxies {
    /// Reads addresses and networks.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, ProxyError> {
        entries.iter().map(|entry| network(entry.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is one of them.
    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(network, bits)| prefix(*network, *bits) == prefix(address, *bits))
    }

    /// Who sent a request that came in from `from`.
    pub fn peer(&self, from: Option<IpAddr>, tls: bool, headers: &HeaderMap) -> Peer {
        let own = tls.then_some(true);
        let Some(from) = from.filter(|from| self.trusts(*from)) else {
            return Peer { address: from, secure: own };
        };
        let listed = |name: &str| -> Vec<String> {
            let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).map(|part| part.trim().to_owned()).collect()
        };
        // Each proxy appends what it saw, so only what trusted ones appended, from the right, is known.
        let mut address = Some(from);
        for hop in listed("x-forwarded-for").iter().rev() {
            address = hop.parse().ok();
            if !address.is_some_and(|hop| self.trusts(hop)) {
                break;
            }
        }
        let scheme = listed("x-forwarded-proto").pop();
        let secure = scheme.map(|scheme| scheme.eq_ignore_ascii_case("https")).or(own);
        Peer { address, secure }
    }
}

fn network(entry: &str) -> Result<(IpAddr, u8), ProxyError> {
    let fault = || ProxyError(entry.to_owned());
    let (address, bits) =
        entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.trim().parse().map_err(|_| fault())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => bits.trim().parse().ok().filter(|bits| *bits <= most).ok_or_else(fault)?,
        None => most,
    };
    Ok((address, bits))
}

/// The first `bits` bits, with the family, so that the two families never compare equal.
fn prefix(address: IpAddr, bits: u8) -> Option<(bool, u128)> {
    let (value, width) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32_u32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let shift = width.checked_sub(u32::from(bits))?;
    Some((address.is_ipv4(), value.checked_shr(shift).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies::parse(&["192.0.2.0/24", "2001:db8::1"]).unwrap()
    }

    #[test]
    fn strangers_cannot_choose_their_address() {
        let lie = headers(&[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")]);
        let stranger: IpAddr = "203.0.113.9".parse().unwrap();
        let peer = proxies().peer(Some(stranger), false, &lie);
        assert_eq!(peer, Peer { address: Some(stranger), secure: None });
    }

    #[test]
    fn behind_trusted_proxies_the_last_untrusted_hop_counts() {
        let chain = headers(&[
            ("x-forwarded-for", "10.9.9.9, 203.0.113.9, 192.0.2.7"),
            ("x-forwarded-proto", "http"),
        ]);
        for proxy in ["192.0.2.200", "::ffff:192.0.2.200", "2001:db8::1"] {
            let peer = proxies().peer(proxy.parse().ok(), true, &chain);
            assert_eq!(peer, Peer { address: "203.0.113.9".parse().ok(), secure: Some(false) });
        }
        let nonsense = headers(&[("x-forwarded-for", "unknown")]);
        assert_eq!(proxies().peer("192.0.2.1".parse().ok(), true, &nonsense).address, None);
    }

    #[test]
    fn networks_are_read_strictly() {
        assert!(TrustedProxies::parse(&["0.0.0.0/0", "::/0"]).is_ok());
        for wrong in ["192.0.2.0/33", "proxy.example", "192.0.2.0/", ""] {
            assert_eq!(TrustedProxies::parse(&[wrong]).unwrap_err(), ProxyError(wrong.to_owned()));
        }
        let all = TrustedProxies::parse(&["0.0.0.0/0"]).unwrap();
        assert!(all.trusts("203.0.113.1".parse().unwrap()) && !all.trusts("2001:db8::2".parse().unwrap()));
    }
}
