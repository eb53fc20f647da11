//! The `authz` family: the caller's roles.

use vsr_config::{RoleBinding, SubjectKind};
use vsr_types::{
    Atom, AtomId, AtomTable, Diagnostics, Evidence, Identity, OnError, SignalFamily, UnavailableReason,
};

use crate::rules;

/// Every role binding.
#[derive(Debug)]
pub(crate) struct AuthzFamily {
    bindings: Vec<Binding>,
    /// Every role once.
    roles: Vec<AtomId>,
}

#[derive(Debug)]
struct Binding {
    role: AtomId,
    name: String,
    users: Vec<String>,
    groups: Vec<String>,
}

// === impl AuthzFamily

impl AuthzFamily {
    /// Compiles the bindings. Atoms are named after roles, not bindings.
    pub(crate) fn compile(
        written: &[RoleBinding],
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let path = rules::family_path(SignalFamily::Authz);
        rules::check_names(&path, written.iter().map(|binding| binding.name.as_str()), diagnostics);
        let mut family = Self { bindings: Vec::new(), roles: Vec::new() };
        for (index, binding) in written.iter().enumerate() {
            let path = path.index(index);
            if binding.role.trim().is_empty() {
                diagnostics
                    .error(path.key("role"), "the role is empty; decisions refer to the binding by it");
            }
            if binding.subjects.is_empty() {
                diagnostics
                    .error(path.key("subjects"), "the binding has no subjects, so nobody has the role");
            }
            for (number, subject) in binding.subjects.iter().enumerate() {
                if subject.name.trim().is_empty() {
                    let place = path.key("subjects").index(number).key("name");
                    diagnostics.error(place, "the subject's name is empty");
                }
            }
            let role = atoms.declare(Atom::new(SignalFamily::Authz, binding.role.as_str()));
            if !family.roles.contains(&role) {
                family.roles.push(role);
            }
            family.bindings.push(Binding {
                role,
                name: binding.name.clone(),
                users: names_of(binding, SubjectKind::User),
                groups: names_of(binding, SubjectKind::Group),
            });
        }
        family
    }

    /// Whether there is no binding.
    pub(crate) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Gives the caller its roles. A caller without a user has the roles of its groups.
    pub(crate) fn evaluate(&self, identity: &Identity, evidence: &mut Evidence) {
        let is_anonymous = identity.user.is_none() && identity.groups.is_empty();
        for role in &self.roles {
            match is_anonymous {
                true => evidence.set_unavailable(*role, UnavailableReason::NoIdentity, OnError::NoMatch),
                false => evidence.set_not_matched(*role),
            }
        }
        for binding in &self.bindings {
            if let Some(holder) = binding.holder(identity) {
                evidence.set_matched(binding.role, 1.0);
                evidence.note(binding.role, || format!("{holder} by binding {}", binding.name));
            }
        }
    }
}

// === impl Binding

impl Binding {
    /// Whether the caller is a subject: which one, in words.
    fn holder(&self, identity: &Identity) -> Option<String> {
        if let Some(user) = identity.user.as_deref()
            && self.users.iter().any(|subject| subject == user)
        {
            return Some(format!("user {user}"));
        }
        let group =
            identity.groups.iter().find(|group| self.groups.iter().any(|subject| subject == &***group))?;
        Some(format!("group {group}"))
    }
}

fn names_of(binding: &RoleBinding, kind: SubjectKind) -> Vec<String> {
    let subjects = binding.subjects.iter().filter(|subject| subject.kind == kind);
    subjects.map(|subject| subject.name.clone()).filter(|name| !name.trim().is_empty()).collect()
}
