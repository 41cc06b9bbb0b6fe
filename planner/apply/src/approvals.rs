//! Counting of approvals: whether enough of the right people approved.

use dax_core::Name;
use dax_plan::StepId;
use dax_plan::model::ApprovalGate;
use dax_store::Approval;
use std::collections::BTreeSet;

/// Tells whether an approval counts for a gate: it is by one of those whom the gate names, and it is
/// worth something. The driver knows neither groups nor keys.
pub type Counts<'c> = &'c dyn Fn(&ApprovalGate, &Approval) -> bool;

/// Returns who approved a gate, once it is enough.
///
/// One person counts once, however the name is written: at code hosts letter case does not tell
/// names apart. Nor do several names for which one key signs.
///
/// # Errors
/// The number of approvals that are lacking.
pub fn agreed(
    gate: &ApprovalGate,
    step: Option<StepId>,
    approvals: &[Approval],
    counts: Counts<'_>,
) -> Result<Vec<Name>, u32> {
    let valid = approvals.iter().filter(|one| one.step == step && counts(gate, one));
    let names = |one: &Approval| BTreeSet::from([one.by.to_ascii_lowercase()]);
    let by: Vec<Name> = people(valid, &names).into_iter().map(|one| one.by.clone()).collect();
    let count = u32::try_from(by.len()).unwrap_or(u32::MAX);
    if count >= gate.count { Ok(by) } else { Err(gate.count - count) }
}

/// One approval of each person, in the order of names: those that share a name, or the key that
/// signed them, are of one.
pub fn people<'a>(
    approvals: impl Iterator<Item = &'a Approval>,
    names: &dyn Fn(&Approval) -> BTreeSet<String>,
) -> Vec<&'a Approval> {
    type Person<'a> = (BTreeSet<String>, BTreeSet<Vec<u8>>, &'a Approval);
    let mut approvals: Vec<&Approval> = approvals.collect();
    approvals.sort_by_key(|one| (one.by.to_ascii_lowercase(), one.by.clone()));
    let mut people: Vec<Person<'_>> = Vec::new();
    for approval in approvals {
        let keys = approval.signature.as_deref().and_then(signing_key).into_iter().collect();
        let mut one: Person<'_> = (names(approval), keys, approval);
        // Whoever was two so far may be one by this.
        let same =
            |known: &Person<'_>| !known.0.is_disjoint(&one.0) || !known.1.is_disjoint(&one.1);
        let at = people.iter().position(same);
        let (known, others): (Vec<_>, Vec<_>) = people.into_iter().partition(same);
        people = others;
        for (names, keys, first) in known.into_iter().rev() {
            one = (&one.0 | &names, &one.1 | &keys, first);
        }
        people.insert(at.unwrap_or(people.len()).min(people.len()), one);
    }
    people.into_iter().map(|(_, _, approval)| approval).collect()
}

/// The public key that made an armoured SSH signature, in the encoding of RFC 4253; nothing where
/// it is no signature. Of a certificate it is the key that was certified.
/// Source: <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig>.
fn signing_key(signature: &str) -> Option<Vec<u8>> {
    let body = signature.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let bytes = decoded(&body.collect::<String>())?;
    let rest = bytes.strip_prefix(b"SSHSIG")?.get(4..)?;
    let (key, _) = text(rest)?;
    let (kind, rest) = text(key)?;
    let kind = std::str::from_utf8(kind).ok()?;
    let Some((plain, _)) = kind.split_once("-cert-v01@") else { return Some(key.to_vec()) };
    // After a nonce a certificate holds the fields of its key, of which there are so many.
    let fields = match plain {
        "ssh-ed25519" => 1,
        "ssh-rsa" | "sk-ssh-ed25519" => 2,
        _ if plain.starts_with("ecdsa-sha2-") => 2,
        _ if plain.starts_with("sk-ecdsa-sha2-") => 3,
        _ => return Some(key.to_vec()),
    };
    let (_, after_nonce) = text(rest)?;
    let mut end = after_nonce;
    for _ in 0..fields {
        end = text(end)?.1;
    }
    // The names of keys of tokens end with their place of origin, those of certificates as well.
    let name = if plain.starts_with("sk-") { format!("{plain}@openssh.com") } else { plain.into() };
    let length = u32::try_from(name.len()).ok()?.to_be_bytes();
    let own = &after_nonce[..after_nonce.len() - end.len()];
    Some([&length[..], name.as_bytes(), own].concat())
}

