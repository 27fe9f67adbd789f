//! Answers that were good are kept for a while in a folder, so that an import that is repeated does not ask again.
//!
//! Invariant: no more than [`FILES_MAX`] answers and [`BYTES_MAX`] bytes stay; the oldest go first. What goes wrong with a
//! file is logged, and the service is asked as if there were none. It looks at no answer's content.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// How long an answer is good for. Settlement runs come out daily at most.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
const FILES_MAX: usize = 256;
const BYTES_MAX: u64 = 512 << 20;

/// The folder. Files are named by the address that was asked, hashed, and by when that was, in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The answer to `address` if one is known that is not too old.
    pub(crate) fn get(&self, address: &str, now: Timestamp) -> Option<Vec<u8>> {
        let wanted = name_of(address);
        let files = files(&self.folder).ok()?;
        let found = files.into_iter().filter(|file| file.name == wanted).max_by_key(|file| file.asked_at)?;
        let age = now.duration_since(found.asked_at);
        if age < SignedDuration::ZERO || age >= KEPT {
            return None;
        }
        std::fs::read(found.path).ok()
    }

    pub(crate) fn put(&self, address: &str, answer: &[u8], now: Timestamp) {
        if let Err(error) = self.try_put(address, answer, now) {
            tracing::warn!(folder = %self.folder.display(), %error, "an answer cannot be kept");
        }
    }

    fn try_put(&self, address: &str, answer: &[u8], now: Timestamp) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let name = name_of(address);
        let place = self.folder.join(format!("{name}-{}.json", now.as_second()));
        let draft = self.folder.join(format!("{name}.part"));
        std::fs::write(&draft, answer)?;
        std::fs::rename(draft, place)?;
        self.tidy()
    }

    fn tidy(&self) -> io::Result<()> {
        let mut files = files(&self.folder)?;
        files.sort_by_key(|file| std::cmp::Reverse(file.asked_at));
        let mut bytes = 0;
        for (place, file) in files.iter().enumerate() {
            bytes += file.bytes;
            if place >= FILES_MAX || bytes > BYTES_MAX {
                std::fs::remove_file(&file.path)?;
            }
        }
        Ok(())
    }
}

struct Kept {
    name: String,
    asked_at: Timestamp,
    bytes: u64,
    path: PathBuf,
}

fn files(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let parts = file.to_str().and_then(|name| name.strip_suffix(".json")).and_then(|name| name.split_once('-'));
        let Some((name, seconds)) = parts else { continue };
        let Some(asked_at) = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
            continue;
        };
        found.push(Kept { name: name.to_owned(), asked_at, bytes: entry.metadata()?.len(), path: entry.path() });
    }
    Ok(found)
}

fn name_of(address: &str) -> String {
    let mut name = String::with_capacity(64);
    for byte in Sha256::digest(address.as_bytes()) {
        let _infallible = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_answer_is_good_for_an_hour_and_its_address_alone() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("kept"));
        let noon = at("2026-03-01T12:00:00Z");
        assert_eq!(cache.get("a", noon), None);
        cache.put("a", b"[1]", noon);
        assert_eq!(cache.get("a", at("2026-03-01T12:59:59Z")), Some(b"[1]".to_vec()));
        assert_eq!(cache.get("b", noon), None);
        assert_eq!(cache.get("a", at("2026-03-01T13:00:00Z")), None);
        assert_eq!(cache.get("a", at("2026-03-01T11:59:59Z")), None, "of a time to come");
        cache.put("a", b"[2]", at("2026-03-01T13:00:00Z"));
        assert_eq!(cache.get("a", at("2026-03-01T13:00:00Z")), Some(b"[2]".to_vec()));
    }

    #[test]
    fn the_oldest_answers_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        let noon = at("2026-03-01T12:00:00Z");
        for number in 0..300_i64 {
            cache.put(&number.to_string(), b"[]", noon + SignedDuration::from_secs(number));
        }
        assert_eq!(files(folder.path()).unwrap().len(), FILES_MAX);
        assert_eq!(cache.get("0", noon), None);
        assert!(cache.get("299", noon + SignedDuration::from_secs(299)).is_some());
    }
}
