// Node's own https server, which answers with what it saw of the handshake: tls_node.mjs ROOT PORT OPTIONS
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const [root, port, options] = process.argv.slice(2);
const read = (name) => readFileSync(`${root}/${name}`);
const settings = {
    cert: read("chain.pem"), key: read("key.pem"), ca: read("root.pem"), ALPNProtocols: ["http/1.1"], ...JSON.parse(options),
};

createServer(settings, (request, response) => {
    const { socket } = request;
    const resumed = socket.isSessionReused() ? "r" : ".";
    const client = socket.authorized ? "SUCCESS" : "NONE";
    const content = `version=${socket.getProtocol()} resumed=${resumed} name=${socket.servername} client=${client} alpn=${socket.alpnProtocol}\n`;
    response.writeHead(200, { "Content-Length": content.length });
    response.end(content);
}).listen(Number(port), "127.0.0.1");
