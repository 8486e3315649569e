//! What a client should know of an answer besides the object: warnings, and that it began to exist. They travel as
//! metadata of the gRPC response.

use std::cell::RefCell;

use keelson_base_client::notes::Notes;

tokio::task_local! {
    static NOTES: RefCell<Notes>;
}

/// Runs a call, and answers with what was noted meanwhile.
pub(crate) async fn taken<A: Future>(call: A) -> (A::Output, Notes) {
    NOTES
        .scope(RefCell::default(), async move {
            let answer = call.await;
            (answer, NOTES.with(RefCell::take))
        })
        .await
}

/// Notes that the object was not there before.
pub(crate) fn created() {
    note(|notes| notes.created = true);
}

/// Notes what the client should be warned of, once.
pub(crate) fn warn(warnings: impl IntoIterator<Item = String>) {
    note(|notes| {
        for warning in warnings {
            if !notes.warnings.contains(&warning) {
                notes.warnings.push(warning);
            }
        }
    });
}

/// Outside of a call nobody is told.
fn note(change: impl FnOnce(&mut Notes)) {
    let _ = NOTES.try_with(|notes| change(&mut notes.borrow_mut()));
}
