//! The longer texts of `--help`.

pub(crate) const EXIT_STATUS: &str = "\
Exit status:
  0    every exchange completed
  1    an exchange failed; with --fail also: a status was 400 or more; no tunnel
       was opened
  2    wrong arguments, or an output that cannot be written; nothing was sent
  130  interrupted (Ctrl-C); 143: terminated; 129: hung up
  141  standard output was closed by its reader, as `head` does";

pub(crate) const FETCH_AFTER: &str = "\
Examples:
  sandpiper fetch http://localhost:8000/
  sandpiper fetch -i http://localhost:8000/a http://localhost:8000/b
  sandpiper fetch -o 'page-{}.html' -K urls
  sandpiper fetch --json -K urls | jq -r 'select(.ok) | .status'
  find-urls | sandpiper fetch -K - -Z --parallel-max 20 --retry 2 --summary -o '{}'
  sandpiper fetch --data-json '{\"a\": 1}' http://localhost:8000/
  sandpiper fetch -F name=value -F file=@photo.png http://localhost:8000/
  tar c . | sandpiper fetch -T - http://localhost:8000/backup.tar
  sandpiper fetch -C - -O http://localhost:8000/large.iso

Connections:
  URLs of one origin (host and port) share one connection, or up to
  --max-host-conns; there are at most --max-conns in all. A connection that has
  nothing to do makes room for one to another origin, and an origin with several
  leaves room for those that have none. When no connection to an origin can be
  made, all requests that wait for one fail with it.

  Requests go one at a time until a first whole HTTP/1.1 response has shown that
  the server keeps the connection; then up to --depth are on the wire together.
  Only idempotent requests are pipelined. Redirects are not followed, and
  contents are written as they came: nothing is decompressed.

  When a server ends a connection, requests go to the next one by themselves,
  as long as it answers some: those that had not left or were declared
  unprocessed, and idempotent ones that were pipelined. An idempotent request
  that a used connection lost goes once more. A server whose pipelines break
  twice, or that leaves a pipelined request without an answer for 3 seconds, is
  sent one request at a time from then on.

Delivery: every failure says whether the server can have acted on the request.
  not-sent          no octet of it left                     safe to repeat
  unprocessed       the server declared that it did not     safe to repeat
  unanswered        it left, nothing of a response came     if idempotent
  response-started  part of a response came: it acted       not repeated
  Of failures that are alike, at one origin, five are told, and how many there
  were; --json has each.

Output:
  Without -o contents go to standard output in the order of the URLs. A response
  whose turn has not come is not read, so that memory stays small. -o writes to
  a temporary file beside FILE and renames it when the response is whole: when a
  request fails, a FILE that was there before stays as it was. FILE itself is
  written with --in-place and -C, and where a rename would lose something: the
  file's owner, its other names, what its directory or a mount point does not
  allow. /dev/stdout and /dev/fd/N are written as they are open. A FILE that
  cannot be written is refused before anything is sent.
  On a terminal, control characters of the server are shown as text, and binary
  content is refused, unless -o - says that octets are to go as they come; a
  long download shows a progress bar, and several exchanges their counts: done,
  active and queued requests, open and idle connections, requests on a
  connection that had carried one before, and repeated ones.
  After status 304 the FILE stays as it is.
  Every URL ends in one result: its content, its FILE, its JSON object, or a
  message on standard error.

TLS:
  For https URLs the component has TLS inside, with Mozilla's certificates as
  trust anchors: keys, certificates and plaintext stay in the sandbox. With
  --component host-tls this program does TLS, and HTTP alone is in the sandbox.
  A certificate that is refused is told with its names, dates and issuer.

Curl:
  Options of curl do here what they do in curl, or are refused by a line that says
  what to do instead; docs/reference/curl.md has them all.

Sandbox:
  HTTP runs inside a WebAssembly component that can reach nothing but the
  network, and there only the hosts and ports of the URLs (see --allow). See
  also: sandpiper inspect, sandpiper demo.";

pub(crate) const JSON_HELP: &str = "\
Writes one JSON object per line and exchange, in the order of completion, instead of contents

A completed exchange:
  {\"index\":0,\"url\":…,\"ok\":true,\"status\":200,\"reason\":\"OK\",
   \"version\":\"HTTP/1.1\",\"fields\":[[\"Server\",\"nginx\"],…],
   \"content_base64\":\"…\",\"trailers\":[…],
   \"interim\":[{\"status\":103,\"reason\":…,\"fields\":[…]}],
   \"connection\":1,\"timing_ns\":{…},\"tls\":{…}}
A failed one:
  {\"index\":0,\"url\":…,\"ok\":false,\"error\":\"peer-misbehaved\",
   \"detail\":\"not-http\",\"delivery\":\"unanswered\",\"connection\":1}

`index` counts the URLs from 0. Octets outside ASCII in `reason` and `fields` stand as Latin-1. `connection` is 0 when there was \
none. `timing_ns` counts from the moment the request was queued: request_started, request_sent, response_started, response_head, \
response_ended. `tls` is there for https alone, and for failures of TLS: server_name, version, cipher_suite, group, protocol, resumed, \
duration_ns, and the certificates as the server sent them, each with subject, issuer, names, not_before and not_after in seconds since \
1970, key and pin; refusal, alert and detail say why it failed. A status of 400 or more is a completed exchange: with --fail it changes the exit status alone.

With --summary a last object follows:
  {\"summary\":{\"total\":{\"requests\":3,\"ok\":2,\"repeated\":0,\"opened\":1,
   \"reused\":2,\"octets\":12,\"seconds\":0.02,\"failed\":{\"timed-out\":1}},
   \"origins\":[{\"origin\":\"http://h:80\",…}]}}";
