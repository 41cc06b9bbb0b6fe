//! Programs that dax runs beside itself, none for longer than it may take.

use rustix::process::{Signal, kill_process_group};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often it is asked whether a program that said its last word has ended.
const POLL: Duration = Duration::from_millis(2);

/// Runs a program to its end; gives what it prints. What it says beside is read where the caller pipes it.
///
/// # Errors
/// It cannot be started. Of the kind `TimedOut` where it took longer than the limit: then it was ended.
pub fn output_within(command: &mut Command, input: Vec<u8>, limit: Duration) -> Result<Output> {
    let ends = Instant::now() + limit;
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).spawn()?;
    let done = (|| {
        if let Some(mut pipe) = child.stdin.take() {
            // Whoever does not read to the end has what it wanted.
            beside(move || drop(pipe.write_all(&input)))?;
        }
        let stdout = child.stdout.take().map(all_of).transpose()?;
        let stderr = child.stderr.take().map(all_of).transpose()?;
        Ok((text_of(stdout, ends)?, text_of(stderr, ends)?, ended(&mut child, ends)?))
    })();
    let (stdout, stderr, status) = done.inspect_err(|_: &Error| {
        // Where it leads a group, its helpers end with it.
        let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let _ = child.kill();
        let _ = child.wait();
    })?;
    Ok(Output { status, stdout, stderr })
}

fn too_long() -> Error {
    Error::new(ErrorKind::TimedOut, "it took too long and was ended")
}

/// Work on a thread of its own; an error where the system has none to give.
fn beside(work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().spawn(work).map(drop)
}

/// Reads a pipe to its end, beside. Whoever holds it open after the program's end holds nobody up.
fn all_of(mut pipe: impl Read + Send + 'static) -> Result<Receiver<Result<Vec<u8>>>> {
    let (sender, receiver) = channel();
    beside(move || {
        let mut bytes = Vec::new();
        let read = pipe.read_to_end(&mut bytes).map(|_| bytes);
        let _ = sender.send(read);
    })?;
    Ok(receiver)
}

fn text_of(pipe: Option<Receiver<Result<Vec<u8>>>>, ends: Instant) -> Result<Vec<u8>> {
    let Some(pipe) = pipe else { return Ok(Vec::new()) };
    match pipe.recv_timeout(ends.saturating_duration_since(Instant::now())) {
        Ok(read) => read,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(too_long()),
    }
}

fn ended(child: &mut Child, ends: Instant) -> Result<std::process::ExitStatus> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(status),
            None if Instant::now() >= ends => return Err(too_long()),
            None => std::thread::sleep(POLL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str, limit: u64) -> Result<String> {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        let output = output_within(&mut command, b"in\n".to_vec(), Duration::from_millis(limit))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[test]
    fn what_is_printed_is_read_and_what_takes_too_long_is_ended() {
        assert_eq!(shell("cat; echo out", 5_000).unwrap(), "in\nout\n");
        let begun = Instant::now();
        assert_eq!(shell("exec sleep 60", 200).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(shell("exec >&-; exec sleep 60", 200).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn an_input_that_nobody_reads_and_a_large_output_block_nothing() {
        let mut command = Command::new("sh");
        command.args(["-c", "head -c 3000000 /dev/zero"]);
        let input = vec![b'x'; 3_000_000];
        let output = output_within(&mut command, input, Duration::from_secs(20)).unwrap();
        assert_eq!(output.stdout.len(), 3_000_000);
    }
}
