//! A way to api and how it is used: with which deadline, as which program, on whose behalf.

use std::fmt;
use std::time::Duration;

use keelson_base_daemon::admin::Metrics;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};

use crate::leader::Office;
use crate::meter::CallMeter;
use crate::{Api, Channel, RawApi};

/// Metadata key of the user on whose behalf a call is made; api believes it from the gateway alone.
pub const REMOTE_USER: &str = "x-remote-user";

/// Metadata key of that user's groups; repeated.
pub const REMOTE_GROUP: &str = "x-remote-group";

/// How long a unary call may take unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(30);

/// A channel to api with everything that its calls have in common. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    calls: Channel,
    watches: Channel,
    options: CallOptions,
}

/// On whose behalf the gateway calls, as metadata says it: a name and groups, or what the user has brought to be known
/// by, which api looks at.
#[derive(Clone)]
pub struct ForwardedUser {
    metadata: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
}

/// What calls have in common.
#[derive(Clone, Debug)]
pub(crate) struct CallOptions {
    /// For unary calls; streams have none.
    pub(crate) deadline: Duration,
    user_agent: Option<MetadataValue<Ascii>>,
    user: Option<ForwardedUser>,
    /// Counts the calls, if anybody does.
    pub(crate) meter: Option<CallMeter>,
    /// Whether writes may begin, if not always.
    office: Option<Office>,
}

// === impl Client ===

impl Client {
    /// Calls and watches over `channel`; unary calls get 30 seconds.
    pub fn new(channel: Channel) -> Self {
        let options =
            CallOptions { deadline: DEADLINE, user_agent: None, user: None, meter: None, office: None };
        Self { calls: channel.clone(), watches: channel, options }
    }

    /// Sends streams over their own channel, so that a slow one cannot hold up the calls of a shared connection.
    #[must_use]
    pub fn with_watch_channel(mut self, channel: Channel) -> Self {
        self.watches = channel;
        self
    }

    /// How long a unary call may take, its answer included.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// Names the program, for api's logs; ignored if it is not printable ASCII.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: &str) -> Self {
        self.options.user_agent = user_agent.parse().ok();
        self
    }

    /// The same client for one of several who may act: a write begins only while the office is held, and is not waited
    /// for any longer. Reads always go.
    #[must_use]
    pub fn within(&self, office: &Office) -> Self {
        let mut client = self.clone();
        client.options.office = Some(office.clone());
        client
    }

    /// Counts the calls in `metrics`, as `rest_client_*`.
    #[must_use]
    pub fn with_metrics(mut self, metrics: &Metrics) -> Self {
        self.options.meter = Some(CallMeter::new(metrics));
        self
    }

    /// The same client, calling on behalf of `user`.
    #[must_use]
    pub fn acting_for(&self, user: ForwardedUser) -> Self {
        let mut client = self.clone();
        client.options.user = Some(user);
        client
    }

    /// The verbs of kind `K`, in all namespaces until [narrowed](Api::namespaced).
    pub fn api<K: Object>(&self) -> Api<K> {
        Api::new(self.raw(K::KIND.service))
    }

    /// The verbs of a noun's service, for instance `keelson.v1.Pods`, on encoded objects.
    pub fn raw(&self, service: &str) -> RawApi {
        RawApi::new(service, self.calls.clone(), self.watches.clone(), self.options.clone())
    }

    /// The channel of unary calls, for generated clients of other services.
    pub fn channel(&self) -> Channel {
        self.calls.clone()
    }

    /// The channel of streams.
    pub fn watch_channel(&self) -> Channel {
        self.watches.clone()
    }
}

// === impl ForwardedUser ===

impl ForwardedUser {
    /// Fails with `Unauthorized` if a name cannot be sent: metadata is printable ASCII, and half a user is another one.
    pub fn try_new<'a>(name: &str, groups: impl IntoIterator<Item = &'a str>) -> Result<Self, ApiError> {
        let key = MetadataKey::from_static;
        let mut metadata = vec![(key(REMOTE_USER), sendable(name)?)];
        for group in groups {
            metadata.push((key(REMOTE_GROUP), sendable(group)?));
        }
        Ok(Self { metadata })
    }

    /// A user who is known by the value of an `Authorization` header: a token, or name and password.
    ///
    /// # Errors
    /// `Unauthorized` if it cannot be sent.
    pub fn try_credential(value: &str) -> Result<Self, ApiError> {
        // What it is must not be told.
        let value = sendable(value).map_err(|_| ApiError::unauthorized(""))?;
        Ok(Self { metadata: vec![(MetadataKey::from_static("authorization"), value)] })
    }

    /// The user asks to be taken for somebody else: another header of his, an `Impersonate-…`.
    ///
    /// # Errors
    /// `BadRequest` if it cannot be sent: what is left out would leave him more than he asked for.
    pub fn try_with(mut self, name: &str, value: &str) -> Result<Self, ApiError> {
        let key = name.to_ascii_lowercase().parse::<MetadataKey<Ascii>>().ok();
        let pair = key.zip(sendable(value).ok());
        let refused =
            || ApiError::bad_request(format!("the header {name} cannot be read: send printable ASCII"));
        self.metadata.push(pair.ok_or_else(refused)?);
        Ok(self)
    }
}

impl fmt::Debug for ForwardedUser {
    /// What a user is known by is told to nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = |key: &MetadataKey<Ascii>| key.as_str() != "authorization";
        let shown = self.metadata.iter().map(|(key, value)| (key.as_str(), open(key).then_some(value)));
        f.debug_map().entries(shown).finish()
    }
}

fn sendable(name: &str) -> Result<MetadataValue<Ascii>, ApiError> {
    let printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~')) && name.trim() == name;
    let value = if printable { name.parse().ok() } else { None };
    value.ok_or_else(|| ApiError::unauthorized(format!("user or group {name:?} is not printable ASCII")))
}

// === impl CallOptions ===

impl CallOptions {
    /// What bounds the calls of a method, and how long one may take.
    ///
    /// # Errors
    /// If a write may not begin any more.
    pub(crate) fn bounds(&self, method: &str) -> Result<(Option<Office>, Duration), ApiError> {
        let reads = matches!(method, "Get" | "List" | "ListStream" | "Watch" | "Log" | "GetScale");
        let office = self.office.clone().filter(|_| !reads);
        let left = office.as_ref().map_or(Ok(Duration::MAX), Office::check)?;
        Ok((office, self.deadline.min(left)))
    }

    /// Adds what every call sends.
    pub(crate) fn write(&self, metadata: &mut MetadataMap) {
        if let Some(user_agent) = &self.user_agent {
            metadata.insert("user-agent", user_agent.clone());
        }
        if let Some(user) = &self.user {
            for (key, value) in &user.metadata {
                metadata.append(key.clone(), value.clone());
            }
        }
        keelson_base_daemon::trace::inject(metadata.as_mut());
    }
}
