//! The local key file: the root key on this machine.
//!
//! Three kinds of file are read: our own (JSON, versioned, several keys so that one can follow another, each
//! plain or sealed under a passphrase), 32 raw bytes, and 64 hexadecimal digits. The last two come from other
//! tools; a systemd credential may be any of the three.
//!
//! ```json
//! {"format": "dragoman-keys", "version": 1, "current": "<id>",
//!  "passphrase": {"salt": "<hex>", "memory_kib": 65536, "passes": 3, "lanes": 1},
//!  "keys": [{"id": "<16 hex digits>", "key": "<64 hex digits>" or "sealed": "<hex>"}]}
//! ```
//!
//! `passphrase` is there if the keys are sealed: under Argon2id of the passphrase, in the field format of
//! [`crate::envelope`].

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::{OrgId, Random};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::envelope::{Reader, Tampered};
use crate::field::{self, FieldRef, Root};
use crate::keyservice::{KeyService, KeyServiceError};
use crate::secret::{Key32, Token};

const FORMAT: &str = "dragoman-keys";
const VERSION: u32 = 1;
/// First byte of a key wrapped by this service.
const WRAP_VERSION: u8 = 1;
const SERVICE: &str = "local key file";
const WRAP_PURPOSE: &str = "organisation.key";
const FILE_PURPOSE: &str = "root.key";
/// A key file with hundreds of keys stays below this.
const MAX_FILE: u64 = 1024 * 1024;

/// What can be wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others than its owner may read it.
    #[error("the key file {} can be read by others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is one already; a key file is never overwritten.
    #[error("there is a key file at {} already; it was left as it is", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no key file at {}; create one with: dragoman init", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be understood.
    #[error("the key file {} cannot be read: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, without secrets.
        reason: String,
    },
    /// It is protected and no passphrase was given.
    #[error("the key file {} is protected by a passphrase and none was given", path.display())]
    NeedsPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase is wrong, or the file was altered.
    #[error("the passphrase does not open the key file {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("the key file {} could not be {action}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// The root keys of a key file; the newest wraps, all unwrap.
pub struct LocalKeys {
    current: KeyId,
    keys: BTreeMap<KeyId, Key32>,
    random: Arc<dyn Random>,
}

