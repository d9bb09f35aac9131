// Node's http on a transport in memory: one case in a line of JSON, its outcome in another.
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";

// How many turns of the event loop pass before nothing more will come of what was sent.
const TURNS = 12;

class Transport extends Duplex {
    sent = "";

    constructor(octets) {
        super();
        this.octets = octets;
    }

    _read() {}

    _write(part, _, done) {
        this.sent += part.toString("latin1");
        if (this.octets && this.sent.endsWith("\r\n\r\n")) {
            this.push(this.octets);
            this.octets = null;
        }
        done();
    }

    setTimeout() { return this; }
    setNoDelay() { return this; }
    setKeepAlive() { return this; }
    ref() { return this; }
    unref() { return this; }
    destroySoon() { this.destroy(); }
}

const turns = async () => {
    for (let turn = 0; turn < TURNS; turn++) await new Promise(setImmediate);
};

function pairs(raw) {
    const fields = [];
    for (let index = 0; index < raw.length; index += 2) {
        fields.push([Buffer.from(raw[index], "latin1").toString("hex"), Buffer.from(raw[index + 1], "latin1").toString("hex")]);
    }
    return fields;
}

async function outcome(method, octets) {
    const transport = new Transport(octets.length ? octets : null);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => transport;
    let refused;
    let response;
    let whole = false;
    const content = [];
    const refuse = (error) => { refused ??= error.code ?? error.message; };
    const sent = request({ method, path: "/", host: "example.test", agent });
    sent.on("error", refuse);
    sent.on("upgrade", () => refuse(new Error("upgrade")));
    sent.on("response", (incoming) => {
        response = incoming;
        incoming.on("error", refuse);
        incoming.on("data", (part) => content.push(part));
        incoming.on("end", () => { whole = incoming.complete; });
    });
    sent.end();
    await turns();
    const reusable = whole && !transport.destroyed && !refused;
    transport.push(null);
    await turns();
    transport.destroy();
    agent.destroy();
    if (!whole) return { refused: refused ?? "it never ends" };
    return {
        status: response.statusCode,
        fields: pairs(response.rawHeaders),
        content: Buffer.concat(content).toString("hex"),
        trailers: pairs(response.rawTrailers),
        reusable,
    };
}

process.on("uncaughtException", (error) => {
    console.error(error);
    process.exit(1);
});
for await (const line of createInterface({ input: process.stdin })) {
    const { method, octets } = JSON.parse(line);
    console.log(JSON.stringify(await outcome(method, Buffer.from(octets, "hex"))));
}
