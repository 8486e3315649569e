//! Which of our own services follow the cluster through this api.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::Caller;

/// Who follows. Clones know the same.
#[derive(Clone, Default)]
pub(crate) struct Presence(Arc<Mutex<HashMap<String, usize>>>);

/// Somebody follows as long as this lives.
pub(crate) struct Here {
    presence: Presence,
    user: String,
}

// === impl Presence ===

impl Presence {
    /// Notes that a caller follows, if it is one of our own services.
    pub(crate) fn follow(&self, caller: &Caller) -> Option<Here> {
        let is_known = super::PROCESSES.iter().any(|(_, user, _)| *user == caller.user);
        is_known.then(|| {
            *self.all().entry(caller.user.clone()).or_default() += 1;
            Here { presence: self.clone(), user: caller.user.clone() }
        })
    }

    /// Whether a user follows.
    pub(crate) fn has(&self, user: &str) -> bool {
        self.all().contains_key(user)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // A count that a panic left is wrong by one at most.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Here ===

impl Drop for Here {
    fn drop(&mut self) {
        let mut all = self.presence.all();
        let left = all.get_mut(&self.user).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            all.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_is_there_until_the_last_stream_ends() {
        let presence = Presence::default();
        let user = "system:kube-scheduler";
        let of = |user: &str| Caller { user: user.to_owned(), ..Caller::api() };
        assert!(presence.follow(&of("ann")).is_none());
        let (first, second) = (presence.follow(&of(user)), presence.follow(&of(user)));
        assert!(presence.has(user) && !presence.has("system:kube-controller-manager"));
        drop(first);
        assert!(presence.has(user));
        drop(second);
        assert!(!presence.has(user));
    }
}
