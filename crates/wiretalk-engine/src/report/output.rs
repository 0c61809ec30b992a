//! Where a report goes: a file that is whole or not there, or a stream.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A place that a report is written to. A file takes its name only when [`Output::commit`] says that it is complete:
/// what was there before stays until then, and a run that breaks off leaves nothing.
pub struct Output(To);

enum To {
    /// A new file beside the one that it will replace.
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
    /// Something that cannot be replaced: a pipe, a device, a stream.
    Stream(Box<dyn Write + Send>),
}

impl Output {
    /// Opens a file, so that one that cannot be written is known before the first test runs. Folders are not made.
    ///
    /// # Errors
    /// What the system says.
    pub fn file(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                let stream = File::options().write(true).open(path)?;
                Ok(Self::stream(BufWriter::new(stream)))
            }
            Ok(_) => {
                // Where the file itself must not be written, its folder's permission does not change that.
                File::options().append(true).open(path)?;
                // A link stays, and what it leads to is replaced.
                Self::beside(fs::canonicalize(path)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::beside(path.to_owned()),
            Err(error) => Err(error),
        }
    }

    /// Writes to a stream, whatever becomes of the report.
    #[must_use]
    pub fn stream(stream: impl Write + Send + 'static) -> Self {
        Self(To::Stream(Box::new(stream)))
    }

    /// Says that all is written.
    ///
    /// # Errors
    /// What the system says.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            To::File { file, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.persist(path).map_err(|error| error.error)?;
                Ok(())
            }
            To::Stream(mut stream) => stream.flush(),
        }
    }

    fn beside(path: PathBuf) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let name = path.file_name().unwrap_or(OsStr::new("report"));
        let mut builder = tempfile::Builder::new();
        let mut prefix = OsStr::new(".").to_owned();
        prefix.push(name);
        builder.prefix(&prefix).suffix(".part");
        // As any other file that is made: what the umask leaves of it. The temporary file would be for its owner alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder)?;
        if let Ok(found) = fs::metadata(&path) {
            // Not all systems let it, and the report is worth more than its permissions.
            let _ = fs::set_permissions(file.path(), found.permissions());
        }
        Ok(Self(To::File {
            file: BufWriter::new(file),
            path,
        }))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            To::File { file, .. } => file.write(bytes),
            To::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            To::File { file, .. } => file.flush(),
            To::Stream(stream) => stream.flush(),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            To::File { path, .. } => f.debug_tuple("File").field(path).finish(),
            To::Stream(_) => f.write_str("Stream"),
        }
    }
}
