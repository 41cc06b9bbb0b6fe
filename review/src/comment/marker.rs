//! Markers: the first line of a comment, which no reader sees and by which it is found again.
//!
//! A marker says what its comment is about, so that a run knows whether it answers for it.

use dax_engine::Name;
use dax_engine::render::Flavour;

/// The subject of a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An environment of a project.
    One(Name, Name),
    /// All environments that a run plans.
    Shared {
        /// The project that the run plans beside those that are touched, if it does.
        project: Option<Name>,
        /// The environments that it was asked for by name; all where there are none.
        only: Vec<Name>,
    },
}

impl Subject {
    /// The subject of a comment that all environments share.
    pub(crate) fn shared(project: Option<Name>, environments: &[String]) -> Self {
        let mut only: Vec<Name> = environments.iter().map(|name| marked(name)).collect();
        only.sort();
        only.dedup();
        Self::Shared { project, only }
    }

    /// The marker.
    pub(crate) fn marker(&self, flavour: Flavour) -> String {
        let about = match self {
            Self::One(project, environment) => format!("{project}:{environment}"),
            Self::Shared { project, only } => {
                let project = project.as_ref().map(|name| format!(" of {name}"));
                let only = (!only.is_empty()).then(|| format!(" -e {}", only.join(",")));
                format!("all{}{}", project.unwrap_or_default(), only.unwrap_or_default())
            }
        };
        format!("{}{about}{}", prefix(flavour), end(flavour))
    }

    /// The subject that the first line of a comment names.
    pub(crate) fn of(line: &str, flavour: Flavour) -> Option<Self> {
        let about = line.strip_prefix(prefix(flavour))?.strip_suffix(end(flavour))?;
        if let Some((project, environment)) = about.split_once(':') {
            return Some(Self::One(project.into(), environment.into()));
        }
        let mut words = about.split(' ');
        let (mut project, mut only) = (None, Vec::new());
        words.next().filter(|word| *word == "all")?;
        while let Some(word) = words.next() {
            match word {
                "of" => project = Some(Name::from(words.next()?)),
                "-e" => only = words.next()?.split(',').map(Name::from).collect(),
                _ => return None,
            }
        }
        Some(Self::Shared { project, only })
    }
}

/// The text that every marker begins with.
pub(crate) const fn prefix(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::GitHub | Flavour::GitLab => "<!-- dax:",
        // Bitbucket shows HTML comments; a definition that nothing refers to it does not.
        Flavour::Bitbucket => "[//]: # (dax:",
    }
}

const fn end(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::GitHub | Flavour::GitLab => " -->",
        Flavour::Bitbucket => ")",
    }
}

/// An environment's name as markers have it: without anything that would end one.
pub(crate) fn marked(name: &str) -> Name {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-[].".contains(c);
    Name::from(name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_says_what_its_comment_is_about() {
        let one = Subject::One("all".into(), "preview[12]".into());
        let lists = [vec![], vec!["b --> c".to_owned(), "a".to_owned(), "a".to_owned()]];
        let shared = |list: &Vec<String>| {
            [None, Some("shop".into())].map(|project| Subject::shared(project, list))
        };
        let all: Vec<Subject> = lists.iter().flat_map(shared).chain([one]).collect();
        for flavour in [Flavour::GitHub, Flavour::GitLab, Flavour::Bitbucket] {
            for subject in &all {
                let marker = subject.marker(flavour);
                assert_eq!(Subject::of(&marker, flavour).as_ref(), Some(subject), "{marker}");
            }
        }
        assert_eq!(all[0].marker(Flavour::GitHub), "<!-- dax:all -->");
        assert_eq!(all[3].marker(Flavour::Bitbucket), "[//]: # (dax:all of shop -e a,b_--__c)");
        assert_eq!(Subject::of("<!-- dax:anything -->", Flavour::GitHub), None);
    }
}
