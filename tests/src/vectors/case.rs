//! A case as its file states it. What a file does not state is `None`; what cannot be read is an error, never left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the octets of a case are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A response, or several.
    Response,
    /// A line with a chunk size, and perhaps the beginning of the chunk.
    ChunkSizeLine,
    /// A response head of which only the `Content-Length` matters.
    ContentLengthValue,
}

/// Text of a file that stands for octets: one octet for each character, or UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Whether these are the octets.
    pub fn is(&self, octets: &[u8]) -> bool {
        latin1(&self.0).is_some_and(|text| text == octets) || self.0.as_bytes() == octets
    }
}

/// A field line. A source that has no name for it shows a continuation line as one of its own.
pub type StatedLine = (Option<String>, Text);

/// What a source says of one message.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    /// The status code.
    pub status: Option<u16>,
    /// The version, `1.1`.
    pub version: Option<String>,
    /// The reason phrase.
    pub reason: Option<Text>,
    /// The field lines.
    pub headers: Option<Vec<StatedLine>>,
    /// The values of the field lines, where the source does not give their names.
    pub header_values: Option<Vec<Text>>,
    /// The content.
    pub body: Option<Vec<u8>>,
    /// How many octets of content.
    pub body_len: Option<u64>,
    /// The trailer section.
    pub trailers: Option<Vec<StatedLine>>,
    /// `none`, `content-length`, `chunked`, `until-eof`.
    pub framing: Option<String>,
    /// The length that the head declares, or the size of the chunk.
    pub length: Option<u64>,
    /// Whether the connection may be used again behind it.
    pub keep_alive: Option<bool>,
    /// Whether the message is complete before the connection ends.
    pub complete: Option<bool>,
    /// Whether the connection belongs to another protocol behind it.
    pub upgrade: Option<bool>,
    /// The error that it must be refused with. Only the vectors of this project say so.
    pub refusal: Option<String>,
    /// Up to and with how many octets it must be refused. Only the vectors of this project say so.
    pub refused_at: Option<u64>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// What the octets are.
    pub kind: Kind,
    /// The method of the request that is answered.
    pub method: String,
    /// What the peer sends.
    pub octets: Vec<u8>,
    /// Whether the source accepts them; `None`: it does not say.
    pub accept: Option<bool>,
    /// It tells what others made of the octets of another case.
    pub agreement: bool,
    /// They are the beginning of something that the source accepts.
    pub partial: bool,
    /// The peer closes the connection behind them; `None`: the source does not say.
    pub eof: Option<bool>,
    /// Only the head is stated.
    pub head_only: bool,
    /// The field lines that are stated are some of those that are there.
    pub headers_are_subset: bool,
    /// The source takes LF for the end of a line in these heads.
    pub bare_lf: bool,
    /// How many interim responses there are.
    pub interim: Option<usize>,
    /// The protocols that the request offers to switch to. Only the vectors of this project say so.
    pub offers: Option<String>,
    /// How many octets the line with the chunk size has.
    pub consumed: Option<usize>,
    /// Where the source itself says that it departs from the RFCs.
    pub conflicts_with: Option<String>,
    /// The settings with which the source has this outcome, if they are not its usual ones.
    pub options: Vec<String>,
    /// The first final message, or an interim one that nothing follows.
    pub stated: Stated,
    /// All messages.
    pub messages: Vec<Stated>,
}

impl Case {
    /// Reads a case. `octets` are those that another file of the folder has for this id, for files that only agree or disagree with others.
    ///
    /// # Errors
    /// What is malformed, or missing.
    pub fn read(value: &Value, octets: Option<&[u8]>) -> Result<Case, String> {
        let given = given_octets(value)?;
        let agreement = is_agreement(value);
        let expect = if agreement { value } else { &value["expect"] };
        let messages = optional(expect, "messages", Value::as_array)?.into_iter().flatten();
        let size = expect["size"].as_u64().or_else(|| expect["size_str"].as_str().and_then(|size| size.parse().ok()));
        let mut stated = Stated::read(expect)?;
        stated.length = stated.length.or(size);
        Ok(Case {
            id: id_of(value).unwrap_or_default().to_owned(),
            kind: kind(value)?,
            method: text(value, "request_method")?.unwrap_or_else(|| "GET".to_owned()),
            octets: given.or_else(|| octets.map(<[u8]>::to_vec)).ok_or("there are no octets")?,
            accept: flag(expect, "accept")?,
            agreement,
            partial: flag(value, "partial")?.unwrap_or(false),
            eof: if agreement { Some(true) } else { flag(value, "eof")? },
            head_only: flag(value, "head_only")?.unwrap_or(false),
            headers_are_subset: flag(value, "headers_are_subset")?.unwrap_or(false) || expect["headers"].is_object(),
            bare_lf: flag(value, "bare_lf_in_head")?.unwrap_or(false),
            interim: small(value, "interim"),
            offers: value["offers"].as_str().map(str::to_owned),
            consumed: small(expect, "consumed"),
            conflicts_with: value["conflicts_with"].as_str().map(str::to_owned),
            options: ["options", "client_options", "profile"].iter().flat_map(|name| words(&value[*name])).collect(),
            stated,
            messages: messages.map(Stated::read).collect::<Result<_, _>>()?,
        })
    }

    /// Whether what fails when the connection ends has been refused, and not only cut short.
    pub fn is_refused_at_end(&self) -> bool {
        let unsaid = self.eof.is_none() && self.accept == Some(false) && self.kind == Kind::Response && !self.head_only;
        self.eof == Some(true) || unsaid
    }

