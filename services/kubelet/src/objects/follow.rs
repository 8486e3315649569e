//! Following what pods refer to: one watch for each object, however many pods refer to it, and none once nobody does.
//!
//! A pod's worker is told of every change. The volume that a claim was given is followed as soon as the claim says which
//! one it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::join_all;
use keelson_base_client::{Cache, Client, Delta, Informer, WatchScope};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::pod;
use keelson_proto::Object;
use keelson_proto::core::{ConfigMap, Endpoints, PersistentVolume, PersistentVolumeClaim, Pod, Secret};

use super::Objects;
use crate::mailbox::Mailbox;

/// What the pods of this node refer to, followed while they do. Clones are the same.
#[derive(Clone)]
pub(crate) struct Referenced {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    tasks: Tasks,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By uid.
    pods: BTreeMap<String, OfPod>,
    followed: BTreeMap<Subject, Followed>,
}

/// A pod that refers to something.
struct OfPod {
    mailbox: Arc<Mailbox>,
    /// What its definition names.
    named: BTreeSet<Subject>,
    /// That, and the volumes of its claims.
    subjects: BTreeSet<Subject>,
}

/// An object that pods refer to, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    kind: Kind,
    namespace: String,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ConfigMap,
    Secret,
    Claim,
    Volume,
    Endpoints,
}

/// A watch of one object.
struct Followed {
    held: Held,
    /// The watch's own task.
    tasks: Tasks,
    /// Uids of the pods that refer to it.
    pods: BTreeSet<String>,
}

#[derive(Clone)]
enum Held {
    ConfigMap(Cache<ConfigMap>),
    Secret(Cache<Secret>),
    Claim(Cache<PersistentVolumeClaim>),
    Volume(Cache<PersistentVolume>),
    Endpoints(Cache<Endpoints>),
}

// === impl Referenced ===

impl Referenced {
    /// Follows nothing yet; watches will run in `tasks`.
    pub(crate) fn new(client: &Client, tasks: &Tasks) -> Self {
        let state = Mutex::default();
        Self { shared: Arc::new(Shared { client: client.clone(), tasks: tasks.child("referenced"), state }) }
    }

    /// Follows what `pod` refers to from now on, and tells its worker by `mailbox`. Again for a pod that is known.
    pub(crate) fn follow(&self, pod: &Pod, mailbox: &Arc<Mailbox>) {
        let named = subjects(pod);
        let uid = &pod.metadata.uid;
        let mut state = self.shared.state();
        match state.pods.get_mut(uid) {
            Some(of) if of.named == named => return,
            Some(of) => of.named = named,
            None if named.is_empty() => return,
            None => {
                let of = OfPod { mailbox: mailbox.clone(), named, subjects: BTreeSet::new() };
                state.pods.insert(uid.clone(), of);
            }
        }
        self.shared.settle_on(&mut state, uid);
    }

    /// Follows nothing for this pod any more.
    pub(crate) fn forget(&self, uid: &str) {
        let mut state = self.shared.state();
        if let Some(of) = state.pods.remove(uid) {
            of.subjects.iter().for_each(|subject| state.leave(subject, uid));
        }
    }

    /// Ends when api has said of everything that the pod refers to whether it is there.
    pub(crate) async fn known(&self, uid: &str) {
        loop {
            let unknown: Vec<_> =
                self.shared.state().held(uid).filter(|held| !held.is_synced()).cloned().collect();
            if unknown.is_empty() {
                return;
            }
            // A claim that is known now may have led to a volume that is not.
            join_all(unknown.iter().map(Held::synced)).await;
        }
    }

    /// What there is of what the pod refers to.
    pub(crate) fn objects(&self, uid: &str) -> Objects {
        let mut objects = Objects::default();
        self.shared.state().held(uid).for_each(|held| held.collect(&mut objects));
        objects
    }
}

// === impl Shared ===

impl Shared {
    /// Follows just what the pod refers to now.
    fn settle_on(self: &Arc<Self>, state: &mut State, uid: &str) {
        let Some(of) = state.pods.get(uid) else { return };
        let mut wanted = of.named.clone();
        wanted.extend(of.named.iter().filter_map(|subject| state.volume_of(subject)));
        let before = of.subjects.clone();
        for subject in before.difference(&wanted) {
            state.leave(subject, uid);
        }
        for subject in &wanted {
            let followed = state.followed.entry(subject.clone()).or_insert_with(|| self.begin(subject));
            followed.pods.insert(uid.to_owned());
        }
        if let Some(of) = state.pods.get_mut(uid) {
            of.subjects = wanted;
        }
    }

