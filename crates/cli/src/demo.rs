//! The demonstration: two simulated models, and a policy with one route of each kind.

mod simulator;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use vsr_config::Document;
use vsr_reader::Reader;
use vsr_router::{Snapshot, Surroundings};

pub(crate) use simulator::Simulator;

const POLICY: &str = include_str!("demo/policy.yaml");

/// The demonstration policy, with the simulated models at these addresses.
///
/// # Errors
/// If the policy of this build does not compile.
pub(crate) fn snapshot(
    small: SocketAddr,
    large: SocketAddr,
    reader: &Reader,
) -> anyhow::Result<Arc<Snapshot>> {
    let text = POLICY.replace("@SMALL@", &small.to_string()).replace("@LARGE@", &large.to_string());
    let mut document = Document::parse("demo", &text, &|_| None);
    let snapshot = vsr_router::compile(&mut document, &Surroundings { variables: &|_| None, reader });
    let problems = document.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    snapshot.with_context(|| format!("the demonstration policy does not compile: {problems}"))
}

/// The demonstration policy for explaining alone: its models are nowhere.
///
/// # Errors
/// If the policy of this build does not compile.
pub(crate) fn snapshot_without_models(reader: &Reader) -> anyhow::Result<Arc<Snapshot>> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    snapshot(nowhere, nowhere, reader)
}
