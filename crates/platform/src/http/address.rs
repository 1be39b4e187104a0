//! Which addresses may be connected to: public unicast only, so that nobody can make the gateway ask
//! services of its own network. Sources: the special-purpose address registries of IANA.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is public unicast, looking through every way of embedding an IPv4 address in IPv6.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0                                        // this network
        || a == 10                                  // private
        || (a == 100 && (64..128).contains(&b))     // carrier-grade NAT, cloud metadata of some
        || a == 127                                 // loopback
        || (a == 169 && b == 254)                   // link-local, cloud metadata
        || (a == 172 && (16..32).contains(&b))      // private
        || (a == 192 && b == 0 && c == 0)           // protocol assignments, metadata of some clouds
        || (a == 192 && b == 0 && c == 2)           // documentation
        || (a == 192 && b == 88 && c == 99)         // 6to4 relays
        || (a == 192 && b == 168)                   // private
        || (a == 198 && (b == 18 || b == 19))       // benchmarks
        || (a == 198 && b == 51 && c == 100)        // documentation
        || (a == 203 && b == 0 && c == 113)         // documentation
        || (a == 168 && b == 63 && address.octets() == [168, 63, 129, 16]) // a cloud's host services
        || a >= 224) // multicast, reserved, broadcast
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    // Global unicast is 2000::/3 alone; mapped, compatible, loopback, NAT64 (64:ff9b::/96 and
    // 64:ff9b:1::/48), unique local, link-local, site-local and multicast all lie outside of it.
    let global = s[0] & 0xe000 == 0x2000;
    let special = match s[0] {
        // Protocol assignments, Teredo, benchmarks, ORCHID; documentation.
        0x2001 => s[1] < 0x0200 || s[1] == 0x0db8,
        // 6to4: carries any IPv4 address.
        0x2002 => true,
        // Documentation.
        0x3fff => s[1] < 0x1000,
        // AS112.
        0x2620 => s[1] == 0x004f && s[2] == 0x8000,
        _ => false,
    };
    // ISATAP carries an IPv4 address behind any prefix.
    let isatap = (s[4] == 0x0000 || s[4] == 0x0200) && s[5] == 0x5efe;
    global && !special && !isatap
}