    fn begin(self: &Arc<Self>, subject: &Subject) -> Followed {
        let tasks = self.tasks.child(&subject.name);
        let held = match subject.kind {
            Kind::ConfigMap => Held::ConfigMap(self.watch(&tasks, subject)),
            Kind::Secret => Held::Secret(self.watch(&tasks, subject)),
            Kind::Claim => Held::Claim(self.watch(&tasks, subject)),
            Kind::Volume => Held::Volume(self.watch(&tasks, subject)),
            Kind::Endpoints => Held::Endpoints(self.watch(&tasks, subject)),
        };
        Followed { held, tasks, pods: BTreeSet::new() }
    }

    fn watch<K: Object>(self: &Arc<Self>, tasks: &Tasks, subject: &Subject) -> Cache<K> {
        let cache = Cache::new();
        let scope = WatchScope {
            namespace: subject.namespace.clone(),
            field_selector: format!("metadata.name={}", subject.name),
            ..WatchScope::default()
        };
        let (seen, shared, subject) = (cache.clone(), Arc::downgrade(self), subject.clone());
        let hear = move |delta: Delta<K>| {
            let changed = !matches!(delta, Delta::Synced);
            // What was there from the beginning is no change.
            if !changed || seen.is_synced() {
                hear(&shared, &subject, changed);
            }
        };
        Informer::spawn_into(tasks, self.client.api::<K>(), scope, cache.clone(), hear);
        cache
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object is known now, or has `changed`.
fn hear(shared: &Weak<Shared>, subject: &Subject, changed: bool) {
    let Some(shared) = shared.upgrade() else { return };
    let mut state = shared.state();
    let uids = state.followed.get(subject).map(|followed| followed.pods.clone()).unwrap_or_default();
    for uid in uids {
        if subject.kind == Kind::Claim {
            shared.settle_on(&mut state, &uid);
        }
        if let Some(of) = state.pods.get(&uid) {
            of.mailbox.put_reference(changed);
        }
    }
}

// === impl State ===

impl State {
    fn held(&self, uid: &str) -> impl Iterator<Item = &Held> {
        let subjects = self.pods.get(uid).map(|of| &of.subjects);
        subjects.into_iter().flatten().filter_map(|subject| Some(&self.followed.get(subject)?.held))
    }

    /// The pod no longer refers to this.
    fn leave(&mut self, subject: &Subject, uid: &str) {
        let Some(followed) = self.followed.get_mut(subject) else { return };
        followed.pods.remove(uid);
        if followed.pods.is_empty() {
            followed.tasks.shutdown();
            self.followed.remove(subject);
        }
    }

    /// The volume that a claim was given.
    fn volume_of(&self, subject: &Subject) -> Option<Subject> {
        let Held::Claim(cache) = &self.followed.get(subject)?.held else { return None };
        let name = cache.list().first()?.spec.volume_name.clone();
        let volume = Subject { kind: Kind::Volume, namespace: String::new(), name };
        Some(volume).filter(|volume| !volume.name.is_empty())
    }
}

// === impl Held ===

impl Held {
    fn is_synced(&self) -> bool {
        match self {
            Self::ConfigMap(cache) => cache.is_synced(),
            Self::Secret(cache) => cache.is_synced(),
            Self::Claim(cache) => cache.is_synced(),
            Self::Volume(cache) => cache.is_synced(),
            Self::Endpoints(cache) => cache.is_synced(),
        }
    }

    async fn synced(&self) {
        match self {
            Self::ConfigMap(cache) => cache.synced().await,
            Self::Secret(cache) => cache.synced().await,
            Self::Claim(cache) => cache.synced().await,
            Self::Volume(cache) => cache.synced().await,
            Self::Endpoints(cache) => cache.synced().await,
        }
    }

    fn collect(&self, objects: &mut Objects) {
        match self {
            Self::ConfigMap(cache) => objects.config_maps.extend(named(cache)),
            Self::Secret(cache) => objects.secrets.extend(named(cache)),
            Self::Claim(cache) => objects.claims.extend(named(cache)),
            Self::Volume(cache) => objects.volumes.extend(named(cache)),
            Self::Endpoints(cache) => objects.endpoints.extend(named(cache)),
        }
    }
}

fn named<K: Object>(cache: &Cache<K>) -> impl Iterator<Item = (String, Arc<K>)> {
    cache.list().into_iter().map(|object| (ObjectKey::of(object.metadata()).name, object))
}

/// What a pod's definition names.
fn subjects(pod: &Pod) -> BTreeSet<Subject> {
    let namespace = &pod.metadata.namespace;
    let all = |kind: Kind, names: BTreeSet<String>| {
        let subject = move |name| Subject { kind, namespace: namespace.clone(), name };
        names.into_iter().map(subject)
    };
    let found = pod::references(pod);
    let servers = pod.spec.volumes.iter().filter_map(|volume| volume.volume_source.glusterfs.as_ref());
    all(Kind::ConfigMap, found.config_maps)
        .chain(all(Kind::Secret, found.secrets))
        .chain(all(Kind::Claim, found.claims))
        .chain(all(Kind::Endpoints, servers.map(|server| server.endpoints.clone()).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keelson_base_client::testing::FakeApi;
    use keelson_proto::core::{SecretVolumeSource, Volume};

    use super::*;

    fn mk_pod(uid: &str, secrets: &[&str], claim: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.uid = uid.to_owned();
        pod.metadata.namespace = "default".to_owned();
        for name in secrets {
            let mut volume = Volume { name: (*name).to_owned(), ..Volume::default() };
            let source =
                SecretVolumeSource { secret_name: (*name).to_owned(), ..SecretVolumeSource::default() };
            volume.volume_source.secret = Some(source);
            pod.spec.volumes.push(volume);
        }
        if !claim.is_empty() {
            let mut volume = Volume { name: claim.to_owned(), ..Volume::default() };
            let source = keelson_proto::core::PersistentVolumeClaimVolumeSource {
                claim_name: claim.to_owned(),
                read_only: false,
            };
            volume.volume_source.persistent_volume_claim = Some(source);
            pod.spec.volumes.push(volume);
        }
        pod
    }

    fn mk_secret(name: &str, value: &str) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.namespace = "default".to_owned();
        secret.metadata.name = name.to_owned();
        secret.data.insert("key".to_owned(), value.as_bytes().to_vec());
        secret
    }

    async fn told(mailbox: &Mailbox) -> (bool, bool) {
        mailbox.news().await;
        let news = mailbox.take();
        (news.retry, news.refresh)
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_watched_once_and_as_long_as_somebody_refers_to_it() {
        let (api, tasks) = (FakeApi::default(), Tasks::new());
        api.put(&mk_secret("s", "1"));
        let referenced = Referenced::new(&api.client(), &tasks);
        let (a, b) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
        referenced.follow(&mk_pod("a", &["s"], ""), &a);
        referenced.follow(&mk_pod("b", &["s"], ""), &b);
        referenced.follow(&mk_pod("b", &["s"], ""), &b);
        referenced.known("a").await;
        assert_eq!(referenced.objects("a").secrets["s"].data["key"], b"1");
        assert_eq!(referenced.objects("b").secrets.len(), 1);
        assert_eq!(told(&a).await, (true, false), "known, and no change yet");
        b.take();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(api.count("Secrets/Watch"), 1);
        api.put(&mk_secret("s", "2"));
        assert_eq!(told(&a).await, (true, true));
        assert_eq!(referenced.objects("a").secrets["s"].data["key"], b"2");
        referenced.forget("a");
        assert!(referenced.objects("a").secrets.is_empty());
        assert_eq!(tasks.running().len(), 1, "b still refers to it");
        referenced.forget("b");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(tasks.running().is_empty());
        tasks.join(Duration::from_secs(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_object_is_known_to_be_missing_and_heard_of_when_it_comes() {
        let (api, tasks) = (FakeApi::default(), Tasks::new());
        let referenced = Referenced::new(&api.client(), &tasks);
        let mailbox = Arc::new(Mailbox::default());
        referenced.follow(&mk_pod("a", &["s"], ""), &mailbox);
        referenced.known("a").await;
        let missing = referenced.objects("a").secret("s", None).unwrap_err();
        assert_eq!(missing.to_string(), "secret \"s\" not found");
        assert_eq!(told(&mailbox).await, (true, false));
        tokio::time::sleep(Duration::from_secs(1)).await;
        api.put(&mk_secret("s", "1"));
        assert_eq!(told(&mailbox).await, (true, true));
        assert!(referenced.objects("a").secret("s", None).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_leads_to_the_volume_that_it_was_given() {
        let (api, tasks) = (FakeApi::default(), Tasks::new());
        let mut volume = PersistentVolume::default();
        volume.metadata.name = "v".to_owned();
        api.put(&volume);
        let mut claim = PersistentVolumeClaim::default();
        claim.metadata.namespace = "default".to_owned();
        claim.metadata.name = "c".to_owned();
        api.put(&claim);
        let referenced = Referenced::new(&api.client(), &tasks);
        let mailbox = Arc::new(Mailbox::default());
        referenced.follow(&mk_pod("a", &[], "c"), &mailbox);
        referenced.known("a").await;
        assert!(referenced.objects("a").volumes.is_empty());
        tokio::time::sleep(Duration::from_secs(1)).await;
        mailbox.take();
        claim.spec.volume_name = "v".to_owned();
        api.put(&claim);
        tokio::time::sleep(Duration::from_secs(1)).await;
        referenced.known("a").await;
        assert!(referenced.objects("a").volumes.contains_key("v"));
    }
}
