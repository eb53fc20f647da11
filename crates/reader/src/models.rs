//! The models of a reader, and what each window of a text is put to.

use std::{sync::Arc, time::Instant};

use tokio::time::timeout_at;
use vsr_encoder::{Caller, Encoded, EncoderPool, Error, Lane, Model, Pass, Ticket};
use vsr_signals::{Head, HeadReading, HeadSet, Window};
use vsr_types::UnavailableReason;

use crate::{
    ModelRole, Serving,
    cut::Piece,
    error::reason,
    inference::Judge,
    tagger::Tagger,
    tongue::Tongue,
    trunk::{HeadFacts, OwnHead, Trunk},
    weights::Weights,
};

/// What serves each role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Models {
    pub(crate) trunk: Option<Arc<Trunk>>,
    pub(crate) tagger: Option<Arc<Tagger>>,
    /// Heads that are models of their own.
    pub(crate) own_heads: Vec<(Head, Arc<OwnHead>)>,
    /// Heads that are switched off.
    pub(crate) off: HeadSet,
    /// Embeds in place of the trunk model.
    pub(crate) embedder: Option<Arc<Weights>>,
    /// Whether nothing embeds.
    pub(crate) no_embedder: bool,
    /// Judges pairs of texts.
    pub(crate) judge: Option<Arc<Judge>>,
}

/// An encoding, or why there is none.
pub(crate) type Outcome = Result<Arc<Encoded>, Error>;

/// What a window was put to: the trunk model, heads of their own, an embedder of its own.
#[derive(Debug)]
pub(crate) struct Passes<T> {
    trunk: Option<T>,
    heads: Vec<(Head, T)>,
    embedder: Option<T>,
}

// === impl Models

impl Models {
    /// The same with `role` served by something else; a checkpoint that `known` has loaded is not loaded again.
    pub(crate) fn set(&mut self, role: ModelRole, serving: &Serving, known: Option<&Models>) {
        match (role, serving) {
            (_, Serving::Embedded) => {}
            (ModelRole::Head(head), Serving::Nothing) => self.off.insert(head),
            (ModelRole::Tagger, Serving::Nothing) => self.tagger = None,
            (ModelRole::Embedding, Serving::Nothing) => self.no_embedder = true,
            (ModelRole::Inference, Serving::Nothing) => self.judge = None,
            (ModelRole::Inference, Serving::Checkpoint(checkpoint)) => {
                let known = known.and_then(|known| known.judge.as_ref());
                let same = known.filter(|judge| judge.weights.are_of(checkpoint)).cloned();
                self.judge = same.or_else(|| Judge::new(checkpoint).map(Arc::new));
            }
            (ModelRole::Head(head), Serving::Checkpoint(checkpoint)) => {
                self.own_heads.retain(|(own, _)| *own != head);
                let heads = known.into_iter().flat_map(|known| &known.own_heads);
                let same = heads.map(|(_, own)| own).find(|own| own.weights.are_of(checkpoint));
                let own = same.map_or_else(|| Arc::new(OwnHead::new(checkpoint)), Arc::clone);
                self.own_heads.push((head, own));
            }
            (ModelRole::Tagger, Serving::Checkpoint(checkpoint)) => {
                let known = known.and_then(|known| known.tagger.as_ref());
                let same = known.filter(|tagger| tagger.weights.are_of(checkpoint));
                let own = || Arc::new(Tagger::of_checkpoint(checkpoint));
                self.tagger = Some(same.map_or_else(own, Arc::clone));
            }
            (ModelRole::Embedding, Serving::Checkpoint(checkpoint)) => {
                let known = known.and_then(|known| known.embedder.as_ref());
                let same = known.filter(|weights| weights.are_of(checkpoint));
                let own = || Arc::new(Weights::directory(checkpoint));
                self.embedder = Some(same.map_or_else(own, Arc::clone));
            }
        }
    }

    /// Everything that is loaded.
    pub(crate) fn weights(&self) -> impl Iterator<Item = &Weights> {
        let trunk = self.trunk.as_ref().map(|trunk| &trunk.weights);
        let tagger = self.tagger.as_ref().map(|tagger| &tagger.weights);
        let own = self.own_heads.iter().map(|(_, own)| &own.weights);
        let judge = self.judge.as_ref().map(|judge| &judge.weights);
        trunk.into_iter().chain(tagger).chain(own).chain(self.embedder.as_deref()).chain(judge)
    }