/// A text with its length before it, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Bytes of a text in Base64.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => Some(u32::from(letter - b'A')),
        b'a'..=b'z' => Some(u32::from(letter - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(letter - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Option<Vec<u32>> = text.trim_end_matches('=').bytes().map(digit).collect();
    let mut bytes = Vec::new();
    for four in digits?.chunks(4) {
        let whole = four.iter().fold(0, |all, one| (all << 6) | one) << (6 * (4 - four.len()));
        let [_, all @ ..] = whole.to_be_bytes();
        bytes.extend(&all[..four.len() - 1]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(by: &str, step: Option<StepId>) -> Approval {
        Approval {
            digest: Name::default(),
            step,
            by: by.into(),
            groups: Vec::new(),
            reason: String::new(),
            at_ms: 0,
            signature: None,
            names: Vec::new(),
        }
    }

    // Signatures of several texts by keys that were thrown away, one of them with a certificate.
    const ANN: &str = "\
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgaewC8sib6BBWS3FovpJKhqoEaO+LjR2jZddqVL+41/cA\
        AAAMZGF4LWFwcHJvdmFsAAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5AAAAQDRsjmbGuI4Xj8PtZJ7+\
        RZVNFn2qLZxRt3o4MhKkWWsnCIRp3VdWJPDSTZrLKA/rNptNgzCBQsS6VxXka+wgsw4=";
    const ANN_AGAIN: &str = "\
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgaewC8sib6BBWS3FovpJKhqoEaO+LjR2jZddqVL+41/cA\
        AAAMZGF4LWFwcHJvdmFsAAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5AAAAQDG0R0VqgDue8RDQUZpz\
        PYkiRjLoCzALwHHmR9VCs5aTs77Mdxfvwi0rvVXSA8FT0EI41vxzkggGk5FvCj56TQI=";
    const ANN_CERTIFIED: &str = "\
        U1NIU0lHAAAAAQAAAbUAAAAgc3NoLWVkMjU1MTktY2VydC12MDFAb3BlbnNzaC5jb20AAAAg9fG+/U+/Q10d6pOp\
        ALyqOZ+EPVL0W36bFIbZOk6LbLUAAAAgaewC8sib6BBWS3FovpJKhqoEaO+LjR2jZddqVL+41/cAAAAAAAAAAAAA\
        AAEAAAACaWQAAAAHAAAAA2FubgAAAAAAAAAA//////////8AAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRp\
        bmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAA\
        AAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAA\
        ACBa8U9BlTuXXf8r11aU795OKN9L8EHMlOuboOzDcZxw7gAAAFMAAAALc3NoLWVkMjU1MTkAAABAk/wofcz1AOoA\
        yAcBkA6q9U4nMVZFdUC5q/rp4lJQxJfiDPwH54InbxaqOSHx+6XfMQLjRcSV6qgWLD/3CkDbAAAAAAxkYXgtYXBw\
        cm92YWwAAAAAAAAABnNoYTUxMgAAAFMAAAALc3NoLWVkMjU1MTkAAABANGyOZsa4jhePw+1knv5FlU0WfaotnFG3\
        ejgyEqRZaycIhGndV1Yk8NJNmssoD+s2m02DMIFCxLpXFeRr7CCzDg==";
    const BOB: &str = "\
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgnP17JBnR4FuV/oEsXsuMTgQVYR5OuS/odIIMq+EO8LkA\
        AAAMZGF4LWFwcHJvdmFsAAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5AAAAQGYME6fWjBg5gcQvkD/l\
        WZyatuZn3uNm9jE4Cv+i5Vxe8RWVU9Mp7vgrwLRNbFNk6IYzLavknATvIMjtj85UrwU=";
    const EVE: &str = "\
        U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAEEERbNJBvMr3PKC3yyv\
        L+PzgQt+uw8GyGt7mGI6YyApMk2CvQHOZTQHqz/Ptl+ZE1rK5xtGudZF0V98HpP3ynpOUwAAAAxkYXgtYXBwcm92\
        YWwAAAAAAAAABnNoYTUxMgAAAGMAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAEgAAAAgArUs5zJZPv1mieDU0IId\
        ebcnZuNjzMxH0SnX6gnfJZ0AAAAgZCpW6AsCNmLjn8xbqF0By+VJYwmWrpx55HBlhGi9baA=";
    const EVE_AGAIN: &str = "\
        U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAEEERbNJBvMr3PKC3yyv\
        L+PzgQt+uw8GyGt7mGI6YyApMk2CvQHOZTQHqz/Ptl+ZE1rK5xtGudZF0V98HpP3ynpOUwAAAAxkYXgtYXBwcm92\
        YWwAAAAAAAAABnNoYTUxMgAAAGQAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAEkAAAAhAJEuanmKDsTctzSPXB5v\
        te3M1uTs2aPnOOcPUaVe64QFAAAAIDT7vPbdWAyk2ShPwCOy2Q0To2M+ftuhwg+aKstZykmr";

    #[test]
    fn one_key_is_one_person_whoever_it_signs_for() {
        let gate = ApprovalGate { count: 2, of: Vec::new(), span: String::new() };
        let anybody: Counts<'_> = &|_, _| true;
        let signed = |by: &str, body: &str| {
            let (begin, end) = ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----");
            let signature = Some(format!("{begin}\n{body}\n{end}\n"));
            Approval { signature, ..approval(by, None) }
        };
        let agreed = |all: &[Approval]| agreed(&gate, None, all, anybody);
        let ann = signed("ann", ANN);
        assert_eq!(agreed(&[ann.clone(), signed("ann@example.com", ANN_AGAIN)]), Err(1));
        assert_eq!(agreed(&[ann.clone(), signed("zoe", ANN_CERTIFIED)]), Err(1));
        assert_eq!(agreed(&[signed("eve", EVE), signed("fay", EVE_AGAIN)]), Err(1));
        let two = Ok(vec!["ann".into(), "bob".into()]);
        assert_eq!(agreed(&[ann.clone(), signed("bob", BOB)]), two);
        assert_eq!(agreed(&[ann.clone(), approval("bob", None)]), two);
        // Two people who turn out to be one by a third approval.
        let both = [approval("bob", None), ann, signed("BOB", ANN_AGAIN)];
        assert_eq!(agreed(&both), Err(1));
    }

    #[test]
    fn one_person_counts_once_and_for_their_own_step_only() {
        let gate = ApprovalGate { count: 2, of: Vec::new(), span: String::new() };
        let anybody: Counts<'_> = &|_, _| true;
        let step = Some(StepId(3));
        let ann = [approval("ann", step), approval("Ann", step), approval("bob", None)];
        assert_eq!(agreed(&gate, step, &ann, anybody), Err(1));
        let both = [&ann[..], &[approval("bob", step)]].concat();
        assert_eq!(agreed(&gate, step, &both, anybody), Ok(vec!["Ann".into(), "bob".into()]));
        assert_eq!(agreed(&gate, step, &both, &|_, one| one.by == "bob"), Err(1));
    }
}
