//! What the process costs, as its system tells; the names are those that Prometheus' own libraries use.

use super::encode::Page;

#[cfg(target_os = "linux")]
pub(super) fn encode(page: &mut Page<'_>) -> Result<(), std::fmt::Error> {
    use procfs::process::{LimitValue, Process};

    // Without /proc, as in some sandboxes, there is nothing to tell.
    let Ok(process) = Process::myself() else {
        return Ok(());
    };
    if let Ok(stat) = process.stat() {
        let ticks = procfs::ticks_per_second() as f64;
        page.counter(
            "process_cpu_seconds",
            "CPU time that the process has used, in seconds",
            (stat.utime + stat.stime) as f64 / ticks,
        )?;
        page.gauge(
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM, in bytes",
            stat.rss.saturating_mul(procfs::page_size()),
        )?;
        page.gauge(
            "process_virtual_memory_bytes",
            "Addresses that the process has, in bytes",
            stat.vsize,
        )?;
        page.gauge(
            "process_threads",
            "Threads of the process",
            stat.num_threads,
        )?;
        if let Ok(boot) = procfs::boot_time_secs() {
            page.gauge(
                "process_start_time_seconds",
                "When the process started, in seconds since 1970",
                boot as f64 + stat.starttime as f64 / ticks,
            )?;
        }
    }
    if let Ok(open) = process.fd_count() {
        page.gauge(
            "process_open_fds",
            "File descriptors that the process has open",
            open,
        )?;
    }
    if let Ok(limits) = process.limits()
        && let LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        page.gauge(
            "process_max_fds",
            "File descriptors that the process may have open",
            most,
        )?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn encode(_: &mut Page<'_>) -> Result<(), std::fmt::Error> {
    Ok(())
}
