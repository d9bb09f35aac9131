// The site and the application of origin.rs on Node's own server: node.mjs ROOT PLAIN LIMITED
import { appendFileSync, createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";

const [root, plain, limited] = process.argv.slice(2);
const LIMITED_OCTETS_MAX = 1 << 20;
const SLOW_MS = 10;

function adler32(sum, octets) {
    let [low, high] = sum;
    for (let start = 0; start < octets.length; start += 5552) {
        for (const octet of octets.subarray(start, start + 5552)) {
            low += octet;
            high += low;
        }
        low %= 65521;
        high %= 65521;
    }
    return [low, high];
}

const text = (octets, [low, high]) => `${octets} ${high * 65536 + low}`;

function pattern(position, octets) {
    const content = Buffer.alloc(octets);
    for (let index = 0; index < octets; index++) {
        const at = position + index;
        content[index] = (at * 31) ^ ((at >> 8) * 17) ^ (at >> 16);
    }
    return content;
}

function answer(response, status, content = "") {
    const octets = Buffer.from(content);
    response.writeHead(status, status === 204 || status === 304 ? {} : { "Content-Length": octets.length });
    response.end(octets);
}

function file(response, path) {
    try {
        response.writeHead(200, { "Content-Length": statSync(path).size });
        createReadStream(path).pipe(response);
    } catch {
        answer(response, 404, "none");
    }
}

function echo(request, response) {
    let octets = 0;
    let sum = [1, 0];
    request.on("data", (part) => {
        octets += part.length;
        sum = adler32(sum, part);
    });
    request.on("end", () => answer(response, 200, text(octets, sum)));
}

function chunked(response) {
    let octets = 0;
    let sum = [1, 0];
    response.writeHead(200, { Trailer: "X-Sum", "Transfer-Encoding": "chunked" });
    for (let number = 0; number < 40; number++) {
        const chunk = pattern(number * 70000, 1 + number * 97);
        octets += chunk.length;
        sum = adler32(sum, chunk);
        response.write(chunk);
    }
    response.addTrailers({ "X-Sum": text(octets, sum) });
    response.end();
}

function application(request, response) {
    const [path, query] = request.url.split("?");
    const [, first, second, third] = path.split("/");
    if (first === "files" && /^[a-z0-9]+$/.test(second)) return file(response, `${root}/files/${second}`);
    if (second === "echo") return echo(request, response);
    if (second === "mirror") return request.pipe(response);
    if (second === "chunked") return chunked(response);
    if (second === "status") return answer(response, Number(third));
    if (second === "hints") {
        response.writeEarlyHints({ link: "</style.css>; rel=preload" });
        return answer(response, 200, "hinted");
    }
    if (second === "count") {
        appendFileSync(`${root}/seen.log`, `${path}\n`);
        return setTimeout(() => answer(response, 200, `counted ${path}`), query === "slow" ? SLOW_MS : 0);
    }
    return answer(response, 404, "none");
}

function bounded(request, response) {
    if (Number(request.headers["content-length"]) > LIMITED_OCTETS_MAX) {
        response.writeHead(413, { "Content-Length": 0, Connection: "close" });
        return response.end();
    }
    return application(request, response);
}

const servers = [createServer(application), createServer(bounded)];
servers[0].keepAliveTimeout = 30_000;
servers[1].keepAliveTimeout = 1_000;
servers[1].maxRequestsPerSocket = 5;
servers[1].on("checkContinue", (request, response) => {
    if (!(Number(request.headers["content-length"]) > LIMITED_OCTETS_MAX)) response.writeContinue();
    bounded(request, response);
});
servers[0].listen(Number(plain), "127.0.0.1");
servers[1].listen(Number(limited), "127.0.0.1");
process.on("SIGTERM", () => {
    for (const server of servers) {
        server.close();
        server.closeIdleConnections();
    }
    setTimeout(() => process.exit(), 500).unref();
});
