//! Owns the rule of which network addresses a client may connect to: the last gate against request forgery.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses a client connects to. It is applied after name resolution, to the very addresses that are dialled, so
/// a name that resolves to an inner address, at first or later, passes no further than one written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressPolicy {
    /// Every address: right for servers that the operator configured.
    #[default]
    Any,
    /// Only addresses of the public internet: right for addresses that a request or a model supplied. Refused are
    /// loopback, private, carrier-grade NAT, link-local (cloud metadata), multicast, reserved and documentation ranges,
    /// and IPv6 forms that carry such an IPv4 address.
    PublicOnly,
}

impl AddressPolicy {
    /// True when this policy lets a connection go to `address`.
    pub fn permits(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::PublicOnly => match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            },
        }
    }
}

/// The IPv4 ranges of the IANA special-purpose registry that are not globally reachable, and Azure's host agent.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [169, 254, ..] => true,
        [172, second, ..] => second & 0xf0 == 16,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [192, 168, ..] => true,
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [168, 63, 129, 16] => true,
        [first, ..] => first >= 224,
    };
    !special
}

/// Global unicast (2000::/3) without its special parts; besides it, only forms that carry a public IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => is_public_v4(joined(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(joined(high, low)),
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x2002, ..] => false,
        [0x3fff, second, ..] => second >= 0x1000,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}
