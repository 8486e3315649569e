//! Docker's event stream, for one node's containers.

use std::collections::HashMap;
use std::pin::pin;

use bollard::Docker as Client;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _, future, stream};
use jiff::Timestamp;
use keelson_kubelet::runtime::{RuntimeError, RuntimeEvent};

use crate::error::failed;
use crate::labels::POD_UID;

const OPERATION: &str = "watch events";

type Event = Result<RuntimeEvent, RuntimeError>;

/// Connects, and delivers what happens until the first error; Docker's hanging up is one.
pub(super) fn subscribe(client: Client, filters: HashMap<String, Vec<String>>) -> BoxStream<'static, Event> {
    let events = stream::once(connect(client, filters)).try_flatten();
    let mut over = false;
    let until_error =
        events.take_while(move |event| future::ready(!std::mem::replace(&mut over, event.is_err())));
    until_error.boxed()
}

/// Docker does not say when a subscription stands, but it repeats what happened since a given time: since
/// before this call. So nothing is missed, whenever it begins to listen; it remembers its last 256 events.
async fn connect(
    client: Client,
    mut filters: HashMap<String, Vec<String>>,
) -> Result<impl Stream<Item = Event> + use<>, RuntimeError> {
    let now = Timestamp::now();
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    filters.insert("event".to_owned(), ["start", "die", "destroy"].map(str::to_owned).to_vec());
    let options = EventsOptionsBuilder::default().since(&in_seconds(now)).filters(&filters).build();
    let messages = client.events(Some(options)).map_err(failed(OPERATION)).boxed();
    let mut events = messages.try_filter_map(|message| future::ready(Ok(event(message))));
    // Asked beside it, so that the subscription is on its way before anybody learns that it stands.
    let first = match select(events.next(), pin!(client.ping())).await {
        Either::Left((first, _)) => Some(first.unwrap_or_else(|| Err(hung_up()))),
        Either::Right((pong, _)) => pong.map(|_| None).map_err(failed(OPERATION))?,
    };
    let connected = stream::iter([Ok(RuntimeEvent::Connected)]).chain(stream::iter(first));
    Ok(connected.chain(events).chain(stream::iter([Err(hung_up())])))
}

/// The ends of commands in a container since a given time, until Docker hangs up, which is an error.
pub(super) fn of_execs(
    client: &Client,
    container: &str,
    since: Timestamp,
) -> BoxStream<'static, Result<(), RuntimeError>> {
    let filters = [("type", "container"), ("event", "exec_die"), ("container", container)];
    let filters: HashMap<_, _> =
        filters.into_iter().map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).collect();
    let options = EventsOptionsBuilder::default().since(&in_seconds(since)).filters(&filters).build();
    let ends = client.events(Some(options)).map_err(failed(OPERATION)).map_ok(drop);
    ends.chain(stream::iter([Err(hung_up())])).boxed()
}

fn in_seconds(time: Timestamp) -> String {
    format!("{}.{:09}", time.as_second(), time.subsec_nanosecond())
}

fn hung_up() -> RuntimeError {
    RuntimeError::Unreachable { operation: OPERATION, message: "the event stream ended".to_owned() }
}

fn event(message: EventMessage) -> Option<RuntimeEvent> {
    let actor = message.actor?;
    let id = actor.id?;
    let pod_uid = actor.attributes?.remove(POD_UID)?;
    match message.action?.as_str() {
        "start" => Some(RuntimeEvent::Started { id, pod_uid }),
        "die" => Some(RuntimeEvent::Died { id, pod_uid }),
        "destroy" => Some(RuntimeEvent::Removed { id, pod_uid }),
        _ => None,
    }
}
