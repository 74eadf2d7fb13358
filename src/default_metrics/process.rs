//! The `process_*` families, from any thread and without JavaScript.
//!
//! On Linux they are read from /proc at each call, so that they stay current while the event loop is
//! blocked. Elsewhere the page has the figures of the last sample (CPU, start time, resident memory),
//! as prom-client does. A figure that cannot be read is left out; nothing here fails.

use prometheus::proto::MetricFamily;

use crate::{
    default_metrics::descriptors::{self, Descriptor},
    default_metrics::node::ProcessSample,
};

/// The figures of this process, in seconds and bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// CPU time in user mode.
    pub cpu_user: Option<f64>,
    /// CPU time in the kernel.
    pub cpu_system: Option<f64>,
    /// The start time, since the epoch.
    pub start_time: Option<f64>,
    /// Resident memory.
    pub resident_memory: Option<f64>,
    /// Virtual memory.
    pub virtual_memory: Option<f64>,
    /// The data segment (`VmData`).
    pub heap: Option<f64>,
    /// Open file descriptors.
    pub open_fds: Option<f64>,
    /// The soft limit on open file descriptors.
    pub max_fds: Option<f64>,
}

/// Returns the current figures. `sampled` are those of the last sample, which Linux does not need.
#[must_use]
pub fn figures(sampled: Option<&ProcessSample>) -> Figures {
    read(sampled)
}

/// Returns the families of the current figures.
#[must_use]
pub fn families(sampled: Option<&ProcessSample>) -> Vec<MetricFamily> {
    render(&read(sampled))
}

