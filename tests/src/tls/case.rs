//! A server, what the client is told, and what must come of it.

use super::authority::NAME;
use super::client::{Library, Outcome, Problem, TlsClient, Told};
use super::serving::{Seen, Serving};
use std::net::SocketAddr;

/// What must come of the last connection. All before it must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The response is whole.
    Answered,
    /// The handshake is done, and then it fails like this; of several, the first is the better word.
    Broken(Vec<Problem>),
    /// The handshake fails like this, and no octet of a request has left; without a problem, it fails somehow.
    Refused(Vec<Problem>),
    /// It fails like this, before or after the handshake is done for the client: the server checks behind its own last word. No request
    /// is read by it.
    RefusedByServer(Vec<Problem>),
}

/// What a server must have seen, or a client received; says what is wrong.
pub type Check = fn(&[Seen], &[Outcome]) -> Result<(), String>;
type Serve = Box<dyn Fn(usize) -> Result<Serving, String> + Send + Sync>;
type Tell = Box<dyn Fn(&mut Told) + Send + Sync>;

/// One row of the matrix.
pub struct Case {
    /// In a few words.
    pub name: String,
    /// The server, for one of `points`.
    ///
    /// # Errors
    /// Why there is none here.
    pub serve: Serve,
    /// It is run for each, with the same result.
    pub points: Vec<usize>,
    /// What the client is told besides what all are.
    pub tell: Tell,
    /// The names of its connections.
    pub visits: &'static [&'static str],
    /// One more connection for each of these, told otherwise.
    pub then: Vec<fn(&mut Told)>,
    /// What must come of it.
    pub expected: Expected,
    /// What the client must say when it refuses: one of each.
    pub words: Vec<&'static [&'static str]>,
    /// What else must hold.
    pub checks: Vec<Check>,
    /// Why the clients of a library may do otherwise.
    pub differs: Vec<(Library, &'static str)>,
}

impl Case {
    /// One that is answered, until it is told otherwise.
    pub fn new(name: impl Into<String>, serve: impl Fn() -> Serving + Send + Sync + 'static) -> Case {
        Case::trying(name, move || Ok(serve()))
    }

    /// As [`Case::new`], where the server may be missing.
    pub fn trying(name: impl Into<String>, serve: impl Fn() -> Result<Serving, String> + Send + Sync + 'static) -> Case {
        Case {
            name: name.into(),
            serve: Box::new(move |_| serve()),
            points: vec![0],
            tell: Box::new(|_| ()),
            visits: &[NAME],
            then: Vec::new(),
            expected: Expected::Answered,
            words: Vec::new(),
            checks: Vec::new(),
            differs: Vec::new(),
        }
    }

    /// As [`Case::new`], with a server for each of these points.
    pub fn at(name: impl Into<String>, points: Vec<usize>, serve: impl Fn(usize) -> Serving + Send + Sync + 'static) -> Case {
        Case { serve: Box::new(move |point| Ok(serve(point))), points, ..Case::new(name, || unreachable!("replaced")) }
    }

    /// Tells the client this too.
    #[must_use]
    pub fn told(mut self, tell: impl Fn(&mut Told) + Send + Sync + 'static) -> Case {
        let before = self.tell;
        self.tell = Box::new(move |told| {
            before(told);
            tell(told);
        });
        self
    }

