//! How the command line ends when it is not read, when it cannot print, and when a shim dies: seen on the program.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::shims::{Folder, RUNNER};

/// Each verb that prints: nobody reads it, and a panic would be exit code 101.
#[test]
fn a_reader_that_is_gone_ends_nothing_and_panics_nowhere() {
    for verb in [
        &["list"][..],
        &["list", "--count"],
        &["list", "--stats"],
        &["states"],
        &["example"],
        &["shim"],
        &["shim", "go"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(RUNNER).args(verb).stdout(writer).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""), "{verb:?}");
    }
}

#[test]
fn a_run_that_nobody_reads_still_has_its_exit_code() {
    let folder = Folder::new();
    for (body, code) in [("say(right)", 0), ("if n == 2: right['out'] = {}\nsay(right)", 1)] {
        let _ = folder.run(body, &[]);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(RUNNER);
        let shim = format!("python3 -B '{}'", folder.path().join("shim.py").display());
        let _ = command
            .arg("--folder")
            .arg(folder.path().join("v1"))
            .args(["run", "--jobs", "1", "--shim", &shim]);
        let output = command.stdout(writer).output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_ends_with_2() {
    for verb in [&["list"][..], &["list", "--stats"], &["states"], &["example"]] {
        let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("it is there"));
        let output = Command::new(RUNNER).args(verb).stdout(full()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {said}");
        assert!(said.contains("standard output cannot be written: "), "{said}");
        // There is nobody left to tell, and still no panic.
        let mute = Command::new(RUNNER).args(verb).stdout(full()).stderr(full()).status().expect("it runs");
        assert_eq!(mute.code(), Some(2), "{verb:?}");
    }
}

/// The first failure of every newcomer: the shim dies, and its standard error says why.
#[test]
fn what_a_dying_shim_wrote_to_its_standard_error_is_shown() {
    let folder = Folder::new();
    let reports = folder.path().join("reports");
    let report = ["--report", reports.to_str().expect("text")];
    // Before its hello: at once, with children that hold the pipe, much, and without a line end.
    for (shim, class) in [
        ("sh -c 'echo ModuleNotFound: xyz >&2; exit 3'", "CRASH"),
        ("sh -c 'echo ModuleNotFound: xyz >&2; sleep 60 & exit 3'", "CRASH"),
        ("sh -c 'seq 5000 >&2; printf \"ModuleNotFound: xyz\" >&2; exec >&-; sleep 60'", "CRASH"),
        ("sh -c 'echo ModuleNotFound: xyz >&2; echo hello; cat'", "FAIL"),
        ("sh -c 'echo ModuleNotFound: xyz >&2; sleep 60'", "HANG"),
    ] {
        let more = [&["--start-ms", "2000"][..], &report].concat();
        let (code, told) = folder.run_command(shim, &more);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(class) && told.contains("its stderr: ModuleNotFound: xyz"), "{shim}: {told}");
        assert!(told.lines().count() < 20, "its last lines alone: {told}");
        for name in ["report.json", "report.html", "junit.xml"] {
            let report = std::fs::read_to_string(reports.join(name)).expect("a report");
            assert!(report.contains("ModuleNotFound: xyz"), "{name}: {report}");
        }
    }
    // In the middle of a run.
    for (body, class) in [
        ("os._exit(3)", "CRASH"),
        ("print('Ahoy', flush=True); continue", "FAIL"),
        ("right['id'] += 1", "FAIL"),
        ("del right['ok']", "FAIL"),
    ] {
        let body =
            format!("if n == 2:\n    os.write(2, b'Trace\\x1b[2J\\nValueError: why\\n'); {body}\nsay(right)");
        let (code, told) = folder.run(&body, &report);
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains(&format!("{class} t/2: ")) && told.contains("its stderr: ValueError: why"),
            "{told}"
        );
        assert!(!told.contains('\x1b'), "{told}");
        for name in ["report.json", "report.html", "junit.xml"] {
            let report = std::fs::read_to_string(reports.join(name)).expect("a report");
            assert!(report.contains("ValueError: why"), "{name}");
        }
    }
}

#[test]
fn reports_that_cannot_be_written_are_told_before_the_run() {
    let folder = Folder::new();
    let plain = folder.file("plain", "");
    std::fs::create_dir_all(folder.path().join("taken/junit.xml")).expect("a folder");
    let under_plain = plain.join("reports");
    let shim = format!("sh -c 'touch {}; cat'", folder.path().join("asked").display());
    for report in [
        "/proc/nope",
        plain.to_str().expect("text"),
        under_plain.to_str().expect("text"),
        folder.path().join("taken").to_str().expect("text"),
    ] {
        let (code, told) = folder.run_command(&shim, &["--report", report]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("--report: "), "{told}");
        assert!(!folder.path().join("asked").exists(), "{report}: no shim was started");
    }
}

/// Whether a process with this number is there, and is no corpse.
fn lives(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    state.is_ok_and(|state| !state.contains(") Z "))
}

fn until(what: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_shim_started_ends_with_the_run_or_with_the_runner() {
    let folder = Folder::new();
    let child = folder.path().join("child");
    let starts = format!(
        "if n == 1:\n    import subprocess\n    open({child:?}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))"
    );
    let (code, told) = folder.run(&format!("{starts}\nsay(right)"), &[]);
    assert_eq!(code, Some(0), "{told}");
    let pid = std::fs::read_to_string(&child).expect("a child");
    assert!(until(|| !lives(&pid)), "a child of the shim lives on after the run");

    for (signal, is_caught) in [("INT", true), ("TERM", true), ("HUP", true), ("KILL", false)] {
        std::fs::remove_file(&child).expect("removed");
        let _ = folder
            .run(&format!("{starts}\nif n == 1: say(right)\nelse: time.sleep(600)"), &["--case", "none"]);
        let shim = format!("python3 -B '{}'", folder.path().join("shim.py").display());
        let mut command = Command::new(RUNNER);
        let _ = command.arg("--folder").arg(folder.path().join("v1"));
        let _ = command.args(["run", "--jobs", "1", "--patience-ms", "60000", "--shim", &shim]);
        let mut runner = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        assert!(
            until(|| std::fs::read_to_string(&child).is_ok_and(|pid| !pid.is_empty())),
            "it starts a child"
        );
        let pid = std::fs::read_to_string(&child).expect("a child");
        assert!(lives(&pid));
        let killed = Command::new("kill").arg(format!("-{signal}")).arg(runner.id().to_string()).status();
        assert!(killed.expect("kill runs").success());
        let code = runner.wait().expect("it ends").code();
        assert_eq!(code.is_some_and(|code| code > 128), is_caught, "{signal}");
        assert!(until(|| !lives(&pid)), "{signal}: a child of the shim lives on after the runner");
    }
}