fn render(figures: &Figures) -> Vec<MetricFamily> {
    let cpu = figures.cpu_user.zip(figures.cpu_system).map(|(user, system)| user + system);
    let table: [(&Descriptor, Option<f64>); 9] = [
        (&descriptors::CPU_USER, figures.cpu_user),
        (&descriptors::CPU_SYSTEM, figures.cpu_system),
        (&descriptors::CPU, cpu),
        (&descriptors::START_TIME, figures.start_time),
        (&descriptors::RESIDENT_MEMORY, figures.resident_memory),
        (&descriptors::VIRTUAL_MEMORY, figures.virtual_memory),
        (&descriptors::PROCESS_HEAP, figures.heap),
        (&descriptors::OPEN_FDS, figures.open_fds),
        (&descriptors::MAX_FDS, figures.max_fds),
    ];
    table
        .into_iter()
        .filter_map(|(descriptor, value)| Some(descriptor.family([(Vec::new(), value?)])))
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn read(sampled: Option<&ProcessSample>) -> Figures {
    sampled.map_or_else(Figures::default, from_sample)
}

#[cfg(any(test, not(target_os = "linux")))]
fn from_sample(sample: &ProcessSample) -> Figures {
    Figures {
        cpu_user: Some(sample.cpu_user),
        cpu_system: Some(sample.cpu_system),
        start_time: Some(sample.start_time),
        resident_memory: Some(sample.resident_memory),
        ..Figures::default()
    }
}

#[cfg(target_os = "linux")]
fn read(_sampled: Option<&ProcessSample>) -> Figures {
    procfs::process::Process::myself().map_or_else(|_| Figures::default(), |own| linux::read(&own))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, sync::OnceLock};

    use procfs::process::{LimitValue, Process};

    use super::Figures;

    /// Reads each file separately: a sandbox may hide some of them.
    pub(super) fn read(own: &Process) -> Figures {
        let stat = own.stat().ok();
        let status = fs::read_to_string(format!("/proc/{}/status", own.pid)).unwrap_or_default();
        let bytes = |name| kibibytes(&status, name).map(|kib| float(kib * 1024));
        Figures {
            cpu_user: stat.as_ref().map(|stat| seconds(stat.utime)),
            cpu_system: stat.as_ref().map(|stat| seconds(stat.stime)),
            start_time: stat.as_ref().and_then(|stat| start_time(stat.starttime)),
            resident_memory: bytes("VmRSS:"),
            virtual_memory: bytes("VmSize:"),
            heap: bytes("VmData:"),
            open_fds: open_fds(own),
            max_fds: max_fds(own),
        }
    }

    /// Returns one figure of `status`. procfs parses all fifty, which doubles its size in the binary.
    fn kibibytes(status: &str, name: &str) -> Option<u64> {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.strip_suffix("kB")?.trim().parse().ok()
    }

    /// Returns the number of open descriptors without those of this reading: `own`, and the directory
    /// where it is listed. `Process::fd_count` counts `.` and `..` where the directory is listed.
    fn open_fds(own: &Process) -> Option<f64> {
        let folder = format!("/proc/{}/fd", own.pid);
        // Since Linux 6.2 the size of the directory is the number, without a walk over 100,000 sockets.
        let size = fs::metadata(&folder).ok()?.len();
        let open = if size > 0 {
            size.saturating_sub(1)
        } else {
            (fs::read_dir(&folder).ok()?.count() as u64).saturating_sub(2)
        };
        Some(float(open))
    }

    /// Returns `None` where there is no limit.
    fn max_fds(own: &Process) -> Option<f64> {
        match own.limits().ok()?.max_open_files.soft_limit {
            LimitValue::Value(limit) => Some(float(limit)),
            LimitValue::Unlimited => None,
        }
    }

    /// Returns the start time, which is read once: the kernel computes its boot time each time, and a
    /// start time that varies looks like a restart.
    fn start_time(ticks_after_boot: u64) -> Option<f64> {
        static START_TIME: OnceLock<Option<f64>> = OnceLock::new();
        *START_TIME.get_or_init(|| {
            let boot = procfs::boot_time_secs().ok()?;
            Some(float(boot) + seconds(ticks_after_boot))
        })
    }

    fn seconds(ticks: u64) -> f64 {
        float(ticks) / float(procfs::ticks_per_second())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "every figure here is far below 2^53, and the format has nothing but floats"
    )]
    fn float(figure: u64) -> f64 {
        figure as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(families: &[MetricFamily]) -> Vec<&str> {
        families.iter().map(MetricFamily::name).collect()
    }

    #[test]
    fn a_missing_figure_has_no_family() {
        assert!(render(&Figures::default()).is_empty());
        let figures = Figures { cpu_user: Some(1.0), open_fds: Some(3.0), ..Figures::default() };
        assert_eq!(
            names(&render(&figures)),
            ["process_cpu_user_seconds_total", "process_open_fds"]
        );
    }

    #[test]
    fn a_sample_alone_gives_five_families() {
        let sample = ProcessSample {
            cpu_user: 1.5,
            cpu_system: 0.25,
            resident_memory: 7000.0,
            start_time: 1_700_000_000.0,
        };
        let families = render(&from_sample(&sample));
        assert_eq!(
            names(&families),
            [
                "process_cpu_user_seconds_total",
                "process_cpu_system_seconds_total",
                "process_cpu_seconds_total",
                "process_start_time_seconds",
                "process_resident_memory_bytes",
            ]
        );
        assert_eq!(families[2].get_metric()[0].get_counter().get_value(), 1.75);
    }

    #[cfg(target_os = "linux")]
    mod on_linux {
        use std::{
            fs, hint, thread,
            time::{Duration, Instant, SystemTime},
        };

        use super::*;

        fn figures() -> Figures {
            read(None)
        }

        #[test]
        fn all_nine_families_are_in_prom_clients_order() {
            let expected: Vec<_> =
                descriptors::defaults().take(9).map(|descriptor| descriptor.name).collect();
            assert_eq!(names(&families(None)), expected);
        }

        #[test]
        fn work_on_another_thread_shows_as_cpu_seconds() {
            let before = figures();
            let deadline = Instant::now() + Duration::from_secs(20);
            let spent = thread::spawn(move || {
                loop {
                    for i in 0..1_000_000_u64 {
                        hint::black_box(i);
                    }
                    let spent = figures().cpu_user.unwrap() - before.cpu_user.unwrap();
                    if spent > 0.05 || Instant::now() > deadline {
                        return spent;
                    }
                }
            });
            assert!(spent.join().unwrap() > 0.05);
        }

        #[test]
        fn the_start_time_is_in_the_near_past_and_does_not_change() {
            let start = figures().start_time.unwrap();
            let now =
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
            assert!(start <= now + 2.0 && now - start < 3600.0, "started {} s ago", now - start);
            assert_eq!(figures().start_time, Some(start));
        }

        #[test]
        fn memory_is_plausible() {
            let Figures { resident_memory, virtual_memory, heap, .. } = figures();
            let resident = resident_memory.unwrap();
            assert!(resident > 500_000.0 && resident < 8e9, "{resident}");
            assert!(virtual_memory.unwrap() >= resident);
            assert!(heap.unwrap() > 0.0);
        }

        #[test]
        fn an_open_file_is_one_more_descriptor() {
            // 200 stand out from the files that other tests open at the same time.
            let before = figures().open_fds.unwrap();
            let files: Vec<_> =
                (0..200).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
            let more = figures().open_fds.unwrap() - before;
            assert!((150.0..250.0).contains(&more), "{more} more");
            drop(files);
        }

        #[test]
        fn the_limit_is_the_soft_one() {
            let limits = fs::read_to_string("/proc/self/limits").unwrap();
            let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
            let soft: f64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
            assert_eq!(figures().max_fds, Some(soft));
        }

        #[test]
        fn a_process_that_has_ended_has_no_families() {
            let child = std::process::Command::new("sleep").arg("60").spawn();
            let mut child = child.unwrap();
            let theirs = procfs::process::Process::new(child.id().cast_signed()).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(render(&linux::read(&theirs)).is_empty());
        }
    }
}