    /// The heads that can be asked for.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (Head, &HeadFacts)> {
        Head::ALL.into_iter().filter_map(|head| Some((head, self.head(head)?)))
    }

    /// What serves a head.
    pub(crate) fn head(&self, head: Head) -> Option<&HeadFacts> {
        if self.off.contains(head) {
            return None;
        }
        match self.own_heads.iter().find(|(own, _)| *own == head) {
            Some((_, own)) => Some(&own.facts),
            None => self.trunk.as_ref()?.head(head),
        }
    }

    /// What embeds.
    pub(crate) fn embedder(&self) -> Option<&Weights> {
        let trunk = self.trunk.as_ref().map(|trunk| &trunk.weights);
        self.embedder.as_deref().or(trunk).filter(|_| !self.no_embedder)
    }

    /// What prototypes must carry to be compared with embeddings; empty if it cannot be loaded.
    pub(crate) fn fingerprint(&self) -> Arc<str> {
        let weights = self.embedder();
        let packed = weights.and_then(Weights::package).map(|package| package.fingerprint().to_string());
        let loaded =
            || weights.and_then(|weights| weights.model().ok().map(|model| model.fingerprint().to_string()));
        packed.or_else(loaded).unwrap_or_default().into()
    }

    /// Puts a window to all that it needs.
    pub(crate) fn submit(
        &self,
        pool: &EncoderPool,
        heads: HeadSet,
        (piece, lane, caller): (&Piece, Lane, Caller),
        deadline: Instant,
    ) -> Passes<Ticket> {
        let ask = |model: &Arc<Model>, is_embedded: bool| {
            let pass = Pass { heads_only: !is_embedded, lane, caller: Some(caller) };
            pool.submit_as(model, piece.text.clone(), pass, deadline)
        };
        let is_own = |head: Head| self.own_heads.iter().any(|(own, _)| *own == head);
        let trunk_embeds = piece.is_embedded && self.embedder.is_none() && !self.no_embedder;
        let trunk_classifies = heads.iter().any(|head| !self.off.contains(head) && !is_own(head));
        // A model that cannot be loaded leaves no outcome, which counts as a failure.
        let trunk = self.trunk.as_ref().filter(|_| trunk_embeds || trunk_classifies);
        let trunk = trunk.and_then(|trunk| Some(ask(trunk.weights.model().ok()?, trunk_embeds)));
        let wanted =
            self.own_heads.iter().filter(|(head, _)| heads.contains(*head) && !self.off.contains(*head));
        let heads = wanted.filter_map(|(head, own)| Some((*head, ask(own.weights.model().ok()?, false))));
        let embedder = self.embedder.as_ref().filter(|_| piece.is_embedded);
        Passes {
            trunk,
            heads: heads.collect(),
            embedder: embedder.and_then(|own| Some(ask(own.model().ok()?, true))),
        }
    }

    /// What a window says. `whole` is what is known of the whole text's language.
    pub(crate) fn window(
        &self,
        piece: &Piece,
        heads: HeadSet,
        whole: Tongue,
        outcomes: &Passes<Outcome>,
    ) -> Window {
        let judge = |head: Head| {
            let facts = self.head(head).ok_or(UnavailableReason::NotActive)?;
            let own = outcomes.heads.iter().find(|(own, _)| *own == head).map(|(_, outcome)| outcome);
            let is_own = self.own_heads.iter().any(|(own, _)| *own == head);
            let outcome = if is_own { own } else { outcomes.trunk.as_ref() };
            let encoded = outcome.ok_or(UnavailableReason::Failed)?.as_ref().map_err(reason)?;
            facts.output((piece.tongue, whole), encoded)
        };
        let embedded = if self.embedder.is_some() { &outcomes.embedder } else { &outcomes.trunk };
        let embedding =
            embedded.as_ref().and_then(|outcome| outcome.as_ref().ok()).filter(|_| !self.no_embedder);
        Window {
            bytes: piece.bytes.clone(),
            tokens: outcomes.tokens(),
            heads: heads.iter().map(|head| HeadReading { head, output: judge(head) }).collect(),
            embedding: embedding
                .filter(|encoded| piece.is_embedded && !encoded.embedding.is_empty())
                .map(|encoded| Arc::clone(&encoded.embedding)),
        }
    }
}

// === impl Passes

impl Passes<Ticket> {
    /// Waits for all, at most until `deadline`.
    pub(crate) async fn wait(self, deadline: Instant) -> Passes<Outcome> {
        let wait = async |ticket: Ticket| {
            let late = Error::Overloaded("the deadline passed before the text was encoded");
            timeout_at(deadline.into(), ticket).await.unwrap_or(Err(late))
        };
        let Self { trunk, heads, embedder } = self;
        let mut outcomes = Passes { trunk: None, heads: Vec::with_capacity(heads.len()), embedder: None };
        if let Some(ticket) = trunk {
            outcomes.trunk = Some(wait(ticket).await);
        }
        for (head, ticket) in heads {
            outcomes.heads.push((head, wait(ticket).await));
        }
        if let Some(ticket) = embedder {
            outcomes.embedder = Some(wait(ticket).await);
        }
        outcomes
    }
}

impl Passes<Outcome> {
    fn all(&self) -> impl Iterator<Item = &Outcome> {
        let heads = self.heads.iter().map(|(_, outcome)| outcome);
        self.trunk.iter().chain(heads).chain(&self.embedder)
    }

    /// The first failure.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.all().find_map(|outcome| outcome.as_ref().err())
    }

    /// Whether anything was encoded.
    pub(crate) fn has_any(&self) -> bool {
        self.all().any(Result::is_ok)
    }

    /// Tokens, as the first model that read the window counts them; 0 if none did.
    pub(crate) fn tokens(&self) -> u32 {
        let encoded = self.all().flatten().next();
        encoded.map_or(0, |encoded| u32::try_from(encoded.token_count).unwrap_or(u32::MAX))
    }
}
