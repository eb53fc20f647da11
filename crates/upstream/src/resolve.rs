//! Owns name resolution: from an endpoint's host to the addresses worth dialling, in dialling order.
//!
//! Every client has a resolver of its own, made when it first meets a name. The resolver's sockets and tasks belong to the
//! runtime that polls the lookup; a resolver shared between the runtimes of several threads would leave its connections
//! to name servers in whichever runtime asked first, and die with it. `/etc/resolv.conf` and `/etc/hosts` are read then, once.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::OnceLock,
    time::Duration,
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
};

use crate::{AddressPolicy, Endpoint, Error, ErrorKind, endpoint::Host};

/// Addresses dialled for one connection, at most: beyond these a name is as good as down.
const MAX_ADDRESSES: usize = 16;
/// Names kept with their time to live, at most.
const MAX_CACHED_NAMES: u64 = 512;
/// A lost packet is asked for again after this time, whatever longer time `resolv.conf` says.
const MAX_QUERY_WAIT: Duration = Duration::from_secs(2);
/// A record is asked for again after this time, however long it says it lives.
const MAX_POSITIVE_TTL: Duration = Duration::from_secs(3600);
/// A name that does not exist is asked for again after this time: backends appear while we run.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(10);

/// Turns hosts into addresses, with a bounded cache that respects each record's time to live.
pub(crate) struct Resolver {
    name_servers: Option<Vec<SocketAddr>>,
    policy: AddressPolicy,
    sources: OnceLock<Result<Sources, String>>,
}

/// Where addresses come from, in this order.
struct Sources {
    hosts: Hosts,
    name_servers: TokioResolver,
}

impl Resolver {
    pub(crate) fn new(name_servers: Option<Vec<SocketAddr>>, policy: AddressPolicy) -> Self {
        Self { name_servers, policy, sources: OnceLock::new() }
    }

    /// The addresses to dial, permitted by the policy, IPv6 and IPv4 in turn, at least one.
    pub(crate) async fn resolve(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Error> {
        self.resolve_by(self.policy, endpoint).await
    }

    /// The same for a server that the operator chose, such as a proxy, which the policy is not about.
    pub(crate) async fn resolve_any(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Error> {
        self.resolve_by(AddressPolicy::Any, endpoint).await
    }

    async fn resolve_by(&self, policy: AddressPolicy, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Error> {
        let found = match endpoint.host() {
            Host::Ip(address) => vec![*address],
            Host::Name(name) if is_localhost(name) => {
                vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
            }
            Host::Name(name) => self
                .look_up(name)
                .await
                .map_err(|reason| Error::new(ErrorKind::Dns, endpoint.authority(), reason))?,
        };
        let permitted = interleave(found.into_iter().filter(|address| policy.permits(*address)));
        if permitted.is_empty() {
            let reason = "its address is not on the public internet, and this client connects to no other";
            return Err(Error::new(ErrorKind::AddressRefused, endpoint.authority(), reason));
        }
        Ok(permitted.into_iter().map(|address| SocketAddr::new(address, endpoint.port())).collect())
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let sources = self.sources.get_or_init(|| Sources::read(self.name_servers.as_deref())).as_ref()?;
        let listed = sources.listed_in_hosts(name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let found = sources.name_servers.lookup_ip(name).await.map_err(|error| describe(&error))?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() { Err("the name has no address".to_owned()) } else { Ok(addresses) }
    }
}

impl Sources {
    fn read(name_servers: Option<&[SocketAddr]>) -> Result<Self, String> {
        // The resolver draws its query identifiers from the system's random source, and panics without one.
        getrandom::fill(&mut [0; 1])
            .map_err(|error| format!("the system has no random source to ask safely: {error}"))?;
        let (mut config, mut options) = system_config();
        if let Some(servers) = name_servers {
            let (domain, search, _) = config.into_parts();
            config = ResolverConfig::from_parts(domain, search, servers.iter().map(name_server).collect());
        }
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = options.timeout.min(MAX_QUERY_WAIT);
        options.cache_size = MAX_CACHED_NAMES;
        options.positive_max_ttl = Some(MAX_POSITIVE_TTL);
        options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
        let name_servers = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| format!("the resolver could not be set up: {error}"))?;
        Ok(Self { hosts: Hosts::from_system().unwrap_or_default(), name_servers })
    }

    /// The addresses that `/etc/hosts` gives. A name listed there with one family only is not asked for the other: no
    /// name server need be in reach for it.
    fn listed_in_hosts(&self, name: &str) -> Vec<IpAddr> {
        let Ok(name) = Name::from_ascii(name) else { return Vec::new() };
        let found = [RecordType::AAAA, RecordType::A]
            .map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)));
        let records = found.iter().flatten().flat_map(|lookup| lookup.answers());
        records.filter_map(|record| record.data.ip_addr()).collect()
    }
}

fn describe(error: &NetError) -> String {
    if error.is_nx_domain() {
        "no such name".to_owned()
    } else if error.is_no_records_found() {
        "the name has no address".to_owned()
    } else {
        format!("the name servers gave no answer: {error}")
    }
}

/// What `/etc/resolv.conf` says; without a usable one, a name server on this host, as the C library assumes.
fn system_config() -> (ResolverConfig, ResolverOpts) {
    hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|error| {
        tracing::warn!(%error, "no usable /etc/resolv.conf, asking the name server at 127.0.0.1");
        let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
        (ResolverConfig::from_name_servers(vec![local]), ResolverOpts::default())
    })
}

/// Reads name servers separated by commas or spaces: addresses with or without a port, which is 53.
///
/// # Errors
/// If one is no address, or there is none.
pub fn parse_name_servers(written: &str) -> Result<Vec<SocketAddr>, Error> {
    let refuse = |reason: String| Error::new(ErrorKind::InvalidEndpoint, "name servers", reason);
    let listed = written.split([',', ' ']).map(str::trim).filter(|one| !one.is_empty());
    let servers: Vec<SocketAddr> = listed
        .map(|one| {
            let bare = one.trim_start_matches('[').trim_end_matches(']');
            let address = bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
            let address = address.ok().or_else(|| one.parse().ok()).filter(|address| address.port() != 0);
            address.ok_or_else(|| {
                let shown: String = one.chars().take(64).flat_map(char::escape_default).collect();
                refuse(format!("`{shown}` is no address; write 10.0.0.2, 10.0.0.2:5353 or [fd00::2]:53"))
            })
        })
        .collect::<Result<_, _>>()?;
    if servers.is_empty() { Err(refuse("none is written".to_owned())) } else { Ok(servers) }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

/// `localhost` and the names under it are this host (RFC 6761), whatever a file or name server says.
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// IPv6 and IPv4 in turn, IPv6 first, each in the order given, none twice (RFC 8305 §4).
fn interleave(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut seen = HashSet::new();
    let (six, four): (Vec<_>, Vec<_>) =
        addresses.filter(|address| seen.insert(*address)).partition(IpAddr::is_ipv6);
    let mut turns = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        let pair = (six.next(), four.next());
        if pair == (None, None) || turns.len() >= MAX_ADDRESSES {
            turns.truncate(MAX_ADDRESSES);
            return turns;
        }
        turns.extend(pair.0);
        turns.extend(pair.1);
    }
}
