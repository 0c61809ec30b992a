//! What the load program and the runner share: the use that a process makes of CPU and memory, and the report that goes
//! from one to the other.

mod process;
mod report;

pub use process::{Cpu, ProcessError, cpu, proportional_memory};
pub use report::{Latency, Load, Report, Window};
