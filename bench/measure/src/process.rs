//! What /proc tells of a process (proc(5)).

use std::{
    fmt, fs, io,
    ops::Sub,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// The CPU time that a process has used, all its threads together, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// User and system time, from `schedstat`: exact.
    pub total_ns: u64,
    /// How long its threads could have run while the CPU was somebody else's, from `schedstat` too.
    pub waited_ns: u64,
    /// User time by the kernel's ticks, from `stat`: in steps of 10 ms.
    pub user_ticks: u64,
    /// System time by the kernel's ticks.
    pub system_ticks: u64,
}

impl Cpu {
    /// User time: the share of the ticks, of the exact total.
    #[must_use]
    pub fn user_ns(&self) -> u64 {
        let ticks = self.user_ticks + self.system_ticks;
        if ticks == 0 {
            return 0;
        }
        let share = u128::from(self.total_ns) * u128::from(self.user_ticks) / u128::from(ticks);
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

impl Sub for Cpu {
    type Output = Self;

    /// What was used between two samples.
    fn sub(self, before: Self) -> Self {
        Self {
            total_ns: self.total_ns.saturating_sub(before.total_ns),
            waited_ns: self.waited_ns.saturating_sub(before.waited_ns),
            user_ticks: self.user_ticks.saturating_sub(before.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(before.system_ticks),
        }
    }
}

/// Why nothing could be learnt of a process.
#[derive(Debug)]
pub struct ProcessError {
    path: PathBuf,
    source: Option<io::Error>,
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.source {
            Some(error) => write!(f, "{path} cannot be read: {error}"),
            None => write!(f, "{path} does not look as proc(5) says"),
        }
    }
}

impl std::error::Error for ProcessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// The CPU time that a process has used until now. A thread that has ended counts in ticks only.
///
/// # Errors
/// If the process is gone.
pub fn cpu(pid: u32) -> Result<Cpu, ProcessError> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    let stat = read(&path)?;
    // The second field is the program's name, in brackets, and may hold spaces.
    let mut fields = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_ascii_whitespace())
        .ok_or_else(|| strange(&path))?
        .skip(11);
    let mut tick = || fields.next().and_then(|field| field.parse().ok());
    let (Some(user_ticks), Some(system_ticks)) = (tick(), tick()) else {
        return Err(strange(&path));
    };
    let (mut total_ns, mut waited_ns) = (0, 0);
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let entries = fs::read_dir(&tasks).map_err(|error| unreadable(&tasks, error))?;
    for entry in entries.flatten() {
        let path = entry.path().join("schedstat");
        // A thread may end while we look.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let mut times = text
            .split_ascii_whitespace()
            .map_while(|time| time.parse::<u64>().ok());
        let (Some(ran), Some(waited)) = (times.next(), times.next()) else {
            return Err(strange(&path));
        };
        total_ns += ran;
        waited_ns += waited;
    }
    Ok(Cpu {
        total_ns,
        waited_ns,
        user_ticks,
        system_ticks,
    })
}

/// The memory of a process, in KiB: what it has to itself, and its share of what it has with others (`Pss`).
///
/// # Errors
/// If the process is gone.
pub fn proportional_memory(pid: u32) -> Result<u64, ProcessError> {
    let path = PathBuf::from(format!("/proc/{pid}/smaps_rollup"));
    let text = read(&path)?;
    text.lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| strange(&path))
}

fn read(path: &Path) -> Result<String, ProcessError> {
    fs::read_to_string(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: io::Error) -> ProcessError {
    ProcessError {
        path: path.to_owned(),
        source: Some(error),
    }
}

fn strange(path: &Path) -> ProcessError {
    ProcessError {
        path: path.to_owned(),
        source: None,
    }
}
