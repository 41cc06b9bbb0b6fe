//! A fault of the code host at each request of each flow: nothing unapproved is applied, nothing twice, and one run
//! without faults afterwards ends well.

use super::clean;
use super::pipeline::events::Event;
use super::pipeline::{Pipeline, ended};
use crate::project::Said;
use dax_tests::peers::github::{ADMIN, ANN};
use dax_tests::peers::http::{Asked, Reply, Server, forward, serve_whole};
use serde_json::json;
use std::sync::{Arc, Mutex};

const PROGRAM: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image    = "acme/web:0"
  replicas = 2
}

environment production {
  bind web to memory.world
  approve 1 of ["team:sre"]
}
"#;

const PRODUCTION: &str = "<!-- dax:shop:production -->";

/// A fault of a code host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Broken,
    BrokenAfterwards,
    Closed,
    TooMany,
    Forbidden,
    Unknown,
    Absent,
    Unprocessable,
    Conflict,
    Page,
    EmptyList,
    EmptyObject,
}

const KINDS: [Kind; 12] = [
    Kind::Broken,
    Kind::BrokenAfterwards,
    Kind::Closed,
    Kind::TooMany,
    Kind::Forbidden,
    Kind::Unknown,
    Kind::Absent,
    Kind::Unprocessable,
    Kind::Conflict,
    Kind::Page,
    Kind::EmptyList,
    Kind::EmptyObject,
];

impl Kind {
    fn reply(self) -> Reply {
        let status = |status: u16| Reply::json(status, &json!({ "message": "a fault" }));
        match self {
            Self::Broken => status(500),
            Self::BrokenAfterwards => status(502),
            Self::Closed => status(0),
            Self::TooMany => {
                let mut reply = status(429);
                reply.headers.push(("retry-after".to_owned(), "0".to_owned()));
                reply
            }
            Self::Forbidden => status(403),
            Self::Unknown => status(401),
            Self::Absent => status(404),
            Self::Unprocessable => status(422),
            Self::Conflict => status(409),
            Self::Page => Reply {
                status: 200,
                headers: vec![("content-type".to_owned(), "text/html".to_owned())],
                body: "<html>a portal</html>".to_owned(),
            },
            Self::EmptyList => Reply::json(200, &json!([])),
            Self::EmptyObject => Reply::json(200, &json!({})),
        }
    }
}

/// A fault at a request, counted from one.
#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: Kind,
    at: usize,
    /// Whether every later request meets it as well.
    lasting: bool,
}

impl Fault {
    const fn meets(self, request: usize) -> bool {
        request == self.at || (self.lasting && request > self.at)
    }
}

/// The requests of the job that runs, and the fault that one of them meets.
#[derive(Default)]
struct Course {
    fault: Option<Fault>,
    requests: usize,
    met: bool,
}

/// A code host that fails on purpose, and what it was asked.
struct Faulty {
    it: Pipeline,
    front: Server,
    course: Arc<Mutex<Course>>,
}

/// Figures of many cases.
#[derive(Debug, Default)]
struct Figures {
    cases: usize,
    met: usize,
    applied_under_fault: usize,
    refused_under_fault: usize,
}

impl Faulty {
    fn new() -> Option<Self> {
        let it = Pipeline::new(PROGRAM)?;
        let course = Arc::<Mutex<Course>>::default();
        let (shared, port) = (course.clone(), port(&it.github.url()));
        let front = serve_whole(move |asked| answer(&shared, port, asked));
        it.set_up(&["production"]);
        Some(Self { it, front, course })
    }

    /// Runs a job with a fault; says as well whether a request met it.
    fn run(&self, event: &Event, args: &[&str], fault: Option<Fault>) -> (Said, bool) {
        *self.course.lock().expect("a lock") = Course { fault, ..Course::default() };
        let mut job = self.it.job(event);
        job.set("GITHUB_API_URL", &self.front.url());
        let said = job.dax(args);
        (said, self.course.lock().expect("a lock").met)
    }

    fn plan(&self, number: u64, fault: Option<Fault>) -> (Said, bool) {
        let event = self.it.pull_request(number, "synchronize");
        self.run(&event, &["ci", "--patience", "3s"], fault)
    }