    /// What the source says, in a word.
    pub fn says(&self) -> &'static str {
        match self.accept {
            _ if self.partial => "partial",
            Some(true) => "accept",
            Some(false) => "refuse",
            None => "nothing",
        }
    }
}

impl Stated {
    fn read(value: &Value) -> Result<Stated, String> {
        let body = octets(value, "body_b64", "body_latin1")?;
        Ok(Stated {
            status: number(value, "status")?.map(u16::try_from).transpose().map_err(|_| "status is too large")?,
            version: text(value, "version")?,
            reason: text(value, "reason")?.map(Text),
            headers: lines(&value["headers"])?,
            header_values: values(&value["header_values"])?,
            body,
            body_len: number(value, "body_len")?,
            trailers: lines(&value["trailers"])?,
            framing: text(value, "framing")?,
            length: value["length"].as_u64(),
            keep_alive: flag(value, "keep_alive")?,
            complete: flag(value, "complete")?,
            upgrade: flag(value, "upgrade")?,
            refusal: text(value, "refusal")?,
            refused_at: value["refused_at"].as_u64(),
        })
    }

    /// Whether it is an interim response, behind which another one comes.
    pub fn is_interim(&self) -> bool {
        self.status.is_some_and(|status| (100..200).contains(&status) && status != 101)
    }
}

/// The id of a case.
pub fn id_of(value: &Value) -> Option<&str> {
    value["id"].as_str()
}

/// Whether a case says what others make of the octets of another case: it has the outcome beside the id, and no octets.
pub fn is_agreement(value: &Value) -> bool {
    value["expect"].is_null() && value["raw_response_b64"].is_null() && value["raw_response_latin1"].is_null()
}

/// The octets of a case, if it has any of its own.
///
/// # Errors
/// They are malformed, or stated twice and not alike.
pub fn given_octets(value: &Value) -> Result<Option<Vec<u8>>, String> {
    octets(value, "raw_response_b64", "raw_response_latin1")
}

fn kind(value: &Value) -> Result<Kind, String> {
    match value["kind"].as_str() {
        None | Some("response") => Ok(Kind::Response),
        Some("chunk-size-line") => Ok(Kind::ChunkSizeLine),
        Some("content-length-value") => Ok(Kind::ContentLengthValue),
        Some(other) => Err(format!("there is no kind {other}")),
    }
}

/// Octets that stand there in base64, as text, or as both.
fn octets(value: &Value, base64: &str, readable: &str) -> Result<Option<Vec<u8>>, String> {
    let decode = |text: &str| STANDARD.decode(text).map_err(|error| format!("{base64}: {error}"));
    let encoded = optional(value, base64, Value::as_str)?.map(decode).transpose()?;
    let text = optional(value, readable, Value::as_str)?.map(|text| latin1(text).ok_or(format!("{readable} is not Latin-1")));
    match (encoded, text.transpose()?) {
        (Some(encoded), Some(text)) if encoded != text => {
            Err(format!("{base64} and {readable} differ; the text is {}", STANDARD.encode(text)))
        }
        (Some(octets), _) | (None, Some(octets)) => Ok(Some(octets)),
        (None, None) => Ok(None),
    }
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}

/// A member that may be missing or null, but not of another type.
fn optional<'a, T>(value: &'a Value, name: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<Option<T>, String> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(member) => read(member).map(Some).ok_or_else(|| format!("{name} cannot be read: {member:.80}")),
    }
}

fn flag(value: &Value, name: &str) -> Result<Option<bool>, String> {
    optional(value, name, Value::as_bool)
}

fn number(value: &Value, name: &str) -> Result<Option<u64>, String> {
    optional(value, name, Value::as_u64)
}

/// A count that only some sources give: in another form it is not one.
fn small(value: &Value, name: &str) -> Option<usize> {
    value[name].as_u64().and_then(|number| usize::try_from(number).ok())
}

fn text(value: &Value, name: &str) -> Result<Option<String>, String> {
    Ok(optional(value, name, Value::as_str)?.map(str::to_owned))
}

/// Field lines: a list of pairs, or an object.
fn lines(value: &Value) -> Result<Option<Vec<StatedLine>>, String> {
    let line = |name: Option<&str>, value: &Value| {
        let value = value.as_str().ok_or_else(|| format!("a field value is no text: {value:.80}"))?;
        Ok::<_, String>((name.map(str::to_owned), Text(value.to_owned())))
    };
    let mut read = Vec::new();
    match value {
        Value::Null => return Ok(None),
        Value::Array(pairs) => {
            for pair in pairs {
                read.push(line(pair[0].as_str(), &pair[1])?);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_array() {
                    Some(several) => {
                        for one in several {
                            read.push(line(Some(name), one)?);
                        }
                    }
                    None => read.push(line(Some(name), member)?),
                }
            }
        }
        other => return Err(format!("field lines cannot be read: {other:.80}")),
    }
    Ok(Some(read))
}

fn values(value: &Value) -> Result<Option<Vec<Text>>, String> {
    let Some(values) = value.as_array() else { return Ok(None) };
    let text = |value: &Value| value.as_str().map(|text| Text(text.to_owned())).ok_or("a field value is no text".to_owned());
    values.iter().map(text).collect::<Result<_, _>>().map(Some)
}

/// The words of a setting: a text, or a list of them.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
