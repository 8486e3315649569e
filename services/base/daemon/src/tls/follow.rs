//! Identities that follow their files: read again when these change, watched for their end.

mod notice;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, sleep_until};

use self::notice::Notice;
use super::validity::{seconds, time_text};
use super::{Age, Identity, LiveIdentity, TlsError, Validity};
use crate::admin::{Family, Gauge, Metrics};
use crate::directories::Directories;
use crate::tasks::Tasks;

/// After a change the files are left this long to settle: certificate and key change one after the other.
const SETTLE: Duration = Duration::from_millis(100);

/// When the last second of each certificate is.
const METRIC: &str = "keelson_certificate_expiration_timestamp_seconds";
const METRIC_HELP: &str = "When the certificate ends, in seconds since 1970";

/// The files of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate, and intermediates if any.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities to trust.
    pub ca: PathBuf,
}

/// What follows a number of identities.
struct Follower {
    followed: Vec<Followed>,
    /// `None` if the kernel would not watch.
    directories: Option<Directories>,
    expiry: Family<Label, Gauge>,
}

/// One identity that follows its files.
struct Followed {
    name: String,
    files: IdentityFiles,
    live: LiveIdentity,
    /// What was wrong with the files when they were last read: it is told once.
    trouble: Option<String>,
}