    /// Revisions that were ever started.
    fn starts(&self) -> usize {
        self.it.effects().iter().filter(|line| line.contains("create revision")).count()
    }
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

fn answer(course: &Mutex<Course>, port: u16, asked: &Asked) -> Reply {
    let fault = {
        let mut course = course.lock().expect("a lock");
        course.requests += 1;
        let fault = course.fault.filter(|fault| fault.meets(course.requests));
        course.met |= fault.is_some();
        fault
    };
    let through = || forward(port, asked).unwrap_or_else(|_| Kind::Broken.reply());
    match fault {
        None => through(),
        Some(Fault { kind, .. }) => {
            if kind == Kind::BrokenAfterwards {
                through();
            }
            kind.reply()
        }
    }
}

/// One change through all flows, each of which meets the fault; `serial` makes its plan another one than before.
fn case(faulty: &Faulty, fault: Fault, serial: usize, figures: &mut Figures) {
    let it = &faulty.it;
    let (before, image) = (it.image("production"), format!("acme/web:{serial}"));
    let number = it.propose(&format!("c{serial}"), &PROGRAM.replace("acme/web:0", &image));
    let mut count = |met: bool| {
        figures.cases += 1;
        figures.met += usize::from(met);
    };
    // `ci`: whatever happens, one comment and one check stand there after a clean run.
    count(faulty.plan(number, Some(fault)).1);
    ended(faulty.plan(number, None).0, 0);
    it.comment(number, PRODUCTION);
    assert_eq!(it.conclusion(&it.head_of(number)), "success", "{fault:?}");
    // `ci apply`, not approved: nothing is applied.
    let pushed = it.pushed(&it.merge(number));
    let args = ["ci", "apply", "-e", "production", "--patience", "3s"];
    let (said, met) = faulty.run(&pushed, &args, Some(fault));
    count(met);
    assert_ne!(said.code, 0, "{fault:?}\n{}\n{}", said.out, said.err);
    assert_eq!(it.image("production"), before, "{fault:?}: unapproved");
    // Approved: it is applied or says that it is not.
    it.approve(number, "ann");
    let starts = faulty.starts();
    let (said, met) = faulty.run(&pushed, &args, Some(fault));
    count(met);
    let applied = it.image("production").as_deref() == Some(&*image);
    assert_eq!(said.code == 0, applied, "{fault:?}\n{}\n{}", said.out, said.err);
    if met {
        figures.applied_under_fault += usize::from(applied);
        figures.refused_under_fault += usize::from(!applied);
    }
    // And one clean run ends well, without doing anything twice.
    ended(faulty.run(&pushed, &args, None).0, 0);
    assert_eq!(it.image("production").as_deref(), Some(&*image), "{fault:?}");
    assert_eq!(faulty.starts(), starts + 1, "{fault:?}: twice");
}

/// Cases, one after the other in one repository.
fn run(faults: &[Fault], figures: &mut Figures) {
    let Some(faulty) = Faulty::new() else { return };
    for (place, fault) in faults.iter().enumerate() {
        case(&faulty, *fault, place + 1, figures);
    }
    clean(&faulty.it.github, &[ADMIN, ANN]);
}

/// One request for each kind, so that each of one to twelve is met by some kind.
fn sample(kinds: &[Kind], offset: usize) {
    let one = |(place, kind): (usize, &Kind)| {
        let at = (5 * (place + offset)) % 12 + 1;
        Fault { kind: *kind, at, lasting: false }
    };
    let faults: Vec<Fault> = kinds.iter().enumerate().map(one).collect();
    let mut figures = Figures::default();
    run(&faults, &mut figures);
    // A fault past the last request of a job is none.
    assert!(2 * figures.met >= figures.cases, "{figures:?}");
}

#[test]
fn one_fault_at_a_request_applies_nothing_unapproved_and_nothing_twice() {
    sample(&KINDS[..6], 0);
}

#[test]
fn one_wrong_answer_to_a_request_applies_nothing_unapproved_and_nothing_twice() {
    sample(&KINDS[6..], 6);
}

#[test]
#[ignore = "takes minutes: every kind of fault at each of twelve requests, in each flow"]
fn every_fault_at_every_request_applies_nothing_unapproved_and_nothing_twice() {
    let mut figures = Figures::default();
    for kind in KINDS {
        let faults: Vec<Fault> = (1..=12).map(|at| Fault { kind, at, lasting: false }).collect();
        run(&faults, &mut figures);
        println!("{kind:?}: {figures:?}");
    }
}

#[test]
#[ignore = "takes minutes: every kind of fault from some requests on, in each flow"]
fn a_fault_that_lasts_applies_nothing_unapproved_and_nothing_twice() {
    let mut figures = Figures::default();
    for kind in KINDS {
        let faults = [1, 4, 8, 12].map(|at| Fault { kind, at, lasting: true });
        run(&faults, &mut figures);
        println!("{kind:?}: {figures:?}");
    }
}