    /// The client connects to these, one after the other.
    #[must_use]
    pub fn visits(mut self, names: &'static [&'static str]) -> Case {
        self.visits = names;
        self
    }

    /// Then it connects once more, told otherwise.
    #[must_use]
    pub fn then(mut self, change: fn(&mut Told)) -> Case {
        self.then.push(change);
        self
    }

    /// What the client is told, for each connection.
    pub fn all_told(&self, address: SocketAddr) -> Vec<Told> {
        let mut told = Told::new(address);
        (self.tell)(&mut told);
        let mut all: Vec<Told> = self.visits.iter().map(|name| Told { name: (*name).to_owned(), ..told.clone() }).collect();
        for change in &self.then {
            let mut other = told.clone();
            change(&mut other);
            all.push(other);
        }
        all
    }

    /// It is answered all the same.
    #[must_use]
    pub fn answered(mut self) -> Case {
        self.expected = Expected::Answered;
        self
    }

    /// It is refused within the handshake.
    #[must_use]
    pub fn refused(mut self, problem: Problem) -> Case {
        self.expected = Expected::Refused(vec![problem]);
        self
    }

    /// It is refused within the handshake, as it may: any change in these octets must be seen.
    #[must_use]
    pub fn refused_somehow(mut self) -> Case {
        self.expected = Expected::Refused(Vec::new());
        self
    }

    /// In the words of the refusal, there is one of these.
    #[must_use]
    pub fn saying(mut self, one_of: &'static [&'static str]) -> Case {
        self.words.push(one_of);
        self
    }

    /// The server refuses it, at a time when the client may have sent its request.
    #[must_use]
    pub fn refused_by_server(mut self, problem: Problem) -> Case {
        self.expected = Expected::RefusedByServer(vec![problem]);
        self
    }

    /// It breaks behind the handshake.
    #[must_use]
    pub fn broken(mut self, problem: Problem) -> Case {
        self.expected = Expected::Broken(vec![problem]);
        self
    }

    /// This word is as good, because what the client sees allows both.
    #[must_use]
    pub fn or(mut self, problem: Problem) -> Case {
        match &mut self.expected {
            Expected::Answered => {}
            Expected::Broken(problems) | Expected::Refused(problems) | Expected::RefusedByServer(problems) => {
                problems.push(problem);
            }
        }
        self
    }

    /// This must hold too.
    #[must_use]
    pub fn check(mut self, check: Check) -> Case {
        self.checks.push(check);
        self
    }

    /// The clients of this library may do otherwise, for this reason.
    #[must_use]
    pub fn differs(mut self, library: Library, why: &'static str) -> Case {
        self.differs.push((library, why));
        self
    }
}

impl Expected {
    /// What is wrong with an outcome, for a client that tells problems, or one that does not.
    ///
    /// # Errors
    /// That.
    pub fn judge(&self, outcome: &Outcome, client: &dyn TlsClient) -> Result<(), String> {
        let wrong = || Err(format!("{outcome}, where {self} is expected"));
        match (self, outcome) {
            (Expected::Answered, Outcome::Answered(_)) => Ok(()),
            (Expected::Answered, _) | (_, Outcome::Answered(_)) => wrong(),
            _ if !client.tells_problems() => Ok(()),
            (Expected::Broken(_) | Expected::RefusedByServer(_), Outcome::Broken(_)) if !client.tells_what_broke() => Ok(()),
            (Expected::Broken(problems), Outcome::Broken(problem)) if problems.contains(problem) => Ok(()),
            (Expected::Refused(problems), Outcome::Refused(problem, _)) if problems.is_empty() || problems.contains(problem) => {
                Ok(())
            }
            (Expected::RefusedByServer(problems), Outcome::Refused(problem, _) | Outcome::Broken(problem))
                if problems.contains(problem) =>
            {
                Ok(())
            }
            _ => wrong(),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, problems) = match self {
            Expected::Answered => return formatter.write_str("answered"),
            Expected::Broken(problems) => ("broken", problems),
            Expected::Refused(problems) => ("refused", problems),
            Expected::RefusedByServer(problems) => ("refused by the server", problems),
        };
        if problems.is_empty() {
            return write!(formatter, "{word}, somehow");
        }
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        write!(formatter, "{word}: {}", problems.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that is only asked what it tells.
    struct Telling(bool);

    impl TlsClient for Telling {
        fn name(&self) -> String {
            String::new()
        }

        fn library(&self) -> Library {
            Library::Other
        }

        fn fetch(&self, _: &[Told]) -> Result<Vec<Outcome>, String> {
            Err(String::new())
        }

        fn tells_problems(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn another_problem_or_another_time_is_wrong() {
        let refused = |problem| Outcome::Refused(problem, String::new());
        let (tells, does_not) = (Telling(true), Telling(false));
        let expected = Expected::Refused(vec![Problem::CertificateName, Problem::Protocol]);
        assert_eq!(expected.judge(&refused(Problem::Protocol), &tells), Ok(()));
        assert!(expected.judge(&refused(Problem::CertificateUse), &tells).is_err());
        assert!(expected.judge(&Outcome::Broken(Problem::CertificateName), &tells).is_err());
        assert_eq!(expected.judge(&Outcome::Broken(Problem::CertificateName), &does_not), Ok(()));
        assert!(Expected::Answered.judge(&refused(Problem::NotTls), &does_not).is_err());
        let by_server = Expected::RefusedByServer(vec![Problem::Alert(42)]);
        assert!(by_server.judge(&Outcome::Broken(Problem::Alert(43)), &tells).is_err());
    }
}
