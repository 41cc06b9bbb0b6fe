//! Real keys, signed and checked by the real OpenSSH.

use super::*;
use std::path::PathBuf;

/// 2026-01-02T03:04:05Z.
const AT: u64 = 1_767_323_045_000;

struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn keygen(&self, args: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        let output = command.current_dir(self.folder.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes a key; gives its public half.
    fn make(&self, name: &str, kind: &[&str]) -> String {
        let args = [kind, &["-q", "-N", "", "-C", "", "-f", name]].concat();
        self.keygen(&args);
        self.public(name)
    }

    fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }
}

fn statement(digest: &str) -> Statement<'_> {
    Statement {
        project: "shop",
        environment: "production",
        lineage: "l1",
        digest,
        step: None,
        by: "ann",
        at_ms: AT,
    }
}

#[test]
fn the_bytes_that_are_signed_never_change() {
    let text = String::from_utf8(statement("ab").message()).unwrap();
    let wanted = r#"{"dax_approval":1,"project":"shop","environment":"production","lineage":"l1","digest":"ab","step":null,"by":"ann","at_ms":1767323045000}"#;
    assert_eq!(text, format!("{wanted}\n"));
    let of_step = Statement { step: Some(StepId(2)), ..statement("ab") };
    assert!(String::from_utf8(of_step.message()).unwrap().contains(r#""step":2,"#));
}

#[test]
fn each_kind_of_key_signs_for_its_owner_and_for_that_message_alone() {
    let keys = Keys::new();
    let kinds: [(&str, &[&str]); 3] = [
        ("ed", &["-t", "ed25519"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("ec", &["-t", "ecdsa"]),
    ];
    for (name, kind) in kinds {
        let signers = format!("ann {}\n", keys.make(name, kind));
        let message = statement("ab").message();
        let signature = sign(&keys.path(name), &message).unwrap();
        let check = |principal: &str, message: &[u8], signature: &str| {
            verify(&signers, principal, message, signature, AT)
        };
        check("ann", &message, &signature).unwrap();
        let altered = [
            statement("ac"),
            Statement { environment: "staging", ..statement("ab") },
            Statement { lineage: "l2", ..statement("ab") },
            Statement { project: "shops", ..statement("ab") },
            Statement { step: Some(StepId(0)), ..statement("ab") },
            Statement { by: "bob", ..statement("ab") },
            Statement { at_ms: AT + 1, ..statement("ab") },
        ];
        for other in altered {
            let refused = check("ann", &other.message(), &signature).unwrap_err();
            assert!(refused.starts_with("no signature of `ann` by an allowed signer"), "{refused}");
        }
        for principal in ["bob", "an*", "*", "", "ann\nbob", "-Oprint-pubkey"] {
            check(principal, &message, &signature).unwrap_err();
        }
        for broken in ["", "no signature", &signature[..signature.len() / 2]] {
            check("ann", &message, broken).unwrap_err();
        }
    }
}

#[test]
fn a_signature_for_another_purpose_is_none() {
    let keys = Keys::new();
    let public = keys.make("key", &["-t", "ed25519"]);
    let message = statement("ab").message();
    std::fs::write(keys.path("message"), &message).unwrap();
    keys.keygen(&["-q", "-Y", "sign", "-n", "git", "-f", "key", "message"]);
    let signature = std::fs::read_to_string(keys.path("message.sig")).unwrap();
    let refused = verify(&format!("ann {public}\n"), "ann", &message, &signature, AT);
    refused.unwrap_err();
    // A signer may be allowed for some purposes only.
    let signature = sign(&keys.path("key"), &message).unwrap();
    let allowed = |namespaces: &str| {
        let signers = format!("ann namespaces=\"{namespaces}\" {public}\n");
        verify(&signers, "ann", &message, &signature, AT)
    };
    allowed("git,dax-approval").unwrap();
    allowed("git").unwrap_err();
}

#[test]
fn a_key_counts_while_it_is_valid_and_stands_in_the_file() {
    let keys = Keys::new();
    let (ann, other) =
        (keys.make("ann", &["-t", "ed25519"]), keys.make("other", &["-t", "ed25519"]));
    let message = statement("ab").message();
    let signature = sign(&keys.path("ann"), &message).unwrap();
    let at = |signers: &str, at_ms: u64| verify(signers, "ann", &message, &signature, at_ms);
    let until = format!("ann valid-before=\"20260102030406Z\" {ann}\n");
    let until_local = format!("ann valid-before=\"20260102030406\" {ann}\n");
    for signers in [&until, &until_local] {
        at(signers, AT).unwrap();
        // The same reason every time, with no path of this check.
        for later in [2_000, 5_000] {
            let refused = at(signers, AT + later).unwrap_err();
            let why = "no signature of `ann` by an allowed signer: the key expired on \
                       2026-01-02T03:04:06 (line 1 of the allowed signers)";
            assert_eq!(refused, why);
        }
    }
    let from = format!("ann valid-after=\"20260102030405\" {ann}\n");
    at(&from, AT + 2_000).unwrap();
    at(&from, AT - 2_000).unwrap_err();
    // Whose key was taken out of the file, or replaced, signs no more.
    for signers in [String::new(), format!("ann {other}\n"), format!("# ann {ann}\n")] {
        at(&signers, AT).unwrap_err();
    }
}

#[test]
fn a_certificate_counts_for_the_names_in_it_by_an_authority_that_is_one() {
    let keys = Keys::new();
    let authority = keys.make("authority", &["-t", "ed25519"]);
    keys.make("ann", &["-t", "ed25519"]);
    keys.keygen(&[
        "-q",
        "-s",
        "authority",
        "-I",
        "ann",
        "-n",
        "ann",
        "-V",
        "20260101:20260201",
        "ann.pub",
    ]);
    let message = statement("ab").message();
    let signature = sign(&keys.path("ann-cert.pub"), &message).unwrap();
    let with =
        |signers: &str, who: &str, at_ms: u64| verify(signers, who, &message, &signature, at_ms);
    let trusted = format!("* cert-authority {authority}\n");
    with(&trusted, "ann", AT).unwrap();
    with(&trusted, "bob", AT).unwrap_err();
    with(&trusted, "ann", AT + 60 * 86_400_000).unwrap_err();
    // A key that is no authority vouches for itself only.
    with(&format!("* {authority}\n"), "ann", AT).unwrap_err();
}

#[test]
fn the_lines_that_the_documentation_shows_are_read() {
    let keys = Keys::new();
    let (ann, authority) =
        (keys.make("ann", &["-t", "ed25519"]), keys.make("authority", &["-t", "ed25519"]));
    let args = ["-q", "-s", "authority", "-I", "cid", "-n", "cid", "-V", "20260101:20260201"];
    std::fs::copy(keys.path("ann.pub"), keys.path("cid.pub")).unwrap();
    keys.keygen(&[&args[..], &["cid.pub"]].concat());
    let page = include_str!("../../../docs/review.md");
    let (_, from) = page.split_once("## Signed approvals").unwrap();
    let (_, from) = from.split_once("```text\n").unwrap();
    let (lines, _) = from.split_once("```").unwrap();
    let placeholder = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA…";
    let message = statement("ab").message();
    let signature = sign(&keys.path("ann"), &message).unwrap();
    std::fs::copy(keys.path("ann"), keys.path("cid")).unwrap();
    let certified = sign(&keys.path("cid-cert.pub"), &message).unwrap();
    let mut seen = 0;
    for line in lines.lines() {
        assert!(line.contains(placeholder), "{line}");
        let (who, key, signature) = match line {
            _ if line.starts_with("* ") => ("cid", &authority, &certified),
            _ if line.starts_with("bob ") => ("bob", &ann, &signature),
            _ => ("ann", &ann, &signature),
        };
        let signers = line.replace(placeholder, key);
        verify(&signers, who, &message, signature, AT)
            .unwrap_or_else(|refused| panic!("{line}: {refused}"));
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn a_signature_that_does_not_count_says_why() {
    let keys = Keys::new();
    let (ann, other) =
        (keys.make("ann", &["-t", "ed25519"]), keys.make("other", &["-t", "ed25519"]));
    let message = statement("ab").message();
    let signature = sign(&keys.path("ann"), &message).unwrap();
    let cases = [
        (format!("ann {other}\n"), "the key that made it is none of theirs"),
        (
            format!("# people\nann namespaces=\"git\" {ann}\n"),
            "the key is for other purposes than `dax-approval` (line 2 of the allowed signers)",
        ),
        ("ann garbage\n".to_owned(), "missing key (line 1 of the allowed signers)"),
    ];
    for (signers, why) in cases {
        let refused = verify(&signers, "ann", &message, &signature, AT).unwrap_err();
        let said = format!("no signature of `ann` by an allowed signer: {why}");
        assert_eq!(refused, said);
    }
    let signers = format!("ann {ann}\n");
    let refused = verify(&signers, "ann", b"other", &signature, AT).unwrap_err();
    assert!(refused.ends_with("signer: it is of another approval"), "{refused}");
}

/// An agent of its own; it ends with the test.
struct Agent {
    child: std::process::Child,
    socket: PathBuf,
}

impl Agent {
    fn start(socket: &Path) -> Self {
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(socket).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        for _ in 0..500 {
            if socket.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, socket: socket.to_owned() }
    }

    fn add(&self, key: &Path) {
        let mut command = Command::new("ssh-add");
        let output = command.arg(key).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Signs as [`sign`] does, by this agent.
    fn sign(&self, key: &Path, message: &[u8]) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
        command.env("SSH_AUTH_SOCK", &self.socket).stderr(Stdio::piped());
        let output = run(&mut command, message, SIGNING).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_agent_signs_with_the_half_that_only_it_has() {
    let keys = Keys::new();
    let public = keys.make("ann", &["-t", "ed25519"]);
    let agent = Agent::start(&keys.path("agent"));
    agent.add(&keys.path("ann"));
    std::fs::remove_file(keys.path("ann")).unwrap();
    let message = statement("ab").message();
    let signature = agent.sign(&keys.path("ann.pub"), &message);
    verify(&format!("ann {public}\n"), "ann", &message, &signature, AT).unwrap();
}

#[test]
fn a_key_that_is_not_there_or_signs_nothing_is_said_with_what_helps() {
    let keys = Keys::new();
    let refused = sign(&keys.path("nothing"), b"x").unwrap_err();
    assert!(refused.contains("there is no such file"), "{refused}");
    let refused = sign(keys.folder.path(), b"x").unwrap_err();
    assert!(refused.contains("that is no file"), "{refused}");
    std::fs::write(keys.path("text"), "no key\n").unwrap();
    let refused = sign(&keys.path("text"), b"x").unwrap_err();
    assert!(refused.contains("does not sign") && refused.contains("ssh-add -l"), "{refused}");
}