type Label = [(&'static str, String); 1];

// === impl LiveIdentity ===

impl LiveIdentity {
    /// Reads the identity called `name`, and keeps it as its files are. A file that cannot be used is logged, and the
    /// old identity stays.
    ///
    /// `metrics` get `keelson_certificate_expiration_timestamp_seconds`, by name; the log gets a warning, now and once a
    /// day, in the last third of the certificate's life.
    ///
    /// Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// A file that cannot be read or used; a certificate that has expired, or is not valid yet.
    pub fn follow(
        name: &str,
        files: IdentityFiles,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Self, TlsError> {
        let all = Self::follow_all([(name.to_owned(), files.clone())], tasks, metrics)?;
        // One was asked for, so one has come.
        all.into_iter()
            .next()
            .ok_or_else(|| TlsError::BadFile { path: files.cert, reason: "nobody asked".to_owned() })
    }

    /// The same for several identities, in their order, with one watch for all of them.
    ///
    /// # Errors
    /// As [`LiveIdentity::follow`].
    pub fn follow_all(
        identities: impl IntoIterator<Item = (String, IdentityFiles)>,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Vec<Self>, TlsError> {
        let identities: Vec<_> = identities.into_iter().collect();
        let paths: BTreeSet<&Path> = identities.iter().flat_map(|(_, files)| files.directories()).collect();
        // Before they are read, so that no change falls between.
        let directories = Directories::watch(paths.into_iter().map(Path::to_owned));
        let mut followed = Vec::with_capacity(identities.len());
        for (name, files) in identities {
            let identity = files.read()?;
            files.check(&identity, SystemTime::now())?;
            followed.push(Followed { name, files, live: identity.into(), trouble: None });
        }
        let directories = directories
            .inspect_err(|error| {
                tracing::warn!(%error, "cannot watch certificates: new ones are found once a day only");
            })
            .ok();
        let live = followed.iter().map(|followed| followed.live.clone()).collect();
        let expiry = metrics.gauge_family(METRIC, METRIC_HELP);
        let mut follower = Follower { followed, directories, expiry };
        follower.count();
        let drain = tasks.drain();
        tasks.spawn("certificates", async move {
            tokio::select! {
                () = follower.run() => {}
                () = drain.signaled() => {}
            }
        });
        Ok(live)
    }
}

// === impl IdentityFiles ===

impl IdentityFiles {
    /// Those of the identity `name` in the directory of its authority.
    pub fn in_directory(dir: &Path, name: &str) -> Self {
        // Joined as a whole rather than by extension: names may contain dots.
        let file = |name: String| dir.join(name);
        Self {
            cert: file(format!("{name}.crt")),
            key: file(format!("{name}.key")),
            ca: file("ca.crt".to_owned()),
        }
    }

    /// Reads them.
    ///
    /// # Errors
    /// A file that is missing or of no use; certificate and key that do not belong together.
    pub fn read(&self) -> Result<Identity, TlsError> {
        Identity::from_files(&self.cert, &self.key, Some(&self.ca))
    }

    /// Reads them without waiting for certificate and key to match: their change is an event of its own.
    fn read_once(&self) -> Result<Identity, TlsError> {
        Identity::from_files_once(&self.cert, &self.key, Some(&self.ca))
    }

    /// Whether a certificate read from them is valid at `now`.
    fn check(&self, identity: &Identity, now: SystemTime) -> Result<(), TlsError> {
        let Some(validity) = Validity::of_pem(&identity.cert_pem) else {
            let reason = "its period of validity cannot be read".to_owned();
            return Err(TlsError::BadFile { path: self.cert.clone(), reason });
        };
        let path = self.cert.clone();
        match validity.age(now) {
            Age::Expired => Err(TlsError::Expired { path, since: time_text(validity.not_after) }),
            Age::NotYetValid => Err(TlsError::NotYetValid {
                path,
                from: time_text(validity.not_before),
                now: time_text(seconds(now)),
            }),
            Age::Fresh | Age::Aging => Ok(()),
        }
    }

    /// Where they are.
    fn directories(&self) -> impl Iterator<Item = &Path> {
        let here = |path: &'_ Path| path.as_os_str().is_empty();
        [&self.cert, &self.key, &self.ca]
            .into_iter()
            .filter_map(|path| path.parent())
            .map(move |dir| if here(dir) { Path::new(".") } else { dir })
    }
}

// === impl Follower ===

impl Follower {
    async fn run(&mut self) {
        loop {
            let pause = self.notice(SystemTime::now());
            let again = Instant::now() + pause;
            tokio::select! {
                () = changed(&mut self.directories) => sleep(SETTLE).await,
                () = sleep_until(again) => {}
            }
            for followed in &mut self.followed {
                followed.reload();
            }
            self.count();
        }
    }

    /// Says what is to be said of all certificates; returns how long that may rest.
    fn notice(&self, now: SystemTime) -> Duration {
        let notices = self.followed.iter().flat_map(|followed| followed.notices(now));
        let mut rest = notice::DAY;
        for notice in notices {
            notice.tell();
            rest = rest.min(notice.rest);
        }
        rest
    }

    fn count(&self) {
        for followed in &self.followed {
            let identity = followed.live.current();
            for (name, pem) in [(followed.name.as_str(), &identity.cert_pem), ("ca", &identity.ca_pem)] {
                if let Some(validity) = Validity::of_pem(pem) {
                    self.expiry.get_or_create(&[("name", name.to_owned())]).set(validity.not_after);
                }
            }
        }
    }
}

/// Ends when something in the directories has changed.
async fn changed(directories: &mut Option<Directories>) {
    let Some(watched) = directories else { return std::future::pending().await };
    if let Err(error) = watched.changed().await {
        tracing::warn!(%error, "cannot watch certificates any longer: new ones are found once a day only");
        *directories = None;
    }
}

// === impl Followed ===

impl Followed {
    /// Takes what the files say now, if it can be used.
    fn reload(&mut self) {
        let read = self.files.read_once().and_then(|identity| {
            self.files.check(&identity, SystemTime::now())?;
            Ok(identity)
        });
        match read {
            Ok(identity) => {
                self.trouble = None;
                if identity != *self.live.current() {
                    tracing::info!(name = %self.name, "new connections use the new certificate");
                    self.live.set(identity);
                }
            }
            Err(error) => {
                let trouble = error.to_string();
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(name = %self.name, "{trouble}; the certificate read before stays in use");
                    self.trouble = Some(trouble);
                }
            }
        }
    }

    fn notices(&self, now: SystemTime) -> impl Iterator<Item = Notice> {
        let identity: Arc<Identity> = self.live.current();
        let own = Validity::of_pem(&identity.cert_pem).map(|validity| Notice::own(&self.name, validity, now));
        let ca = Validity::of_pem(&identity.ca_pem).map(|validity| Notice::authority(validity, now));
        own.into_iter().chain(ca)
    }
}

#[cfg(test)]
mod tests;
