//! Images: looked up, and fetched from their registries.

use std::time::Duration;

use bollard::Docker as Client;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::TryStreamExt as _;
use keelson_kubelet::runtime::{Credentials, ImageError, ImageStatus, RuntimeError};

use crate::error::{failed, status};
use crate::reference::{self, Reference};
use crate::traced;

/// How long a registry may take to begin to answer. Docker itself retries for a while.
const PULL_TIMEOUT: Duration = Duration::from_secs(300);

/// Looks an image up; with `pull`, fetches it first.
pub(super) async fn image(
    client: &Client,
    image: &str,
    pull: Option<&[Credentials]>,
) -> Result<ImageStatus, ImageError> {
    if !reference::is_id(image) {
        let invalid =
            |message: &str| ImageError::InvalidName { image: image.to_owned(), message: message.to_owned() };
        let name = Reference::parse(image).map_err(invalid)?;
        if let Some(credentials) = pull {
            fetch(client, image, &name, credentials).await?;
        }
    }
    let call = client.inspect_image(image);
    let found = match traced::image("docker inspect image", image).instrument_result(call).await {
        Err(cause) if status(&cause) == Some(404) => {
            return Err(ImageError::NotPresent { image: image.to_owned() });
        }
        other => other.map_err(failed("inspect image"))?,
    };
    Ok(ImageStatus {
        id: found.id.unwrap_or_default(),
        size: found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        user: found.config.and_then(|config| config.user).unwrap_or_default(),
    })
}

/// Tries one of the credentials after the other; the last one's failure counts.
async fn fetch(
    client: &Client,
    image: &str,
    name: &Reference<'_>,
    credentials: &[Credentials],
) -> Result<(), ImageError> {
    let Some((last, others)) = credentials.split_last() else {
        return fetch_as(client, image, name, None).await;
    };
    for one in others {
        match fetch_as(client, image, name, Some(one)).await {
            Err(ImageError::Pull { .. }) => {}
            answer => return answer,
        }
    }
    fetch_as(client, image, name, Some(last)).await
}

async fn fetch_as(
    client: &Client,
    image: &str,
    name: &Reference<'_>,
    credentials: Option<&Credentials>,
) -> Result<(), ImageError> {
    let options =
        CreateImageOptionsBuilder::default().from_image(name.repository).tag(name.version()).build();
    let patient = client.clone().with_timeout(PULL_TIMEOUT);
    let progress = patient.create_image(Some(options), None, credentials.map(shown));
    let call = progress.try_for_each(|_| async { Ok(()) });
    let fetched = traced::image("docker pull image", image).instrument_result(call).await;
    fetched.map_err(|cause| match failed("pull image")(cause) {
        RuntimeError::Refused { message, .. } => ImageError::Pull { image: image.to_owned(), message },
        unreachable => ImageError::Runtime(unreachable),
    })
}

/// Credentials as Docker takes them.
fn shown(credentials: &Credentials) -> DockerCredentials {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    DockerCredentials {
        username: given(&credentials.username),
        password: given(&credentials.password),
        serveraddress: given(&credentials.registry),
        identitytoken: given(&credentials.identity_token),
        ..DockerCredentials::default()
    }
}