type KeyId = [u8; 8];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    version: u32,
    current: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passphrase: Option<Passphrase>,
    keys: Vec<FileKey>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passphrase {
    salt: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct FileKey {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl LocalKeys {
    /// One fresh root key that is written nowhere, for demos and tests.
    pub fn ephemeral(random: Arc<dyn Random>) -> Self {
        let mut current = KeyId::default();
        random.fill(&mut current);
        let keys = BTreeMap::from([(current, Key32::random(random.as_ref()))]);
        Self { current, keys, random }
    }

    /// Makes a key file with one fresh key (mode 0600, folder 0700) and returns its content. Refuses where a
    /// file is.
    pub fn create(
        path: &Path,
        passphrase: Option<&Token>,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyFileError> {
        let keys = Self::ephemeral(random);
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .map_err(io_error(path, "created"))?;
        }
        let text = keys.encode(path, passphrase)?;
        write_new(path, text.as_bytes()).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
            _ => io_error(path, "written")(source),
        })?;
        sync_parent(path).map_err(io_error(path, "written"))?;
        Ok(keys)
    }

    /// Reads a key file, which nobody but its owner may be able to read.
    pub fn open(
        path: &Path,
        passphrase: Option<&Token>,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyFileError> {
        let mode = fs::metadata(path).map_err(io_error(path, "read"))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::TooOpen { path: path.to_owned(), mode });
        }
        Self::read(path, passphrase, random)
    }

    /// Reads a systemd credential: the file `name` in the folder that `$CREDENTIALS_DIRECTORY` names. systemd
    /// guards that folder by access lists, which show as group permissions, so the mode is not judged.
    pub fn from_credential(
        directory: &Path,
        name: &str,
        passphrase: Option<&Token>,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyFileError> {
        Self::read(&directory.join(name), passphrase, random)
    }

    /// Adds a fresh key to a key file and makes it the one that wraps. The old ones still unwrap; wrap the
    /// organisations' keys again, then [`LocalKeys::retire`] them.
    pub fn rotate(
        path: &Path,
        passphrase: Option<&Token>,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyFileError> {
        let mut keys = Self::open(path, passphrase, Arc::clone(&random))?;
        let fresh = Self::ephemeral(random);
        keys.current = fresh.current;
        keys.keys.extend(fresh.keys);
        keys.replace(path, passphrase)?;
        Ok(keys)
    }

    /// Removes all keys but the newest from a key file. What was wrapped with them no longer opens.
    pub fn retire(
        path: &Path,
        passphrase: Option<&Token>,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyFileError> {
        let mut keys = Self::open(path, passphrase, random)?;
        let current = keys.current;
        keys.keys.retain(|id, _| *id == current);
        keys.replace(path, passphrase)?;
        Ok(keys)
    }

    fn replace(&self, path: &Path, passphrase: Option<&Token>) -> Result<(), KeyFileError> {
        let text = self.encode(path, passphrase)?;
        let failing = || io_error(path, "replaced");
        let old_len = fs::metadata(path).map_err(failing())?.len();
        let next = path.with_extension("next");
        fs::remove_file(&next)
            .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .map_err(failing())?;
        write_new(&next, text.as_bytes()).map_err(failing())?;
        // The old file is kept open across the rename, so that its keys can be overwritten once the new one
        // lasts.
        let mut old = OpenOptions::new().write(true).open(path).map_err(failing())?;
        fs::rename(&next, path).and_then(|()| sync_parent(path)).map_err(failing())?;
        let zeroes = vec![0; usize::try_from(old_len.min(MAX_FILE)).unwrap_or(0)];
        old.write_all(&zeroes).and_then(|()| old.sync_all()).map_err(failing())
    }

    fn read(path: &Path, passphrase: Option<&Token>, random: Arc<dyn Random>) -> Result<Self, KeyFileError> {
        let file = File::open(path).map_err(io_error(path, "read"))?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(io_error(path, "read"))?;
        if let Some(keys) = Self::raw(&bytes, &random) {
            return Ok(keys);
        }
        Self::parse(path, &bytes, passphrase, random)
    }

    /// 32 bytes or 64 hexadecimal digits. The id is a digest of the key, so that wraps name the file they
    /// need.
    fn raw(bytes: &[u8], random: &Arc<dyn Random>) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() == key.len() {
            key.copy_from_slice(bytes);
        } else {
            hex::decode_to_slice(bytes.trim_ascii_end(), key.as_mut()).ok()?;
        }
        let key = Key32::take_from(&mut key);
        let digest = Root::new(key.duplicate()).digest("root key id", FILE_PURPOSE, b"");
        let current = *digest.first_chunk()?;
        Some(Self { current, keys: BTreeMap::from([(current, key)]), random: Arc::clone(random) })
    }

    fn parse(
        path: &Path,
        bytes: &[u8],
        passphrase: Option<&Token>,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyFileError> {
        let format = |reason: &str| KeyFileError::Format { path: path.to_owned(), reason: reason.to_owned() };
        // The parser's own message may quote what it found, so only the place is passed on.
        let file: KeyFile = serde_json::from_slice(bytes).map_err(|error| {
            format(&format!(
                "it is neither a key file, nor 32 bytes, nor 64 hexadecimal digits (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        if file.format != FORMAT || file.version != VERSION {
            return Err(format("it was made by another program or a newer version of this one"));
        }
        let opener = match &file.passphrase {
            None => None,
            Some(parameters) => {
                let given =
                    passphrase.ok_or_else(|| KeyFileError::NeedsPassphrase { path: path.to_owned() })?;
                Some(parameters.stretch(given).map_err(format)?)
            }
        };
        let mut keys = BTreeMap::new();
        for entry in &file.keys {
            let id = key_id(&entry.id).ok_or_else(|| format("a key id is not 16 hexadecimal digits"))?;
            let key = match (&opener, &entry.key, &entry.sealed) {
                (None, Some(plain), None) => Key32::build(|place| hex::decode_to_slice(plain, place))
                    .map_err(|_| format("a key is not 64 hexadecimal digits"))?,
                (Some(opener), None, Some(sealed)) => {
                    let sealed =
                        hex::decode(sealed).map_err(|_| format("a sealed key is not hexadecimal"))?;
                    field::open_key(&file_field(&file_org(), &entry.id), opener, &sealed)
                        .map_err(|Tampered| KeyFileError::WrongPassphrase { path: path.to_owned() })?
                }
                _ => return Err(format("every key is either plain or sealed, as the file's head says")),
            };
            keys.insert(id, key);
        }
        let current = key_id(&file.current).filter(|id| keys.contains_key(id));
        Ok(Self {
            current: current.ok_or_else(|| format("its current key is not among its keys"))?,
            keys,
            random,
        })
    }

    fn encode(&self, path: &Path, passphrase: Option<&Token>) -> Result<Zeroizing<String>, KeyFileError> {
        let random = self.random.as_ref();
        let parameters = passphrase.map(|_| Passphrase::fresh(random));
        let sealer = match (&parameters, passphrase) {
            (Some(parameters), Some(given)) => Some(parameters.stretch(given).map_err(|reason| {
                KeyFileError::Format { path: path.to_owned(), reason: reason.to_owned() }
            })?),
            _ => None,
        };
        let keys = self.keys.iter().map(|(id, key)| {
            let id = hex::encode(id);
            let sealed = sealer.as_ref().map(|sealer| {
                hex::encode(field::seal(&file_field(&file_org(), &id), VERSION, sealer, key.expose(), random))
            });
            let key = sealed.is_none().then(|| hex::encode(key.expose()));
            FileKey { id, key, sealed }
        });
        let file = KeyFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            current: hex::encode(self.current),
            passphrase: parameters,
            keys: keys.collect(),
        };
        Ok(Zeroizing::new(serde_json::to_string_pretty(&file).expect("strings and numbers serialise") + "\n"))
    }
}

impl Passphrase {
    /// 64 MiB and 3 passes: RFC 9106's second recommended choice.
    fn fresh(random: &dyn Random) -> Self {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        Self { salt: hex::encode(salt), memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }

    fn stretch(&self, passphrase: &Token) -> Result<Key32, &'static str> {
        let salt = hex::decode(&self.salt).map_err(|_| "its salt is not hexadecimal")?;
        if self.memory_kib > 1024 * 1024 || self.passes > 64 || self.lanes > 16 {
            return Err("it asks for more than 1 GiB, 64 passes or 16 lanes");
        }
        let parameters = argon2::Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| "its passphrase parameters are out of range")?;
        let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
        Key32::build(|place| argon.hash_password_into(passphrase.expose().as_bytes(), &salt, place))
            .map_err(|_| "its passphrase parameters are out of range")
    }
}

/// Root keys belong to no organisation.
fn file_org() -> OrgId {
    OrgId::new("")
}

fn file_field<'a>(org: &'a OrgId, id: &'a str) -> FieldRef<'a> {
    FieldRef { org, purpose: FILE_PURPOSE, row: id }
}

fn key_id(text: &str) -> Option<KeyId> {
    let mut id = KeyId::default();
    hex::decode_to_slice(text, &mut id).ok().map(|()| id)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // A strict umask could have left less than the owner needs.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> KeyFileError {
    move |source| match source.kind() {
        ErrorKind::NotFound if action == "read" => KeyFileError::Missing { path: path.to_owned() },
        _ => KeyFileError::Io { path: path.to_owned(), action, source },
    }
}

#[async_trait]
impl KeyService for LocalKeys {
    fn name(&self) -> &'static str {
        SERVICE
    }

    async fn wrap(&self, org: &OrgId, key: &Key32) -> Result<Vec<u8>, KeyServiceError> {
        let root = self.keys.get(&self.current).ok_or_else(|| KeyServiceError::UnknownRootKey {
            org: org.clone(),
            key_id: hex::encode(self.current),
        })?;
        let row = hex::encode(self.current);
        let mut wrapped = vec![WRAP_VERSION];
        wrapped.extend_from_slice(&self.current);
        let place = FieldRef { org, purpose: WRAP_PURPOSE, row: &row };
        wrapped.extend_from_slice(&field::seal(&place, VERSION, root, key.expose(), self.random.as_ref()));
        Ok(wrapped)
    }

    async fn unwrap(&self, org: &OrgId, wrapped: &[u8]) -> Result<Key32, KeyServiceError> {
        let tampered = |_: Tampered| KeyServiceError::Tampered { org: org.clone() };
        let mut reader = Reader(wrapped);
        let [version] = reader.array().map_err(tampered)?;
        let id: KeyId = reader.array().map_err(tampered)?;
        if version != WRAP_VERSION {
            return Err(tampered(Tampered));
        }
        let row = hex::encode(id);
        let root = self
            .keys
            .get(&id)
            .ok_or_else(|| KeyServiceError::UnknownRootKey { org: org.clone(), key_id: row.clone() })?;
        field::open_key(&FieldRef { org, purpose: WRAP_PURPOSE, row: &row }, root, reader.0).map_err(tampered)
    }

    fn is_current(&self, wrapped: &[u8]) -> bool {
        wrapped.get(1..9) == Some(self.current.as_slice())
    }
}
