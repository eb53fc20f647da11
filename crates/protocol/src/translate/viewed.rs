//! A request with what signals read of it.

use vsr_types::RequestView;

use super::ClientRequest;

self_cell::self_cell! {
    struct Cell {
        owner: ClientRequest,
        #[covariant]
        dependent: RequestView,
    }
}

/// A request with the view of it, which is made once and goes with the request through everything that reads it: joined
/// texts and unescaped arguments are not made again for each.
pub struct ViewedRequest(Cell);

// === impl ViewedRequest

impl ViewedRequest {
    /// Makes the view of `request`.
    pub fn new(request: ClientRequest) -> Self {
        Self(Cell::new(request, ClientRequest::view))
    }

    /// The request.
    pub fn request(&self) -> &ClientRequest {
        self.0.borrow_owner()
    }

    /// What signals read of it.
    pub fn view(&self) -> &RequestView<'_> {
        self.0.borrow_dependent()
    }
}

impl From<ClientRequest> for ViewedRequest {
    fn from(request: ClientRequest) -> Self {
        Self::new(request)
    }
}

impl std::fmt::Debug for ViewedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.request().fmt(f)
    }
}
